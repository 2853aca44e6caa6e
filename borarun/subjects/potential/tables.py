"""The reference engine and the making of the potential, beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping

from borarun.published import Statistics
from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results
from borarun.subjects.potential.results import Errors, Exploration, PotentialFound, Round, Training
from borarun.subjects.potential.words import given, pushed


def training_statistics(results: Results) -> Table | None:
    """Statistics of the final potentials beside the paper's Table 1."""
    finals = [part for part in results.of(PotentialFound).learning if part.trainings]
    if not finals:
        return None
    columns = [Column("statistic")]
    values: list[Mapping[str, str]] = []
    for part in finals:
        columns.append(Column(f"{text.OURS}, {part.functional}"))
        values.append(_statistics(part.n_initial, part.trainings[-1]))
    for item in results.published.training:
        columns.append(Column(f"paper, {item.functional}"))
        values.append(_published_statistics(item))
    rows = [[name, *(column.get(name, text.NOTHING) for column in values)] for name in values[0]]
    caption = (
        "Errors are RMSE against the reference engine named at the top, on held-out "
        f"configurations unless the row says otherwise.{given(finals)}{pushed(finals)}"
    )
    if results.published.training:
        caption += " Errors of the paper are RMSE of its potential against DFT."
    return Table("training_statistics", "Training statistics", tuple(columns), rows, caption)


def _statistics(n_initial: int, final: Training) -> dict[str, str]:
    def span(name: str, digits: int) -> str:
        low, high = final.ranges.get(name, (float("nan"), float("nan")))
        return f"{text.number(low, digits)} / {text.number(high, digits)}"

    level = text.NOTHING if final.level is None else final.level
    return {
        **({"level (parameters)": f"{level} ({final.n_parameters})"} if final.n_parameters else {}),
        "initial data set": str(n_initial),
        "total data set": f"{final.n_train + final.n_valid} ({final.n_valid} held out)",
        "energy range, eV/atom": span("energy_eV_per_atom", 4),
        "force range, eV/Å": span("forces_eV_per_A", 3),
        "stress range, kbar": span("stress_kbar", 3),
        "energy RMSE, meV/atom": text.number(final.valid.energy_meV_per_atom, 3),
        "force RMSE, eV/Å": text.number(final.valid.forces_eV_per_A, 3),
        "stress RMSE, kbar": text.number(final.valid.stress_kbar, 3),
        **(_on_fitted(final.train) if final.train else {}),
    }


def _on_fitted(errors: Errors) -> dict[str, str]:
    return {
        "energy RMSE on fitted data, meV/atom": text.number(errors.energy_meV_per_atom, 3),
        "force RMSE on fitted data, eV/Å": text.number(errors.forces_eV_per_A, 3),
        "stress RMSE on fitted data, kbar": text.number(errors.stress_kbar, 3),
    }


def _published_statistics(item: Statistics) -> dict[str, str]:
    return {
        "level (parameters)": str(item.level),
        "initial data set": str(item.n_initial),
        "total data set": str(item.n_total),
        "energy range, eV/atom": " / ".join(text.number(x, 3) for x in item.energy_eV_per_atom),
        "force range, eV/Å": " / ".join(text.number(x, 3) for x in item.forces_eV_per_A),
        "stress range, kbar": " / ".join(text.number(x, 3) for x in item.stress_kbar),
        "energy RMSE, meV/atom": f"{item.rmse.energy_meV_per_atom:g}",
        "force RMSE, eV/Å": f"{item.rmse.forces_eV_per_A:g}",
        "stress RMSE, kbar": f"{item.rmse.stress_kbar:g}",
    }


def errors(results: Results) -> Table | None:
    """Errors of the final potentials, by the definitions that are in use."""
    units = {"energy": "meV/atom", "forces": "eV/Å", "stress": "kbar"}
    rows: list[list[Value]] = [
        [
            part.functional,
            f"{name}, {units[name]}",
            found.rmse,
            found.norm_rmse,
            found.mae,
            found.median,
            found.most,
            found.largest,
        ]
        for part in results.of(PotentialFound).learning
        for name, found in part.deviations.items()
    ]
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("quantity"),
        Column("RMSE of components", "", 3),
        Column("RMSE of length", "", 3),
        Column("mean absolute", "", 3),
        Column("median", "", 3),
        Column("95 % below", "", 3),
        Column("largest", "", 3),
    )
    caption = (
        "Errors on the configurations held out of the fit. With `hold_out: configurations` these "
        "have fitted neighbours in time, and their errors are too small. The length is that of "
        "force vectors (larger by √3) and the Frobenius norm of stress tensors, as in MLIP-3's "
        "check_errors. Compare only errors of the same definition."
    )
    return Table("errors", "Errors by both definitions", columns, rows, caption)


_STOPS = {"completed": "ran to its end", "extrapolation": "grade passed the upper threshold"}
"""Of a run that exploded, its record has the words."""


def ledger(results: Results) -> Table | None:
    """Active learning, one row an exploration run; what the round did stands in its first row."""
    rows: list[list[Value]] = []
    for part in results.of(PotentialFound).learning:
        for step in part.rounds:
            for index, run in enumerate(step.explorations or ()):
                rows.append(
                    [
                        step.functional,
                        step.round,
                        *_explored(run),
                        *(_learned(step) if index == 0 else [""] * 4),
                    ]
                )
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("round"),
        Column("vacancies"),
        Column("run"),
        Column("why it stopped"),
        Column("after"),
        Column("largest grade", "", 3),
        Column("candidates"),
        Column("selected and labelled"),
        Column("energy error", "meV/atom, before → after"),
        Column("force error", "eV/Å, before → after"),
        Column("stress error", "kbar, before → after"),
    )
    caption = (
        "Errors on configurations held out of the first training set; all configurations that "
        "active learning selected are used for training."
    )
    return Table("ledger", "Ledger of active learning", columns, rows, caption)


def _explored(run: Exploration) -> list[Value]:
    return [
        run.vacancies,
        run.run + 1,
        _STOPS.get(run.stop, run.reason),
        f"{text.duration(run.time_ps)} of {text.duration(run.planned_ps)}",
        run.grade_max,
        run.n_candidates,
    ]


def _learned(step: Round) -> list[Value]:
    if step.clean:
        return ["none: no run left the known region", "", "", ""]
    if step.n_candidates == 0 and step.explorations:
        return ["nothing to label: an anion broke", "", "", ""]
    if step.n_selected is None:
        return ["not yet", "", "", ""]
    labelled = f"{step.n_selected} of {step.n_candidates}" + (
        ""
        if step.n_labelled == step.n_selected
        else f", {step.n_labelled or 0} of them labelled so far"
    )

    def change(name: str) -> str:
        before = text.number(getattr(step.before, name), 3) if step.before else text.NOTHING
        after = text.number(getattr(step.after, name), 3) if step.after else text.NOTHING
        return f"{before} → {after}"

    return [
        labelled,
        change("energy_meV_per_atom"),
        change("forces_eV_per_A"),
        change("stress_kbar"),
    ]
