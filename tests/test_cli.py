"""The command line: exit codes, plain messages, JSON for scripts."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import largest_file
from filled import fill
from records import anything

from borarun.basics.causes import Cause
from borarun.cli import main
from borarun.engines.bundled import engine as bundled
from borarun.records.attributes import Provenance
from borarun.records.places import Places
from borarun.records.store import Store
from borarun.records.task import Failure
from borarun.run.work import claim_of
from borarun.structures.files import read_structure
from borarun.study import load_study
from borarun.study.plan import expand


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def borarun(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):  # type: ignore[no-untyped-def]
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["borarun", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Answer(code, *capsys.readouterr())

    return run


def test_init_writes_a_study_that_validates_and_plans(borarun, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert borarun("init", "new").code == 0
    assert borarun("validate", "new/study.yaml").code == 0
    answer = borarun("plan", "new/study.yaml")
    assert answer.code == 0 and "heating" in answer.out


def test_order_shows_and_writes_models(borarun, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rows = "Na1 Na 0 0 0 0.5\nCl1 Cl 0 0 0 0.5\n"
    cell = "".join(f"_cell_length_{each} 2.82\n" for each in "abc") + "".join(
        f"_cell_angle_{each} 90\n" for each in ("alpha", "beta", "gamma")
    )
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    sites = "".join(f"_atom_site_{each}\n" for each in columns)
    (tmp_path / "salt.cif").write_text(
        f"data_salt\n{cell}_symmetry_space_group_name_H-M 'P m -3 m'\nloop_\n{sites}{rows}"
    )
    asked = ("order", "salt.cif", "--supercell", 2, 2, 2, "--models", 2, "--out", "models")
    answer = borarun(*asked)
    assert answer.code == 0
    assert "Fm-3m (225)" in answer.out
    assert "Of 70 arrangements, all 6 that symmetry tells apart were compared." in answer.out
    for file in ("models/salt-1.cif", "models/salt-2.cif"):
        assert len(read_structure(tmp_path / file)) == 8
    assert borarun(*asked).code == 1
    shown = json.loads(borarun("order", "salt.cif", "--supercell", 2, 2, 2, "--json").out)
    assert shown["models"][0]["multiplicity"] == 2
    answer = borarun("order", "salt.cif", "--charge", "Na=x")
    assert answer.code == 2 and "--charge: must be an element and its charge" in answer.err
    answer = borarun("order", "salt.cif", "--supercell", 1, 1, 1)
    assert answer.code == 2 and "These supercells can: [2, 1, 1]" in answer.err


def test_init_overwrites_nothing(borarun, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "study.yaml").write_text("mine")
    answer = borarun("init")
    assert answer.code == 2 and "study.yaml" in answer.err
    assert (tmp_path / "study.yaml").read_text() == "mine"


def test_a_mistyped_key_is_named_with_its_place_and_the_way_out(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    text = mini_study.read_text().replace(
        "  temperatures_K: [200, 300]", "  temperature_K: [200, 300]"
    )
    mini_study.write_text(text)
    line = text.splitlines().index("  temperature_K: [200, 300]") + 1
    answer = borarun("submit", "mini.yaml")
    assert answer.code == 2
    assert (
        f"mini.yaml:{line}: diffusion.temperature_K" in answer.err
        and "temperatures_K" in answer.err
    )
    assert "Traceback" not in answer.err


def test_former_names_are_shown_first_and_rewritten_on_request(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    text = mini_study.read_text().replace("aimd: {temperatures_K:", "aimd: {temperature_K:")
    mini_study.write_text(text)
    line = text[: text.index("temperature_K:")].count("\n") + 1
    shown = borarun("update", "mini.yaml", "--check")
    assert shown.code == 1 and mini_study.read_text() == text
    assert "\n-  aimd: {temperature_K: 600" in shown.out
    assert "\n+  aimd: {temperatures_K: 600" in shown.out
    assert (
        f"mini.yaml:{line}: warning: training_set.aimd.temperature_K is now called "
        "temperatures_K. Run `borarun update mini.yaml`.\n"
    ) in borarun("validate", "mini.yaml").err
    assert (
        "mini.yaml: warning: 1 key has a new name. Run `borarun update mini.yaml` to change the "
        "file.\n"
    ) in borarun("plan", "mini.yaml").err
    assert borarun("update", "mini.yaml").code == 0
    assert "is now called" not in borarun("validate", "mini.yaml").err
    again = borarun("update", "mini.yaml", "--check")
    assert again.code == 0 and again.out == "Nothing to change.\n"


def test_a_line_number_is_no_picture(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    mini_study.write_text(
        mini_study.read_text().rstrip()
        + "\n" * (100 - mini_study.read_text().count("\n"))
        + "diffusions: {}\n"
    )
    assert "mini.yaml:100: diffusions: unknown key." in borarun("validate", "mini.yaml").err


def test_validate_prints_every_mistake_as_json(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    mini_study.write_text(
        mini_study.read_text()
        .replace("level: 8", "level: 7")
        .replace("threshold_save: 4000", "threshold_save: 0")
    )
    answer = borarun("validate", "--json", "mini.yaml")
    assert answer.code == 2
    assert {problem["key"] for problem in json.loads(answer.out)} == {
        "potential.level",
        "active_learning.threshold_save",
    }


def test_validate_as_json_tells_warnings_apart(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    answer = borarun("validate", "--json", "mini.yaml")
    assert (
        answer.code == 0
        and json.loads(answer.out) == []
        and answer.err.startswith("mini.yaml: warning: ")
    )


def test_validate_takes_site_files_too(borarun, mini_study: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "site.yaml").write_text(
        "borarun: 1\nname: x\nexecutors:\n  cpu: {provider: slurn}\nprogram: {}\n"
    )
    answer = borarun("validate", "mini.yaml", "site.yaml")
    assert answer.code == 2 and "mini.yaml: valid study" in answer.out
    assert (
        "site.yaml:4: executors.cpu: its provider must be one of local, slurm, pbspro, "
        "torque (got 'slurn'). Did you mean slurm?" in answer.err
    )
    assert "site.yaml:5: program: unknown key. Did you mean programs?" in answer.err
    (tmp_path / "site.yaml").write_text(
        "borarun: 1\nname: x\nexecutors:\n  cpu: {provider: local}\n"
    )
    answer = borarun("validate", "site.yaml")
    assert answer.code == 0 and answer.out == "site.yaml: valid site\n"


def test_validate_takes_published_values_too(borarun, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = (Path(__file__).parents[1] / "borarun/published/LiCB11H12.yaml").read_text()
    (tmp_path / "own.yaml").write_text(text)
    answer = borarun("validate", "own.yaml")
    assert answer.code == 0 and answer.out == "own.yaml: valid published values\n"
    (tmp_path / "own.yaml").write_text(text.replace("source: tang2015", "source: tang2016"))
    answer = borarun("validate", "own.yaml")
    assert answer.code == 2 and "Did you mean tang2015?" in answer.err


def test_a_missing_file_is_no_bug(borarun) -> None:  # type: ignore[no-untyped-def]
    answer = borarun("validate", "nowhere.yaml")
    assert answer.code == 2 and "nowhere.yaml" in answer.err


def test_plan_counts_tasks_by_stage(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    rows = {
        row["stage"]: row
        for row in json.loads(borarun("plan", "--json", "mini.yaml").out)["stages"]
    }
    assert rows["training_set"]["tasks"] == 2
    assert rows["heating"]["tasks"] == 2
    assert rows["diffusion"]["tasks"] == 4
    assert all(row["done"] == 0 and row["core_hours"] > 0 for row in rows.values())


def test_status_of_a_study_that_was_never_run(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    found = json.loads(borarun("status", "--json", "mini.yaml").out)
    assert found["driver"] is None and found["left_s"] > 0
    rows = found["stages"]
    assert all(row["done"] == 0 and not row["running"] and not row["failed"] for row in rows)


def test_status_tells_how_the_potential_learnt_and_what_runs_where(
    borarun, mini_study: Path
) -> None:  # type: ignore[no-untyped-def]
    study, places = load_study(mini_study), Places.of(Path("runs"), "mini")
    tasks = fill(study, Store(places.store))
    (places.store / f"{tasks[-1].key}.zarr.zip").unlink()
    claim = claim_of(places.work, tasks[-1].key)
    assert claim.take()
    try:
        (row,) = [
            row
            for row in json.loads(borarun("status", "--json", "mini.yaml").out)["stages"]
            if row["running"]
        ]
        lines = borarun("status", "mini.yaml").out.splitlines()
    finally:
        claim.release()
    assert row["running"][0]["task"] == tasks[-1].label and row["running"][0]["where"].startswith(
        "process "
    )
    assert "PBE-D3, training 0: 1 meV/atom, 0.1 eV/A, 1 kbar on held-out labels" in lines
    assert (
        "PBE-D3, round 0, exploration with 1 vacancy, run 1: completed, largest grade 1.5" in lines
    )
    assert (
        any(line.startswith(f"running: {tasks[-1].name} (") for line in lines)
        and lines[-2].startswith("at least ")
        and lines[-2].endswith(" left")
    )
    assert lines[-1] == "No driver is running this study. To run it: borarun submit mini.yaml"


def test_why_shows_cause_evidence_and_remedy(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    task = expand(load_study(mini_study), {}).tasks[0]
    store = Store(Places.of(Path("runs"), "mini").store)
    store.write_failure(task, Failure(Cause.FAILED, "it broke", "mend it", "its last line"))
    answer = borarun("why", "mini.yaml")
    assert answer.code == 0
    for part in (task.name, "it broke", "its last line", "mend it", "borarun submit mini.yaml"):
        assert part in answer.out
    assert json.loads(borarun("why", "--json", "mini.yaml").out)["failed"][0]["key"] == task.key
    assert json.loads(borarun("status", "--json", "mini.yaml").out)["stages"][0]["failed"] == [
        task.label
    ]


def test_why_of_a_healthy_study(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    assert "Nothing has failed" in borarun("why", "mini.yaml").out


def test_a_study_goes_to_another_group_and_comes_back_whole(
    borarun, mini_study: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    mini_study.write_text(mini_study.read_text().split("active_learning:")[0])
    study = load_study(mini_study)
    fill(study, Store(Places.of(Path("runs"), "mini").store))
    answer = borarun("pack", "mini.yaml")
    sha256 = hashlib.sha256(Path("mini.borarun.zip").read_bytes()).hexdigest()
    assert (
        answer.code == 0
        and answer.out.startswith("mini.borarun.zip: 3 results, ")
        and answer.out.endswith(f"SHA-256 {sha256}\n")
    )
    assert borarun("pack", "mini.yaml").code == 1
    answer = borarun("unpack", "mini.borarun.zip", "theirs")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "theirs/study/mini.yaml: unpacked, with 3 results in theirs/runs/store; complete",
        "Next: borarun plan theirs/study/mini.yaml --runs theirs/runs",
    ]
    assert [
        row["done"]
        for row in json.loads(
            borarun("plan", "theirs/study/mini.yaml", "--runs", "theirs/runs", "--json").out
        )["stages"]
    ] == [2, 1]
    answer = borarun("unpack", "mini.borarun.zip")
    assert answer.code == 0 and (tmp_path / "mini" / "study" / "mini.yaml").exists()
    answer = borarun("unpack", "mini.borarun.zip")
    assert (
        answer.code == 1
        and answer.err == "mini: already exists. Give another name, or move the file away.\n"
    )
    answer = borarun("pack", "mini.yaml", "--output", "small.zip", "--without", "training_set")
    assert answer.code == 0 and "2 results of training_set left out" in answer.out
    answer = borarun("unpack", "mini.yaml")
    assert answer.code == 2 and answer.err.startswith("mini.yaml: is not a pack, or is incomplete")


def test_what_was_made_under_licence_is_named_where_it_is_missing(
    borarun, mini_study: Path
) -> None:  # type: ignore[no-untyped-def]
    mini_study.write_text(mini_study.read_text().split("potential:")[0])
    study, store = load_study(mini_study), Store(Places.of(Path("runs"), "mini").store)
    for task in fill(study, store):
        potcar = {"titel": "PAW_PBE Li_sv 10Sep2004", "sha256": "a" * 64, "zval": 3.0}
        store.write(
            task,
            anything({**store.record(task.key).stored, "potcars": {"Li": potcar}}),
            Provenance(),
        )
    assert borarun("pack", "mini.yaml").code == 0
    line = (
        f"Needs POTCAR of Li, PAW_PBE Li_sv 10Sep2004 (sha256 {'a' * 64}), which is not in the "
        "pack."
    )
    assert borarun("unpack", "mini.borarun.zip").out.splitlines().count(line) == 1


def test_an_export_is_new_and_says_what_repositories_ask_for(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    mini_study.write_text(mini_study.read_text().split("training_set:")[0] + "relax: {}\n")
    fill(load_study(mini_study), Store(Places.of(Path("runs"), "mini").store))
    answer = borarun("export", "mini.yaml", "--output", "out")
    assert (
        answer.code == 0
        and answer.out.startswith("out: ")
        and "Repositories ask for authors and a licence" in answer.out
    )
    assert (Path("out") / "structures" / "Pa-3_PBE-D3.cif").exists()
    answer = borarun("export", "mini.yaml", "--output", "out")
    assert (
        answer.code == 1
        and answer.err == "out: already exists. Give another name, or move the file away.\n"
    )
    answer = borarun(
        "export", "mini.yaml", "--output", "other", "--author", "Ada Lovelace", "--license", "MIT"
    )
    assert answer.code == 0 and len(answer.out.splitlines()) == 1


def test_results_of_other_versions_are_told(
    borarun, mini_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    mini_study.write_text(mini_study.read_text().split("potential:")[0])
    fill(load_study(mini_study), Store(Places.of(Path("runs"), "mini").store))
    assert borarun("pack", "mini.yaml").code == 0
    monkeypatch.setattr(bundled, "version", lambda settings: "format 2")
    answer = borarun("unpack", "mini.borarun.zip")
    assert answer.code == 0
    assert (
        "2 results do not match any task of the study here: bundled is format 2 here, "
        "and was format 1, potential " in answer.out
    )


def test_a_bug_leaves_a_log_and_no_traceback(
    borarun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("borarun.cli.commands.load_study", lambda path: 1 / 0)
    answer = borarun("plan", "any.yaml")
    assert answer.code == 3 and "Traceback" not in answer.err
    assert "ZeroDivisionError" in (tmp_path / "borarun-bug.log").read_text()


def test_a_bug_where_no_file_can_be_written_leaves_its_log_elsewhere(
    borarun, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("borarun.cli.commands.load_study", lambda path: 1 / 0)
    monkeypatch.chdir("/proc")
    answer = borarun("plan", "any.yaml")
    log = Path(
        answer.err.removeprefix("This is a bug in borarun. What happened is in ").removesuffix(
            "; please report it.\n"
        )
    )
    assert answer.code == 3 and "ZeroDivisionError" in log.read_text()
    log.unlink()


@pytest.mark.parametrize("command", [("submit", "--runs"), ("render", "--out")])
def test_a_folder_that_cannot_be_written_is_no_bug(
    borarun, mini_study: Path, command: tuple[str, str]
) -> None:  # type: ignore[no-untyped-def]
    verb, option = command
    answer = borarun(verb, "mini.yaml", option, "/dev/null/x")
    assert answer.code == 1 and "/dev/null" in answer.err and "Not a directory" in answer.err
    assert borarun(verb, "mini.yaml", option, "mini.yaml").code == 2


@pytest.mark.parametrize("command", [("submit", "mini.yaml", "--runs"), ("schema",), ("init",)])
def test_a_folder_where_none_can_be_is_no_bug(
    borarun, mini_study: Path, command: tuple[str, ...]
) -> None:  # type: ignore[no-untyped-def]
    """/proc exists, and takes no folder: the system says that there is no such one."""
    answer = borarun(*command, "/proc/nowhere")
    assert (
        answer.code in (1, 2)
        and "/proc/nowhere" in answer.err
        and "cannot be written" in answer.err
    )


def test_a_report_of_no_results_says_where_it_looked(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    answer = borarun("report", "mini.yaml", "--runs", "typo")
    assert (
        answer.code == 1
        and answer.err.startswith("typo: holds no results.")
        and not Path("typo").exists()
    )


def test_a_file_of_another_kind_is_told_by_its_kind(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    Path("site.yaml").write_text("borarun: 1\nname: x\nexecutors:\n  cpu: {provider: local}\n")
    answer = borarun("plan", "site.yaml")
    assert (
        answer.code == 2
        and answer.err
        == "site.yaml: is a site, and the command needs a study. Check the order of the files.\n"
    )
    answer = borarun("plan", "mini.yaml", "--site", "mini.yaml")
    assert (
        answer.code == 2
        and answer.err
        == "mini.yaml: is a study, and the command needs a site. Check the order of the files.\n"
    )


def test_a_report_that_finds_no_room_is_named(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    Places.of(Path("runs"), "mini").store.mkdir(parents=True)
    with largest_file(1000):
        answer = borarun("report", "mini.yaml")
    assert (
        answer.code == 1
        and "no space left to write it" in answer.err
        and "/runs/mini/report/" in answer.err
    )


def test_a_command_to_type_next_is_quoted_and_whole(borarun, mini_study: Path) -> None:  # type: ignore[no-untyped-def]
    assert borarun("init", "a b").out.endswith("Next: borarun validate 'a b/study.yaml'\n")
    store = Store(Places.of(Path("other runs"), "mini").store)
    store.write_failure(
        expand(load_study(mini_study), {}).tasks[0],
        Failure(Cause.FAILED, "it broke", "mend it", ""),
    )
    assert (
        "borarun submit mini.yaml --runs 'other runs'"
        in borarun("why", "mini.yaml", "--runs", "other runs").out
    )


@pytest.mark.parametrize(
    "command",
    [
        "init",
        "init-site",
        "validate",
        "doctor",
        "plan",
        "submit",
        "status",
        "why",
        "report",
        "pack",
        "unpack",
        "export",
        "schema",
    ],
)
def test_every_command_has_help(borarun, command: str) -> None:  # type: ignore[no-untyped-def]
    answer = borarun(command, "--help")
    assert answer.code == 0 and f"borarun {command}" in answer.out


def test_an_output_that_is_not_utf_8_is_no_bug(mini_study: Path) -> None:
    (mini_study.parent / "größe.yaml").write_text(mini_study.read_text())
    answer = subprocess.run(
        [sys.executable, "-m", "borarun", "validate", "größe.yaml", "füll.yaml"],
        cwd=mini_study.parent,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        answer.returncode == 2
        and "gr??e.yaml: valid study" in answer.stdout
        and "f?ll.yaml: no such file" in answer.stderr
    )


def test_planning_loads_neither_parsl_nor_zarr(mini_study: Path) -> None:
    code = (
        "import sys; sys.argv = ['borarun', 'plan', 'mini.yaml']\n"
        "from borarun.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted({'parsl', 'zarr'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=mini_study.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.splitlines()[-1] == "[]"
