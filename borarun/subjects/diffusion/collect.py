"""Motion of the mobile ions, from the runs at constant temperature. Each is read once, also for
what it says of rotation and structure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite

import numpy as np

from borarun.analysis.conductivity import Conductivity, conductivity, nernst_einstein
from borarun.analysis.diffusion import (
    Diffusivity,
    Haven,
    collective_diffusivity,
    diffusivity,
    haven_ratio,
    pooled,
    pooled_haven,
)
from borarun.analysis.estimate import Estimate, mean
from borarun.analysis.msd import mean_squared_displacement
from borarun.analysis.onsager import Coefficient, pooled_coefficient, transport_matrix
from borarun.analysis.regression import regression
from borarun.basics.errors import BorarunError
from borarun.basics.units import FS_PER_PS
from borarun.report.checks import Check
from borarun.report.measured import Array, Measured
from borarun.report.thinning import thin_log
from borarun.sections.dynamics import Stepped
from borarun.sections.study import Study
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Done, Source
from borarun.subjects.common.trajectory import Trajectory, check, read
from borarun.subjects.diffusion.arrhenius import barriers, lines, with_phases
from borarun.subjects.diffusion.results import (
    DiffusionFound,
    FrameworkMotion,
    OfModel,
    OfSpecies,
    PartialConductivity,
    Transport,
)
from borarun.subjects.diffusion.section import Diffusion
from borarun.subjects.diffusion.stage import DiffusionRun
from borarun.subjects.diffusion.structure.collect import RunStructure, local_structure, places
from borarun.subjects.diffusion.structure.results import LocalStructure
from borarun.subjects.heating.results import HeatingFound
from borarun.subjects.reorientation.collect import reorientation, turns_of
from borarun.subjects.reorientation.results import Rotation
from borarun.subjects.reorientation.section import Reorientation

PARTS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Of a run, from its beginning, whose diffusivities show whether it converged."""


@dataclass(frozen=True)
class _Run:
    """What one run contributes."""

    done: Done[DiffusionRun]
    check: Check
    n_atoms: int
    n_mobile: int
    n_species: tuple[int, ...]
    species: tuple[Diffusivity, ...]
    matrix: dict[tuple[int, int], Coefficient]
    n_frames: int
    interval_fs: float
    volume_A3: float
    msd: Array
    framework: tuple[FrameworkMotion, ...]
    tracer: Diffusivity
    collective: Diffusivity
    haven: Haven
    regression: Estimate
    parts: tuple[Diffusivity, ...]


def collect(study: Study, source: Source, results: Results) -> DiffusionFound:
    """Every temperature and vacancy count that has a usable run."""
    turning = study.section(Reorientation)
    # weighted by charge, D is the mean over all ions only where their charges are alike
    alike = len({abs(study.material.charge(ion)) for ion in study.material.ions}) == 1
    groups: dict[tuple[str, float, int], list[Done[DiffusionRun]]] = {}
    for done in source.of(DiffusionRun):
        groups.setdefault(
            (done.about.functional, done.about.temperature_K, done.about.vacancies), []
        ).append(done)
    transport: list[Transport] = []
    turned: list[Rotation] = []
    local: list[LocalStructure] = []
    for group in groups.values():
        runs, turns = [], []
        found: list[RunStructure] = []
        for done in group:
            try:
                run = read(
                    study,
                    source,
                    done,
                    "produce",
                    directions=turning is not None,
                )
            except BorarunError as error:
                source.unusable(done, f"its trajectory cannot be used: {error}")
                continue
            if run is None:
                continue
            runs.append(_run(study, done, run))
            if runs[-1].check.intact:
                found.append(places(study, run))
            if turning is not None and runs[-1].check.intact:
                turns.append(
                    [
                        turns_of(kind, run, turning.plotted_anions, turning.reoriented_deg)
                        for kind in run.anions
                    ]
                )
        if not runs:
            continue
        point = _transport(study, runs)
        transport.append(point)
        for each in runs:
            source.checked(each.done, each.check)
        if turns:
            turned += [reorientation(point, kind) for kind in zip(*turns, strict=True)]
        if found:
            local.append(
                local_structure(
                    point.functional,
                    point.temperature_K,
                    point.vacancies,
                    found,
                    pooled([each.tracer for each in runs]) if alike else None,
                )
            )
    transport.sort(key=lambda point: (point.functional, point.vacancies, point.temperature_K))
    local.sort(key=lambda point: (point.functional, point.vacancies, point.temperature_K))
    points = with_phases(transport, results.of(HeatingFound).transitions, turned)
    return DiffusionFound(
        points, lines(points), tuple(local), tuple(turned), barriers(points, local)
    )


