"""Ship the potential of bundled-reference.yaml: after `borarun submit studies/bundled-reference.yaml`, `python studies/bundled_reference.py [RUNS]`.

Writes the final potential of each functional and its record into borarun/potentials, with the lattice parameter of the study's own run at 300 K.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from borarun.analysis.lattice import lattice_parameter
from borarun.mtp.potential import Potential
from borarun.places import Places, StoredRecords
from borarun.plan import expand
from borarun.store import Store
from borarun.study import load_study
from borarun.task import Ref

STUDY = Path(__file__).parent / "bundled-reference.yaml"
POTENTIALS = Path(__file__).parent.parent / "borarun" / "potentials"
STATEMENT = (
    "This potential stands in for DFT so that borarun can be tried without a licence, and is none: "
    "it was fitted to SevenNet-0 with D3(BJ) dispersion, a pretrained network that itself approximates PBE."
)


def main(runs: Path) -> None:
    """Copy potential and record of every functional of the study."""
    study = load_study(STUDY)
    store = Store(Places.of(runs, study.name).store)
    records = StoredRecords(store)
    plan = expand(study, records)
    for functional in study.functionals:
        [run] = [task for task in plan.tasks if task.stage == "diffusion" and task.about["functional"] == functional]
        final = run.inputs["potential"]
        assert isinstance(final, Ref)
        text, facts = store.text(final.key, "potential"), records[final.key].facts
        potential = Potential.read(text)
        produced = store.array(run.key, "segment") == list(records[run.key].facts["segments"]).index("produce")
        lattice = lattice_parameter(store.array(run.key, "cell")[produced], np.array(study.supercell))
        name = POTENTIALS / f"{study.material.formula}-{functional}"
        name.with_suffix(".mtp").write_text(text)
        record = {
            "statement": STATEMENT,
            "potential_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "functional": functional,
            "level": potential.level,
            "cutoff_A": potential.cutoff_A,
            "elements": [chemical_symbols[z] for z in potential.species],
            "n_train": facts["n_train"],
            "n_valid": facts["n_valid"],
            "errors": facts["errors"],
            "ranges": facts["ranges"],
            "lattice_parameter_300K_A": round(float(lattice.mean()), 3),
            "command": "borarun submit studies/bundled-reference.yaml && python studies/bundled_reference.py",
            "versions": {package: version(package) for package in ("sevenn", "dftd3", "motep", "borarun")},
        }
        name.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
        print(f"{name.with_suffix('.mtp')}: {facts['n_train']} + {facts['n_valid']} labels, {facts['errors']['valid']}, a(300 K) = {lattice.mean():.3f} A")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
