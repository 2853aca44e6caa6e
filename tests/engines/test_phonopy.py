"""Phonons: the engine's contract, phonopy's own NaCl example, and crystals whose frequencies are
known.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read
from phonopy.file_IO import parse_FORCE_SETS

from borarun.basics.errors import EngineError, ParseError
from borarun.basics.file import write_files
from borarun.basics.units import KJ_PER_MOL_IN_EV, PER_CM_IN_MEV, THZ_IN_MEV
from borarun.engines.phonopy import engine as phonopy
from borarun.engines.phonopy import program as phonons
from borarun.engines.phonopy.job import DisplaceJob
from borarun.records.endings import Ending, ending_of
from borarun.records.frames import Frames
from borarun.records.operations.phonons import Displaced
from borarun.records.task import Result

NACL = Path(__file__).parent / "data" / "phonopy"
DISPLACE = phonopy.Settings(operation="displace", supercell=(2, 2, 2))
PHONONS = phonopy.Settings(
    operation="phonons", supercell=(2, 2, 2), mesh=(8, 8, 8), width_THz=0.1, temperatures_K=(300.0,)
)


def done(settings: phonopy.Settings, directory: Path, **inputs: object) -> Result:
    """Render, run in this process, parse."""
    phonons.run(write_files(directory, phonopy.render(settings, inputs, phonopy.Program())))
    return phonopy.parse(settings, directory)


def labelled(cells: Frames, forces: Callable[[int, Atoms], np.ndarray]) -> Frames:
    images = []
    for number, atoms in enumerate(cells):
        atoms.calc = SinglePointCalculator(
            atoms, energy=0.0, forces=forces(number, atoms), stress=np.zeros(6)
        )
        images.append(atoms)
    return Frames.of(images)


def frequencies(
    structure: Atoms, calculator: Callable[[], Calculator], directory: Path, **keys: object
) -> Result:
    """Phonons of a structure with an ASE calculator."""

    def forces(_: int, atoms: Atoms) -> np.ndarray:
        atoms.calc = calculator()
        return np.asarray(atoms.get_forces())

    frames = Frames.of([structure])
    asked = {**keys, "operation": "displace"}
    cells = done(
        phonopy.Settings(
            **{name: value for name, value in asked.items() if name in DisplaceJob.model_fields}
        ),
        directory / "displace",
        structure=frames,
    )
    return done(
        phonopy.Settings(**{**keys, "operation": "phonons"}),
        directory / "phonons",
        structure=frames,
        labels=[labelled(cells.frames["displaced"], forces)],
    )


@pytest.fixture(scope="module")
def nacl() -> Frames:
    return Frames.of([read(NACL / "POSCAR-unitcell", format="vasp")])


@pytest.fixture(scope="module")
def displaced(nacl: Frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("displace")
    done(DISPLACE, directory, structure=nacl)
    return directory


@pytest.fixture(scope="module")
def forces(displaced: Path) -> Frames:
    recorded = [
        np.asarray(entry["forces"])
        for entry in parse_FORCE_SETS(filename=str(NACL / "FORCE_SETS"))["first_atoms"]
    ]
    return labelled(
        phonopy.parse(DISPLACE, displaced).frames["displaced"], lambda number, _: recorded[number]
    )


@pytest.fixture(scope="module")
def solved(nacl: Frames, forces: Frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("phonons")
    done(PHONONS, directory, structure=nacl, labels=[forces])
    return directory


def test_the_same_settings_and_inputs_give_the_same_files(nacl: Frames, forces: Frames) -> None:
    inputs = {"structure": nacl, "labels": [forces]}
    first = phonopy.render(PHONONS, inputs, phonopy.Program())
    assert first == phonopy.render(
        phonopy.Settings(**PHONONS.model_dump(mode="json")), inputs, phonopy.Program()
    )
    assert first.keys() == {"job.json", "structure.extxyz", "forces.extxyz"}
    assert phonopy.render(DISPLACE, {"structure": nacl}, phonopy.Program()).keys() == {
        "job.json",
        "structure.extxyz",
    }


def test_the_command_does_not_depend_on_a_shell() -> None:
    assert phonopy.command(PHONONS, 2, phonopy.Program()) == [
        sys.executable,
        "-m",
        "borarun.engines.phonopy.program",
    ]


def test_forces_come_back_in_the_order_of_the_displacements(nacl: Frames) -> None:
    cells = Frames.of([bulk("Li").repeat((n, 1, 1)) for n in (1, 2, 3, 4, 5)])
    parts = [cells.take(range(part, 5, 3)) for part in range(3)]
    text = phonopy.render(PHONONS, {"structure": nacl, "labels": parts}, phonopy.Program())[
        "forces.extxyz"
    ]
    assert [len(atoms) for atoms in Frames.from_extxyz(str(text))] == [1, 2, 3, 4, 5]


def test_nacl_needs_two_displacements(nacl: Frames, displaced: Path) -> None:
    result = phonopy.parse(DISPLACE, displaced)
    perfect = nacl[0].repeat((2, 2, 2))
    assert result.facts == Displaced(n_displacements=2) and len(result.frames["displaced"]) == 2
    assert phonopy.count_displacements(nacl.to_extxyz(), (2, 2, 2)) == 2
    for atoms in result.frames["displaced"]:
        assert len(atoms) == len(perfect) == 64 and atoms.get_volume() == pytest.approx(
            perfect.get_volume()
        )


def test_nacl_has_the_frequencies_that_phonopy_publishes(solved: Path) -> None:
    result = phonopy.parse(PHONONS, solved)
    facts, arrays = result.facts, result.arrays
    assert facts.highest_THz == pytest.approx(6.26, abs=0.05)
    assert facts.zero_point_energy_eV_per_atom * 2 / KJ_PER_MOL_IN_EV == pytest.approx(
        4.847, abs=0.02
    )
    assert (facts.n_imaginary, facts.n_atoms_primitive, facts.elements) == (
        0,
        2,
        ("Na", "Cl"),
    )
    assert facts.lowest_THz == pytest.approx(0, abs=1e-3) and facts.acoustic_sum_eV_per_A2 < 0.1
    dos = arrays["dos/total"].values
    assert np.trapezoid(dos, arrays["dos/frequency"].values) == pytest.approx(6, abs=1e-6)
    np.testing.assert_allclose(arrays["dos/projected"].values.sum(axis=0), dos)
    each = np.trapezoid(arrays["dos/projected"].values, arrays["dos/frequency"].values)
    np.testing.assert_allclose(each, [3, 3], atol=1e-3)
    assert arrays["gamma"].values.shape == (6,) and arrays["band/frequency"].values.shape[1] == 6
    assert facts.band_labels[:2] == ("G", "X") and len(facts.band_labels) == len(
        arrays["band/corner"].values
    )


@pytest.mark.parametrize("part", range(20))
def test_output_cut_short_is_refused(
    solved: Path, displaced: Path, tmp_path: Path, part: int
) -> None:
    for settings, source in ((PHONONS, solved), (DISPLACE, displaced)):
        for name in ("ending.json", "phonons.npz" if settings is PHONONS else "displaced.extxyz"):
            directory = tmp_path / settings.operation / name
            write_files(directory, {file.name: file.read_bytes() for file in source.iterdir()})
            os.truncate(directory / name, (directory / name).stat().st_size * part // 20)
            with pytest.raises(ParseError, match=name.replace(".", r"\.")):
                phonopy.parse(settings, directory)


def test_what_is_missing_or_no_number_is_refused(solved: Path, tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="is missing"):
        phonopy.parse(PHONONS, tmp_path)
    files = {file.name: file.read_bytes() for file in solved.iterdir()}
    with np.load(solved / "phonons.npz") as found:
        arrays = {**found, "total": np.full_like(found["total"], np.nan)}
    directory = write_files(tmp_path / "nan", files)
    np.savez(directory / "phonons.npz", **arrays)
    size = (directory / "phonons.npz").stat().st_size
    Ending(result={**ending_of(directory).result, "bytes": size}).write(directory)
    with pytest.raises(ParseError, match="dos/total that are not numbers"):
        phonopy.parse(PHONONS, directory)


def test_forces_of_other_atoms_are_refused(nacl: Frames, forces: Frames, tmp_path: Path) -> None:
    moved = labelled(
        Frames(forces.offsets, forces.numbers, forces.positions + 0.01, forces.cell),
        lambda number, atoms: np.zeros((len(atoms), 3)),
    )
    for name, labels, message in (
        ("count", forces.take([0]), "there are forces of 1 displacements, and 2 are needed"),
        ("atoms", forces.take([1, 0]), "are of other positions"),
        ("positions", moved, "are of other positions"),
    ):
        with pytest.raises(EngineError, match=message):
            done(PHONONS, tmp_path / name, structure=nacl, labels=[labels])


def test_an_unknown_path_names_the_known_corners(
    nacl: Frames, forces: Frames, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="no band path 'GZ'") as caught:
        done(PHONONS.model_copy(update={"path": "GZ"}), tmp_path, structure=nacl, labels=[forces])
    assert "GKLUWX" in caught.value.remedy


class Springs(Calculator):
    """Every atom bound to its nearest neighbours by springs: Born's central-force crystal."""

    implemented_properties = ("energy", "forces")

    def __init__(self, stiffness: float, length: float) -> None:
        super().__init__()
        self.stiffness, self.length = stiffness, length

    def calculate(self, atoms: Atoms, properties: object = (), system_changes: object = ()) -> None:  # type: ignore[override]
        from ase.neighborlist import neighbor_list

        i, vectors, d = neighbor_list("iDd", atoms, 1.2 * self.length)
        pull = self.stiffness * (d - self.length)[:, None] * vectors / d[:, None]
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i, pull)
        self.results = {
            "energy": float(0.25 * self.stiffness * ((d - self.length) ** 2).sum()),
            "forces": forces,
        }


