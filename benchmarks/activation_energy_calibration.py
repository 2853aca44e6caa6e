"""How honest the intervals of activation energies are: made-up studies whose energy is known.

    python benchmarks/activation_energy_calibration.py --trials 100 --output
    benchmarks/results/activation_energy_calibration.md

A study is a walk (walks.py) of 1 ns at each of its temperatures, with a jump rate that follows
Arrhenius' law: vacancies on the Li sublattice of Li2B12H12, as many and with the energies as in
Table 3 of the published work, and ions that hop each for itself. The ions vibrate. Each walk goes
through `borarun.analysis.diffusion`, the points through `borarun.analysis.arrhenius`, as in a
report: accepted points by their errors, those with too few hops and uncertain ones by the number of
hops that their error is worth. Over the studies:

* hops         expected jumps of all ions at the lowest temperature
* points       mean number of accepted points, and of those that count by hops
* line         share of the studies that give an activation energy
* bias         mean energy less the known one, meV
* real sd      scatter of the energy, meV
* quoted/true  root mean square of the quoted errors over the root mean square error; 1 is right
* coverage     share of the 95 % intervals that hold the known energy
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import walks
from numpy.typing import NDArray
from walks import Rng

from borarun.analysis.arrhenius import Arrhenius, FewHops, fit
from borarun.analysis.diffusion import ESTIMATOR, Diffusivity, diffusivity, pooled
from borarun.basics.units import BOLTZMANN_EV_PER_K

Array = NDArray[np.float64]

INTERVAL_FS = 400.0
N_FRAMES = 2500
VIBRATION_A = 0.25
FRAMES_PER_PS = 1000 / INTERVAL_FS
TABLE_3_MEV = {1: 353, 2: 343, 4: 332, 8: 320, 12: 279}


@dataclass(frozen=True)
class Case:
    """A kind of study.

    Attributes
    ----------
    name : in words
    energy_meV : of the jump rate, and so of D
    jumps_per_ps_at_500_K : of a vacancy; without vacancies, of all ions together
    temperatures_K : of the runs
    vacancies : on 216 sites; 0 for 64 ions that hop each for itself
    runs : at each temperature
    """

    name: str
    energy_meV: float
    jumps_per_ps_at_500_K: float
    temperatures_K: tuple[float, ...]
    vacancies: int = 0
    runs: int = 1

    def jumps_per_frame(self, temperature_K: float) -> float:
        """Of a vacancy, or of all ions."""
        inverse = 1 / (BOLTZMANN_EV_PER_K * temperature_K) - 1 / (BOLTZMANN_EV_PER_K * 500)
        per_ps = self.jumps_per_ps_at_500_K * np.exp(-1e-3 * self.energy_meV * inverse)
        return float(per_ps) / FRAMES_PER_PS

    @property
    def hops(self) -> float:
        """Expected jumps of all ions in the runs at the lowest temperature."""
        each = self.jumps_per_frame(min(self.temperatures_K)) * N_FRAMES * self.runs
        return each * max(self.vacancies, 1)

    def walk(self, rng: Rng, temperature_K: float) -> Array:
        """Positions of all ions in one run, (N, 3, F) angstrom."""
        rate = self.jumps_per_frame(temperature_K)
        if self.vacancies:
            out = walks.vacancies(rng, self.vacancies, N_FRAMES, rate)
        else:
            out = walks.hopping(rng, 64, N_FRAMES, rate * N_FRAMES / 64)
        return np.asarray(out + walks.vibration(rng, out.shape, VIBRATION_A, 1.0))

    def study(self, rng: Rng) -> tuple[Arrhenius, int, int]:
        """Line of one study; number of accepted points and of those that count by hops."""
        found = [
            (T, pooled([diffusivity(self.walk(rng, T), INTERVAL_FS) for _ in range(self.runs)]))
            for T in self.temperatures_K
        ]
        good: list[tuple[float, Diffusivity]] = [(T, d) for T, d in found if d.diffusive]
        few = [(T, d, d.counted_hops) for T, d in found if d.counted_hops]
        line = fit(
            np.array([T for T, _ in good]),
            np.array([d.value for _, d in good]),
            np.array([d.error for _, d in good]),
            FewHops(*np.array([(T, hops, d.value / hops) for T, d, hops in few]).reshape(-1, 3).T),
        )
        return line, len(good), len(few)


_TABLE_3_K = (400, 500, 600, 700)

CASES = (
    *(
        Case(f"Table 3, {count} of 216 vacant", energy, 0.03, _TABLE_3_K, count)
        for count, energy in TABLE_3_MEV.items()
    ),
    Case("1 of 216 vacant, from 350 K", 353, 0.03, (350, *_TABLE_3_K), 1),
    Case("1 of 216 vacant, 3 runs a temperature", 353, 0.03, _TABLE_3_K, 1, 3),
    Case("4 of 216 vacant, 3 temperatures", 332, 0.03, (400, 500, 600), 4),
    Case(
        "64 ions, 7 temperatures, few hops at three", 353, 0.08, (350, 400, 450, 500, 550, 600, 650)
    ),
    Case("64 ions, 4 temperatures, few hops at the coldest", 353, 0.3, (350, 450, 550, 650)),
)


def told(case: Case, n_trials: int, seed: int) -> str:
    """One line of the table."""
    rng = np.random.default_rng(seed)
    found = [case.study(rng) for _ in range(n_trials)]
    lines = [line for line, _, _ in found if line.usable]
    good, few = (np.mean([counts[i] for counts in found]) for i in (1, 2))
    true = 1e-3 * case.energy_meV
    energy, error, low, high = np.array(
        [(line.activation_energy_eV, line.error, line.low, line.high) for line in lines]
    ).T
    wrong = np.sqrt(np.mean((energy - true) ** 2))
    covered = np.mean((low <= true) & (true <= high))
    return (
        f"| {case.name} | {case.energy_meV:g} | {case.hops:.0f} | {good:.1f} + {few:.1f} | "
        f"{100 * len(lines) / n_trials:.0f} % | {1e3 * (energy.mean() - true):+.0f} | "
        f"{1e3 * energy.std(ddof=1):.0f} | {np.sqrt(np.mean(error**2)) / wrong:.2f} | "
        f"{100 * covered:.0f} % |"
    )


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description="Calibration of activation energies.")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    lines = [
        "# Intervals of activation energies in studies of known energy",
        "",
        f"`python benchmarks/activation_energy_calibration.py --trials {chosen.trials} --seed "
        f"{chosen.seed}`; {os.cpu_count()} cores, Python {platform.python_version()}, numpy "
        f"{np.__version__}; estimator: {ESTIMATOR}. The columns are explained at the head of that "
        "file.",
        "",
        "| study | energy (meV) | hops | points | line | bias (meV) | real sd (meV) | quoted/true "
        "| coverage of 95 % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    began = time.process_time()
    for case in CASES:
        if chosen.only in case.name:
            lines.append(told(case, chosen.trials, chosen.seed))
            print(lines[-1], f"<!-- {time.process_time() - began:.0f} s -->", flush=True)
    if chosen.output:
        chosen.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
