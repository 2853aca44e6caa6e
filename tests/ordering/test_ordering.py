"""Ordered models: known numbers of arrangements, known ground states, whole compositions."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.units import Bohr, Hartree
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from borarun.basics.errors import StudyError
from borarun.structures.files import Average, read_average, read_structure
from borarun.structures.ordering import Request, arrangements, ordered_models
from borarun.structures.ordering.charges import charges_of

MADELUNG_NACL = 1.7475645946
"""Of rock salt, by the distance of nearest neighbours. Source: Madelung (1918), as in Crandall and
Delord, J. Phys. A 20, 2279 (1987).
"""

COULOMB_EV_A = Hartree * Bohr

HEAD = """data_made
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M '{group}'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""

ARGYRODITE = """Li1 Li 0.3071 0.0251 0.6929 0.5
P1 P 0 0 0.5 1
S1 S 0.1196 -0.1196 0.6196 1
S2 S 0.25 0.25 0.75 0.5
Cl2 Cl 0.25 0.25 0.75 0.5
S3 S 0 0 0 0.5
Cl3 Cl 0 0 0 0.5
"""


def average(folder: Path, rows: str, *, a: float = 4.0, group: str = "P m -3 m") -> Average:
    file = folder / "made.cif"
    file.write_text(HEAD.format(a=a, group=group) + rows)
    found = read_average(file)
    assert found is not None
    return found


def argyrodite(folder: Path) -> Average:
    return average(folder, ARGYRODITE, a=9.859, group="F -4 3 m")


def message(folder: Path, rows: str, request: Request | None = None) -> str:
    with pytest.raises(StudyError) as refused:
        ordered_models(average(folder, rows), request or Request())
    return refused.value.problems[0].message


class TestArrangements:
    @pytest.mark.parametrize(
        ("copper", "group"),
        [(0.25, "Pm-3m (221)"), (0.5, "P4/mmm (123)")],
        ids=["L1_2", "L1_0"],
    )
    def test_four_sites_of_fcc_have_one_order(
        self, copper: float, group: str, tmp_path: Path
    ) -> None:
        """Cu3Au and CuAu are the only ones in the cubic cell."""
        rows = f"Cu1 Cu 0 0 0 {copper}\nAu1 Au 0 0 0 {1 - copper}\n"
        metals = Request(charges={"Cu": 0, "Au": 0})
        found = ordered_models(average(tmp_path, rows, group="F m -3 m"), metals)
        (model,) = found.models
        assert model.space_group == group
        assert found.arrangements == model.multiplicity == math.comb(4, round(4 * copper))
        assert found.complete

    def test_as_many_as_structures_that_differ(self, tmp_path: Path) -> None:
        """Against pymatgen's comparison of all 70 structures with each other."""
        rows = "Cu1 Cu 0 0 0 0.5\nAu1 Au 0 0 0 0.5\n"
        request = Request(supercell=(2, 2, 2), models=50, charges={"Cu": 0, "Au": 0})
        found = ordered_models(average(tmp_path, rows), request)
        corners = np.array(np.meshgrid([0, 0.5], [0, 0.5], [0, 0.5])).T.reshape(-1, 3)
        every = [
            Structure(
                Lattice.cubic(8.0), ["Cu" if i in chosen else "Au" for i in range(8)], corners
            )
            for chosen in combinations(range(8), 4)
        ]
        groups = StructureMatcher(primitive_cell=False, scale=False).group_structures(every)
        assert sorted(len(group) for group in groups) == sorted(
            model.multiplicity for model in found.models
        )

    def test_symmetry_need_not_be_written(self, tmp_path: Path) -> None:
        """A file that lists its atoms in P 1 gives the models of the same crystal."""
        with_group = average(tmp_path, "Cu1 Cu 0 0 0 0.5\nAu1 Au 0 0 0 0.5\n", group="F m -3 m")
        rows = "".join(
            f"{kind}{index} {kind} {place} 0.5\n"
            for index, place in enumerate(("0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0"))
            for kind in ("Cu", "Au")
        )
        without = average(tmp_path, rows, group="P 1")
        request = Request(supercell=(2, 1, 1), charges={"Cu": 0, "Au": 0}, models=50)
        one, other = (ordered_models(each, request) for each in (with_group, without))
        assert [model.multiplicity for model in one.models] == [
            model.multiplicity for model in other.models
        ]
        assert sum(model.multiplicity for model in one.models) == math.comb(8, 4)

    def test_models_of_one_framework_are_one(self, tmp_path: Path) -> None:
        """Two chlorides on four 4a and two on four 4c sites: the 36 ways are of two kinds, pairs of
        chloride chains that run in one direction (12) or not (24).
        """
        found = ordered_models(argyrodite(tmp_path), Request(mobile=frozenset({"Li"})))
        assert sorted(model.multiplicity for model in found.models) == [12, 24]
        assert not found.complete
        for model in found.models:
            assert model.atoms.get_chemical_formula("metal") == "Li24Cl4P4S20"
            away = model.atoms.get_all_distances(mic=True)[np.triu_indices(52, 1)]
            assert away.min() > 1.5  # of the pairs of sites 1.2 A apart, one is taken at most


