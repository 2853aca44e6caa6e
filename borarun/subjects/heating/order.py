"""Order against temperature, from the ramps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from borarun.analysis import lattice, occupancy
from borarun.analysis.order import orientational_order, polar_order
from borarun.basics.errors import BorarunError
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.report.measured import Array
from borarun.sections.study import Study
from borarun.subjects.common.holes import find_holes
from borarun.subjects.common.source import Done, Source
from borarun.subjects.common.trajectory import Molecules, Trajectory, check, read
from borarun.subjects.heating.ramps import bin_width_K, is_slowest, set_temperature
from borarun.subjects.heating.results import OrderBranch, Orientation
from borarun.subjects.heating.stage import Ramp

COLD_PART = 20
"""Orientations are compared with their mean over so small a part of the heating run, at its cold
end.
"""


def ramps(study: Study, source: Source) -> tuple[OrderBranch, ...]:
    """Checks of every ramp, and order on the slowest ones. Orientations are compared with the cold
    start of the heating run of the same cell.
    """
    order: list[OrderBranch] = []
    cold: dict[tuple[str, int], tuple[Array, ...]] = {}
    for done in source.of(Ramp):
        branch, group = done.about.branch, (done.about.functional, done.about.vacancies)
        try:
            run = read(study, source, done, branch, toroidal=False)
        except BorarunError as error:
            source.unusable(done, f"its trajectory cannot be used: {error}")
            continue
        if run is None:
            continue
        intact = source.checked(done, check(done, run, constant=False))
        if not is_slowest(source, done) or done.about.run > 0 or not intact:
            continue
        if branch == "heating":
            cold[group] = _cold_orientation(run)
        if group in cold:
            order.append(
                _branch(
                    study,
                    done,
                    run,
                    set_temperature(
                        done.task, source.store.array(done.key, MolecularDynamics.STEP)
                    ),
                    cold[group],
                )
            )
    return tuple(order)


def _cold_orientation(run: Trajectory) -> tuple[Array, ...]:
    """For each kind of anion (A, V, 3): mean directions of the vertices at the cold start of a
    heating run.
    """
    early = slice(max(run.n_frames // COLD_PART, 1))
    return tuple(
        np.asarray(kind.vertex_vectors[..., early].mean(axis=3, dtype=float)) for kind in run.anions
    )


def _branch(
    study: Study,
    done: Done[Ramp],
    run: Trajectory,
    temperature_K: Array,
    cold: tuple[Array, ...],
) -> OrderBranch:
    """Shares of the sites and order of the orientations on a ramp, in bins of temperature."""
    holes = find_holes(run, negative=study.material.charge(study.material.ions[0]) < 0)
    share = {}
    if holes is not None:
        site = occupancy.nearest_site(run.ions, holes.sites, run.mean_cell)
        share = occupancy.fractions(occupancy.settled(site, run.interval_fs), holes.sites)

    def binned(values: Array) -> lattice.Binned:
        return lattice.binned(temperature_K, values, width_K=bin_width_K(done.task))

    return OrderBranch(
        functional=done.about.functional,
        vacancies=done.about.vacancies,
        branch=done.about.branch,
        n_atoms=len(run.numbers),
        n_frames=run.n_frames,
        temperature_K=binned(temperature_K).temperature_K,
        between=holes.between if holes is not None else "",
        share={kind: binned(values).value for kind, values in share.items()},
        orientations=tuple(
            _orientation(kind, reference, binned)
            for kind, reference in zip(run.anions, cold, strict=True)
        ),
    )


def _orientation(
    kind: Molecules, cold: Array, binned: Callable[[Array], lattice.Binned]
) -> Orientation:
    """Order of one kind of anion."""
    turned = orientational_order(kind.vertex_vectors, cold)
    return Orientation(
        anion=kind.formula,
        n_anions=len(kind.members),
        memory=binned(turned.memory).value,
        order=binned(turned.order).value,
        l=turned.l,
        polar_order=binned(polar_order(kind.vertex_vectors, cold, kind.head)).value
        if kind.head.any()
        else None,
    )
