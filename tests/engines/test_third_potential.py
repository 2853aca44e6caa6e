"""A third kind of potential, a pair potential that is linear in its parameters, goes all the way
through a study: it is trained, explores, selects by its own uncertainty, is trained anew, moves
ions in LAMMPS and is exported. It is a folder in ``engines/`` of a copy of the package, and a line.
"""

from __future__ import annotations

import filecmp
import json
import shutil
from pathlib import Path

import numpy as np
from test_contributing import (
    ENGINE_LINES,
    ROOT,
    SPRINGS_CELL,
    SPRINGS_ENGINE,
    SPRINGS_SECTION,
    Run,
    add_line,
)
from test_contributing import copy as copy
from test_contributing import run as run

from borarun.records.store import Store

DATA = ROOT / "tests" / "data"

STUDY = """
borarun: 1
name: salt
material:
  formula: LiH
  phases: {rocksalt: LiH.xyz}
  mobile: Li
functionals: [PBE]
reference: {engine: springs}
training_set:
  aimd: {temperatures_K: [100, 300, 600], time_ps: 0.1, timestep_fs: 1, sample_every_fs: 2}
  contacts: 0
  strained_bonds: 0
  validation_fraction: 0.2
potential: {engine: pair, n_radial: 6, cutoff_A: 4}
active_learning:
  threshold_save: 1.1
  threshold_break: 1000
  grade_every_steps: 10
  to_K: 300
  heating_ns: 0.0002
  hold_ns: 0.0002
  timestep_fs: 1
  vacancies: [0]
  runs: 1
  max_rounds: 2
  max_labels_per_round: 5
supercell: [1, 1, 1]
diffusion:
  temperatures_K: [100]
  vacancies: [0]
  heating_rate_K_per_ps: 1000
  equilibration_ns: 0.0002
  time_ns: 0.0005
  timestep_fs: 1
  sample_every_fs: 5
"""


def test_a_potential_that_is_no_mtp_goes_through_the_whole_study(copy: Path, run: Run) -> None:
    package = copy / "borarun"
    shutil.copytree(DATA / "pair_potential", package / "engines" / "pair")
    (package / "engines" / "springs").mkdir()
    for name, text in {
        "__init__": "",
        "section": SPRINGS_SECTION,
        "engine": SPRINGS_ENGINE,
        "calculator": (DATA / "salt_calculator.py").read_text(),
    }.items():
        (package / "engines" / "springs" / f"{name}.py").write_text(text)
    registry = package / "engines" / "registry.py"
    for before, line in ENGINE_LINES.items():
        add_line(registry, before, line)
    add_line(registry, '    "mlip-3": mlip_3,\n', '    "pair": pair,\n')
    add_line(
        registry,
        "from borarun.engines.phonopy import",
        "from borarun.engines.pair import engine as pair\n",
    )
    others = [
        path.relative_to(package)
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] != "engines"
    ]
    assert not filecmp.cmpfiles(package, ROOT / "borarun", others, shallow=False)[1]

    (copy / "study.yaml").write_text(STUDY)
    (copy / "LiH.xyz").write_text(SPRINGS_CELL)
    run("-m", "borarun", "validate", "study.yaml")
    run("-m", "borarun", "submit", "study.yaml")

    store = Store(copy / "runs" / "store")
    records = {key: store.record(key) for key in sorted(store.keys())}
    tasks = {key: store.task(key) for key in records}
    trained = [key for key, task in tasks.items() if task.settings.get("operation") == "train"]
    facts = [records[key].stored for key in trained]
    for each in facts:
        assert each["n_parameters"] == 3 * 6 + 2
        low, high = each["ranges"]["forces_eV_per_A"]
        assert each["errors"]["valid"]["forces_eV_per_A"] < 0.05 * (high - low)
    selections = [
        records[key].stored
        for key, task in tasks.items()
        if task.settings.get("operation") == "select"
    ]
    assert len(selections) > 0
    assert all(max(each["grades"]) > 1.1 for each in selections)
    learnt = sorted(each["n_train"] for each in facts)  # each training learns what was selected
    assert sorted(np.diff(learnt)) == sorted(each["n_selected"] for each in selections)

    [produced] = [key for key, task in tasks.items() if task.stage == "diffusion"]
    assert records[produced].stored["grade_max"] > 0
    energy = store.array(produced, "thermo/potential_energy")
    assert np.isfinite(energy).all() and len(energy) > 100

    run("-m", "borarun", "export", "study.yaml", "--output", "out")
    [file] = (copy / "out" / "potentials").iterdir()
    assert len(json.loads(file.read_text())["coefficients"]) == 20
    crate = json.loads((copy / "out" / "ro-crate-metadata.json").read_text())
    assert "pair potential of 20 parameters, PBE" in json.dumps(crate)
    [report] = copy.glob("runs/**/report.html")
    assert "pair potential" in report.read_text()
