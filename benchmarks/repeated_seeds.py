"""Whether the 95 % intervals that a single run gives hold what many runs from other seeds give.

Submits ``studies/repeated-seeds.yaml``, twenty runs of two of the quickstart's points, and looks at
each run alone: how often its interval holds the mean of the others, allowing for that mean's own
error, and what it claims beside the spread that there is. Unlike ``diffusivity_calibration.py``,
which knows the truth of walks that it makes, this is molecular dynamics, whose truth nobody knows.

    python benchmarks/repeated_seeds.py [RUNS]

writes ``benchmarks/results/repeated_seeds.md``. RUNS (runs/ unless said) may hold a finished
quickstart. A quarter of an hour of two cores.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from math import sqrt
from pathlib import Path

import numpy as np
from scipy import stats

from borarun.analysis.diffusion import Diffusivity, diffusivity
from borarun.basics.errors import StudyError
from borarun.records.places import StoredRecords
from borarun.records.store import Store
from borarun.study import load_study
from borarun.study.plan import expand
from borarun.subjects.common.source import Source
from borarun.subjects.common.trajectory import read
from borarun.subjects.diffusion.stage import DiffusionRun

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "repeated_seeds.md"
STUDY = ROOT / "studies" / "repeated-seeds.yaml"
TEXT = """\
# Intervals against repeated seeds

`{command}`

Machine: {machine}.

Tracer diffusivity of Li in the 104-atom cell, `studies/repeated-seeds.yaml`: each run of {time_ps:g} ps gives a 95 % interval from its own time blocks.
*held*: runs whose interval holds the mean of the other runs, that mean's own error allowed for; *quoted / true*: root mean square of the errors that runs
quote, over the standard deviation of their diffusivities (its own error is {own:.0f} %). A run that is refused, because its ions hardly hop, claims
nothing and is not counted. Runs of the twenty that are missing are left out by the report too: their framework did not hold.

| T (K) | vacancies | runs | refused | D (1e-6 cm2/s) | held | quoted / true |
|---|---|---|---|---|---|---|
{rows}

All together: {held} of {counted} intervals held the mean of the others, {percent:.0f} % ({low:.0f} to {high:.0f} %, 95 % interval of that share).
"""  # noqa: E501


def runs_of() -> dict[tuple[float, int], list[Diffusivity]]:
    """The diffusivity of each run alone, by temperature and vacancies; runs that the report refuses
    are left out as there.
    """
    study = load_study(STUDY)
    store = Store(runs() / "store")
    source = Source(expand(study, StoredRecords(store)).tasks, store)
    groups: dict[tuple[float, int], list[Diffusivity]] = {}
    for done in source.of(DiffusionRun):
        try:
            run = read(
                study, source, done, "produce", directions=False, bonds=False, toroidal=False
            )
        except StudyError as error:
            print(f"{done.task.label} is left out: {error}", file=sys.stderr)
            continue
        assert run is not None, done.task.label
        point = (done.about.temperature_K, done.about.vacancies)
        groups.setdefault(point, []).append(diffusivity(run.ions, run.interval_fs))
    return groups


def holds(run: Diffusivity, others: list[float]) -> bool:
    """Whether a run's interval, widened by the error of the others' mean, holds that mean."""
    reach = (run.high - run.low) / 2
    own = reach / run.error
    widened = own * sqrt(run.error**2 + np.var(others, ddof=1) / len(others))
    return bool(abs(run.value - np.mean(others)) <= widened)


def runs() -> Path:
    """Where the runs go."""
    return Path(sys.argv[1] if len(sys.argv) > 1 else "runs")


def main() -> None:
    """Run, look, write."""
    subprocess.run(
        [sys.executable, "-m", "borarun", "submit", str(STUDY), "--runs", str(runs())], check=True
    )
    rows, held, counted, size = [], 0, 0, 1
    for (temperature, vacancies), found in sorted(runs_of().items()):
        values = [run.value for run in found]
        good = [index for index, run in enumerate(found) if run.diffusive]
        holding = sum(holds(found[index], values[:index] + values[index + 1 :]) for index in good)
        quoted = (
            sqrt(float(np.mean([found[index].error ** 2 for index in good])))
            / float(np.std(values, ddof=1))
            if good
            else float("nan")
        )
        held, counted, size = held + holding, counted + len(good), len(found)
        mean, error = (
            1e6 * float(np.mean(values)),
            1e6 * float(np.std(values, ddof=1)) / sqrt(len(values)),
        )
        counts = f"{len(found)} | {len(found) - len(good)}"
        rows.append(
            f"| {temperature:g} | {vacancies} | {counts} | {mean:.1f} ± {error:.1f} | "
            f"{holding} of {len(good)} | {quoted:.2f} |"
        )
    share = stats.binomtest(held, counted).proportion_ci(0.95, "wilson")
    section = load_study(STUDY).diffusion
    assert section is not None
    text = TEXT.format(
        command=" ".join(["python", "benchmarks/repeated_seeds.py", *sys.argv[1:]]), machine=f"{os.cpu_count()} "  # noqa: E501
            "cores; "
            "Python "
            f"{platform.python_version()}",
        time_ps=1000 * section.time_ns, own=100 / sqrt(2 * (size - 1)), rows="\n".join(rows), held=held, counted=counted, percent=100 * held / counted,  # noqa: E501
        low=100 * share.low, high=100 * share.high,
    )  # fmt: skip
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
