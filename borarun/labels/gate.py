"""What makes a configuration one to learn from: the gate that all labels pass, those of files and
those of own runs.

A label that is absent is seen at once; one that is wrong is learnt. Each check here is for a kind
that has been: labels of another unit, of another setting, of a potential, of a calculation that did
not converge, twice.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from borarun.records.frames import Frames

Array = NDArray[Any]

LARGEST = {"forces": (500.0, "eV/angstrom"), "stress": (3.0, "eV/angstrom^3")}
"""Beyond these a number is of another unit, or of atoms in one another: 3 eV/angstrom^3 are 480
GPa.
"""

USUAL_STRESS = 0.3
"""Of half the configurations of a file, eV/angstrom^3, 48 GPa: no crystal is computed under more by
habit, but GPa or kbar written as eV/angstrom^3 are.
"""

SMALLEST_VOLUME_A3 = 1.0

NET_FORCE_eV_PER_A = 0.5
NET_FORCE_PER_ATOM_eV_PER_A = 0.01
"""Forces of a crystal sum to nothing; a grid leaves up to 0.3 eV/angstrom (CP2K), VASP less than
0.05. The larger of the two limits holds.
"""

SAME_ENERGY_eV_PER_ATOM = 0.001
"""Two computations of one configuration with one setting differ by less."""

GAP_eV_PER_ATOM = 0.3
"""Between energies of one composition, with nothing between them: twice the heat of 1000 K."""

SIMILAR_FORCES = 2.0
"""Configurations whose energy is truly so much higher have larger forces, too."""


def findings(frames: Frames, numbers: Sequence[int] | Sequence[str] | None = None) -> Iterator[str]:
    """What is wrong with labelled configurations of any origin: nothing of it may be learnt.

    Parameters
    ----------
    frames : labelled
    numbers : what to call them in messages; by default their places, from 1
    """
    if not len(frames):
        return
    called = np.arange(1, len(frames) + 1) if numbers is None else np.asarray(numbers)
    sizes = np.diff(frames.offsets)
    of_atom = np.repeat(called, sizes)
    volume = np.abs(np.linalg.det(frames.cell))
    for name, values in frames.arrays().items():
        rows = values.reshape(len(values), -1)
        where = of_atom if len(rows) == len(of_atom) else called
        if name != "offsets" and (bad := where[~np.isfinite(rows).all(axis=1)]).size:
            yield f"configuration {bad[0]} has {name} that are not numbers. Remove it."
            return
    if (flat := called[~(volume > SMALLEST_VOLUME_A3)]).size:
        yield (
            f"configuration {flat[0]} has no cell, and stresses need one. Remove it, or "
            "add its cell."
        )
    for name, (most, unit) in LARGEST.items():
        rows = getattr(frames, name)
        where = of_atom if name == "forces" else called
        if rows is not None and (bad := where[np.abs(rows).max(axis=1) > most]).size:
            worst = np.abs(rows[where == bad[0]]).max()
            yield (
                f"configuration {bad[0]}: {name} of {worst:.4g} {unit} (at most "
                f"{most:g}). Check the unit, or remove it."
            )
    if frames.forces is not None and len(frames):
        net = np.linalg.norm(np.add.reduceat(frames.forces, frames.offsets[:-1]), axis=1)
        limit = np.maximum(NET_FORCE_eV_PER_A, NET_FORCE_PER_ATOM_eV_PER_A * sizes)
        if (bad := np.flatnonzero(net > limit)).size:
            worst = bad[np.argmax(net[bad])]
            yield (
                f"configuration {called[worst]}: its forces sum to {net[worst]:.2f} "
                f"eV/angstrom (at most {limit[worst]:g}); in a crystal the sum is zero. "
                f"{len(bad)} of {len(frames)} configurations have this error. Compute "
                "them with tighter convergence or a finer grid, or remove them."
            )


def mixture(frames: Frames, numbers: Sequence[int] | Sequence[str]) -> Iterator[str]:
    """Signs that labels of a file are of several settings, or not in the units that they need.

    Parameters
    ----------
    frames : labelled, none twice
    numbers : what to call them in messages
    """
    assert frames.energy is not None and frames.forces is not None and frames.stress is not None
    sizes = np.diff(frames.offsets)
    energy = frames.energy / sizes
    for group in _alike(frames, _geometry):
        if np.ptp(energy[group]) > SAME_ENERGY_eV_PER_ATOM:
            low, high = group[np.argmin(energy[group])], group[np.argmax(energy[group])]
            yield (
                f"configurations {numbers[low]} and {numbers[high]} are the same atoms in "
                f"the same places, with the energies {frames.energy[low]:.6g} and "
                f"{frames.energy[high]:.6g} eV: two settings (functional, "
                "pseudopotentials, cutoff). Keep the configurations of one setting."
            )
            return
    forces = np.sqrt(np.add.reduceat(np.sum(frames.forces**2, axis=1), frames.offsets[:-1]) / sizes)
    for group in _alike(frames, _composition):
        ordered = group[np.argsort(energy[group])]
        gaps = np.diff(energy[ordered])
        if not len(gaps) or gaps.max() <= GAP_eV_PER_ATOM:
            continue
        below, above = np.split(ordered, [int(np.argmax(gaps)) + 1])
        if np.median(forces[above]) > SIMILAR_FORCES * np.median(forces[below]):
            continue
        low, high = below[-1], above[0]
        yield (
            "the energies of configurations of equal composition fall in two groups, "
            f"{gaps.max():.2f} eV per atom apart (configuration {numbers[low]}: "
            f"{frames.energy[low]:.6g} eV, {numbers[high]}: {frames.energy[high]:.6g} "
            "eV): two settings (functional, pseudopotentials, cutoff, or total and "
            "cohesive energies). Keep the configurations of one setting."
        )
        return
    largest = np.abs(frames.stress).max(axis=1)
    if (usual := float(np.median(largest))) > USUAL_STRESS:
        yield (
            f"half of the configurations have a stress above {usual:.3g} eV/angstrom^3, "
            f"{usual * 160.2177:.0f} GPa. If it is in GPa, divide by 160.2177, if in kbar, by "
            "1602.177."
        )
    for name, values in (("stress", frames.stress), ("forces", frames.forces)):
        if not values.any() and (name == "forces" or frames.forces.any()):
            yield (
                f"{name} is zero in every configuration, as if the program did not "
                "compute it (VASP: ISIF=0). Compute it."
            )


def distinct(frames: Frames) -> Array:
    """(number of different configurations,) int, the first of each that there are several of: same
    atoms, same places, same energy.
    """
    seen: dict[bytes, int] = {}
    for index in range(len(frames)):
        energy = b"" if frames.energy is None else np.round(frames.energy[index], 6).tobytes()
        seen.setdefault(_geometry(frames, index) + energy, index)
    return np.array(sorted(seen.values()), dtype=np.int64)


def geometries(frames: Frames) -> list[bytes]:
    """What is equal for configurations of the same atoms in the same places."""
    return [_geometry(frames, index) for index in range(len(frames))]


def _alike(frames: Frames, what: Any) -> list[Array]:
    """Indices of the frames that agree in something, where there are several."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index in range(len(frames)):
        groups[what(frames, index)].append(index)
    return [np.array(group) for group in groups.values() if len(group) > 1]


def _geometry(frames: Frames, index: int) -> bytes:
    part = slice(frames.offsets[index], frames.offsets[index + 1])
    content = (
        frames.numbers[part].astype("<i4").tobytes()
        + (np.round(frames.positions[part], 5) + 0.0).astype("<f8").tobytes()
        + (np.round(frames.cell[index], 5) + 0.0).astype("<f8").tobytes()
    )
    return hashlib.sha256(content).digest()


def _composition(frames: Frames, index: int) -> bytes:
    part = slice(frames.offsets[index], frames.offsets[index + 1])
    return np.sort(frames.numbers[part]).astype("<i4").tobytes()


def elements_of(frames: Frames) -> set[str]:
    """Symbols of all elements of the configurations."""
    return {chemical_symbols[number] for number in np.unique(frames.numbers)}
