"""Vibrational densities of states, from the dense runs."""

from __future__ import annotations

from ase.data import chemical_symbols

from borarun.analysis.vibrations import density_of_states
from borarun.basics.errors import BorarunError
from borarun.basics.units import THZ_IN_MEV
from borarun.sections.study import Study
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Done, Source
from borarun.subjects.common.trajectory import Trajectory, check, read, still_atoms
from borarun.subjects.vibrations.results import Vibrations, VibrationsFound
from borarun.subjects.vibrations.stage import VibrationsRun


def collect(study: Study, source: Source, results: Results) -> VibrationsFound:
    """Every dense run that is done, and its checks; one whose framework broke has no spectrum."""
    spectra: list[Vibrations] = []
    for done in source.of(VibrationsRun):
        try:
            run = read(study, source, done, "produce", directions=False)
        except BorarunError as error:
            source.unusable(done, f"its trajectory cannot be used: {error}")
            continue
        if run is None:
            continue
        if source.checked(done, check(done, run, constant=True)):
            spectra.append(_spectrum(study, source, done, run))
    return VibrationsFound(tuple(spectra))


def _spectrum(
    study: Study, source: Source, done: Done[VibrationsRun], run: Trajectory
) -> Vibrations:
    found = density_of_states(
        still_atoms(source, done, "produce", run), run.numbers, run.masses, run.interval_fs
    )
    scale = len(run.numbers) / study.formula_units(study.supercell) / THZ_IN_MEV
    return Vibrations(
        functional=done.about.functional,
        temperature_K=done.about.temperature_K,
        vacancies=done.about.vacancies,
        n_atoms=len(run.numbers),
        interval_fs=run.interval_fs,
        n_frames=run.n_frames,
        n_windows=found.n_windows,
        resolution_meV=found.resolution_THz * THZ_IN_MEV,
        frequency_meV=found.frequency_THz * THZ_IN_MEV,
        dos=found.total * scale,
        projected={
            chemical_symbols[number]: values * scale for number, values in found.projected.items()
        },
    )
