"""CIF: one crystal of one data block, with the symmetry that the file names and no other.

gemmi splits the file, which pymatgen does twenty times more slowly, and knows the space groups. The
order of atoms and the digits of their coordinates are those that pymatgen's reader gives, so that
records made with it stay valid.

Source: Hall, Allen and Brown, Acta Crystallogr. A 47, 655 (1991), and the core dictionary of the
IUCr.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gemmi
import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from borarun.basics.errors import StudyError
from borarun.structures.files.average import Average, Occupant, Position, merged
from borarun.structures.files.checks import MOST_ATOMS, checked, formula_text
from borarun.structures.files.symmetry import Named, Symmetry, contradiction, readings
from borarun.structures.files.text import REMARKS, element, isotope_remarks, number, wrong

Array = NDArray[Any]

WHOLE = 0.005
"""An occupancy this near to 1 is a rounded 1."""

LEAST_UNCERTAINTY = 5e-4
"""Of an occupancy, however many digits are given: refinements are no better."""

ORDER_IT = (
    "Molecular dynamics needs whole atoms. Write `material: {order: {}}` in the study, and "
    "borarun makes ordered models; `borarun order FILE` shows them."
)
"""What to do about a partly occupied site."""

SAME_SITE = 1e-4
"""Images of a site nearer than this, in fractional coordinates, are one atom."""

THIRD = 1e-4
"""A coordinate this near to 1/3 or 2/3, relative, is meant to be it."""

MOST_BLOCKS = 1000
"""Of a file, which are listed as long as there are two crystals."""

MOST_IMAGES = 4 * MOST_ATOMS

CELL = tuple(f"_cell_{name}" for name in ("length_a", "length_b", "length_c")) + tuple(
    f"_cell_angle_{name}" for name in ("alpha", "beta", "gamma")
)
FRACTIONS = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
TRIPLETS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
HALL = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
HERMANN_MAUGUIN = (
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_full",
    "_space_group_name_H-M_ref",
    "_symmetry_space_group_name_H_M",
)
NUMBER = ("_space_group_IT_number", "_symmetry_Int_Tables_number")
OTHER_KINDS = {
    "_space_group_magn": "a magnetic structure",
    "_space_group_symop_magn": "a magnetic structure",
    "_atom_site_moment": "a magnetic structure",
    "_cell_modulation_dimension": "a modulated structure",
    "_space_group_ssg": "a modulated structure",
}

ELECTROPOSITIVE_FIRST = tuple(
    re.findall(
        "[A-Z][a-z]?",
        "FrCsKRbBaRaNaSrLiCaAcLaTbYbCePmPrNdSmEuGdDyYHoErTmLuPuAmBkCfCmEsFmHfLrMdNoThMgZrNpScUPaTa"
        "TiMnBeNbAlTlVZnCrCdInGaFeCoCuReSiTcNiAgSnHgPoGeBiBSbTeMoAsPAtHIrOsPdRnRuPtRhPbWAuCSeSXeIBr"
        "KrNClOF",
    )
)
"""By Pauling's electronegativity, then by symbol, as pymatgen orders the atoms of a CIF."""

_TWO_ORIGINS = (
    "may have either of two origins, {}. Write the right one as "
    f"{HERMANN_MAUGUIN[0]}, with its :1 or :2."
)
_NO_SYMMETRY = (
    "has no symmetry: neither operations nor a space group. Write the space "
    f"group as {HERMANN_MAUGUIN[0]}. If the list has all atoms of the cell, "
    "write 'P 1'."
)
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)(?:\(\d*\)?)?")
_TYPE = re.compile(r"([A-Za-z]{1,2})(?:\d*\.?\d*[+-]|[+-]\d*\.?\d*|0)?")
_PLACE = re.compile(r"string:(\d+)[^ ]*:? ?(?:in data_\S*: )?(.*)", re.DOTALL)
_TERM = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)")


@dataclass(frozen=True)
class Site:
    """One row of the list of sites.

    Attributes
    ----------
    label : its name in the file
    symbol : element
    place : fractional coordinates
    share : occupancy, above 0 and at most 1
    uncertainty : of the occupancy, from the digits that are given
    """

    label: str
    symbol: str
    place: tuple[float, float, float]
    share: float = 1.0
    uncertainty: float = 0.0


