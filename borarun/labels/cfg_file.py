"""Labels of an MLIP cfg file."""

from __future__ import annotations

from collections.abc import Sequence

from ase.data import atomic_numbers

from borarun.labels.sifted import (
    MOST,
    Sifted,
    is_potential,
    is_unconverged,
    left_out,
    of_potential,
    too_many,
    wrong,
)
from borarun.mtp import cfg

ORIGIN = "EFS_by"
"""Feature that says what computed energy, forces and stress."""

SHOWN = {"energy": "Energy", "forces": "fx fy fz", "stress": "PlusStress"}
"""Labels by their names in the file."""


def of_cfg(text: str, elements: Sequence[str] | None) -> Sifted:
    """The labelled configurations of a cfg file that converged.

    Raises
    ------
    StudyError
        Where the file is damaged, a configuration lacks a label, or a potential computed it.
    """
    if elements is None:
        raise wrong(
            "a cfg file has only numbers for its elements. List the elements in "
            "training_set.cfg_elements in the order of their types, e.g. [Li, B, H]."
        )
    if strange := [element for element in elements if element not in atomic_numbers]:
        raise wrong(
            "training_set.cfg_elements: is not a chemical element (got "
            f"{strange[0]!r:.40}). Write symbols, e.g. [Li, B, H]."
        )
    try:
        bodies = cfg.bodies(text)
        if len(bodies) > MOST:
            raise too_many()
        noted = cfg.features(text)
        kept = []
        for number, notes in enumerate(noted, 1):
            origin = notes.get(ORIGIN, "")
            if is_potential(origin):
                raise of_potential(number, origin.strip())
            if not is_unconverged(origin):
                kept.append(number)
        remarks = left_out(len(noted) - len(kept), len(noted))
        for number in kept:
            _complete(bodies[number - 1], number)
        frames = cfg.read_bodies(
            {number: bodies[number - 1] for number in kept},
            [atomic_numbers[element] for element in elements],
        )
    except ValueError as error:
        raise wrong(
            f"is not a complete cfg file with the elements {', '.join(elements)}: "
            f"{error}. Write it again."
        ) from error
    return Sifted(frames, kept, remarks)


def _complete(body: str, number: int) -> None:
    """Refuse a configuration that lacks a label."""
    there = cfg.labels(body)
    for name in ("energy", "forces", "stress"):
        if name in there:
            continue
        others = ""
        if name == "stress" and (found := [word for word in ("Virial", "Stress") if word in there]):
            others = (
                f" It has {found[0]}, whose sign and unit depend on the program. Write "
                "PlusStress: minus stress times volume, in eV, positive where the cell "
                "is under pressure."
            )
        elif name == "stress":
            others = " Compute it (VASP: ISIF=2 or 3), or remove the configuration."
        else:
            others = " Convert it again from the original output, or remove the configuration."
        raise wrong(f"configuration {number} has no {SHOWN[name]}.{others}")
    if "cell" not in there:
        raise wrong(
            f"configuration {number} has no Supercell, and its stress needs one. Remove "
            "it, or add its cell."
        )
