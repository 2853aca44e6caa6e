"""Outputs of programs that a group has already, as labels: who reads which."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from borarun.engines.reference.base import ReferenceSection
from borarun.labels import OutputReader
from borarun.labels.sifted import Sifted, wrong

READERS = ("borarun.engines.vasp.labels", "borarun.engines.quantum_espresso.labels")
"""Modules that read the outputs of a program, loaded where a study names an output. To add one: a
module, a line here, a test.
"""


def without_twins(files: Mapping[str, Path]) -> dict[str, Path]:
    """Files without each OUTCAR beside whose run there is the ``vasprun.xml``, which has more
    digits.
    """
    told = {path.parent for path in files.values() if path.name.lower().startswith("vasprun")}
    return {
        name: path
        for name, path in files.items()
        if not (path.name.upper().startswith("OUTCAR") and path.parent in told)
    }


class Reader(Protocol):
    """What each of ``READERS`` has."""

    def recognises(self, file: Path) -> bool:
        """Whether a file is an output of the program."""

    def read_labels(self, file: Path, functional: str, reference: ReferenceSection) -> Sifted:
        """The labels of an output, which must be of a functional and of the settings of the
        study's reference.
        """


def reader(functional: str, reference: ReferenceSection) -> OutputReader:
    """What reads the labels of an output of any program.

    Raises
    ------
    StudyError
        When called, where nobody knows the file, or it holds no label of the functional.
    """

    def read(file: Path) -> Sifted:
        for name in READERS:
            module = cast(Reader, import_module(name))
            if module.recognises(file):
                return module.read_labels(file, functional, reference)
        raise wrong(
            "unknown kind of file. Use .extxyz (extended XYZ), .cfg (MLIP), a vasprun.xml, an "
            "OUTCAR or an output of pw.x."
        )

    return read
