"""Ours beside the published values, and how far they are apart in units of what both leave open."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite

from borarun.published import Number
from borarun.report.measured import Measured
from borarun.subjects import SUBJECTS
from borarun.subjects.common.results import Results

SAME_TEMPERATURE_K = 15.0
"""A run this near to a published temperature is compared with it."""

WIDEST_TELLING = 1.0
"""An interval that is wider than this times the published value tells nothing by holding it."""

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
    phase : ``ordered phase``, ``disordered phase`` or ``mixed``; empty where that is not
        known, None where it does not matter
    remark : how it was obtained, where that is not obvious
    """

    functional: str
    value: Measured | float
    mol_percent: float | None = None
    phase: str | None = None
    remark: str = ""

    @property
    def number(self) -> float:
        """The value itself."""
        return self.value.value if isinstance(self.value, Measured) else self.value

    def reach(self, published: float) -> float | None:
        """From the value to that end of its 95 % interval which lies towards the published one;
        None where there is no interval.
        """
        if not isinstance(self.value, Measured):
            return None
        value = self.value
        towards = value.high - value.value if published > value.value else value.value - value.low
        return towards if isfinite(towards) and towards > 0 else None


@dataclass(frozen=True)
class Compared:
    """A published number with ours beside it.

    Attributes
    ----------
    deviation : ours less the published one, in its unit
    combined : half the combined interval, the root of the sum of squares of both halves, ours on
        the side of the published value; None where neither has one
    verdict : ``within``, ``outside``, ``uninformative`` where the values agree only because an
        interval is wider than the published value, or ``no interval``
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
        for subject in SUBJECTS
        if number.quantity in (counterparts := getattr(subject.part("show"), "COUNTERPARTS", {}))
        for ours in counterparts[number.quantity](results, number)
    )


def _compared(number: Number, ours: Ours) -> Compared:
    remarks = [ours.remark] if ours.remark else []
    half_width = ours.reach(number.number)
    if (
        number.kind == "paper"
        and number.functional
        and number.functional.partition(" (")[0] != ours.functional
    ):  # behind it may stand how: PBE (AIMD)
        remarks.append(f"other functional: {ours.functional} against {number.functional}")
    if ours.phase == "" and number.phase is not None:
        remarks.append(f"published for the {number.phase} phase; the phase of our value is unknown")
    halves = [half for half in (half_width, number.half_width) if half is not None]
    if number.quantity == "activation_energy" and number.definition is None:
        remarks.append("the source does not say which activation energy: compared with that of σ")
    if number.range_K is not None:
        remarks.append(f"published line over {number.range_K[0]:g} to {number.range_K[1]:g} K")
    if number.half_width is None and not number.at_most:
        remarks.append("published without interval")
    if half_width is None:
        remarks.append("ours has no interval")
    deviation = ours.number - number.number
    combined = hypot(*halves) if halves else None
    return Compared(
        number, ours, deviation, combined, _verdict(number, ours, combined), "; ".join(remarks)
    )


def _verdict(number: Number, ours: Ours, combined: float | None) -> str:
    """In a word. A published range is a statement, not an uncertainty, however wide it is."""
    if number.at_most and ours.number <= number.number:
        return "within"
    if combined is None:
        return "no interval"
    if abs(ours.number - number.number) > combined:
        return "outside"
    widest = 2 * max(ours.reach(number.number) or 0.0, number.uncertainty or 0.0)
    return "uninformative" if widest > WIDEST_TELLING * abs(number.number) else "within"


def same_temperature(temperature_K: float, number: Number) -> bool:
    """Whether a run is near enough to the published temperature."""
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
