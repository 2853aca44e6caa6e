"""Every published number that has a counterpart of ours."""

from __future__ import annotations

from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.comparison import SAME_CONTENT, SAME_TEMPERATURE_K, compare
from borarun.subjects.common.results import Results


def comparison(results: Results) -> Table | None:
    """Ours beside every published number that has a counterpart."""
    found = compare(results)
    if not found:
        return None
    rows: list[list[Value]] = []
    for c in found:
        n = c.published
        conditions = [c.ours.functional]
        conditions += [text.kelvin(n.temperature_K)] if n.temperature_K is not None else []
        conditions += [f"{c.ours.mol_percent:.3g} mol %"] if c.ours.mol_percent is not None else []
        conditions += [c.ours.phase] if c.ours.phase else []
        quantity = n.quantity.replace("_percent", "").replace("_", " ")
        if n.quantity == "activation_energy":
            quantity += f" of {text.OF_WHAT[n.definition or 'sigma']}"
        rows.append(
            [
                f"{quantity}, {_UNIT_NAMES.get(n.unit, n.unit)}",
                ", ".join(conditions),
                c.ours.value,
                text.published(n),
                c.in_intervals,
                c.verdict,
                f"{n.kind}, {n.functional}" if n.functional else n.kind,
                c.deviation,
                c.remark,
                f"{results.published.sources[n.source].short}, {n.place}",
            ]
        )
    columns = (
        Column("quantity"),
        Column("ours"),
        Column("value"),
        Column("published"),
        Column("deviation", "intervals", 2),
        Column("verdict"),
        Column("published by"),
        Column("deviation", "", 3),
        Column("remark"),
        Column("source"),
    )
    outside = sum(c.verdict == "outside" for c in found)
    untold = sum(c.verdict == "uninformative" for c in found)
    left = len(results.published.values) - len({c.published.identity for c in found})
    caption = (
        "The combined interval is the root of the sum of squares of half our 95 % interval and "
        f"half the published one, where they exist; {outside} of {len(found)} comparisons lie "
        f"outside it. {untold} are uninformative: the values agree, but only because an interval "
        "is wider than the published value. Intervals contain statistical errors only. A "
        "deviation of many intervals may come from the functional, the potential or the size of "
        f"the cell. {text.count(left, 'published value')} without a counterpart here "
        f"{'is' if left == 1 else 'are'} left out. Results are compared if their temperatures "
        f"differ by at most {SAME_TEMPERATURE_K:g} K and their vacancy contents (mol %) by at "
        f"most {100 * SAME_CONTENT:g} %; lattice parameters only at the published temperature."
    )
    return Table("comparison", "Comparison with published values", columns, rows, caption)


_UNIT_NAMES = {"A": "Å", "deg": "°"}
