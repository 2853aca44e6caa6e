"""What is looked at inside a node: each check where all is well, and where it is not."""

from __future__ import annotations

import errno
import json
import os
import platform
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from borarun import __version__
from borarun.engines.base import Probe, Program, Told
from borarun.site import checkup
from borarun.site.checkup import Answer, Request

ROOT = os.geteuid() == 0


def request_for(folder: Path, **changes: Any) -> Request:
    wanted: dict[str, Any] = {
        "runs": str(folder / "runs"),
        "cores": 1,
        "gpus": 0,
        "addresses": ["127.0.0.1"],
        "port": 1,
        "token": "secret",
        "python": platform.python_version(),
        "borarun": __version__,
        "launch": [],
        "programs": {},
    }
    return Request(**{**wanted, **changes})


@contextmanager
def listening(line: str) -> Iterator[int]:
    """A port that says one line to whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            caller, _ = server.accept()
            with caller:
                caller.sendall(line.encode())

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def script(folder: Path, name: str, text: str) -> str:
    """A program that does as it is told."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_versions_are_compared(tmp_path: Path) -> None:
    assert checkup.same_versions(request_for(tmp_path)).ok
    other = checkup.same_versions(request_for(tmp_path, python="3.9.0", borarun="0.0.1"))
    assert (
        not other.ok
        and "but 0.0.1 and 3.9.0 where doctor runs" in other.said
        and "worker_init" in other.remedy
    )


def test_cores_are_counted() -> None:
    assert checkup.enough_cores(4, 8).ok
    few = checkup.enough_cores(128, 1)
    assert not few.ok and few.said == "1 of 128 are available" and "cores_per_node" in few.remedy


@pytest.mark.parametrize(
    ("tool", "printed"),
    [
        ("nvidia-smi", "GPU 0: NVIDIA A100 (UUID: GPU-1)\n  MIG 1g.5gb\nGPU 1: NVIDIA A100\n"),
        (
            "rocm-smi",
            "== ROCm ==\nGPU[0]\t\t: Card series: MI250X\nGPU[0]\t\t: Card SKU: D65\n"
            "GPU[1]\t\t: Card series: MI250X\n",
        ),
    ],
)
def test_gpus_are_counted(
    tool: str, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [absent] = checkup.enough_gpus(2)
    assert not absent.ok and absent.said == "neither nvidia-smi nor rocm-smi is found"
    (tmp_path / "printed").write_text(printed)
    (tmp_path / tool).write_text(f"#!/bin/sh\n/bin/cat {tmp_path}/printed\n")
    (tmp_path / tool).chmod(0o755)
    [enough] = checkup.enough_gpus(2)
    assert enough.ok and enough.said == f"2 of 2 are seen by {tool}"
    [few] = checkup.enough_gpus(4)
    assert not few.ok and "available_accelerators" in few.remedy
    assert checkup.enough_gpus(0) == []


def test_the_driver_is_reached_and_its_clock_compared(tmp_path: Path) -> None:
    with listening(f"secret {time.time()}\n") as port:
        network, clock = checkup.reachable(request_for(tmp_path, port=port))
    assert network.ok and network.said == f"reached 127.0.0.1:{port}" and clock.ok


def test_a_clock_that_is_wrong_is_told(tmp_path: Path) -> None:
    with listening(f"secret {time.time() - 3600}\n") as port:
        network, clock = checkup.reachable(request_for(tmp_path, port=port))
    assert (
        network.ok
        and not clock.ok
        and clock.said.startswith("3600.")
        and "synchronised" in clock.remedy
    )


def test_a_driver_that_is_not_reached_is_told_with_every_address(tmp_path: Path) -> None:
    def refuse(address: tuple[str, int], timeout: float) -> None:
        raise OSError("timed out")

    (network,) = checkup.reachable(
        request_for(tmp_path, addresses=["10.0.0.1", "login"], port=54000), connect=refuse
    )
    assert not network.ok and network.said == "10.0.0.1:54000: timed out; login:54000: timed out"
    assert "address" in network.remedy and "worker_port_range" in network.remedy


@pytest.mark.parametrize("line", ["other 1.0\n", "HTTP/1.1 400 Bad Request\n", ""])
def test_a_port_of_somebody_else_does_not_count(tmp_path: Path, line: str) -> None:
    with listening(line) as port:
        (network,) = checkup.reachable(request_for(tmp_path, port=port))
    assert not network.ok


class Usage(NamedTuple):
    free: float


def test_room_is_told(tmp_path: Path) -> None:
    found = checkup.writable(tmp_path / "runs", usage=lambda path: Usage(2e12))
    assert found.ok and found.said == f"{tmp_path / 'runs'}: 2000 GB free"
    assert not list((tmp_path / "runs").iterdir())


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    little = checkup.writable(tmp_path, usage=lambda path: Usage(1e9))
    assert not little.ok and "1 GB free" in little.said and "Free some space" in little.remedy

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(Path, "write_bytes", full)
    quota = checkup.writable(tmp_path)
    assert not quota.ok and "Disk quota exceeded" in quota.said and "quota" in quota.remedy


def test_a_runs_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = checkup.writable(tmp_path / "file" / "runs")
    assert not found.ok and "Not a directory" in found.said and "--runs" in found.remedy


def test_a_sane_file_system(tmp_path: Path) -> None:
    ways, clock = checkup.file_system(tmp_path)
    assert (
        ways.ok
        and clock.ok
        and ways.said.startswith("has rename, exclusive creation, hard links (")
    )
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_hard_links_is_told(tmp_path: Path) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    ways, _ = checkup.file_system(tmp_path, link=refuse)
    assert not ways.ok and "lacks hard links" in ways.said and "--runs" in ways.remedy


def test_a_file_server_with_another_clock_is_told(tmp_path: Path) -> None:
    _, clock = checkup.file_system(tmp_path, modified=lambda path: path.stat().st_mtime + 500)
    assert not clock.ok and clock.said.startswith("500.")


def test_missing_locks_are_only_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    ways, _ = checkup.file_system(tmp_path)
    assert ways.ok and "lacks advisory locks, which are not needed" in ways.said


def test_files_and_folders_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "POTCAR").write_text("x")
    (tmp_path / "empty").mkdir()
    assert checkup.readable("potcars", tmp_path / "full").ok
    assert checkup.readable("kernel", tmp_path / "full" / "POTCAR").ok
    assert not checkup.readable("potcars", tmp_path / "empty").ok
    absent = checkup.readable("kernel", tmp_path / "absent")
    assert not absent.ok and "No such file" in absent.said and "Correct the path" in absent.remedy


