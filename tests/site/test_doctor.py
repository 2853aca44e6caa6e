"""`borarun doctor`: on this machine end to end, with stand-ins for the commands of batch systems,
and on a real Slurm.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster, missing
from typer.testing import CliRunner, Result

from borarun.basics.errors import BorarunError
from borarun.cli import app
from borarun.site import doctor, load_site
from borarun.site.batch_systems import Slurm
from borarun.site.executors import Local

SLURM = Slurm(provider="slurm", cores_per_node=1, walltime="1:00:00")


def run(folder: Path, site: str, *more: str) -> Result:
    """`borarun doctor` on a site; a BorarunError is shown as ``main`` shows it."""
    (folder / "site.yaml").write_text(f"borarun: 1\nname: here\n{site}")
    return CliRunner().invoke(
        app, ["doctor", str(folder / "site.yaml"), "--runs", str(folder / "runs"), *more]
    )


def command(folder: Path, name: str, text: str) -> Path:
    """A command that does as it is told."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def findings(done: Result) -> dict[str, dict[str, dict[str, Any]]]:
    """executor -> check -> what was found."""
    found = json.loads(done.stdout)
    return {
        each["executor"]: {finding["what"]: finding for finding in each["answer"]["findings"]}
        for each in found
    }


def test_all_is_well_on_this_machine(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "executors: {desk: {provider: local, cores: 1}}\nprograms: {lammps: {flavour: embedded}}\n",
    )
    assert done.exit_code == 0, done.output
    assert "All is well." in done.output and "FAILS" not in done.output
    assert "network         ok" in done.output and "LAMMPS" in done.output
    record = json.loads((tmp_path / "runs/site-here.json").read_text())
    assert record["executors"]["desk"]["host"] == socket.gethostname()
    assert record["executors"]["desk"]["programs"]["lammps"]["python"].startswith("LAMMPS ")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["site-here.json"]


def test_what_fails_has_its_remedy_and_the_exit_code_says_so(tmp_path: Path) -> None:
    mlp = command(
        tmp_path,
        "mlp",
        "echo 'mlp serial version, (C) A. Shapeev, E. Podryabinkin, I. Novikov (Skoltech).'",
    )
    done = run(
        tmp_path,
        "executors: {desk: {provider: local, cores: 2}}\n"
        f"programs:\n  vasp: {{command: no-such-vasp, potcar_directory: {tmp_path}/potcars}}\n"
        f"  mlip-3: {{command: {mlp}, train_command: {mlp}, cores: 2}}\n",
    )
    assert done.exit_code == 1
    assert (
        "desk: vasp command: Load what it needs in the executor's worker_init, or correct "
        "programs.vasp.command in the site file." in done.output
    )
    assert "desk: vasp potcar_directory: Correct the path in the site file" in done.output
    assert "desk: mlip-3 train_command: Build it with MPI" in done.output
    record = json.loads((tmp_path / "runs/site-here.json").read_text())["executors"]["desk"]
    assert not record["ok"] and record["programs"] == {
        "mlip-3": {"command": "mlp, serial", "train_command": "mlp, serial"}
    }


def test_a_runs_directory_that_cannot_be_written_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    done = run(tmp_path, "executors: {desk: {provider: local}}\n")
    assert done.exit_code == 2 and "--runs" in done.output and "Traceback" not in done.output


def test_only_programs_that_the_site_names_are_looked_for_and_where_they_run(
    tmp_path: Path,
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "borarun: 1\nname: x\nexecutors:\n  small: {provider: local, cores: 1}\n  wide: "
        "{provider: slurm, cores_per_node: 8, cores_per_worker: 8, "
        "walltime: '1:00:00'}\nprograms:\n  vasp: {executor: wide}\n  lammps: {command: "
        "lmp}\n  mlip-3: {cores: 8}\n"
    )
    site = load_site(path)
    assert list(doctor.sections(site, "small")) == ["lammps"]
    assert list(doctor.sections(site, "wide")) == ["vasp", "mlip-3", "lammps"]


def test_nodes_are_told_the_address_of_the_site_or_all_there_are() -> None:
    assert doctor.addresses(Local()) == ["127.0.0.1"]
    assert doctor.addresses(SLURM.model_copy(update={"address": "10.0.0.1"})) == ["10.0.0.1"]
    every = doctor.addresses(SLURM)
    assert "127.0.0.1" in every and every[-1] == socket.gethostname()


def test_the_door_is_among_the_ports_of_the_workers_and_says_its_token() -> None:
    narrow = SLURM.model_copy(update={"worker_port_range": (54990, 54992)})
    with doctor.opened(narrow) as first, doctor.opened(narrow) as second:
        assert {first.port, second.port} <= {54990, 54991} and first.port != second.port
        with socket.create_connection(("127.0.0.1", first.port), timeout=5) as door:
            token, clock = door.makefile().readline().split()
        assert token == first.token and abs(float(clock) - time.time()) < 5
        with (
            pytest.raises(
                BorarunError, match="worker_port_range: no port from 54990 to 54992 is free"
            ),
            doctor.opened(narrow),
        ):
            pass


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for commands that stand in for those of a batch system."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name, quick in {"POLL_S": 0.05, "ASK_S": 0.1, "GRACE_S": 0.3}.items():
        monkeypatch.setattr(doctor, name, quick)
    return folder


PBS = (
    "executors:\n  cpu: {provider: pbspro, queue: workq, cores_per_node: 1, walltime: '1:00:00', "
    "address: 127.0.0.1}\n"
)


