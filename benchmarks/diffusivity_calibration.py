"""How honest the error bars of diffusivities are: trials on random walks whose diffusivity is
known.

    python benchmarks/diffusivity_calibration.py --trials 100 --output
    benchmarks/results/diffusivity_calibration.md

Each trial makes a new trajectory (walks.py) and asks `borarun.analysis.diffusion` for D with its
error and 95 % interval. Over the trials:

* mean/true    mean of D over the known D; 1 is unbiased
* real sd      scatter of D, in per cent of the known D
* quoted/true  root mean square of the quoted errors over the real scatter; 1 is right
* coverage     share of the 95 % intervals that hold the known D
* accepted     share of trials that no rule of the module flags
* wrong        share of trials that are accepted and whose interval does not hold the known D; a
               95 % interval allows 5 %

Collective diffusivities and Haven ratios are asked likewise, and cross terms of the transport
matrix of two species. A cross term that is zero is told as a part of the diagonal terms.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import walks
from numpy.typing import NDArray
from walks import Rng

from borarun.analysis.diffusion import (
    ESTIMATOR,
    Diffusivity,
    Haven,
    collective_diffusivity,
    diffusivity,
    haven_ratio,
    pooled,
)
from borarun.analysis.estimate import Estimate
from borarun.analysis.onsager import Coefficient, transport_matrix
from borarun.analysis.regression import regression
from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S

HOP_A = 3.0

Array = NDArray[np.float64]
Answer = Diffusivity | Haven | Estimate | Coefficient

CORRELATION_FACTOR = {1: 0.662, 2: 0.655, 4: 0.6525, 8: 0.650, 12: 0.644}
"""Of ions on the 216 sites of `walks.vacancies` by number of vacancies, from 480,000 jumps a
vacancy, each +- 0.002; 0.6531 for one vacancy on an infinite lattice.
"""


def per_frame(square_A2: float, interval_fs: float) -> float:
    """Diffusivity in cm^2/s of a walk whose mean square step is ``square_A2`` a frame."""
    return square_A2 / 6 / interval_fs * A2_PER_FS_IN_CM2_PER_S


@dataclass(frozen=True)
class Case:
    """A kind of walk and the quantity asked of it.

    Attributes
    ----------
    name : in words
    walk : makes a trajectory (N, 3, F), angstrom
    interval_fs : between frames
    ask : diffusivity, collective_diffusivity, haven_ratio, regression or cross_term
    true : the known answer
    runs : independent runs that are pooled
    unit : what the answer is told in; ``true`` where none is given
    """

    name: str
    walk: Callable[[Rng], Array]
    interval_fs: float
    ask: Callable[[Array, float], Answer]
    true: float
    runs: int = 1
    unit: float | None = None

    def answer(self, rng: Rng) -> Answer:
        """The estimate from new walks."""
        found = [self.ask(self.walk(rng), self.interval_fs) for _ in range(self.runs)]
        return pooled(found) if self.runs > 1 else found[0]  # type: ignore[arg-type]


def hopping(
    rng: Rng,
    n_ions: int,
    n_frames: int,
    hops: float,
    width_A: float = 0.25,
    memory_frames: tuple[float, ...] = (5.0,),
    group: int = 1,
    immobile: int = 0,
    axes: tuple[float, float, float] = (1, 1, 1),
    spread: float = 0.0,
) -> Array:
    """Hops of `HOP_A`, in groups, beside ions that do not hop, and cages of one or more times."""
    hops = hops * (1 + spread * rng.normal())
    moving = (n_ions - immobile) // group
    out = np.zeros((n_ions, 3, n_frames))
    out[immobile:] = np.repeat(
        walks.hopping(rng, moving, n_frames, hops, HOP_A, axes), group, axis=0
    )
    for memory in memory_frames:
        out += walks.vibration(rng, out.shape, width_A, memory)
    return out


def rattling(rng: Rng, n_ions: int, n_frames: int, hops: float, flips_per_frame: float) -> Array:
    """Two sites 2.5 A apart, and hops to others."""
    return walks.hopping(rng, n_ions, n_frames, hops, HOP_A) + walks.rattling(
        rng, n_ions, n_frames, 2.5, flips_per_frame
    )


def drifting(rng: Rng, n_ions: int, n_frames: int, hops: float) -> Array:
    """Ions beside 108 anions that vibrate, all of which drift; the anions' drift is taken off."""
    drift = 0.05 * rng.normal(size=(1, 3, n_frames)).cumsum(axis=2)
    anions = walks.vibration(rng, (108, 3, n_frames), 0.2, 10) + drift
    return hopping(rng, n_ions, n_frames, hops) + drift - anions.mean(axis=0)


