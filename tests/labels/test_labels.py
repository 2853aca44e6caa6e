"""Labels that a study brings along are read with every digit, and nothing that is no label is
learnt from.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from borarun.basics.errors import StudyError
from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.labels import Labels, read_configurations, read_labels
from borarun.mtp import cfg
from borarun.records.frames import Frames
from borarun.study import load_study

SPECIES = (3, 5, 1)
ELEMENTS = ["B", "H", "Li"]
TESTS = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"


def frames(count: int = 3, seed: int = 0) -> Frames:
    """Labelled cells of lithium, boron and hydrogen."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        atoms = Atoms(
            "LiBH2",
            rng.uniform(0, 6, (4, 3)),
            cell=6 * np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3)),
            pbc=True,
        )
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=-12 + 0.1 * rng.normal(),
            forces=(forces := rng.normal(size=(4, 3))) - forces.mean(axis=0),
            stress=rng.normal(scale=0.01, size=6),
        )
        images.append(atoms)
    return Frames.of(images)


def read(
    tmp_path: Path, text: str, name: str = "labels.extxyz", cfg_elements: list[str] | None = None
) -> Frames:
    (tmp_path / name).write_text(text)
    return read_labels({"labels": tmp_path / name}, ELEMENTS, cfg_elements).frames


def complaint(
    tmp_path: Path, text: str, name: str = "labels.extxyz", cfg_elements: list[str] | None = None
) -> str:
    with pytest.raises(StudyError) as caught:
        read(tmp_path, text, name, cfg_elements)
    (problem,) = caught.value.problems
    return problem.message


def test_extended_xyz_is_read_with_every_digit(tmp_path: Path) -> None:
    found = read(tmp_path, frames().to_extxyz())
    for name, values in frames().arrays().items():
        np.testing.assert_array_equal(getattr(found, name), values)


def test_a_cfg_file_is_read_by_its_elements(tmp_path: Path) -> None:
    found = read(tmp_path, cfg.write(frames(), SPECIES), "train.cfg", ["Li", "B", "H"])
    np.testing.assert_array_equal(found.numbers, frames().numbers)
    np.testing.assert_array_equal(found.energy, frames().energy)
    np.testing.assert_allclose(found.stress, frames().stress, rtol=1e-14)


def test_what_ase_writes_of_a_calculation_is_read(tmp_path: Path) -> None:
    images = list(frames())
    for image in images:
        image.calc.results["free_energy"] = image.calc.results["energy"] - 0.5
    text = io.StringIO()
    write(text, images, format="extxyz")
    np.testing.assert_allclose(read(tmp_path, text.getvalue()).energy, frames().energy - 0.5)


def test_a_run_of_vasp_is_read_as_ase_writes_it(tmp_path: Path) -> None:
    """The numbers stand in the last step of the OUTCAR: TOTEN, the first force, and `in kB`, whose
    sign is the other one.
    """
    with gzip.open(TESTS / "engines/data/vasp/npt/OUTCAR.gz") as outcar:
        (tmp_path / "OUTCAR").write_bytes(outcar.read())
    write(tmp_path / "labels.extxyz", ase.io.read(tmp_path / "OUTCAR", ":"))
    found = read_labels({"labels": tmp_path / "labels.extxyz"}, ["Li", "P", "S"], None).frames
    assert len(found) == 10 and found.energy[-1] == pytest.approx(-369.08286247)
    np.testing.assert_allclose(found.forces[-84], [0.048189, -0.058655, 0.060345])
    np.testing.assert_allclose(
        found.stress[-1, :3] * EV_PER_A3_IN_KBAR, [2.11856, 2.23684, 2.72064], rtol=1e-5
    )


@pytest.mark.parametrize("name", ["energy", "forces", "stress"])
def test_a_configuration_without_a_label_is_named_with_what_it_has(
    tmp_path: Path, name: str
) -> None:
    lacking = replace(frames(1), **{name: None}).to_extxyz()
    said = complaint(
        tmp_path, frames(2).to_extxyz() + lacking.replace("Lattice=", "config_type=md Lattice=")
    )
    assert (
        said.startswith(f"configuration 3 has no {name} (its labels are ") and "config_type" in said
    )
    assert "eV/angstrom^3" in said


