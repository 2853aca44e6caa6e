"""Take the potentials that ship with borarun from what a study exports, and run each at 300 K. Some
minutes on one core.

    borarun submit studies/bundled-reference.yaml
    borarun export studies/bundled-reference.yaml --output EXPORT
    python studies/bundled_reference.py EXPORT [WORK]

Writes the potentials and their records into borarun/potentials, and the labels they were trained on
beside this file. borarun/potentials/README.md.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from borarun.analysis.lattice import lattice_parameter
from borarun.basics.file import write_files
from borarun.engines.bundled import engine as bundled
from borarun.engines.lammps import engine as lammps
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames
from borarun.structures.files import read_structure

STUDIES = Path(__file__).parent
POTENTIALS = STUDIES.parent / "borarun" / "potentials"
LABELLED_BY = {"PBE-D3": "SevenNet-0 with D3(BJ) dispersion", "PBE": "SevenNet-0"}
EQUILIBRATE_PS, HOLD_PS = 10.0, 40.0
STATEMENT = (
    "This potential replaces DFT so that borarun can be tried without a licence. It is not DFT: "
    "it was trained on {network}, a pretrained network that itself approximates PBE."
)


def lattice_at_300_K(potential: str, work: Path) -> float:
    """Mean lattice parameter of molecular dynamics with the 104-atom cell, angstrom."""
    hold = lammps.Settings(
        segments=[
            {"name": "equilibrate", "time_ps": EQUILIBRATE_PS, "from_K": 300, "to_K": 300},
            {
                "name": "produce",
                "time_ps": HOLD_PS,
                "from_K": 300,
                "to_K": 300,
                "sample_every_fs": 50,
            },
        ],
        timestep_fs=1.0,
    )
    structure = Frames.of([read_structure(STUDIES / "structures" / "Li2B12H12-Pa-3.cif")])
    write_files(
        work,
        lammps.render(hold, {"potential": potential, "structure": structure}, lammps.Program()),
    )
    subprocess.run(lammps.command(hold, 1, lammps.Program()), cwd=work, check=True)
    return float(
        lattice_parameter(lammps.parse(hold, work).arrays["cell"].values, np.ones(3)).mean()
    )


def take(functional: str, export: Path, work: Path) -> None:
    """Potential, record and labels of one functional."""
    text = (export / "potentials" / f"{functional}.mtp").read_text()
    sets = export / "training_sets" / functional
    labels = STUDIES / f"bundled-reference-{functional}.extxyz.xz"
    labels.write_bytes(
        lzma.compress(
            b"".join((sets / f"{part}.extxyz").read_bytes() for part in ("train", "valid")),
            preset=9,
        )
    )
    learning = next(
        one
        for one in json.loads((export / "report" / "results.json").read_text())["learning"]
        if one["functional"] == functional
    )
    training = learning["trainings"][-1]
    potential = Potential.read(text)
    record = {
        "statement": STATEMENT.format(network=LABELLED_BY[functional]),
        "potential_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "functional": functional,
        "level": potential.level,
        "cutoff_A": potential.cutoff_A,
        "elements": [chemical_symbols[z] for z in potential.species],
        "n_train": training["n_train"],
        "n_valid": training["n_valid"],
        "n_pushed": learning["n_pushed"],
        "errors": {part: training[part] for part in ("train", "valid")},
        "ranges": training["ranges"],
        "lattice_parameter_300K_A": round(lattice_at_300_K(text, work / functional), 3),
        "labels_sha256": hashlib.sha256(labels.read_bytes()).hexdigest(),
        "command": "borarun submit studies/bundled-reference.yaml",
        "versions": {package: version(package) for package in ("motep", "lammps", "borarun")},
    }
    name = POTENTIALS / bundled.POTENTIALS[functional]
    name.with_suffix(".mtp").write_text(text)
    name.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(
        f"{name.with_suffix('.mtp')}: {record['errors']['valid']}, a(300 K) = "
        f"{record['lattice_parameter_300K_A']} A"
    )


def main(export: Path, work: Path) -> None:
    """All functionals."""
    for functional in bundled.POTENTIALS:
        take(functional, export, work)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(
            "Where is what the study exported? Usage: python studies/bundled_reference.py "
            "EXPORT [WORK]"
        )
    with tempfile.TemporaryDirectory() as folder:
        main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else folder))