def read(text: str) -> Atoms:
    """The crystal of a CIF.

    Raises
    ------
    StudyError
        Where the file is no CIF, has several crystals, no or contradicting symmetry, partly
        occupied or unknown sites, or other atoms than its own formula.
    """
    block, cell, sites, isotopes = _parsed(text, ordered=True)
    atoms = _crystal(block, _named(block), cell, sites)
    atoms.info[REMARKS] = [*atoms.info[REMARKS], *isotope_remarks(isotopes)]
    return atoms


def read_average(text: str) -> Average:
    """The average structure of a CIF, whose sites may be partly occupied or shared.

    Raises
    ------
    StudyError
        As ``read``, but for partly occupied sites; and where the occupancies of one place add up to
        more than 1.
    """
    block, cell, sites, isotopes = _parsed(text, ordered=False)
    named = _named(block)
    expected = _expected(block)
    found = [
        (symmetry, merged(_parameters(cell), _positions(sites, symmetry.operations)))
        for symmetry in readings(named, cell)
    ]
    if len(found) > 1 and expected:
        fitting = [each for each in found if _fits_formula(each[1], expected)]
        found = fitting or found
    if len(found) > 1:
        names = " and ".join(symmetry.name for symmetry, _ in found)
        raise wrong(_TWO_ORIGINS.format(names))
    ((symmetry, average),) = found
    if difference := contradiction(named, cell):
        raise wrong(difference)
    if symmetry.assumed:
        raise wrong(_NO_SYMMETRY)
    remarks = [*([symmetry.remark] if symmetry.remark else []), *isotope_remarks(isotopes)]
    if expected and not _fits_formula(average, expected):
        remarks.append(
            f"its sites and occupancies make {average.formula}, and its _chemical_formula_sum is "
            f"'{_value(block, '_chemical_formula_sum')[:60]}'. The sites are used."
        )
    return average.with_remarks(remarks)


def _fits_formula(average: Average, expected: tuple[dict[str, float], float]) -> bool:
    """Whether the sites have the composition of the file's formula, within 2 % of all atoms."""
    unit, units = expected
    held = average.composition
    factor = units or sum(held.values()) / (sum(unit.values()) or 1.0)
    return any(
        all(
            abs(held.get(symbol, 0.0) - each * unit.get(symbol, 0.0)) <= 0.02 * sum(held.values())
            for symbol in {*held, *unit}
        )
        for each in (factor, 1.0)
    )


def _parsed(
    text: str, *, ordered: bool
) -> tuple[gemmi.cif.Block, list[float], list[Site], set[str]]:
    """The block of the crystal, its cell, its occupied sites, and the isotopes among them."""
    if (blocks := len(re.findall(r"(?im)^\s*data_", text))) > MOST_BLOCKS:
        raise wrong(f"contains {blocks:,} data blocks. Keep only one.")
    try:
        document = gemmi.cif.read_string(text)
    except (ValueError, RuntimeError) as error:
        place = _PLACE.fullmatch(str(error))
        raise wrong(
            "is not a complete CIF "
            f"({' '.join((place[2] if place else str(error)).split())[:120]}). Export it "
            "again, e.g. from VESTA.",
            line=int(place[1]) if place else 0,
        ) from error
    block = _only_crystal(document)
    lines = text.splitlines()
    cell = _cell(block)
    sites, isotopes = _sites(block, lines, ordered=ordered)
    return block, cell, sites, isotopes


def _named(block: gemmi.cif.Block) -> Named:
    return Named(
        [gemmi.cif.as_string(word) for word in _column(block, *TRIPLETS)],
        _value(block, *HALL),
        [value for tag in HERMANN_MAUGUIN if (value := _value(block, tag))],
        _value(block, *NUMBER),
    )


def _only_crystal(document: gemmi.cif.Document) -> gemmi.cif.Block:
    crystals = [block for block in document if len(_column(block, FRACTIONS[0]))]
    if not crystals:
        raise wrong(
            "contains no crystal: no data block has atoms with fractional coordinates "
            f"({FRACTIONS[0]}). Export it again, e.g. from VESTA."
        )
    if len(crystals) > 1:
        names = ", ".join(block.name[:40] or "(no name)" for block in crystals[:6])
        raise wrong(
            f"contains {len(crystals)} crystals, in the data blocks {names}. Keep only one."
        )
    (block,) = crystals
    items: list[Any] = list(block)
    tags = {
        tag.lower()
        for item in items
        for tag in (item.loop.tags if item.loop else [item.pair[0]] if item.pair else [])
    }
    for start, kind in OTHER_KINDS.items():
        if any(tag.startswith(start) for tag in tags):
            raise wrong(f"is {kind}. A study needs a plain CIF: export the average structure.")
    return block