@pytest.mark.skipif(ROOT, reason="root reads everything")
def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    found = checkup.readable("potcars", tmp_path / "closed")
    assert not found.ok and "Permission denied" in found.said


def test_a_folder_that_may_not_be_read_is_told_by_a_fake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    found = checkup.readable("potcars", tmp_path)
    assert not found.ok and "Permission denied" in found.said


def told_of(word: str) -> Any:
    """A reader that looks for a word."""
    return lambda text: (
        Told(f"it {word}s")
        if word in text
        else Told(trouble=f"does not {word}", remedy="Teach it.")
    )


def test_a_program_that_is_there(tmp_path: Path) -> None:
    finding, version = checkup.probed(
        "lammps",
        Probe("command", script(tmp_path, "lmp", "echo sing"), told_of("sing")),
        [],
        tmp_path / "lmp-run",
    )
    assert finding.ok and version == finding.said == "it sings"


def test_a_program_that_is_missing(tmp_path: Path) -> None:
    finding, version = checkup.probed(
        "vasp", Probe("command", "no-such-vasp -x", told_of("sing")), [], tmp_path / "run"
    )
    assert not finding.ok and version == "" and finding.said == "no-such-vasp is not found"
    assert "worker_init" in finding.remedy and "programs.vasp.command" in finding.remedy


