"""Figures of the page. One module a subject."""

from borarun.report.plots import (
    diffusion,
    heating,
    learning,
    phonons,
    rotation,
    structure,
    vibrations,
)

__all__ = ["diffusion", "heating", "learning", "phonons", "rotation", "structure", "vibrations"]
