"""Configurations that a study brings along, with labels to learn from or without, to be labelled:
read and checked once, so that a training learns from nothing that is not a label.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from borarun.errors import StudyError
from borarun.frames import Frames
from borarun.labels import gate
from borarun.labels.cfg_file import of_cfg
from borarun.labels.extended_xyz import of_extended_xyz, unlabelled
from borarun.labels.sifted import Sifted, wrong
from borarun.structure_files.text import decoded

__all__ = ["Labels", "read_configurations", "read_labels", "without"]

LARGEST_FILE_B = 60_000_000
"""Six thousand configurations of a hundred atoms."""

PACKED: dict[str, Callable[[Path], Any]] = {
    ".xz": lzma.open,
    ".gz": gzip.open,
    ".bz2": bz2.open,
}
"""What opens a compressed file, by the end of its name."""

FEWEST = 2
"""One to learn, and one to judge by."""


@dataclass(frozen=True)
class Labels:
    """Configurations of a file, and what a user should know of how they were read.

    Attributes
    ----------
    frames : energies in eV, forces in eV/angstrom, stresses in eV/angstrom^3 with ASE's sign and
        order; none of them where the configurations are to be labelled
    remarks : what was left out, and why
    """

    frames: Frames
    remarks: tuple[str, ...]


def read_labels(path: Path, elements: Sequence[str], cfg_elements: Sequence[str] | None) -> Labels:
    """The labelled configurations of an extended XYZ or cfg file, checked.

    Parameters
    ----------
    path : file; the kind is told by its name (``.extxyz``, ``.xyz``; ``.cfg``), which may end in
        ``.xz``, ``.gz`` or ``.bz2`` where it is compressed
    elements : of the material; every one must occur, and no other
    cfg_elements : elements of the types 0, 1, 2 ... of a cfg file

    Returns
    -------
    Labels : without those that did not converge, isolated atoms and doubles, which are counted in
        its remarks. The energy is the free energy, of which forces are the derivative, where every
        configuration has it

    Raises
    ------
    StudyError
        Where the file is missing or unreadable, a configuration has no cell, no energy, no forces
        or no stress, a number is none or of another unit, labels are a potential's or of several
        settings, or the elements are not those of the material.

    Source: conventions of ASE's extended XYZ, and of MLIP-3's cfg (``borarun.mtp.cfg``).
    """
    try:
        suffix, text = _text(path)
        if suffix == ".cfg":
            sifted = of_cfg(text, cfg_elements)
        elif suffix in {".extxyz", ".xyz"}:
            sifted = of_extended_xyz(text)
        else:
            raise wrong("unknown kind of file. Use .extxyz (extended XYZ) or .cfg (MLIP).")
    except StudyError as error:
        raise wrong(error.problems[0].message) from error
    return _checked(sifted, elements)


def read_configurations(path: Path, elements: Sequence[str]) -> Labels:
    """The configurations of an extended XYZ file, to be labelled; labels that it has do not count.

    Parameters
    ----------
    path : file, compressed or not
    elements : of the material; no other may occur

    Returns
    -------
    Labels : configurations without labels, each once, in the file's order

    Raises
    ------
    StudyError
        Where the file is missing or unreadable, a configuration is not periodic, has no volume or
        an element that the material does not have.
    """
    try:
        suffix, text = _text(path)
        if suffix not in {".extxyz", ".xyz"}:
            raise wrong("unknown kind of file. Use .extxyz (extended XYZ).")
        sifted = unlabelled(text)
    except StudyError as error:
        raise wrong(error.problems[0].message) from error
    frames, remarks = sifted.frames, list(sifted.remarks)
    if not len(frames):
        raise wrong("holds no configuration. Write at least one, or remove the key.")
    for finding in gate.findings(frames, sifted.numbers):
        raise wrong(finding)
    _of_the_material(gate.elements_of(frames), elements)
    kept = gate.distinct(frames)
    if doubles := len(frames) - len(kept):
        remarks.append(
            f"{doubles} of {len(frames)} configurations are in the file more than once; each is "
            "labelled once"
        )
    return Labels(frames.take(kept), tuple(remarks))


def without(frames: Frames, labelled: Frames) -> Frames:
    """The configurations of ``frames``, in order, that are not among the ``labelled`` ones."""
    there = gate.geometries(labelled)
    return frames.take(
        [index for index, each in enumerate(gate.geometries(frames)) if each not in there]
    )


def _text(path: Path) -> tuple[str, str]:
    """The end of a file's name that tells its kind, and its text, unpacked where it is compressed.

    Raises
    ------
    StudyError
        Where it is missing, unreadable, damaged or too large.
    """
    if not path.is_file():
        raise wrong("no such file in the study's folder.")
    name = PurePath(path.name)
    opened = PACKED.get(name.suffix.lower())
    try:
        with opened(path) if opened else path.open("rb") as file:
            content = file.read(LARGEST_FILE_B + 1)
    except (lzma.LZMAError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise wrong(f"is damaged ({error}). Compress it again.") from error
    except OSError as error:
        if opened and error.errno is None:  # what bz2 says of a damaged file
            raise wrong(f"is damaged ({error}). Compress it again.") from error
        raise wrong(
            f"cannot be read ({error.strerror}). Check the path and its permissions."
        ) from error
    if len(content) > LARGEST_FILE_B:
        size = "more" if opened else f"{path.stat().st_size / 1e6:.0f} MB"
        raise wrong(
            f"too large (got {size}, at most {LARGEST_FILE_B / 1e6:.0f} MB"
            f"{' unpacked' if opened else ''}). Keep fewer configurations, which differ more."
        )
    return (PurePath(name.stem) if opened else name).suffix.lower(), decoded(content)


def _of_the_material(there: set[str], elements: Sequence[str]) -> None:
    """Refuse elements that the material does not have."""
    if strange := sorted(there - set(elements)):
        raise wrong(
            f"holds {', '.join(strange)}, which the material "
            f"{'does' if len(strange) == 1 else 'do'} not have. Check the elements."
        )


def _checked(sifted: Sifted, elements: Sequence[str]) -> Labels:
    """What no reader checks."""
    frames, numbers, remarks = sifted.frames, sifted.numbers, list(sifted.remarks)
    if len(frames) < FEWEST:
        left_out = f" ({'; '.join(remarks)})" if remarks else ""
        raise wrong(
            f"holds {len(frames)} configurations to learn from{left_out}. At least {FEWEST} are "
            "needed, of which one is held out."
        )
    for finding in gate.findings(frames, numbers):
        raise wrong(finding)
    there = gate.elements_of(frames)
    _of_the_material(there, elements)
    if lacking := sorted(set(elements) - there):
        raise wrong(
            f"has no {', '.join(lacking)}, of which a potential would learn nothing. Check "
            "the elements."
        )
    kept = gate.distinct(frames)
    if doubles := len(frames) - len(kept):
        remarks.append(
            f"{doubles} of {len(frames)} configurations are in the file more than once; each "
            "counts once"
        )
        if len(kept) < FEWEST:
            raise wrong(
                f"holds {len(kept)} configuration to learn from ({'; '.join(remarks)}). At least "
                f"{FEWEST} different ones are needed, of which one is held out."
            )
        frames, numbers = frames.take(kept), [numbers[index] for index in kept]
    for finding in gate.mixture(frames, numbers):
        raise wrong(finding)
    return Labels(frames, tuple(remarks))