def test_a_virial_is_no_stress(tmp_path: Path) -> None:
    assert "has no stress (its labels are energy, forces, virial)" in complaint(
        tmp_path, frames().to_extxyz().replace("stress=", "virial=")
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"forces": frames().forces * np.nan}, "line 3: forces: 'nan' is not a number"),
        (
            {"energy": np.array([-1.0, np.inf, -1.0])},
            "configuration 2: energy is not a number (got 'inf')",
        ),
        ({"stress": frames().stress * 1602.0}, "configuration 1: stress of"),
        (
            {"forces": np.concatenate([np.zeros((10, 3)), [[0, 600.0, 0], [0, -600.0, 0]]])},
            "configuration 3: forces of 600 eV/angstrom (at most 500)",
        ),
        ({"cell": np.zeros((3, 3, 3))}, "configuration 1 has no cell"),
        (
            {"numbers": np.array([3, 5, 1, 8] * 3, np.int32)},
            "contains O, which the material does not have",
        ),
        (
            {"numbers": np.array([3, 1, 1, 1] * 3, np.int32)},
            "has no B, so a potential cannot learn",
        ),
    ],
)
def test_what_is_no_label_is_told(tmp_path: Path, change: dict[str, np.ndarray], says: str) -> None:
    assert complaint(tmp_path, replace(frames(), **change).to_extxyz()).startswith(says)


def test_a_single_configuration_is_too_few(tmp_path: Path) -> None:
    assert complaint(tmp_path, frames(1).to_extxyz()).startswith(
        "holds 1 usable configurations. At least 2"
    )
    assert complaint(tmp_path, "").startswith("holds 0 usable configurations")