def _crystal(
    block: gemmi.cif.Block, named: Named, cell: Sequence[float], sites: Sequence[Site]
) -> Atoms:
    """The atoms by the symmetry that is named; of two origins the one that makes sense."""
    expected = _expected(block)
    made: list[tuple[Symmetry, Atoms]] = []
    refusals: list[StudyError] = []
    for symmetry in readings(named, cell):
        try:
            atoms = checked(_expanded(sites, symmetry.operations, cell))
            _compare(block, atoms, expected, symmetry)
        except StudyError as error:
            refusals.append(error)
        else:
            made.append((symmetry, atoms))
    if not made:
        raise refusals[0]
    if len(made) > 1:
        names = " and ".join(symmetry.name for symmetry, _ in made)
        raise wrong(_TWO_ORIGINS.format(names))
    (found,) = made
    if expected is None or not expected[1]:
        if difference := contradiction(named, cell):
            raise wrong(difference)
        if found[0].assumed:
            raise wrong(_NO_SYMMETRY)
    symmetry, atoms = found
    atoms.info[REMARKS] = [symmetry.remark] if symmetry.remark else []
    return atoms


def _expected(block: gemmi.cif.Block) -> tuple[dict[str, float], float] | None:
    """The atoms of a formula unit by the file's own formula, and how many units are in the cell, or
    0 where it does not say.
    """
    formula = _value(block, "_chemical_formula_sum")
    terms = [_TERM.fullmatch(word) for word in re.sub(r"\s+", " ", formula).split()]
    if not terms or any(
        term is None or term[1] not in {*atomic_numbers, "D", "T"} for term in terms
    ):
        return None
    unit: dict[str, float] = {}
    for term in filter(None, terms):
        symbol = element(term[1])
        unit[symbol] = unit.get(symbol, 0.0) + (float(term[2]) if term[2].strip(".") else 1.0)
    units = _value(block, "_cell_formula_units_Z")
    return unit, float(units) if re.fullmatch(r"\d{1,6}", units) else 0.0


def _compare(
    block: gemmi.cif.Block,
    atoms: Atoms,
    expected: tuple[dict[str, float], float] | None,
    symmetry: Symmetry,
) -> None:
    """Refuse atoms that are not those of the file's own formula."""
    if expected is None or not (total := sum(expected[0].values())):
        return
    unit, said = expected
    held = Counter(atoms.symbols)
    units = {said or len(atoms) / total}
    if said and not symmetry.assumed and all(amount % said == 0 for amount in unit.values()):
        units.add(1.0)  # pymatgen writes the formula of the whole cell beside Z
    if any(
        all(
            abs(held[symbol] - factor * unit.get(symbol, 0.0)) <= 0.01 * max(held[symbol], 1)
            for symbol in {*held, *unit}
        )
        for factor in units
    ):
        return
    formula = _value(block, "_chemical_formula_sum")
    promise = (
        f"_cell_formula_units_Z {said:g} and _chemical_formula_sum '{formula[:60]}' make "
        f"{said * total:g}"
        if said
        else f"its _chemical_formula_sum is '{formula[:60]}'"
    )
    reason = (
        "It has no symmetry: write its space group as _space_group_name_H-M_alt."
        if symmetry.assumed
        else "Check the space group, and the list for missing atoms. If the atoms are right, "
        "delete the wrong line."
    )
    raise wrong(
        f"has {len(atoms)} atoms, {formula_text(held)}, by {symmetry.name}, but {promise}. {reason}"
    )


def _expanded(sites: Sequence[Site], operations: Array, cell: Sequence[float]) -> Atoms:
    """All atoms of the cell: every site, and its images that are not itself."""
    positions = _positions(sites, operations)
    return Atoms(
        [atomic_numbers[each.occupants[0].symbol] for each in positions],
        scaled_positions=np.array([each.place for each in positions]).reshape(-1, 3),
        cell=_parameters(cell),
        pbc=True,
    )


