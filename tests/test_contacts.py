"""Close contacts: who is moved, how near, and that the rest stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.data import vdw_radii
from ase.geometry import get_distances
from ase.spacegroup import crystal as crystal_of

from borarun.basics.errors import StudyError
from borarun.engines.bundled import engine as bundled
from borarun.records.frames import Frames
from borarun.structures.contacts import (
    FLOOR,
    OF_ANIONS,
    OF_IONS,
    RATTLE_A,
    STRAINS,
    Contacts,
    bond_ends,
    contacts,
)
from borarun.structures.files import read_structure
from borarun.structures.structure import Cell, find_anions

STRUCTURES = Path(__file__).parents[1] / "studies" / "structures"
SLACK = 6 * RATTLE_A


@pytest.fixture(scope="module")
def crystal() -> Atoms:
    return read_structure(STRUCTURES / "Li2B12H12-Pa-3.cif")


@pytest.fixture(scope="module")
def made(crystal: Atoms) -> Frames:
    return contacts(crystal, Contacts(number=12, anion="B12H12", mobile="Li", seed=4))


def moved(crystal: Atoms, atoms: Atoms) -> np.ndarray:
    """Which atoms are elsewhere than displacement at random explains."""
    return np.flatnonzero(np.linalg.norm(atoms.positions - crystal.positions, axis=1) > SLACK)


def share(atoms: Atoms, some: np.ndarray, others: np.ndarray) -> float:
    """The nearest contact between two sets of atoms, in sums of van der Waals radii."""
    distances = get_distances(
        atoms.positions[some], atoms.positions[others], cell=atoms.cell, pbc=True
    )[1]
    return float(
        (
            distances / (vdw_radii[atoms.numbers[some]][:, None] + vdw_radii[atoms.numbers[others]])
        ).min()
    )


def test_ions_and_anions_take_turns_and_the_rest_stays(crystal: Atoms, made: Frames) -> None:
    (found,) = find_anions(crystal, ["B12H12"], ["Li"])
    anions = {tuple(sorted(anion)) for anion in found.tolist()}
    for number, atoms in enumerate(made):
        who = moved(crystal, atoms)
        if number % 3 == 2:
            # An anion across the boundary is put together, by whole cells.
            apart = atoms.positions - crystal.positions
            apart -= np.round(apart @ np.linalg.inv(crystal.cell)) @ crystal.cell.array
            assert tuple(np.flatnonzero(np.linalg.norm(apart, axis=1) > SLACK)) in anions
        else:
            assert len(who) == 1 and crystal.symbols[who[0]] == "Li"
        assert (atoms.cell.array == crystal.cell.array).all() and (
            atoms.numbers == crystal.numbers
        ).all()


def test_contacts_are_as_near_as_is_said(crystal: Atoms, made: Frames) -> None:
    for number, atoms in enumerate(made):
        who = moved(crystal, atoms)
        others = np.setdiff1d(np.arange(len(atoms)), who)
        low, high = OF_ANIONS if number % 3 == 2 else OF_IONS
        if number % 3 == 2:
            anions = find_anions(crystal, ["B12H12"], ["Li"])[0]
            who = next(anion for anion in anions if set(who) <= set(anion))
            others = np.setdiff1d(anions, who)
        assert low - 0.08 < share(atoms, who, others) < high + 0.05


def test_every_second_of_the_moved_ions_meets_another(crystal: Atoms, made: Frames) -> None:
    lithium = np.flatnonzero(crystal.symbols == "Li")
    before = crystal.get_all_distances(mic=True)[np.ix_(lithium, lithium)]
    for number, atoms in enumerate(made):
        if number % 3 == 1:
            (who,) = moved(crystal, atoms)
            now = atoms.get_distances(who, lithium[lithium != who], mic=True).min()
            assert now < np.sort(before[lithium == who][0])[1] - 0.5


def test_the_seed_decides(crystal: Atoms, made: Frames) -> None:
    def again(seed: int) -> Frames:
        return contacts(crystal, Contacts(number=3, anion="B12H12", mobile="Li", seed=seed))

    assert (again(4).positions == made.take(range(3)).positions).all()
    assert not np.allclose(again(5).positions, again(4).positions)


def test_in_a_cell_with_one_ion_and_one_anion_the_ion_moves(crystal: Atoms) -> None:
    anion, ion = (
        find_anions(crystal, ["B12H12"], ["Li"])[0][0],
        int(np.flatnonzero(crystal.symbols == "Li")[0]),
    )
    alone = crystal[[*anion, ion]]
    for atoms in contacts(alone, Contacts(number=3, anion="B12H12", mobile="Li")):
        assert share(atoms, np.array([24]), np.arange(24)) < OF_IONS[1] + 0.05


@pytest.mark.parametrize(
    ("file", "anion", "shortest_A"),
    [("Li2B12H12-Pa-3.cif", "B12H12", 1.2), ("LiCB11H12-Pca21.cif", "CB11H12", 1.08)],
)
def test_one_hydrogen_is_pushed_in_or_pulled_out_along_its_bond(
    file: str, anion: str, shortest_A: float
) -> None:
    atoms = read_structure(STRUCTURES / file)
    for number, made in enumerate(
        contacts(atoms, Contacts(number=0, strained=8, anion=anion, mobile="Li"))
    ):
        lengths = made.get_all_distances(mic=True)[
            np.ix_(atoms.symbols == "H", (atoms.symbols == "B") | (atoms.symbols == "C"))
        ].min(axis=1)
        strained, *rest = sorted(lengths, reverse=bool(number % 2))
        assert shortest_A - SLACK < min(rest) and max(rest) < 1.2 + SLACK
        low, high = STRAINS[number % 2]
        assert low * shortest_A - SLACK < strained < high * 1.2 + SLACK


def test_contacts_come_first_and_are_the_same_without_strained_bonds(
    crystal: Atoms, made: Frames
) -> None:
    both = contacts(crystal, Contacts(number=12, strained=2, anion="B12H12", mobile="Li", seed=4))
    assert len(both) == 14
    assert (both.take(range(12)).positions == made.positions).all()


def test_ends_of_bonds_are_the_oxygen_of_a_sulfate_and_none_of_a_lone_ion() -> None:
    corners = (
        np.array([(0, 0, 0), (1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) * 1.49 / 3**0.5
    )
    sulfate = Atoms("SO4", corners + 4, cell=[8, 8, 8], pbc=True)
    found = bond_ends(sulfate, np.arange(5)[None])
    assert [atom for atom, _ in found] == [1, 2, 3, 4]
    np.testing.assert_allclose([bond for _, bond in found], corners[1:])
    chloride = Atoms("LiCl", [(0, 0, 0), (3, 3, 3)], cell=[6, 6, 6], pbc=True)
    with pytest.raises(StudyError, match="no atom of its anions Cl has just one bond"):
        contacts(chloride, Contacts(number=0, strained=1, anion="Cl", mobile="Li"))


def test_an_engine_labels_them_part_by_part(crystal: Atoms, made: Frames) -> None:
    sizes = []
    for part in range(2):
        settings = bundled.Settings(
            operation="label",
            functional="PBE-D3",
            part=(part, 2),
            cell=Cell(text=Frames.of([crystal]).to_extxyz()),
            contacts=Contacts(number=5, anion="B12H12", mobile="Li", seed=4),
        )
        frames = Frames.from_extxyz(
            str(bundled.render(settings, {}, bundled.Program())["frames.extxyz"])
        )
        np.testing.assert_allclose(
            frames.positions, made.take(range(part, 5, 2)).positions, atol=1e-6
        )
        sizes.append(len(frames))
    assert sizes == [3, 2]


def thiophosphate() -> Atoms:
    """Na3PS4, cubic: PS4 tetrahedra on a body-centred lattice, sodium between them."""
    atoms = crystal_of(
        ("Na", "P", "S"),
        [(0, 0.5, 0.5), (0, 0, 0), (0.168, 0.168, 0.168)],
        spacegroup=217,
        cellpar=[6.99, 6.99, 6.99, 90, 90, 90],
    )
    return atoms.repeat((1, 1, 2))


@pytest.mark.parametrize("seed", [1, 2])
def test_an_anion_on_its_way_to_another_leaves_the_ions_their_place(seed: int) -> None:
    atoms = thiophosphate()
    anions = find_anions(atoms, ["PS4"], ["Na"])[0]
    sodium = np.flatnonzero(atoms.symbols == "Na")
    made = contacts(atoms, Contacts(number=12, anion="PS4", mobile="Na", seed=seed))
    slack = SLACK / (vdw_radii[11] + vdw_radii[16])
    for configuration in made.take(range(2, 12, 3)):
        assert share(configuration, anions.ravel(), sodium) > FLOOR - slack
