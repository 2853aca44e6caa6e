"""Labels that a study brings along are read with every digit, and nothing that is no label is
learnt from.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from borarun.errors import StudyError
from borarun.frames import Frames
from borarun.labels import read_labels
from borarun.mtp import cfg
from borarun.study import load_study
from borarun.units import EV_PER_A3_IN_KBAR

SPECIES = (3, 5, 1)
ELEMENTS = ["B", "H", "Li"]


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
            energy=-12 + rng.normal(),
            forces=rng.normal(size=(4, 3)),
            stress=rng.normal(scale=0.01, size=6),
        )
        images.append(atoms)
    return Frames.of(images)


def read(
    tmp_path: Path, text: str, name: str = "labels.extxyz", cfg_elements: list[str] | None = None
) -> Frames:
    (tmp_path / name).write_text(text)
    return read_labels(tmp_path / name, ELEMENTS, cfg_elements)


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
    with gzip.open(Path(__file__).parent / "engines/data/vasp/npt/OUTCAR.gz") as outcar:
        (tmp_path / "OUTCAR").write_bytes(outcar.read())
    write(tmp_path / "labels.extxyz", ase.io.read(tmp_path / "OUTCAR", ":"))
    found = read_labels(tmp_path / "labels.extxyz", ["Li", "P", "S"], None)
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
        ({"forces": frames().forces * np.nan}, "configuration 1 has forces that are no numbers"),
        (
            {"energy": np.array([-1.0, np.inf, -1.0])},
            "configuration 2 has energy that are no numbers",
        ),
        ({"stress": frames().stress * 1602.0}, "configuration 1: stress of"),
        (
            {"forces": np.concatenate([np.zeros((11, 3)), [[0.0, -600.0, 0.0]]])},
            "configuration 3: forces of 600 eV/angstrom (at most 500)",
        ),
        ({"cell": np.zeros((3, 3, 3))}, "configuration 1 has no cell"),
        (
            {"numbers": np.array([3, 5, 1, 8] * 3, np.int32)},
            "holds O, which the material does not have",
        ),
        (
            {"numbers": np.array([3, 1, 1, 1] * 3, np.int32)},
            "has no B, of which a potential would learn nothing",
        ),
    ],
)
def test_what_is_no_label_is_told(tmp_path: Path, change: dict[str, np.ndarray], says: str) -> None:
    assert complaint(tmp_path, replace(frames(), **change).to_extxyz()).startswith(says)


def test_a_single_configuration_is_too_few(tmp_path: Path) -> None:
    assert complaint(tmp_path, frames(1).to_extxyz()).startswith(
        "holds 1 configurations. At least 2"
    )
    assert complaint(tmp_path, "").startswith("holds 0 configurations")


def test_files_that_are_none(tmp_path: Path) -> None:
    text = frames().to_extxyz()
    assert complaint(tmp_path, text[: len(text) // 2]).startswith("is no extended XYZ (")
    assert complaint(tmp_path, text, "labels.json").startswith("unknown kind of file")
    (tmp_path / "binary.xyz").write_bytes(bytes(range(256)))
    with pytest.raises(StudyError, match="cannot be read"):
        read_labels(tmp_path / "binary.xyz", ELEMENTS, None)
    with pytest.raises(StudyError, match="no such file"):
        read_labels(tmp_path / "absent.xyz", ELEMENTS, None)


def test_cfg_files_that_say_too_little(tmp_path: Path) -> None:
    text = cfg.write(frames(), SPECIES)
    assert "Name them in training_set.cfg_elements" in complaint(tmp_path, text, "train.cfg")
    assert "types 0..2 for 2 species" in complaint(tmp_path, text, "train.cfg", ["Li", "B"])
    assert "no chemical element (got 'Lithium')" in complaint(
        tmp_path, text, "train.cfg", ["Lithium", "B", "H"]
    )
    assert "not every configuration has PlusStress" in complaint(
        tmp_path, cfg.write(replace(frames(), stress=None), SPECIES), "train.cfg", ["Li", "B", "H"]
    )
    assert "is no whole cfg file" in complaint(tmp_path, text[:-20], "train.cfg", ["Li", "B", "H"])


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
