"""The vibrational density of states on the page."""

from __future__ import annotations

from borarun.report.blocks import PageSection
from borarun.report.parts import present
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.structure.show import chapter
from borarun.subjects.vibrations import figures as vibrations_figures


def sections(results: Results) -> list[PageSection]:
    """The spectra of the dense runs."""
    gaps = results.missing("vibrations")
    shown = present(gaps, ("Vibrational density of states", vibrations_figures.densities(results)))
    return [chapter(results, shown)]
