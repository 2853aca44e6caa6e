"""Labels of an extended XYZ file, as ASE and most programs write them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from borarun.labels.sifted import (
    HOW,
    MOST,
    Sifted,
    is_potential,
    is_unconverged,
    left_out,
    of_potential,
    too_many,
    wrong,
)
from borarun.records.frames import Frames
from borarun.structures.files.extended_xyz import Configuration, configurations, not_periodic
from borarun.structures.files.text import LARGEST_NUMBER, isotope_remarks

Array = NDArray[Any]

LABELS = ("energy", "forces", "stress")

ORIGINS = ("calculator", "calc", "code", "model", "potential", "source", "method", "EFS_by")
"""Keys by which programs say what computed a configuration."""

CONVERGED = ("converged", "scf_converged", "electronic_converged", "converged_electronic")

ASYMMETRY = 1e-3
"""Of a stress, relative to its largest component, or in eV/angstrom^3 where that is less than 1."""


def of_extended_xyz(text: str) -> Sifted:
    """The labelled configurations of an extended XYZ file, without isolated atoms and those that
    did not converge.

    Raises
    ------
    StudyError
        Where the file is damaged, a configuration lacks a label or is not periodic, or a potential
        computed it.
    """
    kept: list[Configuration] = []
    symbols: set[str] = set()
    left: Counter[str] = Counter()
    whole = 0
    for one in configurations(text):
        whole += 1
        if whole > MOST:
            raise too_many()
        if _is_isolated(one):
            left["isolated"] += 1
            continue
        for key in ORIGINS:
            if is_potential(origin := str(one.info.get(key, ""))[:200]):
                raise of_potential(one.number, origin)
            if is_unconverged(origin):
                left["unconverged"] += 1
                break
        else:
            if any(_is_false(one.info.get(key)) for key in CONVERGED):
                left["unconverged"] += 1
                continue
            _complete(one)
            symbols |= set(one.symbols)
            kept.append(one)
    remarks = left_out(left["unconverged"], whole) + isotope_remarks(symbols)
    if left["isolated"]:
        remarks.append(
            f"{left['isolated']} of {whole} configurations are isolated atoms and are not "
            "used: potentials learn only from crystals"
        )
    free = bool(kept) and all("free_energy" in one.info for one in kept)
    return Sifted(_frames(kept, free), [one.number for one in kept], remarks)


def unlabelled(text: str) -> Sifted:
    """The configurations of an extended XYZ file without isolated atoms; labels are not read.

    Raises
    ------
    StudyError
        Where the file is damaged, or a configuration is not periodic.
    """
    kept: list[Configuration] = []
    whole = 0
    for one in configurations(text):
        whole += 1
        if whole > MOST:
            raise too_many()
        if not _is_isolated(one):
            _periodic(one, "a crystal needs one")
            kept.append(one)
    remarks = isotope_remarks({symbol for one in kept for symbol in one.symbols})
    if isolated := whole - len(kept):
        remarks.append(f"{isolated} of {whole} configurations are isolated atoms and are not used")
    return Sifted(_geometry(kept), [one.number for one in kept], remarks)


def _geometry(kept: list[Configuration]) -> Frames:
    if not kept:
        return Frames.of([])
    return Frames(
        offsets=np.cumsum([0, *(len(one.numbers) for one in kept)]).astype(np.int64),
        numbers=np.concatenate([one.numbers for one in kept]).astype(np.int32),
        positions=np.concatenate([one.columns["pos"] for one in kept]),
        cell=np.array([one.cell for one in kept]),
    )


def _frames(kept: list[Configuration], free: bool) -> Frames:
    if not kept:
        return Frames.of([])
    return replace(
        _geometry(kept),
        energy=np.array([_number(one, "free_energy" if free else "energy") for one in kept]),
        forces=np.concatenate([one.columns["forces"] for one in kept]),
        stress=np.array([_stress(one) for one in kept]),
    )


def _complete(one: Configuration) -> None:
    """Refuse a configuration that lacks a label, or is no crystal."""
    _periodic(one, "stresses need one")
    there = {*one.info, *one.columns}
    prefixed = sorted(
        name for name in there if name.lower().endswith(("_energy", "_forces", "_stress"))
    )
    prefixed = [name for name in prefixed if name not in {"free_energy"}]
    for name in LABELS:
        if name in (one.columns if name == "forces" else one.info):
            continue
        has = [name for name in (*LABELS, *sorted(there)) if name in there and name != "pos"]
        has = list(dict.fromkeys(has))
        hint = HOW
        if any(other.lower().endswith(f"_{name}") for other in prefixed):
            renamed = ", ".join(f"{other} to {other.rsplit('_', 1)[1]}" for other in prefixed)
            hint = f"Rename {renamed} if they are from the reference, in eV and angstrom."
        elif name == "stress" and "virial" in there:
            hint = (
                "A virial is not a stress: write stress = -virial / volume, in eV/angstrom^3 (check"
                " its sign: stress is negative where the cell is under pressure)."
            )
        elif name == "stress" and len(one.numbers) == 1:
            hint = (
                "For an isolated atom: remove it, or mark it with "
                f"config_type=IsolatedAtom. For a crystal: {HOW}"
            )
        elif name == "stress":
            hint = f"Compute it (VASP: ISIF=2 or 3), or remove the configuration. {HOW}"
        raise wrong(
            f"configuration {one.number} has no {name} (its labels are "
            f"{', '.join(has)[:200] or 'none'}). {hint}"
        )
    if doubled := [
        name for name in prefixed if name.rsplit("_", 1)[1].lower() in LABELS and "energy" in name
    ]:
        raise wrong(
            f"configuration {one.number} has two energies, energy and {doubled[0]}. Keep "
            "the energy of the reference as `energy`, and remove the other."
        )
    if one.columns["forces"].shape[1] != 3:
        raise wrong(f"configuration {one.number}: forces need three columns, forces:R:3.")
    _number(one, "energy")
    _stress(one)


def _periodic(one: Configuration, why: str) -> None:
    """Refuse a configuration that is no crystal."""
    if one.cell is None:
        raise wrong(
            f"configuration {one.number} has no cell, and {why}. Remove it, or add its cell."
        )
    if not all(one.periodic):
        raise wrong(f"configuration {one.number} {not_periodic(one.periodic)}")


def _number(one: Configuration, name: str) -> float:
    value = one.info[name]
    if (
        isinstance(value, bool | np.bool_)
        or not isinstance(value, int | float | np.integer | np.floating)
        or not abs(float(value)) <= LARGEST_NUMBER
    ):
        raise wrong(
            f"configuration {one.number}: {name} is not a number (got {str(value)[:40]!r}). Write "
            f"it in eV, as in {name}=-123.456."
        )
    return float(value)


def _stress(one: Configuration) -> Array:
    """(6,) eV/angstrom^3 in Voigt order, of nine or six numbers."""
    try:
        value = np.asarray(one.info["stress"], dtype=float)
    except (TypeError, ValueError):
        value = np.zeros(0)
    if value.size not in (6, 9) or not (np.abs(value) <= LARGEST_NUMBER).all():
        raise wrong(
            f"configuration {one.number}: stress needs nine numbers, xx xy xz yx yy yz zx zy zz, "
            f"or six, xx yy zz yz xz xy (got {str(one.info['stress'])[:60]!r}). {HOW}"
        )
    if value.size == 6:
        return value.ravel()
    full = value.reshape(3, 3)
    if np.abs(full - full.T).max() > ASYMMETRY * max(1.0, float(np.abs(full).max())):
        raise wrong(
            f"configuration {one.number}: its stress is not symmetric, xy and yx, xz and zx, or yz "
            "and zy differ. Nine numbers are xx xy xz yx yy yz zx zy zz."
        )
    voigt: Array = full_3x3_to_voigt_6_stress(full)
    return voigt


def _is_isolated(one: Configuration) -> bool:
    kind = str(one.info.get("config_type", "")).lower().replace("_", "").replace(" ", "")
    return len(one.numbers) == 1 and kind.startswith("isolatedatom")


def _is_false(value: object) -> bool:
    return isinstance(value, bool | np.bool_ | int) and not value
