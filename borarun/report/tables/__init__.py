"""Tables of the page: ours, and beside it what is published. One module a subject."""

from borarun.report.tables import (
    checks,
    comparison,
    diffusion,
    heating,
    learning,
    phonons,
    provenance,
    relax,
    rotation,
    structure,
)

__all__ = [
    "checks",
    "comparison",
    "diffusion",
    "heating",
    "learning",
    "phonons",
    "provenance",
    "relax",
    "rotation",
    "structure",
]
