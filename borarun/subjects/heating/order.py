"""Order against temperature, from the ramps."""

from __future__ import annotations

import numpy as np

from borarun.analysis import lattice, occupancy
from borarun.analysis.order import orientational_order, polar_order
from borarun.analysis.sites import find_sites
from borarun.errors import BorarunError
from borarun.operations.dynamics import MolecularDynamics
from borarun.report.measured import Array
from borarun.report.source import Done, Source
from borarun.report.trajectory import Trajectory, check, read
from borarun.study import Study
from borarun.subjects.heating.ramps import bin_width_K, is_slowest, set_temperature
from borarun.subjects.heating.results import OrderBranch
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
    cold: dict[tuple[str, int], Array] = {}
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
        if (
            not is_slowest(source, done)
            or done.about.run > 0
            or not intact
            or run.anions.shape[1] == 1
        ):  # a single atom has no orientation
            continue
        if branch == "heating":
            cold[group] = _cold_orientation(run)
        if group in cold:
            order.append(
                _branch(
                    done,
                    run,
                    set_temperature(
                        done.task, source.store.array(done.key, MolecularDynamics.STEP)
                    ),
                    cold[group],
                )
            )
    return tuple(order)


def _cold_orientation(run: Trajectory) -> Array:
    """(A, V, 3): mean directions of the vertices at the cold start of a heating run."""
    return np.asarray(
        run.vertex_vectors[..., : max(run.n_frames // COLD_PART, 1)].mean(axis=3, dtype=float)
    )


def _branch(done: Done[Ramp], run: Trajectory, temperature_K: Array, cold: Array) -> OrderBranch:
    """Shares of the sites and order of the orientations on a ramp, in bins of temperature."""
    sites = find_sites(run.centres.mean(axis=2), run.mean_cell)
    site = occupancy.nearest_site(run.ions, sites, run.mean_cell)
    share = occupancy.fractions(occupancy.settled(site, run.interval_fs), sites)
    turned = orientational_order(run.vertex_vectors, cold)

    def binned(values: Array) -> lattice.Binned:
        return lattice.binned(temperature_K, values, width_K=bin_width_K(done.task))

    return OrderBranch(
        functional=done.about.functional,
        vacancies=done.about.vacancies,
        branch=done.about.branch,
        n_atoms=len(run.numbers),
        n_anions=len(run.anions),
        n_frames=run.n_frames,
        temperature_K=binned(turned.order).temperature_K,
        share={kind: binned(values).value for kind, values in share.items()},
        memory=binned(turned.memory).value,
        order=binned(turned.order).value,
        l=turned.l,
        polar_order=binned(polar_order(run.vertex_vectors, cold, run.head)).value
        if run.head.any()
        else None,
    )
