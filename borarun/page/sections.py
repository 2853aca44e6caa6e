"""The page's sections, in the order of the science."""

from __future__ import annotations

from dataclasses import replace

from borarun.page import checks, comparison
from borarun.page.provenance import tables as provenance_tables
from borarun.report import text
from borarun.report.blocks import Block, Note, PageSection
from borarun.subjects import SUBJECTS
from borarun.subjects.common.results import Results


def sections(results: Results) -> list[PageSection]:
    """All sections that this study asks for, with what is there so far."""
    found: dict[str, PageSection] = {}
    for subject in SUBJECTS:
        show = subject.part("show")
        if show is None or subject.name not in results.sections:
            continue
        for section in show.sections(results):
            if (before := found.get(section.id)) is not None:  # subjects may share a section
                section = replace(
                    before,
                    blocks=[*before.blocks, *section.blocks],
                    gaps=[*before.gaps, *section.gaps],
                )
            found[section.id] = section
    made = sorted(found.values(), key=lambda section: section.late)
    beside = comparison.comparison(results)
    if beside is not None:
        intro = "Published values, each beside our value."
        made.append(PageSection("compare", "Comparison", intro, [beside]))
    if results.checks:
        made.append(_checks(results))
    return [*made, _provenance(results)]


def _checks(results: Results) -> PageSection:
    broken = [check for check in results.checks if not check.intact]
    blocks: list[Block] = []
    if broken:
        blocks.append(
            Note(
                f"{text.count(len(broken), 'run')} with broken or drifting "
                f"{'anions' if results.molecular else 'framework'}; see the remarks below.",
                "warning",
            )
        )
    else:
        blocks.append(
            Note(
                f"The {_held(results)} in all {len(results.checks)} finished production runs.",
                "good",
            )
        )
    table = checks.checks(results)
    if table is not None:
        blocks.append(table)
    return PageSection(
        "validity",
        "Does the framework hold?",
        f"A trajectory with {'broken anions' if results.molecular else 'a broken framework'} gives "
        "no valid numbers, so every run is checked.",
        blocks,
    )


def _held(results: Results) -> str:
    if results.molecular:
        return "anions stayed intact"
    return f"{'anions and the other ' if results.anions else ''}framework stayed intact"


def _provenance(results: Results) -> PageSection:
    p = results.provenance
    versions = provenance_tables.versions(results)
    blocks: list[Block] = [versions] if versions is not None else []
    blocks.append(provenance_tables.runs(results))
    span = f" Computed from {p.started} to {p.ended}." if p.started else ""
    return PageSection(
        "provenance",
        "Provenance",
        f"The requested study, and the programs that computed it.{span}",
        blocks,
    )
