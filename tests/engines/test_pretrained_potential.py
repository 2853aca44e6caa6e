"""A pretrained network as the potential of molecular dynamics. A pair potential of ASE plays the
network; what needs CHGNet runs where it is installed.
"""

from __future__ import annotations

import importlib.util
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from borarun.basics.errors import EngineError, StudyError
from borarun.engines.base import Program
from borarun.engines.networks.calculator import LOADERS
from borarun.engines.potential.answers import answers, references
from borarun.engines.pretrained_potential import engine, form
from borarun.engines.pretrained_potential.section import NetworkPotential
from borarun.records.frames import Frames
from borarun.records.operations.potential import Trained
from borarun.study import load_study

needs_chgnet = pytest.mark.skipif(importlib.util.find_spec("chgnet") is None, reason="needs chgnet")


def argon() -> LennardJones:
    return LennardJones(sigma=3.4, epsilon=0.0104, rc=8.5)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> form.Network:
    """A network of argon, which is a pair potential."""
    monkeypatch.setitem(LOADERS, "chgnet", lambda model, device: argon())
    return form.Network(
        family="chgnet",
        model="0.3.0",
        dispersion=None,
        packages=("chgnet 0",),
        species=(18,),
        atom_step_us=1e4,
    )


def crystal(seed: int = 1) -> Atoms:
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=seed)
    return atoms


def test_molecular_dynamics_has_its_energy_forces_and_stress(
    network: form.Network, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    atoms = crystal()
    text = network.model_dump_json()
    for name, content in form.files(text, None, "embedded").items():
        (tmp_path / name).write_text(str(content))
    found = form.evaluator(tmp_path, atoms.numbers, False, 1).evaluate(
        atoms.positions, atoms.cell.array
    )
    atoms.calc = argon()
    assert found.energy == pytest.approx(atoms.get_potential_energy())
    assert found.forces == pytest.approx(atoms.get_forces())
    assert found.stress == pytest.approx(atoms.get_stress())


def test_contacts_are_seen_and_broken_cells_refused() -> None:
    atoms = crystal()
    atoms.positions[1] = atoms.positions[0] + (0.5, 0, 0)
    evaluator = form.Evaluator(argon(), atoms.numbers)
    assert evaluator.evaluate(atoms.positions, atoms.cell.array).min_distance == pytest.approx(0.5)
    atoms.positions[0, 0] = np.nan
    with pytest.raises(FloatingPointError):
        evaluator.evaluate(atoms.positions, atoms.cell.array)


def test_an_examination_compares_with_the_labels() -> None:
    """Labels of the network itself, but for a force of 0.3 eV/A on one component."""
    images = []
    for seed in (1, 2):
        atoms = crystal(seed)
        atoms.calc = argon()
        forces = atoms.get_forces()
        forces[0, 0] += 0.3
        labelled = atoms.copy()
        labelled.calc = SinglePointCalculator(
            labelled,
            energy=atoms.get_potential_energy(),
            forces=forces,
            stress=atoms.get_stress(),
        )
        images.append(labelled)
    labels = Frames.of(images)
    ours = references(labels)
    its = answers(labels, partial(form.Evaluator, argon()))
    away = its[1] - ours[1]
    assert np.abs(away).max() == pytest.approx(0.3)
    assert np.count_nonzero(np.abs(away) > 1e-8) == 2
    assert its[0] == pytest.approx(ours[0])
    assert its[2] == pytest.approx(ours[2])


def test_a_lammps_of_ones_own_cannot_run_it() -> None:
    with pytest.raises(EngineError, match="cannot run a pretrained network") as caught:
        form.pair_style("mtp", None)
    assert "embedded" in caught.value.remedy


STUDY = """\
borarun: 1
name: network
material: {formula: Li2B12H12, phases: {Pa-3: structures/Li2B12H12-Pa-3.cif}, mobile: Li,
  anions: B12H12}
functionals: [PBE]
reference: {engine: bundled}
training_set: {aimd: {temperatures_K: [300], time_ps: 1, sample_every_fs: 20}}
potential: {engine: pretrained, family: chgnetMODEL}
supercell: [1, 1, 1]
heating: {}
"""


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("", ""),
        (", model: 0.3.0", ""),
        (", model: '1.0'", r"must be one that chgnet contains: 0.3.0, 0.2.0, r2scan \(got 1.0\)"),
        ("}\nactive_learning: {", "the engine pretrained does not compute them"),
    ],
)
def test_what_a_study_may_say_of_it(mini_study: Path, keys: str, says: str) -> None:
    file = mini_study.with_name("network.yaml")
    file.write_text(STUDY.replace("MODEL", keys))
    if not says:
        section = load_study(file).section(NetworkPotential)
        assert section is not None
        assert section.title == "pretrained network CHGNet 0.3.0"
        return
    with pytest.raises(StudyError, match=says):
        load_study(file)


@needs_chgnet
def test_chgnet_is_examined_and_named(tmp_path: Path) -> None:
    atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = SinglePointCalculator(
        atoms, energy=-27.0, forces=np.zeros((8, 3)), stress=np.zeros(6)
    )
    settings = engine.Settings(operation="train", family="chgnet")
    assert engine.missing(settings, Program()) == ""
    labels: Any = [Frames.of([atoms])]
    for name, content in engine.render(settings, {"labels": labels}, Program()).items():
        (tmp_path / name).write_text(str(content))
    subprocess.run(engine.command(settings, 1, Program()), cwd=tmp_path, check=True, timeout=600)
    result = engine.parse(settings, tmp_path)
    facts = result.facts
    assert isinstance(facts, Trained)
    assert (facts.n_train, facts.n_valid, facts.errors.train) == (0, 1, None)
    assert facts.errors.valid.forces_eV_per_A > 0.01
    known = form.known(result.texts[Trained.POTENTIAL])
    assert known.species == (3, 17) and known.packages[0].startswith("chgnet")