def test_a_job_of_pbs_answers(tmp_path: Path, stand_ins: Path) -> None:
    command(stand_ins, "qsub", 'sh "$3" > /dev/null 2>&1 & echo 17.vm')
    command(stand_ins, "qstat", 'echo \'{"Jobs": {"17.vm": {"job_state": "R"}}}\'')
    done = run(tmp_path, PBS, "--json")
    assert done.exit_code == 0, done.output
    assert all(finding["ok"] for finding in findings(done)["cpu"].values())


def test_a_job_that_is_refused_is_told_in_the_words_of_the_batch_system(
    tmp_path: Path, stand_ins: Path
) -> None:
    command(stand_ins, "qsub", "echo 'qsub: Unknown queue' >&2; exit 170")
    found = findings(run(tmp_path, PBS, "--json"))["cpu"]["submission"]
    assert found["said"].endswith("qsub: Unknown queue") and "partition or queue" in found["remedy"]


def test_the_header_of_the_jobs_is_shown(tmp_path: Path, stand_ins: Path) -> None:
    command(stand_ins, "qsub", "echo 'qsub: Unknown queue' >&2; exit 170")
    said = run(tmp_path, PBS).output
    assert "#PBS -q workq" in said and "#PBS -l walltime=01:00:00" in said


def test_a_batch_system_that_is_not_there_is_told(
    tmp_path: Path, stand_ins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(stand_ins))
    found = findings(run(tmp_path, PBS, "--json"))["cpu"]["submission"]
    assert found["said"].endswith("qsub is not found on this machine")


def test_a_job_that_ends_without_an_answer_is_told_with_what_it_printed(
    tmp_path: Path, stand_ins: Path
) -> None:
    command(
        stand_ins,
        "qsub",
        "echo 'module: command not found' > $(dirname $3)/job.out; echo 17.vm",
    )
    command(
        stand_ins, "qstat", 'echo \'{"Jobs": {"17.vm": {"job_state": "F", "comment": "failed"}}}\''
    )
    done = run(tmp_path, PBS)
    assert done.exit_code == 1
    assert "ended without an answer (F (failed)): module: command not found" in " ".join(
        done.output.split()
    )
    assert (
        "cpu: job: The nodes must see" in done.output and "What the jobs wrote is in" in done.output
    )


def test_a_job_that_waits_too_long_is_told_and_ended(tmp_path: Path, stand_ins: Path) -> None:
    command(stand_ins, "qsub", "echo 17.vm")
    command(
        stand_ins,
        "qstat",
        'echo \'{"Jobs": {"17.vm": {"job_state": "Q", "comment": "Not Running"}}}\'',
    )
    command(stand_ins, "qdel", f'echo "$1" > {tmp_path}/deleted')
    found = findings(run(tmp_path, PBS, "--json", "--wait", "0.1"))["cpu"]["job"]
    assert "(job 17.vm: Q (Not Running))" in found["said"] and "--wait" in found["remedy"]
    assert (tmp_path / "deleted").read_text() == "17.vm\n"


def test_an_interrupt_ends_the_jobs(tmp_path: Path, stand_ins: Path) -> None:
    command(stand_ins, "qsub", f"touch {tmp_path}/submitted; echo 17.vm")
    command(stand_ins, "qstat", 'echo \'{"Jobs": {"17.vm": {"job_state": "Q"}}}\'')
    command(stand_ins, "qdel", f'echo "$1" > {tmp_path}/deleted')
    (tmp_path / "site.yaml").write_text(f"borarun: 1\nname: here\n{PBS}")
    process = subprocess.Popen(
        [sys.executable, "-m", "borarun", "doctor", "site.yaml"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while not (tmp_path / "submitted").exists() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert (tmp_path / "deleted").read_text() == "17.vm\n"


REAL = """executors:
  small: {provider: slurm, partition: main, cores_per_node: 2, exclusive: false, walltime: "0:30:00"}
  wide: {provider: slurm, partition: main, cores_per_node: 2, exclusive: false, nodes_per_block: 2, mpi_launcher: srun, walltime: "0:30:00"}
  nowhere: {provider: slurm, partition: nowhere, cores_per_node: 2, walltime: "0:30:00"}
  hasty: {provider: slurm, partition: main, cores_per_node: 2, exclusive: false, walltime: "0:30:00", worker_init: "echo oh dear; exit 3"}
"""  # noqa: E501


@pytest.mark.slurm
@pytest.mark.skipif(bool(missing()), reason=f"no Slurm: {missing()}")
def test_executors_of_a_real_slurm(cluster: Cluster, tmp_path: Path) -> None:
    vasp = command(
        tmp_path,
        "vasp_std",
        "[ $SLURM_PROCID = 0 ] && echo ' vasp.6.4.2 20Jul23 (build) complex'\necho "
        "$SLURM_PROCID $SLURM_NODEID >> $0.ran; sleep 0.2",
    )
    (tmp_path / "site.yaml").write_text(
        f"borarun: 1\nname: real\n{REAL}programs: {{vasp: {{executor: wide, command: "
        f"'{{launch}} {vasp}'}}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "borarun", "doctor", "site.yaml", "--json", "--wait", "3"],
        cwd=tmp_path,
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = {
        each["executor"]: {finding["what"]: finding for finding in each["answer"]["findings"]}
        for each in json.loads(done.stdout)
    }
    assert all(finding["ok"] for name in ("small", "wide") for finding in found[name].values()), (
        found
    )
    assert found["wide"]["vasp command"]["said"] == "VASP 6.4.2 20Jul23"
    assert sorted(Path(f"{vasp}.ran").read_text().splitlines()) == ["0 0", "1 1"]  # on both nodes
    assert "Invalid partition name specified" in found["nowhere"]["submission"]["said"]
    assert found["hasty"]["job"]["said"].endswith("oh dear")
    assert cluster.jobs() == [] or all(state in ("CD", "F", "CG") for _, state, _ in cluster.jobs())