def test_a_program_of_its_own_modules(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin", "only-with-its-module", "echo sing")
    probe = Probe("command", "only-with-its-module", told_of("sing"))
    assert checkup.probed(
        "vasp", probe, [], tmp_path / "run", Program(init=f"PATH={tmp_path / 'bin'}:$PATH")
    )[0].ok
    finding, _ = checkup.probed("vasp", probe, [], tmp_path / "run", Program(init="true"))
    assert (
        finding.said == "only-with-its-module is not found"
        and "programs.vasp.init" in finding.remedy
    )


def test_a_launcher_that_is_missing(tmp_path: Path) -> None:
    finding, _ = checkup.probed(
        "vasp",
        Probe("command", "{launch} --option sh", told_of("sing")),
        ["no-such-srun", "-n", "2"],
        tmp_path / "run",
    )
    assert not finding.ok and finding.said == "no-such-srun is not found"


def test_a_program_is_started_with_its_launcher(tmp_path: Path) -> None:
    launcher = script(tmp_path, "launcher", 'shift 2; exec "$@"')
    probe = Probe(
        "command",
        f"{{launch}} {script(tmp_path, 'lmp', 'echo sing')} -n {{cores}}",
        told_of("sing"),
    )
    assert checkup.probed("lammps", probe, [launcher, "-n", "2"], tmp_path / "run")[0].ok


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "echo 'lmp: error while loading shared libraries: libmpi.so.40: cannot open "
            "shared object file'",
            "libmpi.so.40",
        ),
        (
            "echo 'slurmstepd: error: execve(): vasp_std: No such file or directory' >&2; exit 2",
            "execve(): vasp_std",
        ),
        ("echo 'sh: 1: vasp_std: command not found'", "command not found"),
    ],
)
def test_a_program_that_does_not_start(tmp_path: Path, text: str, shown: str) -> None:
    for read in (told_of("sing"), lambda said: Told()):
        finding, _ = checkup.probed(
            "vasp", Probe("command", script(tmp_path, "vasp", text), read), [], tmp_path / "run"
        )
        assert not finding.ok and shown in finding.said and "worker_init" in finding.remedy


def test_a_program_that_is_another_one(tmp_path: Path) -> None:
    finding, _ = checkup.probed(
        "lammps",
        Probe("command", script(tmp_path, "lmp", "echo hello"), told_of("sing")),
        [],
        tmp_path / "run",
    )
    assert (
        not finding.ok
        and finding.said.endswith("printed 'hello': does not sing")
        and finding.remedy == "Teach it."
    )


def test_a_program_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "PROBE_S", 0.2)
    finding, _ = checkup.probed(
        "vasp",
        Probe("command", script(tmp_path, "vasp", "exec sleep 60"), told_of("sing")),
        [],
        tmp_path / "run",
    )
    assert not finding.ok and "did not end within" in finding.said


def test_what_a_program_leaves_is_read_too(tmp_path: Path) -> None:
    probe = Probe(
        "command",
        script(tmp_path, "vasp", "echo sing > OUTCAR; exit 1"),
        told_of("sing"),
        leaves="OUTCAR",
    )
    assert checkup.probed("vasp", probe, [], tmp_path / "run")[0].ok


def test_a_program_may_keep_its_version_to_itself(tmp_path: Path) -> None:
    finding, version = checkup.probed(
        "vasp",
        Probe("command", script(tmp_path, "vasp", "exit 1"), lambda text: Told()),
        [],
        tmp_path / "run",
    )
    assert finding.ok and version == "" and finding.said.endswith("does not print its version")


def test_a_check_that_breaks_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "writable", lambda runs: 1 / 0)
    findings = checkup.check(request_for(tmp_path), tmp_path).findings
    (broken,) = [finding for finding in findings if finding.what == "runs directory"]
    assert not broken.ok and "ZeroDivisionError" in broken.said
    assert [finding.what for finding in findings if finding.ok] == [
        "borarun",
        "cores",
        "file system",
        "clock of files",
    ]


def test_the_module_reads_a_request_and_writes_an_answer(tmp_path: Path) -> None:
    programs = {
        "vasp": {"command": "no-such-vasp", "potcar_directory": str(tmp_path)},
        "borarun-mtp": {},
    }
    request = request_for(tmp_path, programs=programs)
    (tmp_path / "request.json").write_text(json.dumps(request.__dict__))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "borarun.site.checkup",
            tmp_path / "request.json",
            tmp_path / "answer.json",
        ],
        check=True,
        timeout=120,
    )
    answer = Answer.of(json.loads((tmp_path / "answer.json").read_text()))
    assert answer.host == socket.gethostname()
    assert {finding.what: finding.ok for finding in answer.findings} == {
        "borarun": True,
        "cores": True,
        "network": False,
        "runs directory": True,
        "file system": True,
        "clock of files": True,
        "vasp potcar_directory": True,
        "vasp command": False,
    }
    assert all(finding.ok or finding.remedy for finding in answer.findings)
