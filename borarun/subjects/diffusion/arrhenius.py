"""Phases of the points at constant temperature, and Arrhenius lines through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite

import numpy as np

from borarun.analysis import arrhenius
from borarun.analysis.order import MeanOrder
from borarun.report.measured import Measured
from borarun.subjects.diffusion.results import ArrheniusLine, JumpBarrier, Transport
from borarun.subjects.diffusion.structure.results import LocalStructure
from borarun.subjects.heating.results import Transition
from borarun.subjects.reorientation.results import Rotation

LINE_POINTS = 30
MANY_JUMPS = 10
"""From so many on, a count of jumps has about a normal error."""

ORDERED_PHASE, DISORDERED_PHASE, MIXED = "ordered phase", "disordered phase", "mixed"


def with_phases(
    transport: Sequence[Transport], transitions: Sequence[Transition], rotation: Sequence[Rotation]
) -> tuple[Transport, ...]:
    """The points with the phase that they are in, where the heating runs found a transition.

    Below and above the transition temperature with its interval, and the half heights of cooling
    and heating, temperature tells it. Between them either phase may be there, and with other
    vacancies than those of the heating everywhere: whether the run's own anions kept the order of
    the relaxed crystal tells which. A point whose order is too near to the limit is ``mixed``; it
    is no longer accepted, and neither is one between the half heights of which nothing tells the
    phase.
    """
    order = {
        (p.functional, p.temperature_K, p.vacancies): MeanOrder(
            p.order.value, p.order.low, p.order.high
        )
        for p in sorted(rotation, key=lambda p: -p.order.value)  # the least ordered kind tells
    }
    return tuple(
        _with_phase(
            p,
            _transition(p.functional, p.vacancies, transitions),
            order.get((p.functional, p.temperature_K, p.vacancies)),
        )
        for p in transport
    )


def _with_phase(point: Transport, near: Transition | None, order: MeanOrder | None) -> Transport:
    if near is None or near.bracket_K is None or near.temperature_K is None:
        return point
    low, high = near.bracket_K
    by_temperature = (
        ORDERED_PHASE if point.temperature_K < near.temperature_K.value else DISORDERED_PHASE
    )
    told = near.vacancies == point.vacancies and not low < point.temperature_K < high
    if order is not None and not told:
        if order.verdict == "mixed":
            return replace(
                point,
                phase=MIXED,
                accepted=False,
                counted_hops=None,
                reason=point.reason
                or (
                    f"mixed: the order of the anions is {order.value:.2f}, too near its limit to "
                    "assign a phase"
                ),
            )
        return replace(point, phase=f"{order.verdict} phase")
    if low < point.temperature_K < high and point.counted_hops is not None:
        return replace(point, phase=by_temperature, counted_hops=None)
    if not low < point.temperature_K < high or not point.accepted:
        return replace(point, phase=by_temperature)
    return replace(
        point,
        phase=by_temperature,
        accepted=False,
        reason=(
            f"within the hysteresis: either phase may exist between {low:.0f} and {high:.0f} K"
        ),
    )


def lines(transport: Sequence[Transport]) -> tuple[ArrheniusLine, ...]:
    """An Arrhenius line for each functional, vacancy count and phase; none of what is mixed."""
    groups: dict[tuple[str, int, str], list[Transport]] = {}
    for point in transport:
        if point.phase == MIXED:
            continue
        groups.setdefault((point.functional, point.vacancies, point.phase), []).append(point)
    made = [_line(points) for points in groups.values()]
    return tuple(
        sorted(
            made, key=lambda line: (line.functional, line.vacancies, line.phase != ORDERED_PHASE)
        )
    )


def barriers(
    transport: Sequence[Transport], local: Sequence[LocalStructure]
) -> tuple[JumpBarrier, ...]:
    """A barrier for each path of each functional, vacancy count and phase; none of what is mixed.

    Rates of many jumps enter by their error, others by their number.
    """
    phases = {(p.functional, p.vacancies, p.temperature_K): p.phase for p in transport}
    groups: dict[tuple[str, int, str], list[LocalStructure]] = {}
    for one in local:
        phase = phases[one.functional, one.vacancies, one.temperature_K]
        if phase != MIXED:
            groups.setdefault((one.functional, one.vacancies, phase), []).append(one)
    return tuple(
        _barrier(group, *key, path)
        for key, group in sorted(groups.items())
        for path in sorted({path.path for one in group for path in one.paths})
    )


def _barrier(
    group: Sequence[LocalStructure], functional: str, vacancies: int, phase: str, path: str
) -> JumpBarrier:
    before = path.split(" → ")[0]
    counted = [
        (one.temperature_K, sum(p.jumps for p in one.paths if p.path == path), time_ns)
        for one in group
        if (time_ns := one.hole_time_ns.get(before, 0.0)) > 0
    ]
    good = np.array([row for row in counted if row[1] >= MANY_JUMPS], float).reshape(-1, 3).T
    few = np.array([row for row in counted if row[1] < MANY_JUMPS], float).reshape(-1, 3).T
    fit = arrhenius.fit(
        good[0],
        good[1] / good[2],
        np.sqrt(good[1]) / good[2],
        arrhenius.FewHops(few[0], few[1], 1 / few[2]),
    )
    return JumpBarrier(
        functional,
        vacancies,
        phase,
        path,
        _energy(fit),
        len(counted),
        int(sum(jumps for _, jumps, _ in counted)),
    )


def _transition(
    functional: str, vacancies: int, transitions: Sequence[Transition]
) -> Transition | None:
    """The slowest ramps of the same functional, at the nearest vacancy count that was heated."""
    same = [t for t in transitions if t.functional == functional]
    return min(same, key=lambda t: (abs(t.vacancies - vacancies), t.heating_K_per_ps), default=None)


def _line(points: Sequence[Transport]) -> ArrheniusLine:
    measured = [p for p in points if p.conductivity_S_cm and p.diffusivity_cm2_s]
    good = [p for p in measured if p.accepted]
    seldom = [p for p in measured if p.counted_hops]
    temperatures_K = np.array([p.temperature_K for p in good])
    fit = _fit(good, seldom, _sigma)
    where = (
        np.linspace(temperatures_K.min(), temperatures_K.max(), LINE_POINTS)
        if fit.usable
        else np.zeros(0)
    )
    line, low, high = fit.at(where) if fit.usable else (where, where, where)
    span = f"{temperatures_K.min():g} to {temperatures_K.max():g} K" if fit.usable else fit.reason
    left_out = len(points) - len(good) - len(seldom)
    statement = ", ".join(
        part
        for part in (
            points[0].phase,
            span,
            f"{left_out} of {len(points)} temperatures left out" if left_out else "",
            f"{len(seldom)} weighted by the number of hops" if seldom and fit.usable else "",
        )
        if part
    )
    return ArrheniusLine(
        functional=points[0].functional,
        vacancies=points[0].vacancies,
        mol_percent=points[0].mol_percent,
        site_percent=points[0].site_percent,
        activation_energy_meV=_energy(fit),
        energy_of_sigma_T_meV=_energy(_fit(good, seldom, lambda p: _sigma(p) * p.temperature_K)),
        energy_of_D_meV=_energy(_fit(good, seldom, _diffusivity)),
        n_points=fit.n_points,
        chi2_reduced=fit.chi2_reduced if isfinite(fit.chi2_reduced) else None,
        line_T_K=where,
        line_S_cm=line,
        line_low_S_cm=low,
        line_high_S_cm=high,
        phase=points[0].phase,
        statement=statement,
        fit=fit if fit.usable else None,
    )


def _fit(
    good: Sequence[Transport], seldom: Sequence[Transport], read: Callable[[Transport], float]
) -> arrhenius.Arrhenius:
    """A line through what ``read`` gives of each point, and of those with few hops."""
    values = np.array([read(p) for p in good])
    few = [
        (p.temperature_K, p.counted_hops, read(p) / p.counted_hops)
        for p in seldom
        if p.counted_hops
    ]
    return arrhenius.fit(
        np.array([p.temperature_K for p in good]),
        values,
        values * [p.relative_error for p in good],
        arrhenius.FewHops(*np.array(few, float).reshape(-1, 3).T),
    )


def _energy(fit: arrhenius.Arrhenius) -> Measured | None:
    """meV."""
    if not fit.usable:
        return None
    return Measured(1e3 * fit.activation_energy_eV, 1e3 * fit.low, 1e3 * fit.high)


def _sigma(point: Transport) -> float:
    """S/cm."""
    assert point.conductivity_S_cm is not None
    return point.conductivity_S_cm.value


def _diffusivity(point: Transport) -> float:
    """cm^2/s."""
    assert point.diffusivity_cm2_s is not None
    return point.diffusivity_cm2_s.value
