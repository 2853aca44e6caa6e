"""What the charge of vacancies changes: labels of the same configurations with charged and with
neutral vacancies.

    borarun submit studies/li2b12h12-vacancies-neutral.yaml --site SITE
    borarun submit studies/li2b12h12-vacancies-charged.yaml --site SITE
    python studies/compare_charges.py runs/store

Prints a row for each configuration: the energy that the charge adds for each vacancy, how forces
differ, and the pressures.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines.reference.charge import vacancies
from borarun.labels.gate import geometries
from borarun.records.store import Store

Labels = tuple[float, NDArray[Any], NDArray[Any], int]
"""Energy (eV), forces (N, 3) eV/angstrom, stress (6,) eV/angstrom^3, and missing ions."""


def main() -> None:
    """Rows of a table."""
    neutral, charged = found(Store(Path(sys.argv[1])))
    print(
        "| vacancies | energy of a charge, eV/vacancy | forces, RMS difference, eV/A | slope "
        "| largest difference | pressure, neutral and charged, kbar |"
    )
    print("|---|---|---|---|---|---|")
    for geometry in neutral.keys() & charged.keys():
        energy, forces, stress, missing = neutral[geometry]
        energy_charged, forces_charged, stress_charged, _ = charged[geometry]
        away = forces_charged - forces
        slope = np.vdot(forces_charged, forces) / np.vdot(forces, forces)
        pressures = [-EV_PER_A3_IN_KBAR * each[:3].mean() for each in (stress, stress_charged)]
        print(
            f"| {missing} | {(energy_charged - energy) / missing:+.3f} "
            f"| {np.sqrt(np.mean(away**2)):.3f} of {np.sqrt(np.mean(forces**2)):.3f} "
            f"| {slope:.3f} | {np.linalg.norm(away, axis=1).max():.3f} "
            f"| {pressures[0]:.2f}, {pressures[1]:.2f} |"
        )


def found(store: Store) -> tuple[dict[bytes, Labels], dict[bytes, Labels]]:
    """Labels with neutral and with charged vacancies, by their geometries."""
    sets: tuple[dict[bytes, Labels], dict[bytes, Labels]] = ({}, {})
    for key in sorted(store.keys()):
        task = store.task(key)
        if task.engine != "quantum-espresso" or task.settings["operation"] != "label":
            continue
        labels = store.frames(key, "labels")
        assert labels.energy is not None
        assert labels.forces is not None
        assert labels.stress is not None
        for index, (atoms, geometry) in enumerate(zip(labels, geometries(labels), strict=True)):
            missing = vacancies(Counter(atoms.symbols), "Li2B12H12", "Li")
            assert missing is not None
            rows = slice(labels.offsets[index], labels.offsets[index + 1])
            sets["charge_per_vacancy" in task.settings][geometry] = (
                float(labels.energy[index]),
                labels.forces[rows],
                labels.stress[index],
                missing,
            )
    return sets


if __name__ == "__main__":
    main()
