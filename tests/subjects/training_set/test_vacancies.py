"""Labels by the number of vacancies in their cells, and the energy of a vacancy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from filled import fill

from borarun.analysis.vacancy_energy import vacancy_energy
from borarun.page.collecting import collect
from borarun.records.frames import Frames
from borarun.records.store import Store
from borarun.study import load_study
from borarun.subjects.common.results import Results
from borarun.subjects.training_set import show
from borarun.subjects.training_set.results import TrainingSetFound

UNIT_EV, VACANCY_EV = -139.5, 4.2

STUDY = """\
borarun: 1
name: charged
material:
  formula: Li2B12H12
  phases: {Pa-3: structures/Li2B12H12-Pa-3.cif}
  mobile: Li
  anions: B12H12
functionals: [PBE]
reference:
  engine: quantum-espresso
  pseudopotentials: {Li: Li.UPF, B: B.UPF, H: H.UPF}
  charge_per_vacancy: -1
training_set:
  labels: {PBE: labels.extxyz}
potential: {level: 8}
"""


def test_intervals_hold_the_energy_that_was_put_in() -> None:
    """Cells of 4 and 32 units, none to two vacancies, thermal scatter of 0.3 eV a unit."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        units = rng.choice([4, 32], 24)
        vacancies = rng.integers(0, 3, 24)
        energies = UNIT_EV * units + VACANCY_EV * vacancies
        energies = energies + rng.normal(scale=0.3 * np.sqrt(units))
        found = vacancy_energy(units, vacancies, energies)
        held += found is not None and abs(found.value - VACANCY_EV) < found.reach
    assert 0.92 < held / 400 < 0.98


@pytest.mark.parametrize("vacancies", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 2]])
def test_labels_of_one_kind_or_too_few_tell_nothing(vacancies: list[int]) -> None:
    n = np.array(vacancies)
    assert vacancy_energy(np.full(len(n), 4), n, -500.0 + 4.2 * n) is None


def configuration(whole: Atoms, missing: int, seed: int) -> Atoms:
    """A labelled configuration that lacks some lithium."""
    atoms, rng = whole.copy(), np.random.default_rng(seed)
    del atoms[[atom.index for atom in atoms if atom.symbol == "Li"][:missing]]
    atoms.rattle(0.02, rng=rng)
    forces = rng.normal(size=(len(atoms), 3))
    atoms.calc = SinglePointCalculator(
        atoms,
        energy=4 * UNIT_EV + missing * VACANCY_EV + rng.normal(scale=0.01),
        forces=forces - forces.mean(axis=0),
        stress=rng.normal(scale=0.01, size=6),
    )
    return atoms


@pytest.fixture
def found(mini_study: Path, tmp_path: Path) -> Results:
    """A made-up study with labels of cells with none, one and two vacancies."""
    file = tmp_path / "charged.yaml"
    whole = Frames.from_extxyz(load_study(mini_study).phase_text("Pa-3"))[0]
    labels = [configuration(whole, seed % 3, seed) for seed in range(12)]
    (tmp_path / "labels.extxyz").write_text(Frames.of(labels).to_extxyz())
    file.write_text(STUDY)
    study, store = load_study(file), Store(tmp_path / "store")
    return collect(study, fill(study, store), store)


def test_the_energy_of_a_vacancy_is_told(found: Results) -> None:
    (part,) = found.of(TrainingSetFound).vacancies
    assert dict(part.n_labels) == {0: 4, 1: 4, 2: 4}
    assert part.energy_eV is not None
    assert part.energy_eV.low < VACANCY_EV < part.energy_eV.high
    assert part.energy_eV.half_width < 0.05


def test_the_page_says_the_charge_of_each_cell_and_the_offset(found: Results) -> None:
    (section,) = show.sections(found)
    (table,) = section.blocks
    assert table.title == "Labels by vacancies"
    assert [row[1:] for row in table.rows] == [[0, 0.0, 4], [1, -1.0, 4], [2, -2.0, 4]]
    assert "A vacancy adds 4.19" in table.caption
    assert "offset between cells of different charge" in table.caption
