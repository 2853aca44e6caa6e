"""What is made of a run before anything is computed from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_masses
from records import record_of
from synthetic import crystal, lammps, make_study, walk

from borarun.analysis import rotation, trajectory
from borarun.analysis.bonds import Bonds, check_bonds
from borarun.engines.lammps.deck import Segment, Settings
from borarun.records.attributes import Provenance
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.structures.files import read_structure
from borarun.structures.structure import Cell, find_anions
from borarun.subjects.common.source import Done, Source
from borarun.subjects.common.trajectory import elements_at_centre, read, still_atoms, vertices_of
from borarun.subjects.diffusion.stage import DiffusionRun

STUDIES = Path(__file__).parents[2] / "studies"


def test_the_vertex_that_is_like_no_other_comes_first() -> None:
    """The carbon of CB11H12, whose angles the report draws; a cage of one element keeps its
    order.
    """
    atoms = read_structure(STUDIES / "structures" / "LiCB11H12-Pca21.cif")
    anions = find_anions(atoms, ["CB11H12"], ["Li"])[0]
    vertices = vertices_of(anions, atoms.numbers)
    kinds = atoms.numbers[vertices]
    assert (kinds[:, 0] == 6).all() and (kinds[:, 1:] == 5).all()
    assert sorted(vertices.ravel()) == sorted(np.flatnonzero(np.isin(atoms.numbers, (5, 6))))
    boron = vertices_of(anions, np.where(atoms.numbers == 6, 5, atoms.numbers))
    assert (
        np.diff(
            [
                list(anion).index(vertex)
                for anion, row in zip(anions, boron, strict=True)
                for vertex in row
            ][:12]
        )
        > 0
    ).all()


@pytest.mark.parametrize(
    ("formula", "bond_A", "vertices"), [("BH4", 1.22, "H"), ("SO4", 1.49, "O"), ("Cl", 0.0, "Cl")]
)
def test_what_sits_in_the_middle_is_no_vertex(formula: str, bond_A: float, vertices: str) -> None:
    """Two of them, one of which the cell's boundary cuts."""
    corners = (
        np.array([(0, 0, 0), (1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) * bond_A / 3**0.5
    )
    one = Atoms(formula, corners[: len(Atoms(formula))])
    atoms = Atoms(cell=[12, 12, 12], pbc=True) + one + one
    atoms.positions[len(one) :] += 5
    atoms.wrap()
    anions = find_anions(atoms, [formula], ["Li"])[0]
    found = vertices_of(anions, atoms.numbers, elements_at_centre(atoms, anions))
    assert found.shape == (2, max(len(one) - 1, 1))
    assert set(atoms.symbols[found.ravel()]) == {vertices}


def test_a_carbon_of_the_cage_is_not_in_the_middle() -> None:
    atoms = read_structure(STUDIES / "structures" / "LiCB11H12-Pca21.cif")
    assert elements_at_centre(atoms, find_anions(atoms, ["CB11H12"], ["Li"])[0]) == frozenset()


def store_run(store: Store, label: str, order: np.ndarray, n_cells: int) -> Done:
    """A run of several cells side by side, its atoms stored in some order."""
    n_frames = 300
    atoms, positions, cell = walk(600, 0, n_frames, True, 3)
    shifts = np.einsum("r,fi->rif", np.arange(n_cells), cell[:, 0])
    positions = np.concatenate([positions + shift for shift in shifts])[order]
    cell = cell * np.array([n_cells, 1, 1])[:, None]
    segment = Segment(name="produce", time_ps=15.0, from_K=600.0, to_K=600.0)
    run = Settings(segments=(segment,), timestep_fs=1.0, cell=Cell(seed=crc32(label.encode())))
    about = DiffusionRun(functional="PBE", temperature_K=600.0, vacancies=0, run=0)
    task = Task("lammps", run.model_dump(mode="json"), {}, "1", "diffusion", label, about)
    numbers = np.tile(atoms.numbers, n_cells)[order]
    result = lammps(
        Atoms(numbers, positions[:, :, 0]), positions, cell, "produce", np.full(n_frames, 600.0)
    )
    segments = np.repeat([0, 1], [40, n_frames - 40]).astype(np.int32)
    store.write(
        task,
        replace(
            result,
            arrays={**result.arrays, "segment": MolecularDynamics.SEGMENT.of(segments)},
        ),
        Provenance(),
    )
    return Done(task, record_of(task, result.facts), about)


@pytest.mark.parametrize("frames_per_chunk", [8192, 64, 32])
def test_a_run_read_in_parts_is_that_of_all_atoms_together(
    frames_per_chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order of the atoms: cell by cell, or element by element, where the last shard
    holds an atom of every anion; wherever time is cut.
    """
    monkeypatch.setattr("borarun.records.store.FRAMES_PER_CHUNK", frames_per_chunk)
    monkeypatch.setattr("borarun.records.store.CHUNK_B", 8_000)
    monkeypatch.setattr("borarun.records.store.SHARD_B", 30_000)
    study, store, n_cells = make_study(), Store(tmp_path), 3
    numbers = np.tile(crystal().numbers, n_cells)
    by_cell, by_element = np.arange(len(numbers)), np.argsort(-numbers, kind="stable")
    runs = []
    for label, order in (("cell by cell", by_cell), ("element by element", by_element)):
        done = store_run(store, label, order, n_cells)
        source = Source([done.task], store)
        run = read(study, source, done, "produce")
        assert run is not None
        assert len(list(store.atom_blocks(done.key, "positions", slice(None)))) > 3
        runs.append(run)

        raw, cell, masses = (
            store.array(done.key, "positions")[:, :, 40:],
            run.cell,
            atomic_masses[run.numbers],
        )
        still = trajectory.remove_drift(trajectory.unwrap(raw, cell), ~run.mobile, masses)
        toroidal = trajectory.remove_drift(
            trajectory.unwrap_toroidal(raw, cell), ~run.mobile, masses
        )
        (kind,) = run.anions
        vertices = vertices_of(kind.members, run.numbers)
        np.testing.assert_array_equal(kind.vertices, vertices)
        np.testing.assert_allclose(run.ions, still[run.mobile], atol=2e-5)
        np.testing.assert_allclose(
            kind.centres,
            trajectory.anion_centres(still, kind.members, masses, run.mean_cell),
            atol=2e-5,
        )
        np.testing.assert_allclose(
            kind.vertex_vectors,
            rotation.vertex_vectors(still, kind.members, vertices, masses, run.mean_cell),
            atol=2e-5,
        )
        np.testing.assert_allclose(
            list(still_atoms(source, done, "produce", run)), still, atol=2e-5
        )
        np.testing.assert_array_equal(run.drawn_positions, raw[:, :, run.drawn])
        assert run.bonds == tuple(
            approximately(one) for one in check_bonds(raw, cell, kind.members, run.numbers)
        )
        assert run.unwrap_difference == pytest.approx(
            trajectory.unwrapping_disagreement(still[run.mobile], toroidal[run.mobile]),
            rel=1e-3,
            abs=1e-6,
        )
        start = store.array(done.key, "positions")[:, :, :1]
        np.testing.assert_allclose(
            kind.start_vectors,
            rotation.vertex_vectors(
                start, kind.members, vertices, masses, store.array(done.key, "cell")[0]
            )[..., 0],
        )
    first, second = runs
    assert first.n_frames == 260
    np.testing.assert_allclose(first.ions, second.ions, atol=2e-5)


def approximately(bonds: Bonds) -> Bonds:
    """The same but for the order of a sum."""
    return replace(bonds, start_A=pytest.approx(bonds.start_A))
