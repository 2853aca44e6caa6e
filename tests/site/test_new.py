"""`borarun init-site`: a site file from what the batch system says."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from borarun.basics.errors import BorarunError, StudyError
from borarun.cli import app
from borarun.input.messages import validate
from borarun.input.yaml_file import parse_yaml
from borarun.records.task import Task
from borarun.site import Site, default_site, load_site
from borarun.site.batch_systems import Batch
from borarun.site.new import ask, site_text, write_site
from borarun.site.scheduler_facts import SINFO, Facts, Nodes, pbs_nodes, slurm_nodes

DATA = Path(__file__).parent / "data" / "schedulers"


def said(name: str) -> str:
    return (DATA / name).read_text()


SLURM = Facts("slurm", "lab", slurm_nodes(said("sinfo_kinds.txt")))
PBS = Facts(
    "pbspro",
    "pbs1",
    pbs_nodes(said("pbs_qstat_Q.txt"), said("pbs_pbsnodes.txt"), said("pbs_qstat_B.txt")),
)
TORQUE = Facts(
    "torque", "", pbs_nodes(said("slurm_torque_qstat_Q.txt"), said("slurm_torque_pbsnodes.txt"))
)


def read(text: str) -> Site:
    root, problems = parse_yaml(text, "site.yaml")
    site, misfits, _ = validate(root, Site)
    assert site is not None and not problems + misfits, [
        str(problem) for problem in problems + misfits
    ]
    return site


@pytest.mark.parametrize(
    "facts",
    [SLURM, PBS, TORQUE, Facts("local", nodes=(Nodes("local", 1, 2),))],
    ids=lambda facts: facts.scheduler,
)
def test_what_is_written_validates_also_with_its_programs(facts: Facts, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    write_site(path, facts)
    load_site(path)
    path.write_text(
        re.sub(r"^#(?=programs:|  [a-z0-9-]+: \{)", "", path.read_text(), flags=re.MULTILINE)
    )
    assert load_site(path).program("vasp").cores == facts.nodes[0].cores


def test_executors_follow_from_the_partitions() -> None:
    site = read(site_text(SLURM))
    assert site.name == "lab"
    assert list(site.executors) == ["small", "node", "wide", "gpu"]
    small, node, wide, gpu = (
        executor for executor in site.executors.values() if isinstance(executor, Batch)
    )
    assert {each.walltime for each in (small, node, wide, gpu)} == {"24:00:00"}
    assert (small.cores_per_task, node.cores_per_task, wide.cores_per_task, gpu.cores_per_task) == (
        2,
        128,
        256,
        16,
    )
    assert gpu.model_dump(include={"partition", "gpus_per_node", "available_accelerators"}) == {
        "partition": "gpu",
        "gpus_per_node": 4,
        "available_accelerators": 4,
    }
    assert {
        site.executor_of(Task("borarun-mtp", {}, cores=cores)) for cores in (1, 2, 16, 64, 200)
    } == {"small"}, "neither GPUs nor an MPI launcher"
    vasp = site.model_validate(
        {**site.model_dump(), "programs": {"vasp": {"command": "{launch} vasp_std"}}}
    )
    assert [vasp.executor_of(Task("vasp", {}, cores=cores)) for cores in (1, 2, 16, 64, 200)] == [
        "small",
        "small",
        "node",
        "node",
        "wide",
    ]


def test_pbs_has_its_own_words() -> None:
    gpu = read(site_text(PBS)).executors["gpu"]
    assert gpu.model_dump(include={"queue", "select_options"}) == {
        "queue": "gpuq",
        "select_options": "ngpus=4",
    }


def test_what_was_said_stands_in_the_file() -> None:
    text = site_text(SLURM)
    assert "#   standard (default): 104 x 128 cores, 256 GB; 48:00:00 at most" in text
    assert "#   long: 20 x 128 cores, 256 GB; no limit told" in text
    assert "# account: YOUR_ACCOUNT" in text
    assert "    account: chem\n" in site_text(Facts("slurm", "lab", SLURM.nodes, ("chem", "phys")))


def test_a_queue_of_short_jobs_is_taken_only_where_there_is_no_other() -> None:
    short, long = (
        Nodes("debug", 4, 8, limit_s=600.0, default=True),
        Nodes("batch", 2, 8, limit_s=7200.0),
    )
    assert "partition: batch" in site_text(Facts("slurm", "", (short, long)))
    only = read(site_text(Facts("slurm", "", (short,)))).executors["small"]
    assert isinstance(only, Batch) and (only.walltime, only.walltime_margin_s) == ("0:10:00", 150)


NODES = st.builds(
    Nodes,
    st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
    st.integers(1, 10_000),
    st.integers(1, 512),
    st.none() | st.floats(1, 1e4),
    st.integers(0, 8),
    st.none() | st.floats(0, 1e7),
    st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(["slurm", "pbspro", "torque"]),
    st.text(max_size=80),
    st.lists(NODES, min_size=1, max_size=4),
)
def test_whatever_is_said_the_file_validates(scheduler: str, name: str, nodes: list[Nodes]) -> None:
    site = read(site_text(Facts(scheduler, name, tuple(nodes))))  # type: ignore[arg-type]
    named = {
        getattr(executor, "partition", None) or getattr(executor, "queue", None)
        for executor in site.executors.values()
    }
    assert named <= {each.queue for each in nodes}


def test_slurm_is_asked_first_and_pbs_next() -> None:
    answers = {
        SINFO: said("sinfo.txt"),
        ("scontrol", "show", "config"): "ClusterName             = lab\n",
        ("qstat", "-Q", "-f"): said("pbs_qstat_Q.txt"),
        ("pbsnodes", "-a"): said("pbs_pbsnodes.txt"),
        ("qstat", "-B", "-f"): said("pbs_qstat_B.txt"),
    }
    assert ask(answers.get) == Facts("slurm", "lab", slurm_nodes(said("sinfo.txt")))
    del answers[SINFO]
    assert ask(answers.get) == PBS
    assert ask({}.get) == Facts("local", nodes=(Nodes("local", 1, os.cpu_count() or 1),))


def test_accounts_are_those_of_the_user() -> None:
    def run(command: tuple[str, ...]) -> str | None:
        return {"sinfo": said("sinfo.txt"), "sacctmgr": "chem\nphys\nchem\n"}.get(command[0])

    assert ask(run).accounts == ("chem", "phys")


def test_a_batch_system_that_says_nothing_is_told() -> None:
    with pytest.raises(BorarunError, match="sinfo: reported no queue with nodes"):
        ask({SINFO: "gibberish"}.get)


def stand_in(folder: Path, name: str, script: str) -> None:
    """A command that answers as it is told."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_command_line_writes_a_file_and_overwrites_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "sinfo", f"cat {DATA / 'sinfo_kinds.txt'}")
    stand_in(
        tmp_path,
        "sacctmgr",
        "echo You are not running a supported accounting_storage plugin >&2; exit 1",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init-site"])
    assert done.exit_code == 0 and "site.yaml written, for slurm" in done.output
    assert list(load_site(tmp_path / "site.yaml").executors) == ["small", "node", "wide", "gpu"]
    (tmp_path / "site.yaml").write_text("mine")
    again = CliRunner().invoke(app, ["init-site", "site.yaml"])
    assert isinstance(again.exception, StudyError) and "already exists. Choose another name" in str(
        again.exception
    )
    assert (tmp_path / "site.yaml").read_text() == "mine"


def test_a_batch_system_that_does_not_answer_is_no_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(
        tmp_path,
        "sinfo",
        "echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    done = CliRunner().invoke(app, ["init-site", str(tmp_path / "site.yaml")])
    assert isinstance(done.exception, BorarunError)
    assert (
        "failed (got slurm_load_partitions: Unable to contact slurm controller). Try again later"
        in str(done.exception)
    )
    assert not (tmp_path / "site.yaml").exists()


def test_without_a_batch_system_it_is_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app, ["init-site", str(tmp_path / "site.yaml")])
    assert done.exit_code == 0 and "for this machine only" in done.output
    assert load_site(tmp_path / "site.yaml").executors == default_site().executors
