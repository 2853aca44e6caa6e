"""Labelled configurations that a study brings along: read and checked once, so that a training
learns from nothing that is not a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from borarun.errors import StudyError
from borarun.frames import Frames
from borarun.labels import gate
from borarun.labels.cfg_file import of_cfg
from borarun.labels.extended_xyz import of_extended_xyz
from borarun.labels.sifted import Sifted, wrong
from borarun.structure_files.text import text_of

__all__ = ["Labels", "read_labels"]

LARGEST_FILE_B = 60_000_000
"""Six thousand configurations of a hundred atoms."""

FEWEST = 2
"""One to learn, and one to judge by."""


@dataclass(frozen=True)
class Labels:
    """Configurations to learn from, and what a user should know of how they were read.

    Attributes
    ----------
    frames : energies in eV, forces in eV/angstrom, stresses in eV/angstrom^3 with ASE's sign and
        order
    remarks : what was left out, and why
    """

    frames: Frames
    remarks: tuple[str, ...]


def read_labels(path: Path, elements: Sequence[str], cfg_elements: Sequence[str] | None) -> Labels:
    """The labelled configurations of an extended XYZ or cfg file, checked.

    Parameters
    ----------
    path : file; the kind is told by its name (``.extxyz``, ``.xyz``; ``.cfg``)
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
    if not path.is_file():
        raise wrong("no such file in the study's folder.")
    if (size := path.stat().st_size) > LARGEST_FILE_B:
        raise wrong(
            f"too large (got {size / 1e6:.0f} MB, at most {LARGEST_FILE_B / 1e6:.0f} MB). Keep "
            "fewer configurations, which differ more."
        )
    suffix = path.suffix.lower()
    try:
        text = text_of(path)
        if suffix == ".cfg":
            sifted = of_cfg(text, cfg_elements)
        elif suffix in {".extxyz", ".xyz"}:
            sifted = of_extended_xyz(text)
        else:
            raise wrong("unknown kind of file. Use .extxyz (extended XYZ) or .cfg (MLIP).")
    except OSError as error:
        raise wrong(
            f"cannot be read ({error.strerror}). Check the path and its permissions."
        ) from error
    except StudyError as error:
        raise wrong(error.problems[0].message) from error
    return _checked(sifted, elements)


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
    if strange := sorted(there - set(elements)):
        raise wrong(
            f"holds {', '.join(strange)}, which the material "
            f"{'does' if len(strange) == 1 else 'do'} not have. Check the elements."
        )
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
