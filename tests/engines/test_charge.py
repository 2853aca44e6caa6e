"""The charge of cells: with their vacancies, in both engines, and of labels that exist already."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers

from borarun.basics.errors import EngineError, StudyError
from borarun.engines import outputs
from borarun.engines.quantum_espresso import engine as quantum_espresso
from borarun.engines.reference.base import ReferenceSection
from borarun.engines.reference.charge import ChargeKeys, charge_of, odd, vacancies
from borarun.engines.registry import sections
from borarun.engines.vasp import engine as vasp
from borarun.labels import read_labels
from borarun.records.frames import Frames
from borarun.study.load import Study, load_study
from borarun.study.plan import expand

DATA = Path(__file__).parent / "data"
BUNDLED = sections(ReferenceSection)["bundled"](engine="bundled")

LIH = {"formula": "LiH", "vacancy_ion": "Li", "charge_per_vacancy": -1.0}


def lih(missing: int) -> Atoms:
    """Eight atoms of lithium hydride, less some lithium."""
    atoms = bulk("LiH", "rocksalt", a=4.08, cubic=True)
    del atoms[[atom.index for atom in atoms if atom.symbol == "Li"][:missing]]
    return atoms


@pytest.mark.parametrize(
    ("atoms", "formula", "ion", "missing"),
    [
        ({"Li": 8, "B": 48, "H": 48}, "Li2B12H12", "Li", 0),
        ({"Li": 5, "B": 48, "H": 48}, "Li2B12H12", "Li", 3),
        ({"B": 48, "H": 48}, "Li2B12H12", "Li", 8),
        ({"Li": 23, "P": 4, "S": 20, "Cl": 4}, "Li6PS5Cl", "Li", 1),
    ],
)
def test_vacancies_are_what_the_formula_lacks(
    atoms: dict[str, int], formula: str, ion: str, missing: int
) -> None:
    assert vacancies(atoms, formula, ion) == missing


@pytest.mark.parametrize(
    "atoms",
    [
        {"Li": 9, "B": 48, "H": 48},
        {"Li": 8, "B": 48, "H": 47},
        {"Li": 8, "B": 48, "H": 48, "C": 1},
        {"Li": 2, "B": 6, "H": 6},
        {"Li": 1},
    ],
    ids=["too many ions", "a hydrogen is missing", "another element", "half a unit", "no anion"],
)
def test_what_cannot_be_counted_is_refused(atoms: dict[str, int]) -> None:
    assert vacancies(atoms, "Li2B12H12", "Li") is None
    keys = ChargeKeys(charge_per_vacancy=-1.0)
    numbers = np.repeat([atomic_numbers[each] for each in atoms], list(atoms.values()))
    with pytest.raises(EngineError, match="cannot be counted"):
        charge_of(keys, numbers, "Li2B12H12", "Li")


def test_the_charge_of_a_cell_follows_its_vacancies() -> None:
    keys = ChargeKeys(charge=1.0, charge_per_vacancy=-2.0)
    one_of_four = Atoms("Mg3B8H32").numbers
    assert charge_of(ChargeKeys(charge=-1.0), one_of_four, "", "") == -1.0
    assert charge_of(keys, one_of_four, "MgB2H8", "Mg") == 1.0 - 2.0


def test_each_list_of_atoms_has_an_input_of_its_charge() -> None:
    """One task of pw.x labels cells with and without vacancies."""
    settings = quantum_espresso.Settings(
        operation="label", functional="PBE", pseudopotentials={"Li": "Li.upf", "H": "H.upf"}, **LIH
    )
    files = quantum_espresso.render(
        settings,
        {"frames": Frames.of([lih(0), lih(2), lih(1)])},
        quantum_espresso.Program(pseudopotential_directory="/pseudo"),
    )
    found = {
        re.search(r"nat\s*=\s*(\d+)", text)[1]: float(re.search(r"tot_charge\s*=\s*(\S+)", text)[1])
        for name, text in files.items()
        if name.startswith("pw-")
    }
    assert found == {"8": 0.0, "7": -1.0, "6": -2.0}


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_vasp_is_told_the_charge_of_its_cell(missing: int) -> None:
    settings = vasp.Settings(
        operation="label",
        functional="PBE",
        potcar={"Li": "PAW_PBE Li 17Jan2003", "H": "PAW_PBE H 15Jun2001"},
        **LIH,
    )
    files = vasp.render(settings, {"frames": Frames.of([lih(missing)])}, vasp.Program())
    assert json.loads(str(files["job.json"]))["charge"] == -missing


def test_neutral_vacancies_leave_no_trace_in_settings() -> None:
    """Keys of tasks follow from them: records of neutral cells stay valid."""
    settings = quantum_espresso.Settings(
        operation="label", functional="PBE", pseudopotentials={"Li": "Li.upf"}
    )
    assert not {"charge_per_vacancy", "formula", "vacancy_ion"} & settings.model_dump().keys()


def test_charged_vacancies_leave_an_even_number_of_electrons() -> None:
    cell = {0: 340, 1: 337, 2: 334}
    assert list(odd(ChargeKeys(), [cell])) == [[1]]
    assert list(odd(ChargeKeys(charge_per_vacancy=-1.0), [cell])) == []
    assert list(odd(ChargeKeys(charge_per_vacancy=-2.0), [cell])) == [[1]]


STUDY = """\
borarun: 1
name: charged
material:
  formula: Li2B12H12
  phases: {Pa-3: Pa-3.cif}
  mobile: Li
  anions: B12H12