def vacancy_cases() -> list[Case]:
    """Vacancies on the Li sublattice of Li2B12H12, 1 ns."""
    cases = []
    often = ((number, 0.3) for number in CORRELATION_FACTOR)
    for number, jumps_per_ps in ((8, 0.006), (1, 0.03), (4, 0.03), *often):
        walk = partial(
            walks.vacancies, n_vacancies=number, n_frames=2500, jumps_per_frame=0.4 * jumps_per_ps
        )
        ions = walks.LATTICE**3 - number
        # Exchanges of two vacancies are none.
        free = 1 - (number - 1) / (walks.LATTICE**3 - 1)
        charge = per_frame(0.4 * jumps_per_ps * number / ions * free * walks.SPACING_A**2, 400)
        haven = CORRELATION_FACTOR[number] / free
        what = f"{number} vacanc{'y' if number == 1 else 'ies'}, {jumps_per_ps:g} jumps/ps each"
        cases.append(Case(what, walk, 400, diffusivity, charge * haven))
        if jumps_per_ps == 0.3 and number in (1, 4):
            cases.append(Case(f"collective, {what}", walk, 400, collective_diffusivity, charge))
            cases.append(Case(f"Haven ratio, {what}", walk, 400, haven_ratio, haven))
    return cases


def hop_case(
    name: str, n_ions: int, n_frames: int, hops: float, interval_fs: float, **more: object
) -> Case:
    """Diffusivity of ions of which those that move make ``hops`` each."""
    walk = partial(hopping, n_ions=n_ions, n_frames=n_frames, hops=hops, **more)  # type: ignore
    mobile = 1 - int(str(more.get("immobile", 0))) / n_ions
    true = per_frame(HOP_A**2 * hops * mobile / n_frames, interval_fs)
    return Case(name, walk, interval_fs, diffusivity, true, runs=1)


def _brownian(group: int = 1) -> Callable[[Rng], Array]:
    return partial(walks.brownian, n_ions=24, n_frames=2000, group=group)


def rattling_case(hops: float) -> Case:
    """64 ions for 1 ns, with a flip every 60 ps."""
    walk = partial(rattling, n_ions=64, n_frames=5000, hops=hops, flips_per_frame=0.2 / 60)
    true = per_frame(HOP_A**2 * hops / 5000, 200)
    return Case(f"64 ions rattle, {hops:g} hops each, 1 ns", walk, 200, diffusivity, true)


def cross_term(positions: Array, interval_fs: float) -> Coefficient:
    """L_ab of the first and the second half of the ions as two species."""
    half = len(positions) // 2
    return transport_matrix([positions[:half], positions[half:]], interval_fs)[0, 1]


def coupled(rng: Rng, n_ions: int, n_frames: int, hops: float, shared: float) -> Array:
    """Two species of ``n_ions`` each. The part ``shared`` of the hops of each ion is that of one of
    the other species: in the same direction, or in the opposite one where it is negative.
    """
    common = walks.hopping(rng, n_ions, n_frames, abs(shared) * hops, HOP_A)
    own = walks.hopping(rng, 2 * n_ions, n_frames, (1 - abs(shared)) * hops, HOP_A)
    out = own + np.concatenate([common, np.sign(shared) * common])
    return np.asarray(out + walks.vibration(rng, out.shape, 0.25, 5))


def cross_case(n_ions: int, shared: float) -> Case:
    """Cross term of two species, of 40 hops an ion."""
    walk = partial(coupled, n_ions=n_ions, n_frames=2000, hops=40, shared=shared)
    diagonal = n_ions * per_frame(HOP_A**2 * 40 / 2000, 20)
    name = f"cross term, 2 x {n_ions} ion{'s' * (n_ions > 1)}, {shared:g} of the hops shared"
    return Case(name, walk, 20, cross_term, shared * diagonal, unit=abs(shared or 1) * diagonal)


def few_ions_cases() -> list[Case]:
    """Two ions that hop each for itself."""
    name = "2 ions, 40 hops each, 40 ps"
    one = hop_case(name, 2, 2000, 40, 20)
    return [
        one,
        replace(one, name=f"collective, {name}", ask=collective_diffusivity),
        replace(one, name=f"Haven ratio, {name}", ask=haven_ratio, true=1.0),
    ]


def frozen_case(runs: int) -> Case:
    """Runs whose own diffusivities differ."""
    one = hop_case("", 64, 2000, 20, 100, spread=0.2)
    return Case(f"{runs} runs whose D differ by 20 %", one.walk, 100, diffusivity, one.true, runs)


