"""Make the potential that ships with borarun: fit it to the two files of labels beside this one and run it at 300 K. About an hour on two cores.

    python studies/bundled_reference.py [WORK]

Writes the potential and its record into borarun/potentials. A fit that is whole in WORK is not repeated. Where the labels come from:
borarun/potentials/README.md.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from borarun.analysis.lattice import lattice_parameter
from borarun.engines import lammps, motep
from borarun.engines.base import Result
from borarun.frames import Frames
from borarun.mtp.potential import Potential
from borarun.structure import read_structure
from borarun.study import load_study

STUDIES = Path(__file__).parent
LABELS, CONTACTS = STUDIES / "bundled-reference-labels.extxyz.xz", STUDIES / "bundled-reference-contacts.extxyz.xz"
POTENTIALS = STUDIES.parent / "borarun" / "potentials"
FUNCTIONAL = "PBE-D3"
EQUILIBRATE_PS, HOLD_PS = 10.0, 40.0
STATEMENT = (
    "This potential stands in for DFT so that borarun can be tried without a licence, and is none: "
    "it was fitted to SevenNet-0 with D3(BJ) dispersion, a pretrained network that itself approximates PBE."
)


def run(engine: Any, settings: Any, inputs: dict[str, Any], directory: Path, done: str) -> Result:
    """What an engine leaves in a directory; it is started unless the file ``done`` is there."""
    directory.mkdir(parents=True, exist_ok=True)
    program = engine.Program()
    if not (directory / done).exists():
        for name, content in engine.render(settings, inputs, program).items():
            (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
        subprocess.run(engine.command(settings, os.cpu_count() or 1, program), cwd=directory, check=True)
    result: Result = engine.parse(settings, directory)
    return result


def main(work: Path) -> None:
    """Fit, run, write."""
    study = load_study(STUDIES / "bundled-reference.yaml")
    assert study.potential is not None and study.training_set is not None
    labels, contacts = (Frames.from_extxyz(lzma.decompress(file.read_bytes()).decode()) for file in (LABELS, CONTACTS))
    settings = motep.Settings(
        operation="train",
        **study.potential.model_dump(exclude={"engine"}),
        validation_fraction=study.training_set.validation_fraction,
        seed=study.seed,
        starts=1,
    )
    first = run(motep, settings, {"labels": [labels]}, work / "fit", "result.json").texts["potential"]
    # Contacts are learnt from there, as active learning would: what is far from all else needs a good start.
    fit = run(motep, settings, {"labels": [labels], "selected": [contacts], "potential": first}, work / "contacts", "result.json")
    text = fit.texts["potential"]
    hold = lammps.Settings(
        segments=[
            {"name": "equilibrate", "time_ps": EQUILIBRATE_PS, "from_K": 300, "to_K": 300},
            {"name": "produce", "time_ps": HOLD_PS, "from_K": 300, "to_K": 300, "sample_every_fs": 50},
        ],
        timestep_fs=1.0,
    )
    structure = Frames.of([read_structure(STUDIES / "structures" / "Li2B12H12-Pa-3.cif")])
    lattice = lattice_parameter(
        run(lammps, hold, {"potential": text, "structure": structure}, work / "hold", "outcome.json").arrays["cell"].values, np.ones(3)
    )
    potential, facts = Potential.read(text), fit.facts
    name = POTENTIALS / f"{study.material.formula}-{FUNCTIONAL}"
    name.with_suffix(".mtp").write_text(text)
    record = {
        "statement": STATEMENT,
        "potential_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "functional": FUNCTIONAL,
        "level": potential.level,
        "cutoff_A": potential.cutoff_A,
        "elements": [chemical_symbols[z] for z in potential.species],
        "n_train": facts["n_train"],
        "n_valid": facts["n_valid"],
        "errors": facts["errors"],
        "ranges": facts["ranges"],
        "lattice_parameter_300K_A": round(float(lattice.mean()), 3),
        "n_contacts": len(contacts),
        "labels_sha256": hashlib.sha256(LABELS.read_bytes() + CONTACTS.read_bytes()).hexdigest(),
        "command": "python studies/bundled_reference.py",
        "versions": {package: version(package) for package in ("motep", "lammps", "borarun")},
    }
    name.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"{name.with_suffix('.mtp')}: {facts['n_train']} + {facts['n_valid']} labels, {facts['errors']['valid']}, a(300 K) = {lattice.mean():.3f} A")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/bundled-reference-fit"))
