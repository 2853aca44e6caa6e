"""Labelled configurations that a study brings along: read and checked once, so that a training
learns from nothing that is no label.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers, chemical_symbols

from borarun.errors import Problem, StudyError
from borarun.frames import Frames
from borarun.mtp import cfg

LARGEST_FILE_B = 1_000_000_000
"""A hundred thousand configurations of a hundred atoms."""

FEWEST = 2
"""One to learn, and one to judge by."""

LABELS = ("energy", "forces", "stress")

LARGEST = {"forces": (500.0, "eV/angstrom"), "stress": (3.0, "eV/angstrom^3")}
"""Beyond these a number is of another unit, or of atoms in one another: 3 eV/angstrom^3 are 480
GPa.
"""

SMALLEST_VOLUME_A3 = 1.0

HOW = (
    "Write `energy` (eV), `forces` (eV/angstrom) and `stress` (eV/angstrom^3, 3x3, negative "
    "where the cell is under pressure) for each, as ASE does."
)


def read_labels(path: Path, elements: Sequence[str], cfg_elements: Sequence[str] | None) -> Frames:
    """The labelled configurations of an extended XYZ or cfg file, checked.

    Parameters
    ----------
    path : file; the kind is told by its name (``.extxyz``, ``.xyz``; ``.cfg``)
    elements : of the material; every one must occur, and no other
    cfg_elements : elements of the types 0, 1, 2 ... of a cfg file

    Returns
    -------
    Frames : energies in eV, forces in eV/angstrom, stresses in eV/angstrom^3 with ASE's sign and
        order. The energy is the free energy, of which
        forces are the derivative, where every configuration has it

    Raises
    ------
    StudyError
        Where the file is missing or unreadable, a configuration has no cell, no energy, no forces
        or no stress, a number is none or of another unit, or the elements are not those of the
        material.

    Source: conventions of ASE's extended XYZ, and of MLIP-3's cfg (``borarun.mtp.cfg``).
    """
    if not path.is_file():
        raise _wrong("no such file in the study's folder.")
    if (size := path.stat().st_size) > LARGEST_FILE_B:
        raise _wrong(f"too large (got {size / 1e6:.0f} MB, at most {LARGEST_FILE_B / 1e6:.0f} MB).")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _wrong(f"cannot be read ({error}).") from error
    suffix = path.suffix.lower()
    if suffix == ".cfg":
        frames = _of_cfg(text, cfg_elements)
    elif suffix in {".extxyz", ".xyz"}:
        frames = _of_extxyz(text)
    else:
        raise _wrong("unknown kind of file. Use .extxyz (extended XYZ) or .cfg (MLIP).")
    _check(frames, elements)
    return frames


def _of_extxyz(text: str) -> Frames:
    from ase.io import read  # loads scipy whole: a plan need not wait for it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the checks below judge
            images = read(io.StringIO(text), index=":", format="extxyz") if text.strip() else []
    except Exception as error:  # ASE raises whatever its reader stumbles over
        raise _wrong(f"is no extended XYZ ({' '.join(str(error).split())[:200]}). {HOW}") from error
    assert isinstance(images, list)
    for number, image in enumerate(images, 1):
        found = _results(image)
        if lacking := [name for name in LABELS if name not in found]:
            others = [*found, *image.info, *image.arrays]
            has = [
                name
                for name in dict.fromkeys((*LABELS, *others))
                if name in others and name not in ("numbers", "positions")
            ]
            raise _wrong(
                f"configuration {number} has no {lacking[0]} (its labels are "
                f"{', '.join(has) or 'none'}). {HOW}"
            )
    if images and all("free_energy" in _results(image) for image in images):
        for image in images:
            image.calc = SinglePointCalculator(
                image, **{**_results(image), "energy": _results(image)["free_energy"]}
            )
    return Frames.of(images)


def _results(image: Atoms) -> dict[str, object]:
    return image.calc.results if image.calc else {}


def _of_cfg(text: str, elements: Sequence[str] | None) -> Frames:
    if elements is None:
        raise _wrong(
            "a cfg file numbers its elements. Name them in training_set.cfg_elements, in the "
            "order of their types, e.g. [Li, B, H]."
        )
    if strange := [element for element in elements if element not in atomic_numbers]:
        raise _wrong(
            f"training_set.cfg_elements: no chemical element (got {strange[0]!r:.40}). Write "
            "symbols, e.g. [Li, B, H]."
        )
    try:
        frames = cfg.read(text, [atomic_numbers[element] for element in elements])
    except ValueError as error:
        raise _wrong(
            f"is no whole cfg file of the elements {', '.join(elements)}: {error}."
        ) from error
    for name in LABELS:
        if len(frames) and getattr(frames, name) is None:
            shown = {"energy": "Energy", "forces": "fx fy fz", "stress": "PlusStress"}[name]
            raise _wrong(
                f"not every configuration has {shown} and a Supercell. Convert it again from "
                "what computed it, or leave those without out."
            )
    return frames


def _check(frames: Frames, elements: Sequence[str]) -> None:
    """What no reader checks."""
    if len(frames) < FEWEST:
        raise _wrong(
            f"holds {len(frames)} configurations. At least {FEWEST} are needed, of which one "
            "is held out."
        )
    of_atom = np.repeat(np.arange(1, len(frames) + 1), np.diff(frames.offsets))
    of_frame = np.arange(1, len(frames) + 1)
    volume = np.abs(np.linalg.det(frames.cell))
    if (flat := of_frame[~(volume > SMALLEST_VOLUME_A3)]).size:
        raise _wrong(
            f"configuration {flat[0]} has no cell, and stresses need one. Leave it out, or "
            "give it its cell."
        )
    for name, values in frames.arrays().items():
        rows = values.reshape(len(values), -1)
        numbers = of_atom if len(rows) == len(of_atom) else of_frame
        if name != "offsets" and (bad := numbers[~np.isfinite(rows).all(axis=1)]).size:
            raise _wrong(f"configuration {bad[0]} has {name} that are no numbers. Leave it out.")
        most, unit = LARGEST.get(name, (np.inf, ""))
        if name in LARGEST and (bad := numbers[np.abs(rows).max(axis=1) > most]).size:
            worst = np.abs(rows[numbers == bad[0]]).max()
            raise _wrong(
                f"configuration {bad[0]}: {name} of {worst:.4g} {unit} (at most {most:g}). "
                "Check the unit, or leave it out."
            )
    there = {chemical_symbols[number] for number in np.unique(frames.numbers)}
    if strange := sorted(there - set(elements)):
        raise _wrong(
            f"holds {', '.join(strange)}, which the material "
            f"{'does' if len(strange) == 1 else 'do'} not have. Check the elements."
        )
    if lacking := sorted(set(elements) - there):
        raise _wrong(
            f"has no {', '.join(lacking)}, of which a potential would learn nothing. Check "
            "the elements."
        )


def _wrong(message: str) -> StudyError:
    return StudyError(Problem("labels", 0, "", message))
