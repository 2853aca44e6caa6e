"""Write the report: one HTML page that opens anywhere, and every figure and table as files beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from borarun.report import parquet, published, summary, text
from borarun.report.blocks import Figure, Section, Table
from borarun.report.results import Results
from borarun.report.sections import sections


def write_report(results: Results, directory: Path, *, with_parquet: bool = False) -> Path:
    """Write ``report.html``, ``results.json``, ``figures/*.svg``, ``figures/*.png`` and ``tables/*.csv``.

    Parameters
    ----------
    results : what `borarun.report.collect` made
    directory : where to write; made if it is not there, files of an earlier report are replaced
    with_parquet : write ``tables/*.parquet`` as well; needs pyarrow

    Returns
    -------
    Path of the page.
    """
    found = sections(results)
    for name in ("figures", "tables"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for section in found:
        for block in section.blocks:
            if isinstance(block, Figure):
                for panel in block.panels:
                    (directory / "figures" / f"{panel.name}.svg").write_bytes(panel.file_svg)
                    (directory / "figures" / f"{panel.name}.png").write_bytes(panel.png)
            table = block.data if isinstance(block, Figure) else block
            if isinstance(table, Table):
                (directory / "tables" / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
                if with_parquet:
                    parquet.write(table, directory / "tables" / f"{table.name}.parquet")
    (directory / "results.json").write_text(json.dumps(results.to_json(), indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    page = directory / "report.html"
    page.write_text(render(results, found), encoding="utf-8")
    return page


def render(results: Results, found: Sequence[Section]) -> str:
    """The page as HTML text. Everything but our own drawings and style is escaped."""
    environment = Environment(
        loader=PackageLoader("borarun.report", "."),
        autoescape=select_autoescape(("html", "j2"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = Markup
    style = resources.files("borarun.report").joinpath("page.css").read_text(encoding="utf-8")
    used = [source for key, source in published.sources().items() if _cited(key, results.formula)]
    return environment.get_template("page.html.j2").render(
        results=results,
        formula=text.formula(results.formula),
        warning=summary.warning(results),
        cards=summary.cards(results),
        failed=[gap for gap in results.gaps if gap.failed],
        waiting=[gap for gap in results.gaps if not gap.failed],
        sections=found,
        sources=used,
        count=text.count,
        style=Markup(style),
    )


def _cited(key: str, formula: str) -> bool:
    return any(number.source == key for number in published.numbers(formula))
