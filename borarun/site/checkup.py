"""``python -m borarun.site.checkup REQUEST ANSWER``: what a node has of all that runs need. Started
by ``borarun doctor`` inside a job of each executor.

Reads a request (JSON, ``Request``) and writes an answer (JSON, ``Answer``), whole or not at all.
Every check says what it found, and where that does not do, what to do; a check that fails in an
unforeseen way is a finding too.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from borarun import __version__
from borarun.basics.file import replacing
from borarun.engines.base import LAUNCH, Probe, Program, first, words
from borarun.engines.registry import ENGINES
from borarun.mtp import compiled
from borarun.site.surroundings import surroundings

ROOM_GB = 5.0
"""Free space below which a study should not begin: its trajectories pass through the runs directory
as text.
"""

SKEW_S = 60.0
"""Difference of clocks from which times in logs and of files mislead; claims and ends of jobs do
not rest on it.
"""

PROBE_S = 60.0
PRINTED = "printed.txt"
"""What a program printed, in a directory of its own beside the answer."""

CONNECT_S = 5.0

GPU_TOOLS = {"nvidia-smi": ["-L"], "rocm-smi": ["--showproductname"]}
"""Programs that come with a GPU's driver, and their options that print a line for each GPU, which
begins with ``GPU 0:`` or ``GPU[0]``.
"""

NO_SECTION = Program()

BROKEN = re.compile(
    r"error while loading shared libraries.*|.*: command not "
    r"found|.*execve\(\).*|.*[Uu]nable to (?:launch|execute|start).*"
    r"|.*(?:could not|not able to) (?:exec|find).*"
)
"""Lines by which shells, loaders and launchers say that a program did not start; source: bash,
ld.so(8), srun, mpiexec of MPICH and Open MPI.
"""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    what : the thing that was checked
    ok : whether it does
    said : what was found
    remedy : what to do where it does not
    """

    what: str
    ok: bool
    said: str
    remedy: str = ""