def test_files_that_are_none(tmp_path: Path) -> None:
    text = frames().to_extxyz()
    assert "lines follow. The file is incomplete" in complaint(tmp_path, text[: len(text) // 2])
    assert complaint(tmp_path, text, "labels.json").startswith("unknown kind of file")
    (tmp_path / "binary.xyz").write_bytes(bytes(range(256)))
    with pytest.raises(StudyError, match="is not text"):
        read_labels({"labels": tmp_path / "binary.xyz"}, ELEMENTS, None)
    with pytest.raises(StudyError, match="no such file"):
        read_labels({"labels": tmp_path / "absent.xyz"}, ELEMENTS, None)


def test_cfg_files_that_say_too_little(tmp_path: Path) -> None:
    text = cfg.write(frames(), SPECIES)
    assert "List the elements in training_set.cfg_elements" in complaint(
        tmp_path, text, "train.cfg"
    )
    assert "types 0..2 for 2 species" in complaint(tmp_path, text, "train.cfg", ["Li", "B"])
    assert "is not a chemical element (got 'Lithium')" in complaint(
        tmp_path, text, "train.cfg", ["Lithium", "B", "H"]
    )
    assert "configuration 1 has no PlusStress. Compute it (VASP: ISIF=2 or 3)" in complaint(
        tmp_path, cfg.write(replace(frames(), stress=None), SPECIES), "train.cfg", ["Li", "B", "H"]
    )
    assert "is not a complete cfg file" in complaint(
        tmp_path, text[:-20], "train.cfg", ["Li", "B", "H"]
    )


def test_a_study_tells_of_its_labels_by_file_and_line(mini_study: Path) -> None:
    mini_study.write_text(
        mini_study.read_text().replace(
            "training_set:\n", "training_set:\n  labels: {PBE-D3: labels.xyz, PBE: ../up.xyz}\n"
        )
    )
    (mini_study.parent / "labels.xyz").write_text(replace(frames(), stress=None).to_extxyz())
    with pytest.raises(StudyError) as caught:
        load_study(mini_study)
    said = str(caught.value).replace(str(mini_study), "mini.yaml").splitlines()
    line = "mini.yaml:12: training_set.labels."
    assert said[0].startswith(f"{line}PBE-D3: labels.xyz: configuration 1 has no stress")
    assert said[1].startswith(f"{line}PBE: must be a file in the study's own folder")
    assert said[2].startswith(
        f"{line}PBE: must be one of this study's functionals, PBE-D3 (got PBE)"
    )


# Every file of data, each of a kind that was learnt


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "c1_not_converged.cfg",
            "holds 1 usable configuration (1 of 4 configurations did not converge "
            "and are not used; 2 of 3 configurations occur more than once; each counts "
            "once)",
        ),
        ("c2_virial.cfg", "configuration 1 has no PlusStress. It has Virial, whose sign"),
        ("c2b_stress.cfg", "configuration 1 has no PlusStress. It has Stress, whose sign"),
        ("c3_mtp_labels.cfg", "configuration 1 was computed by 'MultiMTP284', a potential."),
        ("c4_one_without_forces.cfg", "configuration 4 has no fx fy fz. Convert it again"),
        ("l1_pbcF.extxyz", 'configuration 1 is a molecule or cluster (got pbc="F F F")'),
        (
            "l2_REF.extxyz",
            "configuration 1 has no energy (its labels are REF_energy, REF_forces, REF_stress). "
            "Rename REF_energy to energy, REF_forces to forces, REF_stress to stress",
        ),
        (
            "l3_virial.extxyz",
            "configuration 1 has no stress (its labels are energy, forces, virial). A virial is "
            "not a stress: write stress = -virial / volume",
        ),
        (
            "l6_dupl.extxyz",
            "holds 1 usable configuration (9 of 10 configurations occur more than "
            "once; each counts once). At least 2 different ones are needed",
        ),
        (
            "l7_two_zero_points.extxyz",
            "configurations 7 and 1 are the same atoms in the same places, with the energies -70 "
            "and -60 eV: two settings",
        ),
        (
            "l9_netforce.extxyz",
            "configuration 1: its forces sum to 8.31 eV/angstrom (at most 0.5); in a "
            "crystal the sum is zero. 3 of 3 configurations",
        ),
    ],
)
def test_labels_that_would_be_learnt_wrongly_are_refused(name: str, says: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_labels({"labels": DATA / name}, ELEMENTS, ["Li", "B", "H"])
    assert caught.value.problems[0].message.startswith(says)


def test_isolated_atoms_are_left_out_and_counted() -> None:
    found = read_labels({"labels": DATA / "l4_isolated.extxyz"}, ELEMENTS, None)
    assert len(found.frames) == 3
    assert found.remarks[0].startswith("1 of 4 configurations are isolated atoms and are not used")


def test_six_numbers_are_a_stress_in_the_order_of_voigt() -> None:
    found = read_labels({"labels": DATA / "l5_voigt6.extxyz"}, ELEMENTS, None).frames
    np.testing.assert_array_equal(found.stress, np.tile([0.001, 0.001, 0.001, 0, 0, 0], (3, 1)))


def test_every_file_of_data_is_tried() -> None:
    text = Path(__file__).read_text()
    assert [path.name for path in DATA.iterdir() if f'"{path.name}"' not in text] == []


# What is left out, and what is refused


def remarks(tmp_path: Path, text: str, name: str = "labels.extxyz") -> tuple[str, ...]:
    (tmp_path / name).write_text(text)
    return read_labels({"labels": tmp_path / name}, ELEMENTS, ["Li", "B", "H"]).remarks


def test_unconverged_configurations_are_left_out_of_either_format(tmp_path: Path) -> None:
    text = cfg.write(frames(4), SPECIES)
    bad = text.replace("END_CFG", " Feature   EFS_by\tVASP_not_converged\nEND_CFG", 1)
    assert remarks(tmp_path, bad, "a.cfg") == (
        "1 of 4 configurations did not converge and are not used",
    )
    every = text.replace("END_CFG", " Feature   EFS_by\tVASP_not_converged\nEND_CFG")
    assert complaint(tmp_path, every, "a.cfg", ["Li", "B", "H"]).startswith(
        "none of its 4 configurations has converged"
    )
    text = frames(4).to_extxyz()
    for note in ("converged=F", "scf_converged=False", 'source="VASP, not converged"'):
        bad = text.replace("Lattice=", f"{note} Lattice=", 1)
        assert remarks(tmp_path, bad) == (
            "1 of 4 configurations did not converge and are not used",
        )


@pytest.mark.parametrize("note", ["calculator=MACE", "model=sevennet-0", "potential=CHGNet"])
def test_labels_of_a_potential_are_refused(tmp_path: Path, note: str) -> None:
    text = frames(3).to_extxyz().replace("Lattice=", f"{note} Lattice=")
    assert complaint(tmp_path, text).startswith("configuration 1 was computed by ")
    other = frames(3).to_extxyz().replace("Lattice=", "calculator=vasp Lattice=")
    assert len(read(tmp_path, other)) == 3


def test_doubles_count_once(tmp_path: Path) -> None:
    text = frames(3).to_extxyz()
    (tmp_path / "a.extxyz").write_text(text + text)
    found = read_labels({"labels": tmp_path / "a.extxyz"}, ELEMENTS, None)
    np.testing.assert_array_equal(found.frames.energy, frames(3).energy)
    assert found.remarks == ("3 of 6 configurations occur more than once; each counts once",)


def test_a_gap_between_energies_is_two_settings(tmp_path: Path) -> None:
    both = replace(frames(6), energy=frames(6).energy - np.repeat([0.0, 4.0], 3))
    assert complaint(tmp_path, both.to_extxyz()).startswith(
        "the energies of configurations of equal composition fall in two groups, "
    )
    forces = frames(6).forces * np.repeat([5, 5, 5, 1, 1, 1], 4)[:, None]
    assert len(read(tmp_path, replace(both, forces=forces).to_extxyz())) == 6, "hot ones, truly"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stress": frames().stress * 60}, "half of the configurations have a stress above"),
        ({"stress": np.zeros((3, 6))}, "stress is zero in every configuration"),
        ({"forces": np.zeros((12, 3))}, "forces is zero in every configuration"),
        ({"forces": frames().forces + 0.2}, "configuration 3: its forces sum to 1.39 eV/angstrom"),
    ],
)
def test_numbers_that_are_not_what_they_are_taken_for(
    tmp_path: Path, change: dict[str, np.ndarray], says: str
) -> None:
    assert complaint(tmp_path, replace(frames(), **change).to_extxyz()).startswith(says)


