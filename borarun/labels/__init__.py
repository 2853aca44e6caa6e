"""Configurations that a study brings along, with labels to learn from or without, to be labelled:
read and checked once, so that a training learns from nothing that is not a label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from borarun.basics.errors import EngineError, StudyError
from borarun.labels import gate
from borarun.labels.cfg_file import of_cfg
from borarun.labels.extended_xyz import of_extended_xyz, unlabelled
from borarun.labels.packed import content_of, name_of, unpacked
from borarun.labels.sifted import Sifted, wrong
from borarun.records.frames import Frames
from borarun.structures.files.text import decoded

__all__ = ["Labels", "OutputReader", "read_configurations", "read_labels", "without"]

FEWEST = 2
"""One to learn, and one to judge by."""

MOST_REMARKS = 20
"""On a set of many files."""

CHARGE_TOLERANCE = 0.01
"""Elementary charges; programs print at least two digits of their electrons."""

EXTENDED_XYZ = {".extxyz", ".xyz"}

OutputReader = Callable[[Path], Sifted]
"""Reads the labels of the output of a program."""


@dataclass(frozen=True)
class Labels:
    """Configurations of a file, and what a user should know of how they were read.

    Attributes
    ----------
    frames : energies in eV, forces in eV/angstrom, stresses in eV/angstrom^3 with ASE's sign and
        order; none of them where the configurations are to be labelled
    remarks : what was left out, and why
    lengths : how many of the frames are of each file, in order; empty where there is one
    """

    frames: Frames
    remarks: tuple[str, ...]
    lengths: tuple[int, ...] = ()


def read_labels(
    files: Mapping[str, Path],
    elements: Sequence[str],
    cfg_elements: Sequence[str] | None = None,
    read_output: OutputReader | None = None,
    charge_of: Callable[[NDArray[np.int64]], float] | None = None,
) -> Labels:
    """The labelled configurations of files, checked as one set.

    Parameters
    ----------
    files : by the names that messages call them; the kind is told by the file's own name: extended
        XYZ (``.extxyz``, ``.xyz``), MLIP's cfg (``.cfg``), else the output of a program. All may be
        compressed: ``.xz``, ``.gz``, ``.bz2``
    elements : of the material; every one must occur, and no other
    cfg_elements : elements of the types 0, 1, 2 ... of a cfg file
    read_output : reads the output of a program; of several, one without a label is left out
    charge_of : the charge that a cell of some atomic numbers must have, elementary charges

    Returns
    -------
    Labels : without those that did not converge, isolated atoms and doubles, which are counted in
        its remarks. The energy is the free energy, of which forces are the derivative, where every
        configuration of a file has it

    Raises
    ------
    StudyError
        Where a file is missing or unreadable, a configuration has no cell, no energy, no forces
        or no stress, a number is none or of another unit, labels are a potential's or of several
        settings, or the elements are not those of the material. Of several files, the message
        names the one.

    Source: conventions of ASE's extended XYZ, and of MLIP-3's cfg (``borarun.mtp.cfg``).
    """
    parts: dict[str, Sifted] = {}
    remarks: list[str] = []
    for name, path in files.items():
        suffix = name_of(path).suffix.lower()
        try:
            if suffix in EXTENDED_XYZ:
                parts[name] = of_extended_xyz(decoded(content_of(path)))
            elif suffix == ".cfg":
                parts[name] = of_cfg(decoded(content_of(path)), cfg_elements)
            elif read_output is not None:
                with unpacked(path) as file:
                    part = read_output(file)
                if charge_of is not None:
                    _check_charge(part, charge_of)
                parts[name] = part
            else:
                raise wrong("unknown kind of file. Use .extxyz (extended XYZ) or .cfg (MLIP).")
        except StudyError as error:
            said = error.problems[0].message
            if len(files) == 1:
                raise wrong(said) from error
            if suffix in EXTENDED_XYZ | {".cfg"} or not path.is_file():
                raise wrong(f"{name}: {said}") from error
            remarks.append(f"{name}: left out: {said}")
    if not parts:
        raise wrong(f"no file of {len(files)} has a label. {remarks[0]}")
    named = len(files) > 1
    remarks += [
        f"{name}: {remark}" if named else remark
        for name, part in parts.items()
        for remark in part.remarks
    ]
    lengths = [len(part.frames) for part in parts.values()]
    found = _checked(_together(parts), elements, remarks, lengths)
    if len(found.remarks) > MOST_REMARKS:
        more = len(found.remarks) - MOST_REMARKS
        remarks = [*found.remarks[:MOST_REMARKS], f"and {more} more like these"]
        return replace(found, remarks=tuple(remarks))
    return found


def _check_charge(part: Sifted, charge_of: Callable[[NDArray[np.int64]], float]) -> None:
    """Refuse labels of cells with another charge than the study gives them.

    Raises
    ------
    StudyError
        Where it is another one, or the study's charge cannot be told.
    """
    if part.charge is None or not len(part.frames):
        return
    try:
        wanted = charge_of(part.frames[0].numbers)
    except EngineError as error:
        raise wrong(f"{error} {error.remedy}") from error
    if abs(part.charge - wanted) > CHARGE_TOLERANCE:
        raise wrong(
            f"is of cells with a charge of {part.charge:+g} instead of {wanted:+g}. Compute them "
            "again, or change reference.charge or reference.charge_per_vacancy."
        )


def _together(parts: Mapping[str, Sifted]) -> Sifted:
    """The labels of all files as one set.

    Raises
    ------
    StudyError
        Where they are of several settings.
    """
    if len(parts) == 1:
        return next(iter(parts.values()))
    first: dict[str, tuple[str, str]] = {}
    for name, part in parts.items():
        for key, value in part.setting.items():
            other, was = first.setdefault(key, (name, value))
            if was != value:
                raise wrong(
                    f"labels of two settings: {key} is {was} in {other}, and {value} in {name}. "
                    "Keep those of one, or compute the others again."
                )
    return Sifted(
        frames=Frames.of([frame for part in parts.values() for frame in part.frames]),
        numbers=[f"{number} of {name}" for name, part in parts.items() for number in part.numbers],
        remarks=(),
    )


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
        if name_of(path).suffix.lower() not in EXTENDED_XYZ:
            raise wrong("unknown kind of file. Use .extxyz (extended XYZ).")
        sifted = unlabelled(decoded(content_of(path)))
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
            f"{doubles} of {len(frames)} configurations occur more than once; each is labelled once"
        )
    return Labels(frames.take(kept), tuple(remarks))


def without(frames: Frames, labelled: Frames) -> Frames:
    """The configurations of ``frames``, in order, that are not among the ``labelled`` ones."""
    there = set(gate.geometries(labelled))
    return frames.take(
        [index for index, each in enumerate(gate.geometries(frames)) if each not in there]
    )


def _of_the_material(there: set[str], elements: Sequence[str]) -> None:
    """Refuse elements that the material does not have."""
    if strange := sorted(there - set(elements)):
        raise wrong(
            f"contains {', '.join(strange)}, which the material "
            f"{'does' if len(strange) == 1 else 'do'} not have. Check the elements."
        )


def _checked(
    sifted: Sifted, elements: Sequence[str], remarks: list[str], lengths: Sequence[int]
) -> Labels:
    """What no reader checks. ``remarks`` are those of the readers, and are added to; ``lengths``
    are those of the files.
    """
    frames, numbers = sifted.frames, sifted.numbers
    if len(frames) < FEWEST:
        left_out = f" ({'; '.join(remarks)})" if remarks else ""
        raise wrong(
            f"holds {len(frames)} usable configurations{left_out}. At least {FEWEST} are "
            "needed, of which one is held out."
        )
    for finding in gate.findings(frames, numbers):
        raise wrong(finding)
    there = gate.elements_of(frames)
    _of_the_material(there, elements)
    if lacking := sorted(set(elements) - there):
        raise wrong(
            f"has no {', '.join(lacking)}, so a potential cannot learn these elements. "
            "Check the elements."
        )
    kept = gate.distinct(frames)
    if doubles := len(frames) - len(kept):
        remarks.append(
            f"{doubles} of {len(frames)} configurations occur more than once; each counts once"
        )
        if len(kept) < FEWEST:
            raise wrong(
                f"holds {len(kept)} usable configuration ({'; '.join(remarks)}). At least "
                f"{FEWEST} different ones are needed, of which one is held out."
            )
        frames, numbers = frames.take(kept), [numbers[index] for index in kept]
    for finding in gate.mixture(frames, numbers):
        raise wrong(finding)
    if len(lengths) < 2:
        return Labels(frames, tuple(remarks))
    of_file = np.repeat(np.arange(len(lengths)), lengths)[kept]
    left = np.bincount(of_file, minlength=len(lengths))
    return Labels(frames, tuple(remarks), tuple(left.tolist()))