def _positions(sites: Sequence[Site], operations: Array) -> list[Position]:
    """Every site and its images that are not itself, each with what occupies it."""
    if len(sites) * len(operations) > MOST_IMAGES:
        raise wrong(
            f"has {len(sites)} sites and {len(operations)} symmetry operations, which "
            f"make more than {MOST_ATOMS:,} atoms. Use a smaller cell."
        )
    order = {symbol: rank for rank, symbol in enumerate(ELECTROPOSITIVE_FIRST)}
    positions: list[Position] = []
    for site in sorted(sites, key=lambda site: (order.get(site.symbol, len(order)), site.symbol)):
        own: list[Array] = []
        for operation in operations:
            image = np.dot(operation, np.append(site.place, 1.0))[:3]
            image = image - np.floor(image)
            if own:
                apart = np.array(own) - image
                if (np.abs(apart - np.round(apart)) < SAME_SITE).all(axis=1).any():
                    continue
            own.append(image)
        occupant = Occupant(site.symbol, site.share, site.uncertainty, site.label)
        positions += [Position((*map(float, place),), (occupant,)) for place in own]
    return positions


def _parameters(cell: Sequence[float]) -> list[float]:
    """Lengths and angles with the digits that pymatgen's ``Lattice`` gives them back with."""
    a, b, c = cell[:3]
    cosines, sines = np.cos(np.radians(cell[3:])), np.sin(np.radians(cell[3:]))
    angle = np.arccos(
        np.clip((cosines[0] * cosines[1] - cosines[2]) / (sines[0] * sines[1]), -1, 1)
    )
    vectors = np.array(
        [
            [a * sines[1], 0.0, a * cosines[1]],
            [-b * sines[0] * np.cos(angle), b * sines[0] * np.sin(angle), b * cosines[0]],
            [0.0, 0.0, c],
        ]
    )
    lengths = np.sqrt(np.sum(vectors**2, axis=1))
    between = [
        np.dot(vectors[j], vectors[k]) / (lengths[j] * lengths[k])
        for j, k in ((1, 2), (2, 0), (0, 1))
    ]
    angles = np.rad2deg(np.arccos(np.clip(between, -1, 1)))
    return [*lengths.tolist(), *angles.tolist()]


def _cell(block: gemmi.cif.Block) -> list[float]:
    values = []
    for tag in CELL:
        word = _value(block, tag)
        match = _NUMBER.fullmatch(word)
        value = number(match[1]) if match else math.nan
        if not 0 < value < (1e4 if "length" in tag else 180):
            raise wrong(
                f"{tag} is missing or impossible (got {word[:40] or 'nothing'}). Write it in "
                f"{'angstrom' if 'length' in tag else 'degrees'}."
            )
        values.append(value)
    alpha, beta, gamma = sorted(values[3:])
    if gamma >= alpha + beta or alpha + beta + gamma >= 360:
        raise wrong(
            "a cell cannot have the angles "
            f"{', '.join(f'{angle:g}' for angle in values[3:])}. Check them."
        )
    return values