@dataclass(frozen=True)
class Request:
    """What is to be checked.

    Attributes
    ----------
    runs : the runs directory
    cores, gpus : of a node, as the site file has them
    addresses : by which the submitting machine may be reached
    port : at which it listens
    token : that it says first, so that no other's port is taken for it
    python, borarun : versions there
    launch : words for ``{launch}``; none where the executor has no launcher
    programs : engine -> its section of the site file
    """

    runs: str
    cores: int
    gpus: int
    addresses: list[str]
    port: int
    token: str
    python: str
    borarun: str
    launch: list[str]
    programs: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What was found on a node.

    Attributes
    ----------
    host : its name
    findings : in the order of the checks
    versions : engine -> key of its section -> what its program says it is
    """

    host: str
    findings: list[Finding] = field(default_factory=list)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, content: dict[str, Any]) -> Answer:
        """From what the answer file holds."""
        return cls(
            content["host"], [Finding(**each) for each in content["findings"]], content["versions"]
        )


def main() -> None:
    """Check what the request asks for, and answer."""
    request, answer = (Path(name) for name in sys.argv[1:3])
    found = check(Request(**json.loads(request.read_text())), answer.parent)
    with replacing(answer) as file:
        file.write(json.dumps(asdict(found), indent=1).encode())


def check(request: Request, place: Path) -> Answer:
    """All checks.

    Parameters
    ----------
    place : directory to work in, seen by all nodes
    """
    answer = Answer(socket.gethostname())
    runs = Path(request.runs)
    checks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("borarun", lambda: [same_versions(request)]),
        ("cores", lambda: [enough_cores(request.cores, len(os.sched_getaffinity(0)))]),
        ("GPUs", lambda: enough_gpus(request.gpus)),
        ("network", lambda: reachable(request)),
        ("runs directory", lambda: [writable(runs)]),
        ("file system", lambda: file_system(place)),
        ("compiled kernels", kernels),
    ]
    for engine, section in request.programs.items():
        look = partial(program, engine, section, request.launch, place, answer.versions)
        checks.append((engine, look))
    for what, run in checks:
        try:
            answer.findings.extend(run())
        except Exception as error:
            answer.findings.append(
                Finding(
                    what,
                    False,
                    f"the check itself failed ({type(error).__name__}: {error})",
                    "Please report it.",
                )
            )
    return answer


def kernels() -> list[Finding]:
    """Where compiled kernels are kept, if it is not where numba keeps them."""
    place = os.environ.get(compiled.VARIABLE)
    if place is None:
        return []
    said = f"kept in {place}; neither the installation nor the home folder can be written"
    return (
        [Finding("compiled kernels", True, said)]
        if Path(place).name.startswith("borarun-kernels-")
        else []
    )


def same_versions(request: Request) -> Finding:
    """Whether node and submitting machine run the same Python and borarun."""
    there, here = (request.python, request.borarun), (platform.python_version(), __version__)
    said = f"borarun {here[1]}, Python {here[0]}"
    remedy = (
        "Install borarun in a folder that the nodes see too, and make sure that "
        "worker_init loads no other Python."
    )
    return (
        Finding("borarun", True, said)
        if here == there
        else Finding(
            "borarun", False, f"{said}, but {there[1]} and {there[0]} where doctor runs", remedy
        )
    )


def enough_cores(wanted: int, available: int) -> Finding:
    """Whether the job may use as many cores as the site file counts on."""
    remedy = (
        ""
        if available >= wanted
        else "Set cores_per_node to the number that a job gets, or request more in "
        "scheduler_options."
    )
    return Finding("cores", available >= wanted, f"{available} of {wanted} are available", remedy)


def enough_gpus(wanted: int, which: Callable[[str], str | None] = shutil.which) -> list[Finding]:
    """Whether the job sees as many GPUs as the site file counts on, if it counts on any."""
    if not wanted:
        return []
    tool = next((name for name in GPU_TOOLS if which(name)), None)
    if tool is None:
        said = f"neither {' nor '.join(GPU_TOOLS)} is found"
        remedy = "Load the driver's tools in worker_init, and check that the nodes have GPUs."
        return [Finding("GPUs", False, said, remedy)]
    listed = subprocess.run(
        [tool, *GPU_TOOLS[tool]], capture_output=True, text=True, timeout=PROBE_S, check=False
    ).stdout
    seen = len(set(re.findall(r"^GPU(?: |\[)(\d+)", listed, re.MULTILINE)))
    remedy = (
        ""
        if seen >= wanted
        else "Set available_accelerators to the number that a job gets, or request more in "
        "gpus_per_node (Slurm) or select_options (PBS)."
    )
    return [Finding("GPUs", seen >= wanted, f"{seen} of {wanted} are seen by {tool}", remedy)]


def reachable(
    request: Request,
    connect: Callable[..., Any] = socket.create_connection,
    now: Callable[[], float] = time.time,
) -> list[Finding]:
    """Whether the submitting machine answers at its port, and how its clock compares."""
    failed = {}
    for address in request.addresses:
        try:
            with connect((address, request.port), timeout=CONNECT_S) as door:
                token, clock = door.makefile().readline().split()
        except (OSError, ValueError) as error:
            failed[address] = str(error) or type(error).__name__
            continue
        if token != request.token:
            failed[address] = "somebody else answered"
            continue
        return [
            Finding("network", True, f"reached {address}:{request.port}"),
            same_clock("clock", float(clock) - now(), "the submitting machine"),
        ]
    said = (
        "; ".join(f"{address}:{request.port}: {error}" for address, error in failed.items())
        or "no address to try"
    )
    remedy = (
        "Set the executor's address to one that nodes can reach (`ip address` shows them), and "
        "worker_port_range to ports that are open."
    )
    return [Finding("network", False, said, remedy)]


def same_clock(what: str, difference_s: float, whose: str) -> Finding:
    """Whether two clocks agree."""
    ok = abs(difference_s) <= SKEW_S
    return Finding(
        what,
        ok,
        f"{abs(difference_s):.1f} s from that of {whose}",
        "" if ok else "Tell the support of the machine: the clocks should be synchronised.",
    )


def writable(runs: Path, usage: Callable[[Path], Any] = shutil.disk_usage) -> Finding:
    """Whether results can be written, and how much."""
    try:
        runs.mkdir(parents=True, exist_ok=True)
        probe = runs / f".doctor-{socket.gethostname()}-{os.getpid()}"
        probe.write_bytes(bytes(1_000_000))  # a quota shows only in writing
        probe.unlink()
        free = usage(runs).free / 1e9
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = (
            "Free some space or raise the quota."
            if full
            else "Use --runs with a directory that the nodes can read and write."
        )
        return Finding("runs directory", False, f"{runs}: {error.strerror}", remedy)
    ok = free >= ROOM_GB
    return Finding(
        "runs directory",
        ok,
        f"{runs}: {free:.0f} GB free",
        "" if ok else f"Free some space: a study needs at least {ROOM_GB:.0f} GB.",
    )


def file_system(
    place: Path,
    link: Callable[[Path, Path], None] = os.link,
    modified: Callable[[Path], float] = lambda path: path.stat().st_mtime,
    now: Callable[[], float] = time.time,
) -> list[Finding]:
    """Whether files behave as the store and the claims on tasks need it; advisory locks are not
    needed, and only told of.
    """
    file, other = place / "file", place / "other"
    for path in (file, other):
        path.unlink(missing_ok=True)
    able: list[str] = []
    unable: list[str] = []

    def ability(name: str, works: bool) -> None:
        (able if works else unable).append(name)

    file.write_text("new")
    written = now()
    other.write_text("old")
    file.replace(other)
    ability("rename", other.read_text() == "new" and not file.exists())
    try:
        os.close(os.open(other, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        ability("exclusive creation", False)
    except FileExistsError:
        ability("exclusive creation", True)
    try:
        link(other, file)
        ability("hard links", file.stat().st_nlink == 2)
    except OSError:
        ability("hard links", False)
    remedy = (
        ""
        if not unable
        else "Use --runs with a directory on another file system: this one would lose or "
        "duplicate results."
    )
    locks = "has" if _locks(other) else "lacks"
    said = (
        f"has {', '.join(able)}"
        + (f", lacks {', '.join(unable)}" if unable else "")
        + f" ({locks} advisory locks, which are not needed)"
    )
    found = [
        Finding("file system", not unable, said, remedy),
        same_clock("clock of files", modified(other) - written, "this node"),
    ]
    for path in (file, other):
        path.unlink(missing_ok=True)
    return found


def _locks(path: Path) -> bool:
    try:
        with path.open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def program(
    engine: str,
    section: dict[str, Any],
    launch: list[str],
    place: Path,
    versions: dict[str, dict[str, str]],
) -> list[Finding]:
    """A program of the site: its files can be read, it is found, it starts, it is what the site
    file says. What it is goes to ``versions``.
    """
    module = ENGINES[engine]
    settings = module.Program(**section)
    found = [
        readable(f"{engine} {key}", Path(path)) for key, path in module.paths(settings).items()
    ]
    for probe in module.probes(settings):
        finding, version = probed(engine, probe, launch, place / f"{engine}-{probe.key}", settings)
        found.append(finding)
        if version:
            versions.setdefault(engine, {})[probe.key] = version
    return found


def readable(what: str, path: Path) -> Finding:
    """Whether a file or a folder of the site can be read here."""
    try:
        if path.is_dir():
            entries = len(os.listdir(path))  # noqa: PTH208 - only whether it is allowed, and how many
            return Finding(
                what,
                entries > 0,
                f"{path}: {entries} entries",
                "" if entries else "It is empty: set the folder that contains the files.",
            )
        with path.open("rb") as file:
            empty = not file.read(1)
        return Finding(
            what,
            not empty,
            f"{path}: {'empty' if empty else 'can be read'}",
            "Put the file there." if empty else "",
        )
    except OSError as error:
        return Finding(
            what,
            False,
            f"{path}: {error.strerror}",
            "Correct the path in the site file, or copy the file to where the nodes can read it.",
        )


def probed(
    engine: str, probe: Probe, launch: list[str], directory: Path, settings: Any = NO_SECTION
) -> tuple[Finding, str]:
    """A program started shortly, and the version that it tells.

    Parameters
    ----------
    settings : the program's section of the site file
    """
    what, place = f"{engine} {probe.key}", f"programs.{engine}.{probe.key} in the site file"
    if probe.key == "python":  # comes with borarun, in this Python
        what = engine
    modules = f"programs.{engine}.init" if settings.init else "the executor's worker_init"
    load = f"Load what it needs in {modules}, or correct {place}."
    environment = surroundings(settings)

    def which(name: str) -> str | None:
        return shutil.which(name, path=environment.get("PATH"))

    launched = launch[:1] if LAUNCH in shlex.split(probe.command) else []
    needed = [name for name in (first(probe.command), *launched) if name]
    for name in needed:
        if which(name) is None:
            return Finding(what, False, f"{name} is not found", load), ""
    command = [
        part for word in words(probe.command, 1) for part in (launch if word == LAUNCH else [word])
    ]
    text, ended = started(command, directory, environment, probe.leaves)
    shown = "it" if probe.key == "python" else shlex.join(command)
    if not ended:
        return Finding(
            what,
            False,
            f"{shown} did not end within {PROBE_S:.0f} s",
            f"Run it by hand on a node, and correct {place}.",
        ), ""
    told = probe.read(text)
    if not told.version and (broken := BROKEN.search(text)):
        return Finding(what, False, f"{shown}: {broken[0].strip()}", load), ""
    if told.trouble:
        printed = text.strip().splitlines()
        said = (
            told.version or f"{shown} printed {printed[-1].strip()!r}"
            if printed
            else f"{shown} printed nothing"
        )
        return Finding(what, False, f"{said}: {told.trouble}", told.remedy), told.version
    return Finding(
        what, True, told.version or f"{which(needed[0])} does not print its version"
    ), told.version


def started(
    command: list[str], directory: Path, environment: dict[str, str], leaves: str = ""
) -> tuple[str, bool]:
    """What a command prints, and writes to the file that it leaves, in a directory of its own; and
    whether it ended by itself in time.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    ended = True
    with (directory / PRINTED).open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            process.wait(PROBE_S)
        except subprocess.TimeoutExpired:
            ended = False
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    files = [directory / name for name in (PRINTED, leaves) if name]
    return "".join(file.read_text(errors="replace") for file in files if file.is_file()), ended


if __name__ == "__main__":
    main()
