"""What the comparisons with other packages share: all candidates in turn, CPU times of one thread,
memory of a call.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median

Job = Callable[[], object]

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "BLOSC_NTHREADS",
)
ONE_THREAD = dict.fromkeys(THREADS, "1")


@dataclass(frozen=True)
class Candidate:
    """One way to do the job.

    Attributes
    ----------
    package : that must be there, as it is installed
    module : the same, as it is imported
    prepare : makes the input and gives what is to be timed
    goal : how many times slower than borarun it must be; None where none is set
    share : of the whole job that is timed; a slow one does less
    """

    package: str
    module: str
    prepare: Callable[[], Job]
    goal: float | None = None
    share: float = 1.0

    @property
    def there(self) -> bool:
        """Whether the package is installed."""
        return importlib.util.find_spec(self.module) is not None

    @property
    def version(self) -> str:
        """Of the package; says where there is none."""
        return metadata.version(self.package) if self.there else "missing"


def rounds(candidates: Mapping[str, Candidate], repeats: int) -> dict[str, float]:
    """CPU time of the whole job, s, of every candidate that is there: the median of rounds in which
    each has its turn. A first call is not counted.
    """
    jobs = {name: one.prepare() for name, one in candidates.items() if one.there}
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(repeats + 1):
        for name, job in jobs.items():
            begun = time.process_time()
            job()
            if turn:
                times[name].append((time.process_time() - begun) / candidates[name].share)
    return {name: median(found) for name, found in times.items()}


def call_MB(candidate: Candidate) -> float:
    """What the peak of this process's memory grows by in one call, MB. Linux forgets the peak of
    the preparation when it is told to.
    """
    job = candidate.prepare()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    job()
    return (_status("VmHWM") - before) / 1024


def call_MB_alone(script: str, name: str) -> float:
    """The same in a process of its own: ``script --memory NAME`` prints it."""
    environment = {**os.environ, **ONE_THREAD}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, "--memory", name],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return float(done.stdout.split()[-1])


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def machine() -> str:
    """The machine in words."""
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return (
        f"Machine: {cpu}, {os.cpu_count()} cores, shared with other work; Python "
        f"{platform.python_version()}."
    )


def table(
    candidates: Mapping[str, Candidate],
    times: Mapping[str, float],
    ours: str,
    more: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Rows: name, version, time over that of ours, goal, further columns. What is missing is said
    to be, and a goal that is not met.
    """
    rows = []
    for name, one in candidates.items():
        ratio = f"{times[name] / times[ours]:.2f}" if name in times else "not measured"
        goal = "" if one.goal is None else f"{one.goal:g}"
        if one.goal is not None and name in times and times[name] < one.goal * times[ours]:
            goal += ", missed"
        rest = "".join(f" {value} |" for value in more.get(name, ())) if more else ""
        rows.append(f"| {name} | {one.version} | {ratio} | {goal} |{rest}")
    return rows