def _sites(
    block: gemmi.cif.Block, lines: list[str], *, ordered: bool
) -> tuple[list[Site], set[str]]:
    """The occupied sites, and the symbols of isotopes among them; with ``ordered``, partly occupied
    ones are refused.
    """
    fractions = [_column(block, tag) for tag in FRACTIONS]
    rows = len(fractions[0])
    if rows > MOST_ATOMS:
        raise wrong(
            f"lists {rows:,} sites (at most {MOST_ATOMS:,} atoms are allowed). Use a smaller cell."
        )
    types, labels = _column(block, "_atom_site_type_symbol"), _column(block, "_atom_site_label")
    occupancies = _column(block, "_atom_site_occupancy")
    hydrogens = _column(block, "_atom_site_attached_hydrogens")
    formula = _value(block, "_chemical_formula_sum")
    known = {term[1] for word in formula.split() if (term := _TERM.fullmatch(word))}
    if (len(types) != rows and len(labels) != rows) or any(len(one) != rows for one in fractions):
        raise wrong(
            "its list of atoms is not complete: every atom needs _atom_site_type_symbol or "
            "_atom_site_label, and three fractional coordinates."
        )
    sites, isotopes = [], set()
    for row in range(rows):
        label = gemmi.cif.as_string(labels[row] if len(labels) == rows else types[row])[:40]

        def refuse(message: str, row: int = row, label: str = label) -> StudyError:
            return wrong(f"site {label}: {message}", line=_line(block, lines, row))

        occupancy = occupancies[row] if len(occupancies) == rows else "1"
        match = _NUMBER.fullmatch(occupancy)
        if occupancy not in {".", "?"} and not match:
            raise refuse(f"its occupancy is not a number (got {occupancy[:40]}).")
        share = number(match[1]) if match else 1.0
        if share == 0:
            continue
        if share > 1 + WHOLE:
            raise refuse(f"has an occupancy above 1 (got {share:g}). Correct the occupancy.")
        if share < 0:
            raise refuse(f"has a negative occupancy (got {share:g}). Correct the occupancy.")
        if ordered and share < 1 - WHOLE:
            raise refuse(f"is partly occupied (got {share:g}). {ORDER_IT}")
        if len(hydrogens) == rows and hydrogens[row] not in {".", "?", "0"}:
            raise refuse(
                f"has {hydrogens[row][:10]} hydrogen atoms without coordinates. Add them to the "
                "list."
            )
        try:
            if len(types) == rows and not gemmi.cif.is_null(types[row]):
                word = gemmi.cif.as_string(types[row])
                kind = _TYPE.fullmatch(word)
                word = kind[1] if kind else word
                word = word if word in {"D", "T"} else word.capitalize()
            else:
                word = _of_label(label, known)
            symbol = element(word)
        except ValueError as error:
            raise refuse(str(error)) from error
        isotopes |= {word} & {"D", "T"}
        place = []
        for tag, column in zip(FRACTIONS, fractions, strict=True):
            if not (match := _NUMBER.fullmatch(column[row])):
                raise refuse(
                    f"has no {tag} (got {column[row][:40]}). Write its coordinates, or remove it."
                )
            place.append(_exact(number(match[1])))
        sites.append(
            Site(
                label,
                symbol,
                (place[0], place[1], place[2]),
                1.0 if share > 1 - WHOLE else share,
                _uncertainty(occupancy),
            )
        )
    return sites, isotopes


def _of_label(label: str, known: set[str]) -> str:
    """The element that a label begins with: ``Li1``, ``O2A``; ``CA1`` may be carbon or calcium.

    Raises
    ------
    ValueError
        Where it may be several.
    """
    letters = re.match(r"[A-Za-z]{1,2}", label)
    if letters is None:
        return label
    symbols = {*ELECTROPOSITIVE_FIRST, "D", "T"}
    two, one = letters[0].capitalize(), letters[0][0].upper()
    candidates = [symbol for symbol in dict.fromkeys((two, one)) if symbol in symbols]
    if len(candidates) > 1 and len(filtered := [one for one in candidates if one in known]) == 1:
        candidates = filtered
    if len(candidates) > 1 and letters[0][1:].isupper():
        raise ValueError(f"may be {' or '.join(candidates)}. Add a column _atom_site_type_symbol.")
    return candidates[0] if candidates else label


def _uncertainty(word: str) -> float:
    """By how much an occupancy may be off: half a unit of its last digit, within bounds."""
    _, _, decimals = word.partition("(")[0].partition(".")
    return min(max(0.5 * 10.0 ** -len(decimals), LEAST_UNCERTAINTY), WHOLE)


def _exact(value: float) -> float:
    """A coordinate, with 0.3333 taken for 1/3."""
    return next(
        (
            third
            for third in (1 / 3, 2 / 3)
            if math.isclose(value / third, 1, abs_tol=THIRD, rel_tol=0)
        ),
        value,
    )


def _value(block: gemmi.cif.Block, *tags: str) -> str:
    """The first of some values that the block has; empty where it has none of them."""
    for tag in tags:
        word = block.find_value(tag)
        if word is not None and not gemmi.cif.is_null(word):
            return gemmi.cif.as_string(word).strip()
    return ""


def _column(block: gemmi.cif.Block, *tags: str) -> list[str]:
    for tag in tags:
        if column := list(block.find_values(tag)):
            return column
    return []


def _line(block: gemmi.cif.Block, lines: list[str], row: int) -> int:
    """The line in which a row of the list of sites begins, as most programs write it: each row in
    one line; else that of the list.
    """
    item = block.find_loop_item(FRACTIONS[0])
    if item is None:
        return 0
    width = item.loop.width()
    words = item.loop.values[row * width : (row + 1) * width]
    for place in range(item.line_number, len(lines) + 1):
        if lines[place - 1].split() == words:
            return place
    return int(item.line_number)
