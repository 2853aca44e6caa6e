"""The study's section on phonons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, Strict

from borarun.input.messages import Section
from borarun.input.renamed import Renamed
from borarun.sections.dynamics import Finding, Phases, known_phases
from borarun.sections.study import Study
from borarun.sections.values import Kelvins, PhaseName, Supercell
from borarun.subjects.relax.section import Relax

Peaks = Annotated[
    tuple[Annotated[float, Field(gt=0, le=1e4)], ...],
    Field(min_length=1, max_length=100),
    Strict(False),
]


class Phonons(Section):
    """Phonons of relaxed phases by finite displacements; their peaks against measured ones rank the
    functionals.
    """

    phases: Annotated[tuple[PhaseName, ...], Field(min_length=1), Strict(False)] | None = Field(
        default=None, description="Phases of the material. Default: the first."
    )
    supercell: Supercell = Field(
        default=(1, 1, 1), description="Repeats of the relaxed cell along a, b and c."
    )
    displacement_A: Annotated[float, Field(gt=0, le=0.5)] = Field(
        default=0.01, description="Displacement of the atoms, angstrom."
    )
    mesh: Supercell = Field(
        default=(4, 4, 4),
        description="Gamma-centred q-point mesh along the three reciprocal vectors.",
    )
    width_meV: Annotated[float, Field(gt=0, le=20)] = Field(
        default=1.0,
        description="Gaussian broadening (standard deviation) of the density of states, meV; about "
        "the resolution of the measurement.",
    )
    band_path: (
        Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Z0-9,]+$")] | None
    ) = Field(
        default=None,
        description="Corners of the band structure in the notation of Setyawan and Curtarolo, e.g. "
        "`GXMG,R`. Default: the whole path of the lattice.",
    )
    temperatures_K: Kelvins = Field(
        default=(300.0,), description="Temperatures of free energy and heat capacity, K."
    )
    measured_peaks_meV: Peaks | None = Field(
        default=None, description="Measured positions of peaks in the vibrational spectrum, meV."
    )
    measured_peaks_per_cm: Peaks | None = Field(
        default=None, description="The same in cm^-1 instead."
    )


LARGEST_FORCE = 0.005
"""Left by relaxation, the default of ``relax``: farther from the minimum the softest modes are
another structure's.
"""


def _phases(study: Study, section: Phonons, phases: Phases) -> Iterator[Finding]:
    place = ("phonons", "phases")
    yield from known_phases(study, ((place, phase) for phase in section.phases or ()))


def _peaks(study: Study, section: Phonons, phases: Phases) -> Iterator[Finding]:
    if section.measured_peaks_meV and section.measured_peaks_per_cm:
        yield (
            ("phonons", "measured_peaks_per_cm"),
            "repeats measured_peaks_meV. Keep one of the two lists.",
        )


def warnings(study: Study, section: Phonons, phases: Phases) -> Iterator[str]:
    """What is allowed but worth knowing."""
    relax = study.section(Relax)
    if relax and relax.max_force_eV_per_A > LARGEST_FORCE:
        yield (
            f"relax.max_force_eV_per_A: {relax.max_force_eV_per_A:g} leaves forces that "
            f"shift the softest phonons and may make them imaginary. {LARGEST_FORCE:g} or "
            "less is safer."
        )


CHECKS = (
    _phases,
    _peaks,
)
"""What is impossible in the section; see ``study/checks.py``."""

RENAMED = (
    Renamed(("peaks_meV",), "measured_peaks_meV", since="0.1.0"),
    Renamed(("peaks_per_cm",), "measured_peaks_per_cm", since="0.1.0"),
    Renamed(("path",), "band_path", since="0.1.0"),
)
"""Keys that have a new name."""
