"""Relaxed structures as files of the field."""

from __future__ import annotations

from collections.abc import Sequence

from borarun.records.store import Store
from borarun.records.task import Task
from borarun.report.blocks import File
from borarun.report.text import file_name
from borarun.subjects.relax.stage import Relaxation


def export(done: Sequence[Task], store: Store) -> dict[str, File]:
    """A CIF for each relaxed phase and functional."""
    # here, because its import takes longer than all the rest
    from pymatgen.io.ase import AseAtomsAdaptor
    from pymatgen.io.cif import CifWriter

    found: dict[str, File] = {}
    for task in done:
        if not isinstance(task.about, Relaxation):
            continue
        atoms = store.frames(task.key, "structure")[-1]
        atoms.calc = None
        text = str(CifWriter(AseAtomsAdaptor.get_structure(atoms), significant_figures=12))
        name = f"{file_name(task.about.phase)}_{file_name(task.about.functional)}"
        path = f"structures/{name}.cif"
        if path in found:  # phases whose names differ in what file names do not have
            path = f"structures/{name}_{task.key[:8]}.cif"
        what = f"{task.label}, relaxed, all atoms of the cell without symmetry"
        found[path] = File(text.encode(), what)
    return found
