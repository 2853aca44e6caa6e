"""Write the report: one HTML page that opens anywhere, and every figure and table as files beside
it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from borarun.basics.errors import StoreError
from borarun.basics.file import unwritable
from borarun.page import cell_page, summary
from borarun.page.sections import sections
from borarun.report import parquet, text
from borarun.report.blocks import Figure, File, PageSection, Table
from borarun.subjects.common.results import Results


def files(results: Results, *, with_parquet: bool = False) -> dict[str, File]:
    """``report.html``, ``cell.html``, ``results.json``, ``figures/*.svg``, ``figures/*.png`` and
    ``tables/*.csv``, by their paths.

    Parameters
    ----------
    results : what `borarun.page.collect` made
    with_parquet : ``tables/*.parquet`` as well; needs pyarrow
    """
    parts = sections(results)
    page = render(results, parts).encode()
    cell = File(
        cell_page.cell_page(results).encode(),
        "the unit cell and the density of the mobile ions in three dimensions",
    )
    numbers = json.dumps(results.to_json(), indent=1, ensure_ascii=False, allow_nan=False).encode()
    found = {
        "report.html": File(page, "the report: every figure and table on one page"),
        cell_page.NAME: cell,
        "results.json": File(numbers, "every number of the report"),
    }
    for block in (block for section in parts for block in section.blocks):
        if isinstance(block, Figure):
            for panel in block.panels:
                found[f"figures/{panel.name}.svg"] = File(panel.file_svg, panel.alt)
                found[f"figures/{panel.name}.png"] = File(panel.png, panel.alt)
        table = block.data if isinstance(block, Figure) else block
        if isinstance(table, Table):
            found[f"tables/{table.name}.csv"] = File(table.csv().encode(), table.title)
            if with_parquet:
                found[f"tables/{table.name}.parquet"] = File(parquet.content(table), table.title)
    return found


def write_report(results: Results, directory: Path) -> Path:
    """Write the files of a report.

    Parameters
    ----------
    results : what `borarun.page.collect` made
    directory : where to write; made if it is not there, files of an earlier report are replaced

    Returns
    -------
    Path of the page.

    Raises
    ------
    StoreError
        Where the disk is full or the directory not writable.
    """
    for name, file in files(results).items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        except OSError as error:
            raise StoreError(unwritable(path, error)) from error
    return directory / "report.html"


def render(results: Results, found: Sequence[PageSection]) -> str:
    """The page as HTML text. Everything but our own drawings and style is escaped."""
    environment = Environment(
        loader=PackageLoader("borarun.page", "."),
        autoescape=select_autoescape(("html", "j2"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = Markup
    style = resources.files("borarun.page").joinpath("page.css").read_text(encoding="utf-8")
    cited = {
        *(n.source for n in results.published.values),
        *(t.source for t in results.published.training),
    }
    used = [source for key, source in results.published.sources.items() if key in cited]
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