def test_a_crystal_of_springs_has_born_s_frequencies(tmp_path: Path) -> None:
    """fcc with nearest-neighbour springs k: at X, longitudinal omega^2 = 8 k / m, transverse 4 k /
    m.
    """
    k, a = 2.0, 4.0
    structure = bulk("Al", a=a, cubic=True)
    result = frequencies(
        structure,
        lambda: Springs(k, a / 2**0.5),
        tmp_path,
        supercell=(2, 2, 2),
        mesh=(2, 2, 2),
        path="GX",
        displacement_A=0.001,
    )
    mass = structure.get_masses()[0]
    unit_THz = (
        np.sqrt(1.602176634e-19 / 1e-20 / 1.66053906660e-27) / 2 / np.pi / 1e12
    )  # sqrt(eV/angstrom^2/amu)
    at_x = np.sort(result.arrays["band/frequency"].values[-1])
    np.testing.assert_allclose(at_x, unit_THz * np.sqrt(np.array([4, 4, 8]) * k / mass), rtol=1e-3)
    assert result.facts.n_imaginary == 0


def test_a_crystal_that_is_no_minimum_has_imaginary_modes(tmp_path: Path) -> None:
    """Simple cubic, its springs compressed by a twentieth: nothing but they resists shear, and they
    push.
    """
    structure = Atoms("Al", cell=[3.0, 3.0, 3.0], pbc=True)
    result = frequencies(
        structure, lambda: Springs(2.0, 1.05 * 3.0), tmp_path, supercell=(2, 2, 2), mesh=(2, 2, 2)
    )
    assert result.facts.n_imaginary > 0 and result.facts.lowest_THz < -0.5


def test_units_of_frequencies() -> None:
    """1 THz is 4.13567 meV and 33.3564 cm^-1."""
    np.testing.assert_allclose(
        [THZ_IN_MEV, THZ_IN_MEV / PER_CM_IN_MEV], [4.135668, 33.35641], rtol=1e-6
    )


def test_costs_grow_with_the_cell() -> None:
    small, large = (phonopy.cost(PHONONS, atoms) for atoms in (52, 104))
    assert 0 < small.core_seconds < large.core_seconds and small.bytes < large.bytes
    assert phonopy.missing(PHONONS, phonopy.Program()) == "" and "phonopy" in phonopy.version(
        PHONONS
    )
