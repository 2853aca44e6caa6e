"""What an analysis found, in a few lines for the terminal."""

from __future__ import annotations

from borarun.report import text
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.results import DiffusionFound

HEADER = ("temperature", "time", "D, cm²/s", "conductivity, S/cm", "remark")


def rows(results: Results) -> list[tuple[str, ...]]:
    """A row for each temperature and number of vacancies, under ``HEADER``."""
    return [
        (
            text.kelvin(point.temperature_K)
            + (f", {text.count(point.vacancies, 'vacancy')}" if point.vacancies else ""),
            text.duration(point.time_ps) + (f" x {point.n_runs}" if point.n_runs > 1 else ""),
            text.measured(point.diffusivity_cm2_s),
            text.measured(point.conductivity_S_cm),
            point.reason,
        )
        for point in results.of(DiffusionFound).transport
    ]


def energies(results: Results) -> list[str]:
    """A line for each activation energy."""
    return [
        f"Activation energy of σ: {text.measured(line.activation_energy_meV)} meV, from "
        f"{line.n_points} temperatures"
        for line in results.of(DiffusionFound).arrhenius
        if line.activation_energy_meV is not None
    ]