def test_a_stress_is_symmetric(tmp_path: Path) -> None:
    lines = frames().to_extxyz().splitlines()
    lines[1] = re.sub('stress="[^"]*"', 'stress="0.1 0.2 0 0 0.1 0 0 0 0.1"', lines[1])
    assert "configuration 1: its stress is not symmetric" in complaint(tmp_path, "\n".join(lines))


def test_two_energies_are_refused(tmp_path: Path) -> None:
    text = frames().to_extxyz().replace("energy=", "mace_energy=-1.0 energy=")
    assert complaint(tmp_path, text).startswith("configuration 1 has two energies, energy and mace")


@pytest.mark.parametrize("value", ["{a: 1}", "[1, 2]", "1_000.0", "1e400", "T"])
def test_an_energy_that_is_none(tmp_path: Path, value: str) -> None:
    text = re.sub("energy=[^ ]+", f"energy={value}", frames().to_extxyz(), count=1)
    said = complaint(tmp_path, text)
    assert said.startswith(("configuration 1: energy is not a number", "line 2: "))


def test_deuterium_is_told_once(tmp_path: Path) -> None:
    text = frames().to_extxyz().replace("\nH ", "\nD ")
    (said,) = remarks(tmp_path, text)
    assert said.startswith("D is treated as H, with the mass of H")


# Compressed files, and configurations to label


@pytest.mark.parametrize(("ending", "pack"), [("xz", lzma), ("gz", gzip), ("bz2", bz2)])
def test_a_compressed_file_is_read_as_it_was(tmp_path: Path, ending: str, pack: Any) -> None:
    file = tmp_path / f"labels.extxyz.{ending}"
    file.write_bytes(pack.compress(frames().to_extxyz().encode()))
    found = read_labels({"labels": file}, ELEMENTS, None).frames
    np.testing.assert_array_equal(found.forces, read(tmp_path, frames().to_extxyz()).forces)