def _run(study: Study, done: Done[DiffusionRun], run: Trajectory) -> _Run:
    material = study.material
    ions, species = run.ions, [run.ions_of(ion) for ion in material.ions]
    if len(species) > 1:
        charges = {ion: material.charge(ion) for ion in material.ions}
        ions = ions * run.charge_weights(charges)[:, None, None].astype(ions.dtype)
    hop_A = (study.section(Diffusion) or Diffusion()).hop_length_A
    tracer = diffusivity(ions, run.interval_fs, hop_length_A=hop_A)
    return _Run(
        done=done,
        check=check(done, run, constant=True),
        n_atoms=len(run.numbers),
        n_mobile=len(ions),
        n_species=tuple(len(each) for each in species),
        species=tuple(diffusivity(each, run.interval_fs, hop_length_A=hop_A) for each in species)
        if len(species) > 1
        else (),
        matrix=transport_matrix(species, run.interval_fs) if len(species) > 1 else {},
        n_frames=run.n_frames,
        interval_fs=run.interval_fs,
        volume_A3=run.volume_A3,
        msd=mean_squared_displacement(ions),
        framework=_framework(run),
        tracer=tracer,
        collective=collective_diffusivity(ions, run.interval_fs, hop_length_A=hop_A),
        haven=haven_ratio(ions, run.interval_fs, hop_length_A=hop_A),
        regression=regression(ions, run.interval_fs),
        parts=(
            *(
                diffusivity(
                    ions[:, :, : round(part * run.n_frames)],
                    run.interval_fs,
                    hop_length_A=hop_A,
                )
                for part in PARTS[:-1]
            ),
            tracer,
        ),
    )


