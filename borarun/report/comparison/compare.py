"""Ours beside the published values, and how far they are apart in units of what both leave open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import hypot, isfinite

from borarun.published import Number
from borarun.report.measured import Measured
from borarun.report.results import Results
from borarun.subjects.diffusion.results import Transport
from borarun.subjects.heating.results import Transition
from borarun.subjects.reorientation.results import Rotation

SAME_TEMPERATURE_K = 15.0
"""A run this near to a published temperature is compared with it."""

SAME_CONTENT = 0.25
"""Vacancy contents that differ by at most this part of the larger are compared; without vacancies
and with them are two things.
"""


@dataclass(frozen=True)
class Ours:
    """A result of ours that has a published counterpart.

    Attributes
    ----------
    functional : that it was computed with
    value : with its interval, or a plain number where none was computed
    mol_percent : vacancies per formula unit, None where they do not matter
    phase : ``ordered phase`` or ``disordered phase``; empty where that is not known, None where it
        does not matter
    """

    functional: str
    value: Measured | float
    mol_percent: float | None = None
    phase: str | None = None

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
    combined : half the combined interval, the root of the sum of squares of both halves; None where
        neither has one
    verdict : ``within``, ``outside`` or ``no interval``
    remark : another functional, and intervals that are missing
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
    return tuple(
        _compared(number, ours)
        for number in results.published.values
        for ours in COUNTERPARTS[number.quantity](results, number)
    )


def _compared(number: Number, ours: Ours) -> Compared:
    remarks = []
    if (
        number.kind == "paper"
        and number.functional
        and number.functional.partition(" (")[0] != ours.functional
    ):  # behind it may stand how: PBE (AIMD)
        remarks.append(f"other functional: {ours.functional} against {number.functional}")
    if ours.phase == "" and number.phase is not None:
        remarks.append(
            f"published for the {number.phase} phase; which phase ours is in was not found"
        )
    halves = [half for half in (ours.half_width, number.half_width) if half is not None]
    if number.half_width is None:
        remarks.append("published without interval")
    if ours.half_width is None:
        remarks.append("ours has no interval")
    deviation = ours.number - number.number
    combined = hypot(*halves) if halves else None
    verdict = (
        "no interval" if combined is None else "within" if abs(deviation) <= combined else "outside"
    )
    return Compared(number, ours, deviation, combined, verdict, "; ".join(remarks))


def _lattice(results: Results, number: Number) -> Iterator[Ours]:
    found = [p for p in results.lattice if p.temperature_K == number.temperature_K]
    for functional in dict.fromkeys(p.functional for p in found):
        p = min((p for p in found if p.functional == functional), key=lambda p: p.vacancies)
        yield Ours(
            functional, p.lattice_A if number.quantity == "lattice_parameter" else p.volume_A3
        )


def _ordered_lattice(results: Results, number: Number) -> Iterator[Ours]:
    if results.cubic:
        yield from (
            Ours(cell.functional, cell.lattice_A[0])
            for cell in results.cells
            if cell.phase == results.phase
        )


def _transition(results: Results, number: Number) -> Iterator[Ours]:
    yield from (
        Ours(t.functional, t.temperature_K)
        for t in _slowest(results)
        if t.temperature_K is not None
    )


def _volume_step(results: Results, number: Number) -> Iterator[Ours]:
    yield from (
        Ours(t.functional, t.volume_step_percent)
        for t in _slowest(results)
        if t.volume_step_percent is not None
    )


def _slowest(results: Results) -> Iterator[Transition]:
    """Of each functional the transition with the fewest vacancies at the slowest rate."""
    for functional in dict.fromkeys(t.functional for t in results.transitions):
        yield min(
            (t for t in results.transitions if t.functional == functional), key=lambda t: t.order
        )


def _activation(results: Results, number: Number) -> Iterator[Ours]:
    for line in results.arrhenius:
        if (
            line.activation_energy_meV is not None
            and same_content(line.mol_percent, number)
            and same_phase(line.phase, number)
        ):
            yield Ours(line.functional, line.activation_energy_meV, line.mol_percent, line.phase)


def _diffusivity(results: Results, number: Number) -> Iterator[Ours]:
    yield from _moving(results, number, lambda p: p.diffusivity_cm2_s)


def _conductivity(results: Results, number: Number) -> Iterator[Ours]:
    yield from _moving(results, number, lambda p: p.conductivity_S_cm)


def _moving(
    results: Results, number: Number, read: Callable[[Transport], Measured | None]
) -> Iterator[Ours]:
    """Runs at the published temperature and vacancy content, in the same phase as far as it is
    known.
    """
    for p in results.transport:
        value = read(p)
        same = (
            _at(p.temperature_K, number)
            and same_content(p.mol_percent, number)
            and same_phase(p.phase, number)
        )
        if p.accepted and value is not None and same:
            yield Ours(p.functional, value, p.mol_percent, p.phase)


def _deflection(results: Results, number: Number) -> Iterator[Ours]:
    yield from (Ours(p.functional, p.deflection_deg) for p in _turning(results, number))


def _rotations(results: Results, number: Number) -> Iterator[Ours]:
    yield from (Ours(p.functional, p.full_rotations_per_ns) for p in _turning(results, number))


def _turning(results: Results, number: Number) -> Iterator[Rotation]:
    """Reorientation at the published temperature and vacancy content."""
    content = {
        (p.functional, p.temperature_K, p.vacancies): p.mol_percent for p in results.transport
    }
    for p in results.rotation:
        if _at(p.temperature_K, number) and same_content(
            content[p.functional, p.temperature_K, p.vacancies], number
        ):
            yield p


def _at(temperature_K: float, number: Number) -> bool:
    return (
        number.temperature_K is not None
        and abs(temperature_K - number.temperature_K) <= SAME_TEMPERATURE_K
    )


def same_content(mol_percent: float, number: Number) -> bool:
    """Whether a content is the published one; any is where none was published."""
    published = 0.0 if number.vacancies == 0 else number.mol_percent
    return published is None or abs(mol_percent - published) <= SAME_CONTENT * max(
        mol_percent, published
    )


def same_phase(phase: str, number: Number) -> bool:
    """Whether nothing says that the phases differ."""
    return not phase or number.phase is None or phase == f"{number.phase} phase"


COUNTERPARTS: dict[str, Callable[[Results, Number], Iterator[Ours]]] = {
    "lattice_parameter": _lattice,
    "volume": _lattice,
    "ordered_lattice_parameter": _ordered_lattice,
    "transition_temperature": _transition,
    "transition_volume_step_percent": _volume_step,
    "activation_energy": _activation,
    "diffusivity": _diffusivity,
    "conductivity": _conductivity,
    "largest_deflection": _deflection,
    "full_rotations": _rotations,
}
"""What of ours stands beside each published quantity."""