@pytest.mark.parametrize("ending", ["xz", "gz", "bz2"])
def test_a_damaged_compressed_file_is_told(tmp_path: Path, ending: str) -> None:
    pack = {"xz": lzma, "gz": gzip, "bz2": bz2}[ending].compress
    whole = pack(frames(40).to_extxyz().encode())
    file = tmp_path / f"labels.extxyz.{ending}"
    for content in (b"no archive", whole[: len(whole) // 2], whole[:99] + bytes(50) + whole[149:]):
        file.write_bytes(content)
        with pytest.raises(StudyError, match="is damaged"):
            read_labels({"labels": file}, ELEMENTS, None)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "labels.extxyz.xz"
    file.write_bytes(lzma.compress(bytes(61_000_000), preset=0))
    with pytest.raises(StudyError, match=r"too large \(got more, at most 60 MB unpacked\)"):
        read_labels({"labels": file}, ELEMENTS, None)


def test_configurations_to_label_need_no_labels(tmp_path: Path) -> None:
    text = re.sub(r"(energy|stress)=(\"[^\"]*\"|[^ ]+) ?", "", frames().to_extxyz())
    found = configurations(tmp_path, text)
    assert len(found.frames) == 3 and found.remarks == ()
    assert found.frames.energy is None and found.frames.forces is None
    np.testing.assert_allclose(found.frames.positions, frames().positions, atol=1e-7)


def test_labels_of_configurations_to_label_are_not_believed(tmp_path: Path) -> None:
    text = frames().to_extxyz().replace("energy=", "calculator=mace energy=")
    assert configurations(tmp_path, text).frames.energy is None


def test_configurations_to_label_come_once(tmp_path: Path) -> None:
    found = configurations(tmp_path, frames().to_extxyz() + frames(1).to_extxyz())
    assert len(found.frames) == 3
    assert found.remarks == ("1 of 4 configurations occur more than once; each is labelled once",)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('pbc="T T T"', 'pbc="T T F"'), "configuration 1 is a slab"),
        (("\nLi ", "\nNa "), "contains Na, which the material does not have"),
        (('Lattice="6', 'Lattice="x'), "line 2: "),
    ],
)
def test_configurations_that_cannot_be_labelled(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    with pytest.raises(StudyError, match=says):
        configurations(tmp_path, frames().to_extxyz().replace(*change))


def test_no_configuration_to_label(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no configuration"):
        configurations(
            tmp_path, '1\nLattice="9 0 0 0 9 0 0 0 9" config_type=IsolatedAtom\nLi 0 0 0\n'
        )


def configurations(tmp_path: Path, text: str) -> Labels:
    """What is read of a file of configurations to label."""
    (tmp_path / "configurations.extxyz").write_text(text)
    return read_configurations(tmp_path / "configurations.extxyz", ELEMENTS)


# Limits


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.xyz", f"{10**12}\nenergy=1\n", "line 1: should have 1,000,000,000,000 atoms, but 0"),
        ("a.xyz", f"{'9' * 26}\nenergy=1\n", "line 1: '99999999999999999999999999' is not"),
        ("a.cfg", f"BEGIN_CFG\n Size\n {'9' * 26}\nEND_CFG\n", "configuration 1 has no Energy"),
        ("a.cfg", "BEGIN_CFG\n" * 100_000, "is not a complete cfg file with the elements Li, B, H"),
        ("a.cfg", "BEGIN_CFG\nEND_CFG\n" * 100_000, "holds more than 20,000 configurations"),
        (
            "a.cfg",
            "\n" * 1_000_000 + "END_CFG",
            "is not a complete cfg file with the elements Li, B, H",
        ),
        (
            "a.cfg",
            cfg.write(frames(), SPECIES).replace(" Size\n    4", f" Size\n {'9' * 26}", 1),
            "is not a complete cfg file with the elements Li, B, H: configuration 1 is "
            "damaged (not a whole number from 0: '99999999999999999999999999')",
        ),
        (
            "a.cfg",
            cfg.write(frames(), SPECIES).replace("\n    1 0 ", f"\n    1 {'9' * 26} ", 1),
            "is not a complete cfg file with the elements Li, B, H: configuration 1 is "
            "damaged (not a whole number from 0: '99999999999999999999999999')",
        ),
        (
            "a.cfg",
            cfg.write(frames(), SPECIES).replace("\n    4\n", "\n    999999999999\n", 1),
            "is not a complete cfg file with the elements Li, B, H: configuration 1 is "
            "damaged (AtomData",
        ),
    ],
    ids=range(9),
)
def test_whatever_a_file_announces_memory_is_bounded(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    tracemalloc.start()
    try:
        assert complaint(tmp_path, text, name, ["Li", "B", "H"]).startswith(says)
        assert tracemalloc.get_traced_memory()[1] < 2e8
    finally:
        tracemalloc.stop()
