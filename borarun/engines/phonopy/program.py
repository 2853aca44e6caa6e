"""Displace the atoms of a structure, or find its phonons from the forces that displacements gave:
``python -m borarun.engines.phonopy.program``.

Reads ``job.json`` and ``structure.extxyz``, and ``forces.extxyz`` for the phonons
(``borarun.engines.phonopy`` writes them). Leaves ``displaced.extxyz`` or ``phonons.npz`` and, last,
how it ended.

Source: Togo, J. Phys. Soc. Jpn. 92, 012001 (2023), for the method of finite displacements as
phonopy has it; Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010), for the paths of band
structures, by ASE.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms
from phonopy.structure.cells import guess_primitive_matrix

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError
from borarun.basics.file import replacing
from borarun.basics.units import KJ_PER_MOL_IN_EV
from borarun.engines.phonopy.job import DisplaceJob, PhononsJob
from borarun.records.endings import Ending
from borarun.records.frames import Frames
from borarun.records.operations.base import Facts
from borarun.records.operations.phonons import Displaced, HarmonicPhonons

Array = NDArray[np.float64]

SAME_POSITION_A = 1e-4
"""The forces belong to a displacement when its atoms are no farther than this from where they
should be.
"""

BAND_POINTS = 200
LATTICE_TOLERANCE = 1e-3
"""Relative: a relaxed cell this near to a Bravais lattice is one."""

GRID_PER_WIDTH = 5
"""Points of the density of states within one standard deviation of its Gaussians ..."""
MARGIN_WIDTHS = 5
"""... which reaches so many beyond the outermost frequencies."""


def displacing(structure: Atoms, job: DisplaceJob) -> Phonopy:
    """phonopy with the displacements of a structure; the same structure and job always give the
    same ones.
    """
    cell = PhonopyAtoms(
        numbers=structure.numbers,
        cell=structure.cell.array,
        scaled_positions=structure.get_scaled_positions(),
    )
    primitive = guess_primitive_matrix(cell, symprec=job.symmetry_A)
    phonons = Phonopy(
        cell, np.diag(job.supercell), primitive_matrix=primitive, symprec=job.symmetry_A
    )
    phonons.generate_displacements(distance=job.displacement_A)
    return phonons


def displaced(phonons: Phonopy) -> list[Atoms]:
    """The supercells, one atom displaced in each."""
    return [
        Atoms(cell.numbers, cell.positions, cell=cell.cell, pbc=True)
        for cell in phonons.supercells_with_displacements or ()
    ]


def forces_of(phonons: Phonopy, labels: Frames) -> tuple[Array, float]:
    """Forces of the displaced supercells without their drift, and the largest drift.

    Returns
    -------
    (displacements, atoms, 3) eV/angstrom; eV/angstrom: a force on all atoms together, which only
    errors of the calculation can give
    """
    wanted = displaced(phonons)
    if len(labels) != len(wanted) or labels.forces is None:
        raise EngineError(
            f"there are forces of {len(labels)} displacements, and {len(wanted)} are needed.",
            remedy="Delete these records and submit again.",
            cause=Cause.BAD_INPUT,
        )
    found = []
    for number, (cell, label) in enumerate(zip(wanted, labels, strict=True)):
        if not np.array_equal(cell.numbers, label.numbers):
            raise EngineError(
                f"the forces of displacement {number + 1} are of other atoms.",
                remedy="Delete these records and submit again.",
                cause=Cause.BAD_INPUT,
            )
        far = float(find_mic(label.positions - cell.positions, cell.cell)[1].max())
        if far > SAME_POSITION_A:
            raise EngineError(
                f"the forces of displacement {number + 1} are of other positions "
                f"({far:.2g} A away).",
                remedy="Delete these records and submit again.",
                cause=Cause.BAD_INPUT,
            )
        found.append(label.get_forces())
    forces = np.array(found)
    drift = forces.mean(axis=1, keepdims=True)
    return forces - drift, float(np.abs(drift).max())


def acoustic_residual(force_constants: Array) -> float:
    """Largest force on an atom when all atoms move together by a unit length, eV/angstrom^2; a
    perfect calculation gives none.

    Parameters
    ----------
    force_constants : (displaced atoms, atoms, 3, 3) eV/angstrom^2
    """
    return float(np.abs(force_constants.sum(axis=0)).max())


def density_of_states(frequencies: Array, weights: Array, width: float) -> tuple[Array, Array]:
    """Gaussians of standard deviation ``width`` at every frequency.

    Parameters
    ----------
    frequencies : (q, modes) THz
    weights : (kinds, q, modes) share of each mode that counts for each kind, so that one kind's
        shares sum to its number of modes
    width : THz

    Returns
    -------
    (n,) THz and (kinds, n) states per THz
    """
    low, high = min(float(frequencies.min()), 0.0), float(frequencies.max())
    grid = np.arange(
        low - MARGIN_WIDTHS * width, high + MARGIN_WIDTHS * width, width / GRID_PER_WIDTH
    )
    total = np.zeros((len(weights), len(grid)))
    for at, share in zip(frequencies, np.moveaxis(weights, 1, 0), strict=True):
        total += share @ np.exp(-0.5 * ((grid - at[:, None]) / width) ** 2)
    return grid, total / (width * np.sqrt(2 * np.pi))


def band_structure(phonons: Phonopy, path: str) -> tuple[dict[str, Array], list[str]]:
    """Frequencies along ``path``, or along the whole standard path of the lattice where it is
    empty; the labels of its corners.
    """
    cell = Atoms(cell=phonons.primitive.cell, pbc=True).cell
    try:
        route = cell.bandpath(path=path or None, npoints=BAND_POINTS, eps=LATTICE_TOLERANCE)
    except (KeyError, ValueError) as error:
        known = "".join(
            sorted(cell.get_bravais_lattice(eps=LATTICE_TOLERANCE).get_special_points())
        )
        raise EngineError(
            f"this lattice has no band path {path!r}.",
            remedy=f"Use the corners {known}, with a comma where the path jumps.",
            cause=Cause.BAD_INPUT,
        ) from error
    distance, corners, names = route.get_linear_kpoint_axis()
    bands = phonons.run_band_structure([route.kpts])
    return {
        "band_distance": distance,
        "band_corner": corners,
        "band": np.asarray(bands.frequencies[0]),
    }, list(names)


def find(
    structure: Atoms, labels: Frames, job: PhononsJob
) -> tuple[HarmonicPhonons, dict[str, Array]]:
    """Facts and arrays of the phonons."""
    phonons = displacing(structure, job)
    phonons.forces, drift = forces_of(phonons, labels)
    phonons.produce_force_constants(show_drift=False)
    assert phonons.force_constants is not None
    residual = acoustic_residual(phonons.force_constants)
    phonons.symmetrize_force_constants(show_drift=False)

    # An irreducible mesh is enough for the sum over all atoms of an element, which symmetry maps
    # onto each other.
    mesh = phonons.run_mesh(job.mesh, with_eigenvectors=True, is_gamma_center=True)
    frequencies, counts = np.asarray(mesh.frequencies), np.asarray(mesh.weights)
    vectors = np.asarray(mesh.eigenvectors)
    symbols = np.array(phonons.primitive.symbols)
    elements = [str(symbol) for symbol in dict.fromkeys(symbols)]
    shares = np.sum(np.abs(vectors.reshape(len(counts), len(symbols), 3, -1)) ** 2, axis=2)
    weights = (
        np.array([shares[:, symbols == element].sum(axis=1) for element in elements])
        * (counts / counts.sum())[None, :, None]
    )
    grid, projected = density_of_states(frequencies, weights, job.width_THz)
    bands, names = band_structure(phonons, job.path)

    thermal = phonons.run_thermal_properties(
        temperatures=[0.0, *job.temperatures_K], cutoff_frequency=job.imaginary_THz
    )
    n_atoms = len(symbols)
    free = np.asarray(thermal.free_energy) * KJ_PER_MOL_IN_EV / n_atoms
    capacity = np.asarray(thermal.heat_capacity) / 1e3 * KJ_PER_MOL_IN_EV / n_atoms
    lowest = min(float(frequencies.min()), float(bands["band"].min()))
    facts = HarmonicPhonons(
        n_displacements=len(labels),
        n_atoms_primitive=n_atoms,
        elements=tuple(elements),
        n_q_points=len(counts),
        n_imaginary=int((frequencies < -job.imaginary_THz).sum()),
        lowest_THz=lowest,
        highest_THz=float(frequencies.max()),
        zero_point_energy_eV_per_atom=float(free[0]),
        acoustic_sum_eV_per_A2=residual,
        force_drift_eV_per_A=drift,
        band_labels=tuple(names),
    )
    gamma = np.flatnonzero(np.all(np.asarray(mesh.qpoints) == 0, axis=1))
    arrays = {
        "frequency": grid,
        "projected": projected,
        "total": projected.sum(axis=0),
        "gamma": frequencies[gamma[0]],
        "temperature": np.array(job.temperatures_K, float),
        "free_energy": free[1:],
        "heat_capacity": capacity[1:],
        **bands,
    }
    return facts, arrays


def run(directory: Path) -> None:
    """Do the job of a directory."""
    job = DisplaceJob.read(directory)
    structure = Frames.from_extxyz((directory / "structure.extxyz").read_text())[0]
    try:
        if job.operation == "displace":
            cells = displaced(displacing(structure, job))
            facts: Facts = Displaced(n_displacements=len(cells))
            name, content = "displaced.extxyz", Frames.of(cells).to_extxyz().encode()
        else:
            facts, arrays = find(
                structure,
                Frames.from_extxyz((directory / "forces.extxyz").read_text()),
                PhononsJob.read(directory),
            )
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **arrays)
            name, content = "phonons.npz", buffer.getvalue()
    except EngineError as error:
        Ending.of_error(error).write(directory)
    else:
        with replacing(directory / name) as file:
            file.write(content)
        Ending(result={"facts": facts.stored(), "bytes": len(content)}).write(directory)


if __name__ == "__main__":
    run(Path())