functionals: [PBE]
reference:
  engine: quantum-espresso
  pseudopotentials: {Li: Li.UPF, B: B.UPF, H: H.UPF}
  charge_per_vacancy: CHARGE
training_set:
  aimd: {temperatures_K: [800], vacancies: [0, 1, 2], time_ps: 1}
potential: {level: 8}
"""


STRUCTURE = Path(__file__).parents[2] / "studies/structures/Li2B12H12-Pa-3.cif"


def load(folder: Path, charge: str) -> Study:
    """A study with vacancies of some charge."""
    (folder / "Pa-3.cif").write_bytes(STRUCTURE.read_bytes())
    file = folder / "study.yaml"
    file.write_text(STUDY.replace("CHARGE", charge))
    return load_study(file)


def test_a_study_with_charged_vacancies_needs_no_smearing(tmp_path: Path) -> None:
    assert not load(tmp_path, "-1").warnings
    with pytest.raises(StudyError, match="degauss_Ry: 1 neutral vacancies leave an odd number"):
        load(tmp_path, "0")


def test_a_charge_that_no_ion_leaves_is_a_warning(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, "-3").warnings
    assert warning.startswith(
        "reference.charge_per_vacancy: -3 is not what Li with its charge leaves behind, -1."
    )


def test_every_task_of_a_study_knows_how_to_count(tmp_path: Path) -> None:
    tasks = expand(load(tmp_path, "-1"), {}).tasks
    found = [task for task in tasks if task.engine == "quantum-espresso"]
    assert found
    for task in found:
        settings = quantum_espresso.Settings.of(task)
        assert (settings.formula, settings.vacancy_ion) == ("Li2B12H12", "Li")


def charged(numbers: Any) -> float:
    return -1.0


def neutral(numbers: Any) -> float:
    return 0.0


@pytest.mark.parametrize(
    "file", ["qe/lih_pbe.pwo", "vasp/label/run-1/vasprun.xml", "vasp/label/run-1/OUTCAR"]
)
def test_labels_of_another_charge_are_refused(file: str) -> None:
    """Recorded outputs of pw.x, and of VASP's stand-in, of neutral cells."""
    files = {file: DATA / file}
    read = outputs.reader("PBE", BUNDLED)
    assert read(DATA / file).charge == 0
    with pytest.raises(StudyError, match=r"charge of \+0 instead of -1. Compute them again"):
        read_labels(files, ["Li", "H"], None, read, charged)


def test_labels_of_the_right_charge_pass(tmp_path: Path) -> None:
    """An output of two neutral cells is of a study with neutral ones."""
    file = tmp_path / "charged.pwo"
    text = (DATA / "qe/lih_pbe.pwo").read_text()
    file.write_text(text.replace("number of electrons       =        16.00", ELECTRONS))
    read = outputs.reader("PBE", BUNDLED)
    assert read(file).charge == -1
    with pytest.raises(StudyError, match=r"charge of -1 instead of \+0"):
        read_labels({"a": file, "b": file}, ["Li", "H"], None, read, neutral)


ELECTRONS = "number of electrons       =        17.00"