CASES = (
    Case("24 independent ions, 40 ps", _brownian(), 20, diffusivity, per_frame(3, 20)),
    Case("24 ions in groups of 12, 40 ps", _brownian(12), 20, diffusivity, per_frame(3, 20)),
    hop_case("24 ions, 40 hops each, 40 ps", 24, 2000, 40, 20),
    hop_case("8 ions, 5 hops each, 20 ps", 8, 1000, 5, 20),
    hop_case("8 ions, 5 hops each, 10 ps", 8, 500, 5, 20),
    hop_case("64 ions, 20 hops each, 500 ps", 64, 5000, 20, 100),
    *(rattling_case(hops) for hops in (2, 4, 20)),
    hop_case(
        "cages of 0.1, 1, 10 and 50 ps, 20 hops",
        64,
        5000,
        20,
        100,
        width_A=0.5,
        memory_frames=(1.0, 10.0, 100.0, 500.0),
    ),
    hop_case(
        "cages of 0.1, 1 and 10 ps, 3 hops",
        64,
        5000,
        3,
        100,
        width_A=0.4,
        memory_frames=(1.0, 10.0, 100.0),
    ),
    hop_case("groups of 4, 20 hops", 64, 4000, 20, 100, group=4),
    hop_case("half of the ions immobile, 20 hops", 64, 4000, 20, 100, immobile=32),
    hop_case("anisotropic 1 : 0.2 : 0, 20 hops", 64, 4000, 20, 100, axes=(1, 0.2, 0)),
    Case(
        "framework drifts, 20 hops",
        partial(drifting, n_ions=64, n_frames=4000, hops=20),
        100,
        diffusivity,
        per_frame(HOP_A**2 * 20 / 4000, 100),
    ),
    *vacancy_cases(),
    frozen_case(3),
    frozen_case(5),
    Case("collective, independent ions", _brownian(), 20, collective_diffusivity, per_frame(3, 20)),
    Case("collective, groups of 12", _brownian(12), 20, collective_diffusivity, per_frame(36, 20)),
    Case("Haven ratio, groups of 12", _brownian(12), 20, haven_ratio, 1 / 12),
    *few_ions_cases(),
    *(cross_case(n_ions, shared) for n_ions in (1, 16) for shared in (0, 0.5, -0.5)),
    Case("second opinion, independent ions", _brownian(), 20, regression, per_frame(3, 20)),
    Case("second opinion, groups of 12", _brownian(12), 20, regression, per_frame(3, 20)),
)


@dataclass(frozen=True)
class Calibration:
    """What the trials of one case gave; see the head of this file."""

    mean_over_true: float
    real_sd: float
    quoted_over_true: float
    coverage: float
    accepted: float
    wrong: float


def calibrate(case: Case, n_trials: int, seed: int = 1) -> Calibration:
    """Run the trials of one case."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n_trials):
        answer = case.answer(rng)
        rows.append(
            (
                answer.value,
                answer.error,
                answer.low <= case.true <= answer.high,
                getattr(answer, "usable", not getattr(answer, "reason", "")),
            )
        )
    value, error, covered, accepted = np.array(rows, float).T
    unit = case.true if case.unit is None else case.unit
    return Calibration(
        mean_over_true=value.mean() / unit,
        real_sd=value.std(ddof=1) / unit,
        quoted_over_true=np.sqrt(np.mean(error**2)) / value.std(ddof=1),
        coverage=covered.mean(),
        accepted=accepted.mean(),
        wrong=(accepted * (1 - covered)).mean(),
    )


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description="Calibration of the error bars of diffusivities.")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    lines = [
        "# Error bars of diffusivities on walks of known diffusivity",
        "",
        f"`python benchmarks/diffusivity_calibration.py --trials {chosen.trials} --seed "
        f"{chosen.seed}`; {os.cpu_count()} cores, Python {platform.python_version()}, numpy "
        f"{np.__version__}; estimator: {ESTIMATOR}. The columns "
        "are explained at the head of that file.",
        "",
        "| case | mean/true | real sd | quoted/true | coverage of 95 % | accepted | wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for case in (case for case in CASES if chosen.only in case.name):
        result = calibrate(case, chosen.trials, chosen.seed)
        lines.append(
            f"| {case.name} | {result.mean_over_true:.3f} | {100 * result.real_sd:.1f} % | "
            f"{result.quoted_over_true:.2f} | {100 * result.coverage:.1f} % | "
            f"{100 * result.accepted:.0f} % | {100 * result.wrong:.0f} % |"
        )
        print(lines[-1], flush=True)
    if chosen.output:
        chosen.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
