"""The symmetry operations that a CIF means: listed, or named by a Hall symbol, a Hermann-Mauguin
symbol in any usual spelling, or a number.

Source: the tables of gemmi (Wojdyr, J. Open Source Softw. 7, 4200 (2022)), which are those of Int.
Tables Crystallogr. B (2010), table A1.4.2.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gemmi
import numpy as np
from numpy.typing import NDArray

from borarun.structures.files.text import wrong

Array = NDArray[Any]

MOST_OPERATIONS = 192
"""Of a space group in its conventional cell: F m -3 m and its kin."""

CELL_TOLERANCE = 0.02
"""By how much a cell may differ from one that the operations leave unchanged, relative."""

_TRIPLET = re.compile(r"[-+\w./, *]{5,80}")


@dataclass(frozen=True)
class Symmetry:
    """One reading of the symmetry that a CIF names.

    Attributes
    ----------
    name : what it was told by, for messages
    operations : (n, 4, 4) float, acting on fractional coordinates; the identity is among them
    assumed : whether nothing in the file says so, and only the count of atoms can
    remark : what a user should know of this reading
    """

    name: str
    operations: Array
    assumed: bool = False
    remark: str = ""


@dataclass(frozen=True)
class Named:
    """What a CIF says of its symmetry; empty where it says nothing.

    Attributes
    ----------
    triplets : listed operations, as in ``-x, y+1/2, -z``
    hall : Hall symbol
    names : Hermann-Mauguin symbols
    number : of the International Tables
    """

    triplets: Sequence[str]
    hall: str
    names: Sequence[str]
    number: str


def readings(named: Named, cell: Sequence[float]) -> list[Symmetry]:
    """What the symmetry may be: one reading, or several where a name has two origins.

    Parameters
    ----------
    named : what the CIF says
    cell : a, b, c in angstrom, alpha, beta, gamma in degrees

    Raises
    ------
    StudyError
        Where what is named is no symmetry, contradicts itself or does not fit the cell.
    """
    groups = list(_groups(named, cell))
    if named.triplets:
        found = [Symmetry("the list of operations", _listed(named.triplets))]
    elif named.hall and (operations := _of_hall(named.hall)) is not None:
        found = [Symmetry(f"the Hall symbol {named.hall}", operations)]
        sizes = {len(group.operations()) for group in groups}
        if sizes and len(operations) not in sizes:
            raise wrong(
                f"its Hall symbol {named.hall} and its group {groups[0].xhm()} differ. Delete "
                "the wrong one."
            )
    elif groups:
        found = [
            Symmetry(
                f"the space group {group.xhm()}",
                _matrices(group.operations()),
                remark=""
                if any(_by_name(name, cell) for name in named.names)
                else f"has only the number of its space group ({named.number}): the standard "
                f"setting, {group.xhm()}, is used. For another setting write "
                "_space_group_name_H-M_alt.",
            )
            for group in groups
        ]
    elif said := [*([named.hall] if named.hall else []), *named.names, named.number]:
        if any(said):
            shown = ", ".join(repr(text)[:60] for text in said if text)
            raise wrong(
                f"its space group is unknown (got {shown}). Write its number as "
                "_space_group_IT_number, or list its operations."
            )
        found = [Symmetry("no symmetry", np.eye(4)[None], assumed=True)]
    fitting = [symmetry for symmetry in found if _fits(symmetry.operations, cell)]
    if not fitting:
        lengths = ", ".join(f"{value:g}" for value in cell)
        raise wrong(
            f"{found[0].name} does not match the cell ({lengths}): the operations would "
            "change its lengths or angles. Check the setting of the group and the cell."
        )
    return fitting


def contradiction(named: Named, cell: Sequence[float]) -> str:
    """How a list of operations and the group that is named beside it differ; empty where they do
    not, or where there are not both.
    """
    groups = list(_groups(named, cell)) if named.triplets else []
    operations = len(named.triplets)
    if not groups or operations in {len(group.operations()) for group in groups}:
        return ""
    group = groups[0]
    return (
        f"lists {operations} symmetry operations, but its space group {group.xhm()} has "
        f"{len(group.operations())}. Complete the list; or, if the list is right, delete "
        "the space group."
    )


def _groups(named: Named, cell: Sequence[float]) -> Iterator[gemmi.SpaceGroup]:
    """The groups that the names or the number mean: those of one setting, with each origin."""
    by_name = next(filter(None, (_by_name(name, cell) for name in named.names)), None)
    by_number = _by_number(named.number, cell)
    if by_name and by_number and by_name.number != by_number.number and not named.triplets:
        raise wrong(
            f"its space group is {by_name.xhm()} by name, number {by_name.number}, but has the "
            f"number {by_number.number}. Delete the wrong one."
        )
    if not (group := by_name or by_number):
        return
    if group.ext in "12" and not (by_name and any(_has_origin(name) for name in named.names)):
        for origin in "12":
            other = gemmi.find_spacegroup_by_name(f"{group.hm}:{origin}")
            if other is not None:
                yield other
    else:
        yield group


def _by_name(name: str, cell: Sequence[float]) -> gemmi.SpaceGroup | None:
    """The group of a Hermann-Mauguin symbol: ``P 1 21/c 1``, ``P2(1)/c``, ``P 2_1/c``, ``Fd-3mZ``,
    ``R-3m:H``.
    """
    text = re.sub(r"\s*\((?:\s*[-\w/+]+\s*,){2}[^)]*\)\s*$", "", name)  # P n m a (a,b,c)
    text = re.sub(r"\s*\((?:#|No\.?|nr\.?)?\s*\d+\)\s*$", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\((\d)\)|_(\d)|<sub>(\d)</sub>", lambda m: m[1] or m[2] or m[3], text)
    text = text.replace("\u2212", "-").replace("\u2013", "-").replace("\u0305", "")
    text = re.sub(r"[\s:]*([SZ])$", lambda m: {"S": ":1", "Z": ":2"}[m[1]], text)
    text = re.sub(r"\s*\(?origin(?: choice)?\s*([12])\)?$", r":\1", text, flags=re.IGNORECASE)
    if not text.isascii() or not 0 < len(text.strip()) < 40:
        return None
    return gemmi.find_spacegroup_by_name(text.strip(), cell[3], cell[5])


def _has_origin(name: str) -> bool:
    return re.search(r"(?::\s*[12]|[SZ]|origin(?: choice)?\s*[12]\)?)\s*$", name) is not None


def _by_number(text: str, cell: Sequence[float]) -> gemmi.SpaceGroup | None:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 230):
        return None
    group = gemmi.find_spacegroup_by_number(int(text[:4]))
    # of a rhombohedral group the axes, which the cell tells
    return gemmi.find_spacegroup_by_name(group.hm, cell[3], cell[5]) if group.ext in "HR" else group


def _of_hall(symbol: str) -> Array | None:
    try:
        return _matrices(gemmi.symops_from_hall(symbol.replace("_", " ")))
    except (RuntimeError, ValueError):
        return None


def _matrices(operations: gemmi.GroupOps) -> Array:
    """(n, 4, 4) float of the operations of a group, the identity first."""
    return np.array([_matrix(operation) for operation in operations])


def _matrix(operation: gemmi.Op) -> Array:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(operation.rot) / operation.DEN
    matrix[:3, 3] = np.array(operation.tran) / operation.DEN
    return matrix


def _listed(triplets: Sequence[str]) -> Array:
    """The operations of a list, checked to be a group."""
    if len(triplets) > MOST_OPERATIONS:
        raise wrong(
            f"lists {len(triplets)} symmetry operations; no space group has more than "
            f"{MOST_OPERATIONS}. Export the file again."
        )
    operations = []
    for triplet in triplets:
        try:
            if not _TRIPLET.fullmatch(triplet):
                raise ValueError
            operation = gemmi.Op(triplet.replace(" ", "").lower())
            if abs(operation.det_rot()) != operation.DEN**3:
                raise ValueError
        except (RuntimeError, ValueError):
            raise wrong(
                f"is not a symmetry operation (got {triplet[:60]!r}). Write it as '-x, y+1/2, -z'."
            ) from None
        operations.append(operation)
    matrices = np.array([_matrix(operation) for operation in operations])
    whole = np.rint(matrices * gemmi.Op.DEN).astype(int)
    whole[:, :3, 3] %= gemmi.Op.DEN
    there = {each.tobytes() for each in whole}
    rotations, shifts = np.rint(matrices[:, :3, :3]).astype(int), whole[:, :3, 3]
    made = np.zeros((len(whole), *whole.shape), dtype=whole.dtype)
    made[..., :3, :3] = gemmi.Op.DEN * (rotations[:, None] @ rotations[None])
    made[..., :3, 3] = (
        np.einsum("iab,jb->ija", rotations, shifts) + shifts[:, None]
    ) % gemmi.Op.DEN
    made[..., 3, 3] = gemmi.Op.DEN
    if missing := sum(each.tobytes() not in there for row in made for each in row):
        raise wrong(
            f"its list of {len(triplets)} symmetry operations is not complete: {missing} "
            "products of two of them are missing. Export the file again, or write the "
            "space group and delete the list."
        )
    return matrices


def _fits(operations: Array, cell: Sequence[float]) -> bool:
    """Whether the operations leave the cell as it is."""
    lengths, cosines = np.array(cell[:3]), np.cos(np.radians(cell[3:]))
    metric = np.diag(lengths**2)
    for (i, j), cosine in zip(((1, 2), (0, 2), (0, 1)), cosines, strict=True):
        metric[i, j] = metric[j, i] = lengths[i] * lengths[j] * cosine
    rotations = operations[:, :3, :3]
    turned = np.swapaxes(rotations, 1, 2) @ metric @ rotations
    return bool((np.abs(turned - metric) <= CELL_TOLERANCE * np.outer(lengths, lengths)).all())
