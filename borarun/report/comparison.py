"""Ours beside the published values, and how far they are apart in units of what both leave open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import hypot, isfinite

from borarun.published import Number
from borarun.report.results import Measured, Results

SAME_TEMPERATURE_K = 15.0
"""A run this near to a published temperature is compared with it."""

SAME_CONTENT = 0.25
"""Vacancy contents that differ by less than this part of the larger are the same; else the comparison says which is which."""


@dataclass(frozen=True)
class Ours:
    """A result of ours that has a published counterpart.

    Attributes
    ----------
    functional : that it was computed with
    value : with its interval, or a plain number where none was computed
    mol_percent : vacancies per formula unit, None where they do not matter
    """

    functional: str
    value: Measured | float
    mol_percent: float | None = None

    @property
    def number(self) -> float:
        """The value itself."""
        return self.value.value if isinstance(self.value, Measured) else self.value

    @property
    def half_width(self) -> float | None:
        """Half the 95 % interval; None where there is none."""
        half = self.value.half_width if isinstance(self.value, Measured) else None
        return half if half is not None and isfinite(half) and half > 0 else None


@dataclass(frozen=True)
class Compared:
    """A published number with ours beside it.

    Attributes
    ----------
    deviation : ours less the published one, in its unit
    combined : half the combined interval, the root of the sum of squares of both halves; None where neither has one
    verdict : ``within``, ``outside`` or ``no interval``
    remark : conditions that differ, and intervals that are missing
    """

    published: Number
    ours: Ours
    deviation: float
    combined: float | None
    verdict: str
    remark: str

    @property
    def in_intervals(self) -> float | None:
        """Deviation in units of the combined interval."""
        return None if self.combined is None else self.deviation / self.combined


def compare(results: Results) -> tuple[Compared, ...]:
    """Every published number that we have a counterpart of, with each functional of ours."""
    return tuple(_compared(number, ours) for number in results.published.values for ours in COUNTERPARTS[number.quantity](results, number))


def _compared(number: Number, ours: Ours) -> Compared:
    remarks = []
    if number.kind == "paper" and number.functional != ours.functional:
        remarks.append(f"other functional: {ours.functional} against {number.functional}")
    if not _same(number.mol_percent, ours.mol_percent):
        remarks.append(f"other vacancy content: {ours.mol_percent:.3g} against {number.mol_percent:.3g} mol %")
    halves = [half for half in (ours.half_width, number.half_width) if half is not None]
    if number.half_width is None:
        remarks.append("published without interval")
    if ours.half_width is None:
        remarks.append("ours has no interval")
    deviation = ours.number - number.number
    combined = hypot(*halves) if halves else None
    verdict = "no interval" if combined is None else "within" if abs(deviation) <= combined else "outside"
    return Compared(number, ours, deviation, combined, verdict, "; ".join(remarks))


def _same(content: float | None, other: float | None) -> bool:
    return content is None or other is None or abs(content - other) <= SAME_CONTENT * max(content, other)


def _lattice(results: Results, number: Number) -> Iterator[Ours]:
    found = [p for p in results.lattice if p.temperature_K == number.temperature_K]
    for functional in dict.fromkeys(p.functional for p in found):
        p = min((p for p in found if p.functional == functional), key=lambda p: p.vacancies)
        yield Ours(functional, p.lattice_A)


def _ordered_lattice(results: Results, number: Number) -> Iterator[Ours]:
    if results.cubic:
        yield from (Ours(cell.functional, cell.lattice_A[0]) for cell in results.cells if cell.phase == results.phase)


def _transition(results: Results, number: Number) -> Iterator[Ours]:
    for functional in dict.fromkeys(t.functional for t in results.transitions):
        t = min((t for t in results.transitions if t.functional == functional), key=lambda t: t.vacancies)
        if t.temperature_K is not None:
            yield Ours(functional, t.temperature_K)


def _activation(results: Results, number: Number) -> Iterator[Ours]:
    found = [(line.functional, line.mol_percent, line.activation_energy_meV) for line in results.arrhenius if line.activation_energy_meV is not None]
    yield from _nearest([(functional, content, value) for functional, content, value in found], number)


def _conductivity(results: Results, number: Number) -> Iterator[Ours]:
    yield from _nearest(
        [
            (p.functional, p.mol_percent, p.conductivity_S_cm)
            for p in results.transport
            if p.accepted and p.conductivity_S_cm is not None and _at(p.temperature_K, number)
        ],
        number,
    )


def _deflection(results: Results, number: Number) -> Iterator[Ours]:
    yield from (Ours(p.functional, p.deflection_deg) for p in results.rotation if p.vacancies == number.vacancies and _at(p.temperature_K, number))


def _rotations(results: Results, number: Number) -> Iterator[Ours]:
    content = {(p.functional, p.temperature_K, p.vacancies): p.mol_percent for p in results.transport}
    found = [
        (p.functional, content[p.functional, p.temperature_K, p.vacancies], p.full_rotations_per_ns)
        for p in results.rotation
        if _at(p.temperature_K, number)
    ]
    yield from (ours for ours in _nearest(found, number) if _same(ours.mol_percent, number.mol_percent))


def _nothing(results: Results, number: Number) -> Iterator[Ours]:
    return iter(())


def _at(temperature_K: float, number: Number) -> bool:
    return number.temperature_K is not None and abs(temperature_K - number.temperature_K) <= SAME_TEMPERATURE_K


def _nearest(found: list[tuple[str, float, Measured]] | list[tuple[str, float, float]], number: Number) -> Iterator[Ours]:
    """Of each functional the result at the content nearest to the published one; all of them where that is not known."""
    if number.mol_percent is None:
        yield from (Ours(functional, value, content) for functional, content, value in found)
        return
    wanted = number.mol_percent
    for functional in dict.fromkeys(name for name, _, _ in found):
        nearest = min(abs(content - wanted) for name, content, _ in found if name == functional)
        yield from (Ours(name, value, content) for name, content, value in found if name == functional and abs(content - wanted) == nearest)


COUNTERPARTS: dict[str, Callable[[Results, Number], Iterator[Ours]]] = {
    "lattice_parameter": _lattice,
    "ordered_lattice_parameter": _ordered_lattice,
    "transition_temperature": _transition,
    "transition_volume_step_percent": _nothing,
    "activation_energy": _activation,
    "conductivity": _conductivity,
    "largest_deflection": _deflection,
    "full_rotations": _rotations,
}
"""What of ours stands beside each published quantity."""
