"""Phonons of the relaxed phases, from the records."""

from __future__ import annotations

from borarun.analysis import functionals, neutron
from borarun.basics.units import PER_CM_IN_MEV, THZ_IN_MEV
from borarun.engines.phonopy import engine as phonopy
from borarun.records.operations.base import Item
from borarun.records.operations.phonons import HarmonicPhonons as Found
from borarun.sections.study import Study
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Done, Source
from borarun.subjects.phonons import section as study_section
from borarun.subjects.phonons.results import PhononsFound, PhononsOfPhase
from borarun.subjects.phonons.stage import Frequencies


def collect(study: Study, source: Source, results: Results) -> PhononsFound:
    """Phonons, and the peaks that were measured."""
    return PhononsFound(phonons(study, source, results.atoms_per_formula), measured_peaks(study))


def measured_peaks(study: Study) -> tuple[float, ...]:
    """Measured peaks in rising order, meV."""
    section = study.section(study_section.Phonons)
    if section is None:
        return ()
    if section.measured_peaks_per_cm is not None:
        return tuple(sorted(peak * PER_CM_IN_MEV for peak in section.measured_peaks_per_cm))
    return tuple(sorted(section.measured_peaks_meV or ()))


def phonons(study: Study, source: Source, atoms_per_formula: int) -> tuple[PhononsOfPhase, ...]:
    """Phonons phase by phase, with every functional."""
    measured = measured_peaks(study)
    found = [_phonons(source, done, atoms_per_formula, measured) for done in source.of(Frequencies)]
    phases = list(study.material.phases)
    return tuple(sorted(found, key=lambda one: phases.index(one.phase)))


def _phonons(
    source: Source, done: Done[Frequencies], atoms_per_formula: int, measured: tuple[float, ...]
) -> PhononsOfPhase:
    def array(name: Item) -> functionals.Array:
        return source.store.array(done.key, name)

    facts, settings = done.facts(Found), phonopy.Settings.of(done.task)
    frequency = array(Found.DOS_FREQUENCY) * THZ_IN_MEV
    units = facts.n_atoms_primitive / atoms_per_formula
    total = array(Found.DOS_TOTAL) / THZ_IN_MEV / units
    ours = functionals.peaks(frequency, total)
    projected = {
        element: values / THZ_IN_MEV / units
        for element, values in zip(facts.elements, array(Found.DOS_PROJECTED), strict=True)
    }
    seen = neutron.weighted(projected)
    return PhononsOfPhase(
        phase=done.about.phase,
        functional=done.about.functional,
        supercell=settings.supercell,
        mesh=settings.mesh,
        displacement_A=settings.displacement_A,
        width_meV=settings.width_THz * THZ_IN_MEV,
        n_displacements=facts.n_displacements,
        frequency_meV=frequency,
        dos=total,
        projected=projected,
        band_distance=array(Found.BAND_DISTANCE),
        band_meV=array(Found.BAND_FREQUENCY) * THZ_IN_MEV,
        corners=tuple(zip(array(Found.BAND_CORNER).tolist(), facts.band_labels, strict=True)),
        n_imaginary=facts.n_imaginary,
        n_q_points=facts.n_q_points,
        lowest_meV=round(facts.lowest_THz * THZ_IN_MEV, 3)
        + 0.0,  # what is left of the acoustic modes' zero is noise, its sign too
        zero_point_eV=facts.zero_point_energy_eV_per_atom * atoms_per_formula,
        free_energy_eV=tuple(
            (float(T), float(F) * atoms_per_formula)
            for T, F in zip(array(Found.TEMPERATURE), array(Found.FREE_ENERGY), strict=True)
        ),
        acoustic_sum_eV_per_A2=facts.acoustic_sum_eV_per_A2,
        peaks_meV=ours,
        match=functionals.match(ours, measured) if measured else None,
        seen=seen,
        seen_match=functionals.match(functionals.peaks(frequency, seen), measured)
        if measured and seen is not None
        else None,
    )