def _framework(run: Trajectory) -> tuple[FrameworkMotion, ...]:
    """Mean squared displacement of each kind of anion's centres, and of each element's atoms
    outside of anions.
    """
    n_lags = max(run.n_frames // 2, 2)
    lags = thin_log(n_lags)
    found = [
        FrameworkMotion(
            "anion centres" if len(run.anions) == 1 else f"{kind.formula} centres",
            lags * run.interval_fs / FS_PER_PS,
            mean_squared_displacement(kind.centres)[lags],
        )
        for kind in run.anions
    ]
    for element, means in run.single.items():
        coarse = np.arange(max(means.shape[2] // 2, 2))
        found.append(
            FrameworkMotion(
                f"{element} atoms",
                coarse * run.part_fs / FS_PER_PS,
                mean_squared_displacement(means)[coarse],
            )
        )
    return tuple(found)


def _mean_motion(runs: Sequence[tuple[FrameworkMotion, ...]]) -> tuple[FrameworkMotion, ...]:
    """Mean over independent runs, at the lags that all of them have."""
    found = []
    for parts in zip(*runs, strict=True):
        shortest = min(parts, key=lambda part: len(part.lag_ps))
        n = len(shortest.lag_ps)
        mean = np.mean([part.msd_A2[:n] for part in parts], axis=0)
        found.append(replace(shortest, msd_A2=mean))
    return tuple(found)


def _transport(study: Study, runs: Sequence[_Run]) -> Transport:
    first = runs[0]
    about = first.done.about
    functional, temperature_K, vacancies = about.functional, about.temperature_K, about.vacancies
    units = study.formula_units(study.supercell)
    n_frames = min(run.n_frames for run in runs)
    lags = thin_log(max(n_frames // 2, 2))
    volume = float(np.mean([run.volume_A3 for run in runs]))
    models = _by_model(runs)
    tracers = {name: pooled([run.tracer for run in own]) for name, own in models.items()}
    # a model is one opinion, however often it was run
    tracer = pooled(list(tracers.values()))
    collective = pooled([pooled([run.collective for run in own]) for own in models.values()])

    charges = [study.material.charge(ion) for ion in study.material.ions]
    charge = math.sqrt(np.average(np.square(charges, dtype=float), weights=first.n_species))
    of_vacancies = first.n_species[study.material.ions.index(study.material.vacancy_ion)]

    def conduct(d: Diffusivity) -> Conductivity:
        return conductivity(d, first.n_mobile, volume, temperature_K, charge=charge)

    reason = "; ".join(run.check.verdict for run in runs if run.check.verdict) or tracer.reason
    held = all(run.check.intact for run in runs)
    return Transport(
        functional=functional,
        temperature_K=temperature_K,
        vacancies=vacancies,
        mol_percent=100 * vacancies / units,
        site_percent=100 * vacancies / (of_vacancies + vacancies),
        n_runs=len(runs),
        n_atoms=first.n_atoms,
        n_mobile=first.n_mobile,
        time_ps=(n_frames - 1) * first.interval_fs / FS_PER_PS,
        interval_fs=first.interval_fs,
        n_origins=n_frames,
        n_blocks=tracer.n_blocks,
        freedom=tracer.freedom,
        relative_error=tracer.error / tracer.value if tracer.value > 0 else inf,
        seeds=tuple(seed for run in runs if (seed := Stepped.of(run.done.task).seed) is not None),
        volume_A3=volume,
        lag_ps=lags * first.interval_fs / FS_PER_PS,
        msd_A2=np.mean([run.msd[lags] for run in runs], axis=0),
        framework=_mean_motion([run.framework for run in runs]),
        fit_window_ps=(tracer.fit_from_fs / FS_PER_PS, tracer.fit_to_fs / FS_PER_PS),
        diffusivity_cm2_s=_measured(tracer) if held else None,
        regression_cm2_s=_regression([run.regression for run in runs]) if held else None,
        part_ps=np.array(PARTS) * n_frames * first.interval_fs / FS_PER_PS,
        part_cm2_s=tuple(
            _measured(
                pooled([pooled([run.parts[index] for run in own]) for own in models.values()])
            )
            if held
            else None
            for index in range(len(PARTS))
        ),
        conductivity_S_cm=_measured(conduct(tracer)) if held else None,
        collective_S_cm=_measured(conduct(collective)) if held and collective.diffusive else None,
        haven=_haven([run.haven for run in runs]) if held else None,
        accepted=not reason,
        reason=reason,
        counted_hops=tracer.counted_hops if reason == tracer.reason and held else None,
        species=_species(study, runs, volume, temperature_K) if held else (),
        matrix=_matrix(study, runs, volume, temperature_K) if held else (),
        models=tuple(
            OfModel(
                name,
                len(models[name]),
                _measured(own) if held else None,
                _measured(conduct(own)) if held else None,
            )
            for name, own in tracers.items()
            if name
        ),
    )


def _species(
    study: Study, runs: Sequence[_Run], volume_A3: float, temperature_K: float
) -> tuple[OfSpecies, ...]:
    """Each mobile element by itself, where several move."""
    if not runs[0].species:
        return ()
    found = []
    for index, ion in enumerate(study.material.ions):
        own = pooled([run.species[index] for run in runs])
        n, charge = runs[0].n_species[index], study.material.charge(ion)
        carried = conductivity(own, n, volume_A3, temperature_K, charge=abs(charge))
        found.append(OfSpecies(ion, charge, n, _measured(own), _measured(carried), own.reason))
    return tuple(found)


def _matrix(
    study: Study, runs: Sequence[_Run], volume_A3: float, temperature_K: float
) -> tuple[PartialConductivity, ...]:
    """What each pair of mobile elements adds to the conductivity, where several move."""
    ions, found = study.material.ions, []
    for a, b in runs[0].matrix:
        element = pooled_coefficient([run.matrix[a, b] for run in runs])
        charges = study.material.charge(ions[a]) * study.material.charge(ions[b])
        factor = charges * nernst_einstein(1.0, 1, volume_A3, temperature_K)
        low, high = sorted((factor * element.low, factor * element.high))
        value = Measured(factor * element.value, low, high) if element.usable else None
        found.append(PartialConductivity(ions[a], ions[b], value))
    return tuple(found)


def _by_model(runs: Sequence[_Run]) -> dict[str, list[_Run]]:
    """The runs of each ordered model; all under one name where the structure is ordered."""
    found: dict[str, list[_Run]] = {}
    for run in runs:
        found.setdefault(run.done.about.model, []).append(run)
    return found


def _measured(value: Diffusivity | Conductivity) -> Measured | None:
    """With its interval; of a run that is not diffusive, an upper bound."""
    low = value.low if value.diffusive else min(value.low, 0.0)
    return Measured(value.value, low, value.high, positive=True) if isfinite(value.error) else None


def _regression(runs: Sequence[Estimate]) -> Measured | None:
    found = mean(runs)
    return (
        Measured(found.value, found.low, found.high, positive=True)
        if isfinite(found.value)
        else None
    )


def _haven(runs: Sequence[Haven]) -> Measured | None:
    found = pooled_haven(runs)
    return Measured(found.value, found.low, found.high) if found.usable else None
