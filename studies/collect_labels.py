"""Add the labels that a study has computed to those that ship.

    borarun submit studies/li2b12h12-dft.yaml --site SITE
    python studies/collect_labels.py runs/store

Takes the finished label tasks of the shipped labels' settings whose configurations come from
``bundled-reference-*.extxyz.xz``, and adds those that are not there yet to
``li2b12h12-rev-vdW-DF2.extxyz.xz`` and ``.json``. Prints rows for the tables of
``li2b12h12-rev-vdW-DF2.md``. Whole tasks are taken, so that the study does not compute the others
again.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines.reference.charge import vacancies
from borarun.labels.gate import geometries
from borarun.records.frames import Frames
from borarun.records.store import Store

STUDIES = Path(__file__).parent
LABELS = STUDIES / "li2b12h12-rev-vdW-DF2.extxyz.xz"
RECORD = LABELS.with_name("li2b12h12-rev-vdW-DF2.json")
SETS = ("PBE-D3", "PBE")

Name = tuple[str, int]


def main() -> None:
    """Add what a store has."""
    store = Store(Path(sys.argv[1]))
    record = json.loads(RECORD.read_text())
    known = {of: (name, stand_in) for of, name, stand_in in stand_ins()}
    parts = [read(LABELS)]
    there = set(geometries(parts[0]))
    for key in sorted(store.keys()):
        task, attributes = store.task(key), store.attributes(key)
        wanted = {name: task.settings.get(name) for name in record["settings"]}
        if task.engine != "quantum-espresso" or wanted != record["settings"]:
            continue
        labels = store.frames(key, "labels")
        is_charged = "charge_per_vacancy" in task.settings
        new = [
            index
            for index, geometry in enumerate(geometries(labels))
            if geometry in known
            and geometry not in there
            and (not is_charged or is_whole(labels.take([index])))
        ]
        if not new:
            continue
        parts.append(labels.take(new))
        there |= set(geometries(labels))
        for index, geometry in zip(new, geometries(parts[-1]), strict=True):
            name, stand_in = known[geometry]
            seconds = round((attributes.provenance.seconds or 0) / len(labels))
            record["labels"].append({"configuration": list(name), "wall_s": seconds})
            print(*rows(name, labels.take([index]), stand_in, seconds), sep="\n")
    together = Frames.join(parts)
    LABELS.write_bytes(lzma.compress(together.to_extxyz().encode(), preset=9))
    record["sha256"] = hashlib.sha256(LABELS.read_bytes()).hexdigest()
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{len(together)} labels")


def is_whole(label: Frames) -> bool:
    """Whether a configuration has no vacancy, and so no charge in any study."""
    return vacancies(Counter(label[0].symbols), "Li2B12H12", "Li") == 0


def read(file: Path) -> Frames:
    """The configurations of a compressed file."""
    return Frames.from_extxyz(lzma.decompress(file.read_bytes()).decode())


def stand_ins() -> list[tuple[bytes, Name, Frames]]:
    """Every configuration of the bundled references: its geometry, its name, its stand-in label."""
    found = []
    for name in SETS:
        frames = read(STUDIES / f"bundled-reference-{name}.extxyz.xz")
        found += [
            (geometry, (name, index), frames.take([index]))
            for index, geometry in enumerate(geometries(frames))
        ]
    return found


def rows(name: Name, label: Frames, stand_in: Frames, seconds: int) -> list[str]:
    """A row for each of the two tables."""
    ours, theirs = label.forces, stand_in.forces
    assert ours is not None and theirs is not None
    assert label.stress is not None and stand_in.stress is not None
    volume = abs(np.linalg.det(label.cell[0]))
    pressures = [-each.stress[0, :3].mean() * EV_PER_A3_IN_KBAR for each in (label, stand_in)]
    called = f"{name[0]} {name[1]}"
    return [
        f"| {called} | {volume:.0f} | {seconds} of wall time | whole |",
        f"| {called} | {np.sqrt(np.mean(ours**2)):.3f} | "
        f"{np.sqrt(np.mean((theirs - ours) ** 2)):.3f} | "
        f"{np.vdot(theirs, ours) / np.vdot(ours, ours):.3f} | "
        f"{np.corrcoef(theirs.ravel(), ours.ravel())[0, 1]:.3f} | "
        f"{pressures[0]:.1f}, {pressures[1]:.1f} |",
    ]


if __name__ == "__main__":
    main()
