"""Finding anions, supercells and vacancies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.spacegroup import crystal as crystal_of
from pydantic import ValidationError

from borarun.basics.errors import StudyError
from borarun.records.frames import Frames
from borarun.structures.files import read_structure
from borarun.structures.structure import (
    Cell,
    Tearing,
    build,
    find_anions,
    formula_units,
    is_torn,
    whole_anions,
)

PA3 = Path(__file__).parent.parent / "studies" / "structures" / "Li2B12H12-Pa-3.cif"


@pytest.fixture(scope="module")
def crystal() -> Atoms:
    return read_structure(PA3)


def lattice_of(molecule_: Atoms, ion: str, edge: float) -> Atoms:
    """One molecule in the corner of a cube, so that the boundary cuts it in eight, and an ion in
    the middle.
    """
    atoms = molecule_ + Atoms(ion, positions=[[edge / 2] * 3])
    return Atoms(atoms.numbers, atoms.positions, cell=[edge] * 3, pbc=True)


# find_anions and whole_anions


def test_four_anions_of_24_atoms_in_the_cubic_cell(crystal: Atoms) -> None:
    anions = find_anions(crystal, ["B12H12"], ["Li"])[0]
    assert anions.shape == (4, 24)
    assert (np.diff(anions, axis=1) > 0).all()
    assert (np.diff(anions[:, 0]) > 0).all()
    assert sorted(anions.ravel()) == sorted(np.flatnonzero(crystal.numbers != 3))


def test_anions_of_a_supercell(crystal: Atoms) -> None:
    assert find_anions(crystal.repeat((1, 2, 3)), ["B12H12"], ["Li"])[0].shape == (24, 24)


def test_anions_survive_shift_shuffle_and_heat(crystal: Atoms) -> None:
    rng = np.random.default_rng(1)
    moved = crystal[rng.permutation(len(crystal))]
    moved.positions += np.array([4.7, -20.0, 3.3]) + rng.normal(scale=0.08, size=(len(moved), 3))
    moved.wrap()
    anions = find_anions(moved, ["B12H12"], ["Li"])[0]
    assert anions.shape == (4, 24)
    extent = np.ptp(whole_anions(moved, anions), axis=1)
    assert extent.max() < 6.5, "an anion is 5.8 A wide, more than half the cell"


def test_anions_that_share_no_cell_face_stay_where_they_are() -> None:
    water = lattice_of(molecule("H2O"), "Li", 10.0)
    water.positions += 3.0
    np.testing.assert_allclose(
        whole_anions(water, find_anions(water, ["OH2"], ["Li"])[0]), [water.positions[:3]]
    )


def test_whole_anions_have_the_bonds_of_the_molecule() -> None:
    methane = molecule("CH4")
    atoms = lattice_of(methane, "Li", 6.0)
    atoms.wrap()
    whole = whole_anions(atoms, find_anions(atoms, ["CH4"], ["Li"])[0])[0]
    np.testing.assert_allclose(
        np.linalg.norm(whole[1:] - whole[0], axis=1), np.linalg.norm(methane.positions[1:], axis=1)
    )
    np.testing.assert_allclose(whole[0], atoms.positions[0])


def test_an_anion_is_torn_when_a_bond_is_far_longer_than_it_vibrates(crystal: Atoms) -> None:
    anion = find_anions(crystal, ["B12H12"], ["Li"])[0][0]
    hydrogen = int(anion[crystal.symbols[anion] == "H"][0])
    boron = min(
        (int(k) for k in anion if crystal.symbols[k] == "B"),
        key=lambda k: crystal.get_distance(hydrogen, k, mic=True),
    )
    for length, torn in ((1.2, False), (1.7, False), (2.1, True)):
        stretched = crystal.copy()
        stretched.set_distance(boron, hydrogen, length, fix=0, mic=True)
        assert is_torn(stretched, ["B12H12"], ["Li"]) == torn


@pytest.fixture
def argyrodite() -> Atoms:
    """Li6PS5Cl with every 24g site taken: PS4 beside sulfide and chloride."""
    scaled = [
        (0.25, 0.017, 0.25),
        (0, 0, 0.5),
        (0.1195, -0.1195, 0.6195),
        (0.25, 0.25, 0.75),
        (0, 0, 0),
    ]
    made: Atoms = crystal_of(
        ["Li", "P", "S", "S", "Cl"], scaled, spacegroup=216, cellpar=[9.859] * 3 + [90] * 3
    )
    return made


def test_an_ion_of_an_element_of_the_anion_is_left_alone(argyrodite: Atoms) -> None:
    assert argyrodite.get_chemical_formula() == "Cl4Li24P4S20"
    anions = find_anions(argyrodite, ["PS4"], ["Li"])[0]
    assert anions.shape == (4, 5)
    assert sorted(argyrodite.symbols[anions[0]]) == ["P", "S", "S", "S", "S"]
    assert not is_torn(argyrodite, ["PS4"], ["Li"])


def test_an_atom_that_left_its_anion_is_no_ion_of_its_own(argyrodite: Atoms) -> None:
    sulfur = int(find_anions(argyrodite, ["PS4"], ["Li"])[0][0][-1])
    torn = argyrodite.copy()
    torn.positions[sulfur] += 1.9
    assert is_torn(torn, ["PS4"], ["Li"])
    with pytest.raises(StudyError, match="1 x PS3"):
        find_anions(torn, ["PS4"], ["Li"])[0]


def test_an_anion_of_two_atoms_that_fell_apart_is_no_two_ions() -> None:
    hydroxide = lattice_of(Atoms("OH", positions=[[0, 0, 0], [0.97, 0, 0]]), "Li", 6.0).repeat(
        (2, 1, 1)
    )
    assert find_anions(hydroxide, ["OH"], ["Li"])[0].shape == (2, 2)
    hydroxide.positions[int(np.flatnonzero(hydroxide.symbols == "H")[0])] += 2.0
    with pytest.raises(StudyError, match="found 3 groups: 1 x O, 1 x H, 1 x HO"):
        find_anions(hydroxide, ["OH"], ["Li"])[0]


def test_anions_that_meet_are_not_torn() -> None:
    """Sulfur atoms of two anions at 3.2 angstrom: nearer than a stretched bond of sulfur with
    sulfur may be, though no bond.
    """
    anion = (
        2.05 / np.sqrt(3) * np.array([[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    )
    other = anion * [-1, 1, 1] + [2 * anion[1, 0] + 3.2, 0, 0]
    atoms = Atoms("PS4PS4Na", positions=[*anion, *other, [6, 6, 6]], cell=3 * [14], pbc=True)
    sulfur = np.flatnonzero(atoms.symbols == "S")
    assert atoms.get_all_distances()[np.ix_(sulfur[:4], sulfur[4:])].min() == pytest.approx(3.2)
    assert not is_torn(atoms, ["PS4"], ["Na"])


def test_a_second_cation_is_left_alone(crystal: Atoms) -> None:
    mixed = crystal.copy()
    mixed.symbols[np.flatnonzero(mixed.symbols == "Li")[:4]] = "Cs"
    assert find_anions(mixed, ["B12H12"], ["Li"])[0].shape == (4, 24)


def test_a_lost_atom_is_told(crystal: Atoms) -> None:
    maimed = crystal.copy()
    del maimed[int(np.flatnonzero(maimed.symbols == "H")[5])]
    with pytest.raises(StudyError, match="found 4 groups: 3 x B12H12, 1 x B12H11"):
        find_anions(maimed, ["B12H12"], ["Li"])[0]


@pytest.mark.parametrize(
    ("anion", "message"),
    [
        ("CB11H12", "found 4 groups: 4 x B12H12"),
        ("PS4", "found none of its elements in Li8B48H48"),
        ("Li2B12H12", "mobile ion Li is part of the anion"),
        ("B12H12x", "is not a chemical formula"),
        ("", "is not a chemical formula"),
        ("Xx4", "is not a chemical formula"),
        ("B₁₂H₁₂", r"is not a chemical formula \(got 'B₁₂H₁₂'\). Write B12H12"),
        ("B12 H12", "Write B12H12"),
        ("B12H12²⁻", "Write B12H12"),
        ("B12H12^2-", "Write B12H12"),
        ("BH4-", "Write BH4"),
    ],
)
def test_wrong_anions(crystal: Atoms, anion: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        find_anions(crystal, [anion], ["Li"])[0]


def test_a_network_is_no_anion() -> None:
    chain = Atoms(
        "BBLi", positions=[[0, 0, 0], [1.7, 0, 0], [1, 5, 5]], cell=[3.4, 10, 10], pbc=True
    )
    with pytest.raises(StudyError, match="bonded to their own periodic images"):
        find_anions(chain, ["B2"], ["Li"])[0]


def test_whole_anions_refuse_bonds_that_changed(crystal: Atoms) -> None:
    anions = find_anions(crystal, ["B12H12"], ["Li"])[0]
    broken = crystal.copy()
    broken.positions[anions[0, 20]] += 2.0
    with pytest.raises(StudyError, match="an anion broke"):
        whole_anions(broken, anions)


# formula_units


def test_formula_units(crystal: Atoms) -> None:
    assert formula_units(crystal, "Li2B12H12") == 4
    assert formula_units(crystal.repeat(2), "Li2B12H12") == 32
    assert formula_units(crystal, "Li(BH)6") == 8
    with pytest.raises(
        StudyError, match="holds Li8B48H48, which is not an integer multiple of LiB12H12"
    ):
        formula_units(crystal, "LiB12H12")
    with pytest.raises(StudyError, match="The formula has no H, Li"):
        formula_units(crystal, "B12")
    with pytest.raises(StudyError, match="not an integer multiple of LiCB11H12"):
        formula_units(crystal, "LiCB11H12")


# Cell and build


def test_supercell_keeps_the_order_and_the_density(crystal: Atoms) -> None:
    made = build(Cell(supercell=(1, 2, 3)), crystal)
    np.testing.assert_array_equal(made.numbers, np.tile(crystal.numbers, 6))
    np.testing.assert_allclose(made.cell.array, crystal.cell.array * [[1], [2], [3]])
    np.testing.assert_allclose(made.positions[104:208], crystal.positions + crystal.cell[2])


def test_mobile_ions_come_first_and_the_rest_keeps_its_order() -> None:
    mixed = Atoms("HLiHO", positions=[[x, 0, 0] for x in range(4)], cell=[4, 4, 4])
    made = build(Cell(supercell=(2, 1, 1), mobile="Li"), mixed)
    assert "".join(made.symbols) == "LiLiHHOHHO" and made.positions[:, 0].tolist() == [
        1,
        5,
        0,
        2,
        3,
        4,
        6,
        7,
    ]


def test_vacancies_depend_on_the_seed_alone_and_are_nested(crystal: Atoms) -> None:
    def left(vacancies: int, seed: int) -> set[tuple[float, ...]]:
        made = build(
            Cell(supercell=(2, 1, 1), mobile="Li", vacancies=vacancies, seed=seed), crystal
        )
        assert len(made) == 208 - vacancies
        assert (made.symbols == "Li").sum() == 16 - vacancies
        return {tuple(position) for position in made.positions}

    assert left(3, seed=5) == left(3, seed=5)
    assert left(3, seed=5) != left(3, seed=6)
    assert left(3, seed=5) < left(2, seed=5)


def test_the_seed_means_the_same_ions_for_ever() -> None:
    row = Atoms("Li10", positions=[[2.0 * x, 0, 0] for x in range(10)], cell=[20, 5, 5], pbc=True)
    made = build(Cell(mobile="Li", vacancies=4, seed=1), row)
    assert sorted(set(range(10)) - {round(x / 2) for x in made.positions[:, 0]}) == [0, 3, 8, 9]


def test_text_is_the_base_and_wins_over_none(crystal: Atoms) -> None:
    made = build(Cell(text=Frames.of([crystal]).to_extxyz()))
    np.testing.assert_array_equal(made.positions, crystal.positions)


def test_impossible_cells(crystal: Atoms) -> None:
    with pytest.raises(StudyError, match="9 vacancies, but the supercell holds 8 Li"):
        build(Cell(mobile="Li", vacancies=9), crystal)
    with pytest.raises(StudyError, match="no structure: the task has none"):
        build(Cell())
    with pytest.raises(ValidationError, match="vacancies need a mobile ion"):
        Cell(vacancies=1)
    with pytest.raises(ValidationError):
        Cell(supercell=(0, 1, 1))


def test_tearing_is_told_from_stretching() -> None:
    atoms = read_structure(PA3)
    tearing = Tearing(atoms, ["B12H12"], ["Li"])
    assert not tearing.torn(atoms)
    hydrogen = int(np.flatnonzero(atoms.symbols == "H")[0])
    boron = int(
        np.flatnonzero(atoms.symbols == "B")[
            atoms.get_distances(hydrogen, np.flatnonzero(atoms.symbols == "B"), mic=True).argmin()
        ]
    )
    bond = atoms.get_distance(boron, hydrogen, mic=True, vector=True)
    for longer_A, torn in ((0.5, False), (1.0, True)):
        pulled = atoms.copy()
        pulled.positions[hydrogen] += longer_A * bond / np.linalg.norm(bond)
        assert tearing.torn(pulled) is torn
    pulled.positions[hydrogen] += 2 * atoms.cell[0]  # the same atom, through the boundary
    assert tearing.torn(pulled)
    whole = atoms.copy()
    whole.positions[::3] -= atoms.cell[1]
    assert not tearing.torn(whole)
