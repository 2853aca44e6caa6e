"""Tables of the examination."""

from __future__ import annotations

from borarun.analysis.deviations import Deviations
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results
from borarun.subjects.examination.results import ExaminationFound
from borarun.subjects.potential.results import PotentialFound

UNITS = {"energy": "meV/atom", "forces": "eV/Å", "stress": "kbar"}


def errors(results: Results) -> Table | None:
    """Errors on configurations of production by group, after those on held-out configurations."""
    found = results.of(ExaminationFound)
    if not found.errors:
        return None
    rows: list[list[Value]] = []
    for examined in found.examined:
        functional = examined.functional
        learning = next(
            (p for p in results.of(PotentialFound).learning if p.functional == functional), None
        )
        if learning is not None and learning.trainings:
            count = learning.trainings[-1].n_valid
            rows += [
                [functional, "held out of the fit", count, *_numbers(name, each, each.rmse), None]
                for name, each in learning.deviations.items()
            ]
        rows += [
            [
                functional,
                each.group,
                each.n_frames,
                *_numbers(each.quantity, each.deviations, each.rmse or each.deviations.rmse),
                each.mean,
            ]
            for each in found.errors
            if each.functional == functional
        ]
    columns = (
        Column("functional"),
        Column("group"),
        Column("configurations"),
        Column("quantity"),
        Column("RMSE of components", "", 3),
        Column("RMSE of length", "", 3),
        Column("mean absolute", "", 3),
        Column("95 % below", "", 3),
        Column("largest", "", 3),
        Column("mean error", "", 3),
    )
    caption = (
        "The final potential against the reference on configurations of runs that were made with "
        "it, so that no fit has seen them. Intervals of 95 % are from a bootstrap over "
        "configurations and need at least 12 of them. The length is that of force vectors and the "
        "Frobenius norm of stress tensors. The mean error is potential less reference; of the "
        "stress it is that of a third of the trace, which is the pressure with the opposite sign. "
        "The published Table S2 and Figures S2 to S4 give average absolute errors (AAE) and RMSE."
    )
    return Table("examination", "Errors on configurations of production", columns, rows, caption)


def _numbers(name: str, found: Deviations, rmse: Value) -> list[Value]:
    return [
        f"{name}, {UNITS[name]}",
        rmse,
        found.norm_rmse,
        found.mae,
        found.most,
        found.largest,
    ]


def transitions(results: Results) -> Table | None:
    """What the errors do to the transition temperature."""
    rows: list[list[Value]] = [
        [
            each.functional,
            each.vacancies,
            each.n_frames,
            each.transition_K,
            each.shift_K,
            each.committee_K,
        ]
        for each in results.of(ExaminationFound).transitions
    ]
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("configurations"),
        Column("transition temperature", "K"),
        Column("too high by", "K", 3),
        Column("scatter over the committee", "K", 2),
    )
    caption = (
        "To first order the transition of the potential is too high by Tc times the difference of "
        "its mean errors of the energy in the two phases, over the latent heat. In each phase the "
        "mean error is taken at the transition, from a line over temperature. This is a "
        "systematic error; the interval of the transition temperature does not contain it."
    )
    return Table("transition_error", "Errors of the transition temperature", columns, rows, caption)


def committee(results: Results) -> Table | None:
    """How far the members of the committee differ, beside the error."""
    rows: list[list[Value]] = [
        [
            each.functional,
            each.group,
            f"{each.quantity}, {UNITS[each.quantity]}",
            each.spread,
            each.deviations.rmse,
            each.deviations.rmse / each.spread if each.spread else None,
        ]
        for each in results.of(ExaminationFound).errors
        if each.spread is not None
    ]
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("group"),
        Column("quantity"),
        Column("spread of the committee", "", 3),
        Column("RMSE of the potential", "", 3),
        Column("error / spread", "", 3),
    )
    caption = (
        "Spread: standard deviation over the potential and the members of its committee, root mean "
        "square over components. Members differ by their start and by what was held out, and "
        "share all other data, so the spread is usually smaller than the error. The last column "
        "says how many times. Where repeated runs use different members, the scatter of runs "
        "contains the spread; multiply it by this factor for the error of the potential."
    )
    return Table("committee", "Spread of the committee", columns, rows, caption)
