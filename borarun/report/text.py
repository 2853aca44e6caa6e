"""Numbers and names as a reader wants them, in plain Unicode: the same strings serve figures,
tables and the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import floor, isfinite, log10
from typing import Any

from borarun.published import Number
from borarun.report.measured import Measured

_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

NOTHING = "–"
"""Stands where there is no number."""

OURS = "this study"
"""Whose a number is that borarun computed."""

OF_WHAT = {"D": "D", "sigma*T": "σT", "sigma": "σ"}
"""The quantities that have an activation energy, by the names that files have for them."""


ROUNDING = 1e-12
"""An interval below this part of its value is rounding, and not known."""


def formula(text: str) -> str:
    """``Li2B12H12`` with subscripts."""
    return text.translate(_SUBSCRIPT)


def anions(formulas: Sequence[str], noun: str = "anions") -> str:
    """``B₁₂H₁₂ anions``, ``PS₄ and P₂S₇ anions``."""
    return f"{listed([formula(each) for each in formulas])} {noun}"


def superscript(exponent: int) -> str:
    """An integer as superscript."""
    return str(exponent).translate(_SUPERSCRIPT)


def decade(value: float) -> str:
    """A power of ten on an axis: ``0.1``, ``1``, ``10`` and ``100`` as such, others like
    ``10⁻³``.
    """
    exponent = round(log10(value)) if value > 0 else 0
    return f"{value:g}" if -1 <= exponent <= 2 else f"10{superscript(exponent)}"


def power(value: float, digits: int = 2) -> str:
    """``1.2 × 10⁻³``."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{minus(mantissa)} × 10{superscript(int(exponent))}"


def minus(text: str) -> str:
    """A typographic minus sign for a hyphen."""
    return text.replace("-", "−")


def number(value: float | int | None, digits: int = 4) -> str:
    """A number to ``digits`` significant digits, with a power of ten where it is very large or
    small.
    """
    if value is None or not isfinite(value):
        return NOTHING
    if isinstance(value, int) or (value == round(value) and abs(value) < 1e5):
        return minus(f"{round(value):d}")
    if abs(value) >= 1e5 or abs(value) < 1e-3:
        return power(value, digits)
    decimals = max(0, digits - 1 - floor(log10(abs(value))))
    return minus(f"{value:.{decimals}f}")


def measured(m: Measured | None) -> str:
    """``9.577 ± 0.003`` where the interval is even, else ``1.2 (0.8–1.7) × 10⁻³``; ``below 3.1 ×
    10⁻⁴`` where it reaches zero.
    """
    if m is None or not isfinite(m.value):
        return NOTHING
    half = m.half_width
    if half <= ROUNDING * abs(m.value) or not isfinite(half):
        return number(m.value)
    if m.positive and m.low <= 0:
        return f"below {power(m.high)}" if m.high > 0 else "not above 0"
    even = abs((m.high - m.value) - (m.value - m.low)) <= 0.25 * half
    exponent = floor(log10(abs(m.value))) if m.value else 0
    if exponent < -2 or exponent > 4:
        scale = 10.0**exponent
        tail = f" × 10{superscript(exponent)}"
        value, low, high = (f"{part / scale:.1f}" for part in (m.value, m.low, m.high))
        body = f"({value} ± {half / scale:.1f})" if even else f"{value} ({low}–{high})"
        return minus(body) + tail
    decimals = max(0, 1 - floor(log10(half)))
    if even:
        return minus(f"{m.value:.{decimals}f} ± {half:.{decimals}f}")
    return minus(f"{m.value:.{decimals}f} ({m.low:.{decimals}f}–{m.high:.{decimals}f})")


def published(item: Number | None) -> str:
    """A published number as it was published, without unit."""
    if item is None:
        return NOTHING
    if item.value is None:
        return minus(f"{item.low:g}–{item.high:g}")
    decade = log10(item.value) if item.value > 0 else 0.5
    text = (
        f"10{superscript(round(decade))}"
        if item.unit in ("S/cm", "cm2/s") and decade == round(decade)
        else minus(f"{item.value:g}")
    )
    if item.at_most:
        return f"≤ {text}"
    if item.uncertainty is not None:
        text += f" ± {item.uncertainty:g}"
    if item.low is not None and item.high is not None:
        text += f" ({item.low:g}–{item.high:g})"
    return text


def count(n: int, noun: str) -> str:
    """``1 vacancy``, ``2 vacancies``, ``no vacancies``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"1 {noun}" if n == 1 else f"{n or 'no'} {plural}"


def kelvin(temperature_K: float) -> str:
    """``700 K``."""
    return f"{temperature_K:g} K"


def duration(time_ps: float) -> str:
    """A time in the unit that reads best: fs, ps or ns."""
    if time_ps >= 1000:
        return f"{time_ps / 1000:.3g} ns"
    return f"{time_ps:.3g} ps" if time_ps >= 1 else f"{time_ps * 1000:.3g} fs"


def span(values: list[Any], form: str) -> str:
    """The lowest and the highest of rising values, or the only one."""
    ends = [form.format(value) for value in (values[0], values[-1])]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def listed(items: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return (
        items[0]
        if len(items) == 1
        else ", ".join(items[:-1]) + " and " + items[-1]
        if items
        else ""
    )


def file_name(name: str) -> str:
    """A name without what file names do not have."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", name)


def beside_ours(*items: Number | None, unit: str = "") -> list[tuple[str, str]]:
    """(who, what) of published numbers; those that are not there are left out."""
    lines = []
    for item in items:
        if item is not None:
            who = f"paper, {item.functional}" if item.kind == "paper" else "experiment"
            lines.append((who, f"{published(item)} {unit or item.unit}".replace(" A", " Å")))
    return lines