class TestEnergy:
    @pytest.mark.parametrize("listed", [True, False], ids=["listed", "searched"])
    def test_rock_salt_is_the_ground_state(
        self, listed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Equal numbers of ions of charge +1 and -1 on a simple cubic lattice."""
        if not listed:
            monkeypatch.setattr(arrangements, "MOST_LISTED", 0)
        mixed = average(tmp_path, "Na1 Na 0 0 0 0.5\nCl1 Cl 0 0 0 0.5\n", a=2.82)
        found = ordered_models(mixed, Request(supercell=(2, 2, 2)))
        assert found.complete == listed
        best = found.models[0]
        assert best.space_group == "Fm-3m (225)"
        assert best.multiplicity == 2
        expected = -MADELUNG_NACL * COULOMB_EV_A / 2.82 / 2
        assert best.energy_eV_per_atom == pytest.approx(expected, abs=1e-4)

    def test_layers_of_cations_alternate(self, tmp_path: Path) -> None:
        """A square lattice of charges +1 and +3 above and below fixed anions: unlike neighbours, as
        in a chess board.
        """
        rows = "Li1 Li 0 0 0 0.5\nAl1 Al 0 0 0 0.5\nO1 O 0.5 0.5 0.25 1\n"
        cell = average(tmp_path, rows, a=4.0)
        found = ordered_models(
            Average(cell.cell @ np.diag([1, 1, 3.0]), _one_layer(cell).positions),
            Request(supercell=(2, 2, 1)),
        )
        atoms = found.models[0].atoms
        lithium = atoms[atoms.symbols == "Li"].get_scaled_positions()
        apart = np.abs(lithium[0] - lithium[1])
        assert np.allclose(apart[:2], 0.5)

    def test_models_are_in_order_of_energy(self, tmp_path: Path) -> None:
        mixed = average(tmp_path, "Na1 Na 0 0 0 0.5\nCl1 Cl 0 0 0 0.5\n", a=2.82)
        energies = [
            model.energy_eV_per_atom
            for model in ordered_models(mixed, Request(supercell=(2, 2, 2))).models
        ]
        assert energies == sorted(energies)
        assert energies[0] < energies[-1]


def _one_layer(cell: Average) -> Average:
    """The cations, and one anion above each."""
    anions = [each for each in cell.positions if each.occupants[0].symbol == "O"]
    cations = [each for each in cell.positions if each.occupants[0].symbol != "O"]
    return Average(cell.cell, (*cations, anions[0]))


class TestComposition:
    SILICON = "Li1 Li 0 0 0 0.8\nGa1 Ga 0.5 0.5 0.5 0.2\nLi2 Li 0.5 0.5 0.5 0.6\nO1 O 0.5 0 0 {}\n"

    def test_what_is_whole_is_exact(self, tmp_path: Path) -> None:
        rows = "Mg1 Mg 0 0 0 0.3333\nVac Li 0 0 0 0.3333\nCl1 Cl 0.5 0.5 0.5 1\n"
        found = ordered_models(average(tmp_path, rows), Request(supercell=(3, 1, 1)))
        assert found.formula == "LiMgCl3"
        assert found.remarks == ("1 of 5 models were found: there are no other arrangements.",)

    def test_a_supercell_that_cannot_hold_it(self, tmp_path: Path) -> None:
        rows = "Mg1 Mg 0 0 0 0.2\nLi1 Li 0 0 0 0.6\nCl1 Cl 0.5 0.5 0.5 1\n"
        told = message(tmp_path, rows, Request(supercell=(2, 2, 1)))
        assert "a 2x2x1 supercell cannot hold its composition in whole atoms" in told
        assert "(got Li2.4Mg0.8Cl4)" in told
        assert "These supercells can: [5, 1, 1], [5, 2, 1], [5, 3, 1]. " in told
        assert "Li2MgCl4 is taken (Li 2 instead of 2.4, Mg 1 instead of 0.8)" in told

    def test_the_nearest_is_neutral_and_told(self, tmp_path: Path) -> None:
        rows = "Mg1 Mg 0 0 0 0.2\nLi1 Li 0 0 0 0.6\nCl1 Cl 0.5 0.5 0.5 1\n"
        found = ordered_models(average(tmp_path, rows), Request(supercell=(2, 2, 1), nearest=True))
        assert found.models[0].atoms.symbols.formula.count() == {"Cl": 4, "Li": 2, "Mg": 1}
        assert found.remarks[0] == (
            "the composition is the nearest that the supercell holds: Li 2 instead of 2.4, Mg 1 "
            "instead of 0.8."
        )

    def test_a_composition_that_is_not_neutral(self, tmp_path: Path) -> None:
        rows = "Li1 Li 0 0 0 0.5\nMg1 Mg 0 0 0 0.5\nCl1 Cl 0.5 0.5 0.5 1\n"
        told = message(
            tmp_path, rows, Request(supercell=(2, 1, 1), charges={"Li": 1, "Mg": 2, "Cl": -1})
        )
        assert "is not neutral (got a charge of +1 with Cl -1, Li +1, Mg +2)" in told
        assert "material.order.charges" in told

    @pytest.mark.parametrize(
        ("composition", "charges"),
        [
            ({"Li": 6, "P": 1, "S": 5, "Cl": 1}, {"Li": 1, "P": 5, "S": -2, "Cl": -1}),
            ({"Li": 6.4, "La": 3, "Zr": 1.4, "Ta": 0.6, "O": 12}, {"Zr": 4, "Ta": 5, "La": 3}),
            ({"Li": 3, "Y": 1, "Cl": 6}, {"Y": 3, "Cl": -1}),
            ({"Li": 1.3, "Al": 0.3, "Ti": 1.7, "P": 3, "O": 12}, {"Ti": 4, "P": 5, "Al": 3}),
            ({"Li": 10, "Ge": 1, "P": 2, "S": 12}, {"Ge": 4, "P": 5, "S": -2}),
        ],
    )
    def test_charges_of_electrolytes(
        self, composition: dict[str, float], charges: dict[str, float]
    ) -> None:
        found, mixed = charges_of(composition, {})
        assert {symbol: found[symbol] for symbol in charges} == charges
        assert not mixed

    def test_charges_that_cannot_be_guessed(self) -> None:
        with pytest.raises(StudyError, match=r"`material.order.charges: \{B: 1, ...\}`"):
            charges_of({"Li": 2, "B": 12, "H": 12}, {})
        found, _ = charges_of({"Li": 2, "B": 12, "H": 12}, {"Li": 1, "B": 10 / 12, "H": -1})
        assert found["B"] == 10 / 12

    def test_mixed_valence(self) -> None:
        found, mixed = charges_of({"Li": 0.5, "Fe": 1, "P": 1, "O": 4}, {})
        assert mixed == "Fe"
        assert found["Fe"] == 2.5

    def test_occupancies_that_are_not_neutral(self, tmp_path: Path) -> None:
        """A file of LixLa(2-x)/3TiO3 whose lithium was not located."""
        rows = "La1 La 0 0 0 0.62\nTi1 Ti 0.5 0.5 0.5 1\nO1 O 0.5 0.5 0 1\n"
        told = message(tmp_path, rows)
        assert "cannot hold its composition in whole atoms (got La0.62TiO3)" in told
        assert (
            "Its occupancies are not neutral: a cell has a charge of -0.14 with La +3, O -2, Ti +4."
            in told
        )
        assert told.endswith("Use a larger one with `nearest: true`.")
        found = ordered_models(
            average(tmp_path, rows), Request(supercell=(3, 1, 1), nearest=True, models=1)
        )
        assert found.formula == "La2Ti3O9"

    def test_atoms_that_must_overlap(self, tmp_path: Path) -> None:
        cell = average(
            tmp_path, "Li1 Li 0 0 0 0.5\nCl1 Cl 0 0 0.1 0.5\nLi2 Li 0 0 0.1 0.5\n", group="P 1"
        )
        with pytest.raises(StudyError) as refused:
            ordered_models(cell, Request(supercell=(2, 1, 1), charges={"Cl": -2, "Li": 1}))
        told = refused.value.problems[0].message
        assert told.startswith("no arrangement was found in which atoms do not overlap.")
        assert told.endswith("try another supercell, or another seed.")

    def test_a_supercell_too_large(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError) as refused:
            ordered_models(argyrodite(tmp_path), Request(supercell=(3, 3, 3)))
        assert refused.value.problems[0].message == (
            "a 3x3x3 supercell has 2,052 sites (at most 800 can be ordered). Use a smaller "
            "supercell: a cell has 76."
        )


class TestReading:
    @pytest.mark.parametrize(
        ("rows", "told"),
        [
            ("Li1 Li 0 0 0 -0.5\n", "site Li1: has a negative occupancy (got -0.5)."),
            ("Li1 Li 0 0 0 1.5\n", "site Li1: has an occupancy above 1 (got 1.5)."),
            ("Li1 Xx 0 0 0 0.5\n", "Xx"),
            ("Li1 Li 0 0 0 much\n", "its occupancy is not a number (got much)."),
            (
                "Li1 Li 0 0 0 0.7\nNa1 Na 0 0 0 0.6\n",
                "the occupancies of the sites Na1, Li1, which share one place, add up to 1.3",
            ),
        ],
    )
    def test_wrong_occupancies(self, rows: str, told: str, tmp_path: Path) -> None:
        with pytest.raises(StudyError) as refused:
            average(tmp_path, rows)
        assert told in refused.value.problems[0].message

    def test_an_ordered_file_has_no_average(self, tmp_path: Path) -> None:
        file = tmp_path / "made.cif"
        file.write_text(HEAD.format(a=5.6, group="F m -3 m") + "Na Na 0 0 0 1\nCl Cl .5 0 0 1\n")
        assert read_average(file) is None
        assert len(read_structure(file)) == 8

    def test_the_refusal_says_what_to_type(self, tmp_path: Path) -> None:
        argyrodite(tmp_path)
        with pytest.raises(StudyError, match=r"line 16: site Li1: is partly occupied \(got 0.5\)"):
            read_structure(tmp_path / "made.cif")
        with pytest.raises(StudyError, match=r"`material: \{order: \{\}\}`"):
            read_structure(tmp_path / "made.cif")


class TestSeeds:
    def test_the_same_bytes_again(self, tmp_path: Path) -> None:
        def made(seed: int) -> list[bytes]:
            request = Request(supercell=(2, 1, 1), models=3, seed=seed, mobile=frozenset({"Li"}))
            return [
                model.atoms.positions.tobytes() + model.atoms.numbers.tobytes()
                for model in ordered_models(argyrodite(tmp_path), request).models
            ]

        assert made(1) == made(1)
        assert made(1) != made(2)


def test_every_model_is_a_crystal(tmp_path: Path) -> None:
    """Whole cells in the average structure's own frame."""
    cell = argyrodite(tmp_path)
    model = ordered_models(cell, Request(supercell=(1, 2, 1), mobile=frozenset({"Li"}))).models[0]
    assert isinstance(model.atoms, Atoms)
    assert np.allclose(model.atoms.cell.array, np.diag([9.859, 2 * 9.859, 9.859]))
