"""Figures of how the potential came to be: learning curve, grades, parity."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.measured import Array
from borarun.subjects.potential.results import Errors, Exploration, Learning
from borarun.subjects.potential.words import given, pushed


def learning_curve(learning: tuple[Learning, ...]) -> Figure | None:
    """Held-out errors and number of labels after each training."""
    if not any(part.trainings for part in learning):
        return None
    quantities = (
        ("energy", "energy error, meV/atom", lambda errors: errors.energy_meV_per_atom),
        ("forces", "force error, eV/Å", lambda errors: errors.forces_eV_per_A),
    )
    panels = []
    for name, label, pick in quantities:

        def paint(axes: Axes, pick: object = pick, label: str = label) -> None:
            assert callable(pick)
            for part in learning:
                color = style.by_functional(part.functional)
                numbers = [training.number for training in part.trainings]
                axes.plot(
                    numbers,
                    [pick(t.valid) for t in part.trainings],
                    "o-",
                    color=color,
                    label=f"{part.functional}, held out",
                )
                axes.plot(
                    numbers,
                    [pick(t.train) for t in part.trainings],
                    "o--",
                    color=color,
                    mfc="white",
                    lw=1.0,
                    label=f"{part.functional}, fitted",
                )
            axes.set(xlabel="training", ylabel=label)
            axes.set_ylim(bottom=0)
            axes.set_xlim(-0.5, max(t.number for part in learning for t in part.trainings) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend()

        panels.append(
            style.draw(
                f"learning-{name}",
                f"Root-mean-square {label} of the potential after each training.",
                paint,
                width=4.3,
                height=3.6,
            )
        )

    def paint_labels(axes: Axes) -> None:
        width = 0.8 / len(learning)
        for place, part in enumerate(learning):
            numbers = (
                np.array([t.number for t in part.trainings])
                + (place - (len(learning) - 1) / 2) * width
            )
            color = style.by_functional(part.functional)
            n_train, n_valid = (
                [t.n_train for t in part.trainings],
                [t.n_valid for t in part.trainings],
            )
            axes.bar(numbers, n_train, width * 0.9, color=color, label=f"{part.functional}, fitted")
            axes.bar(
                numbers,
                n_valid,
                width * 0.9,
                bottom=n_train,
                color=color,
                alpha=0.35,
                label=f"{part.functional}, held out",
            )
            for x, total in zip(numbers, np.add(n_train, n_valid), strict=True):
                axes.annotate(
                    str(total),
                    (x, total),
                    xytext=(0, 2),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8.5,
                )
        axes.set(xlabel="training", ylabel="labelled configurations")
        axes.grid(axis="x", visible=False)
        axes.margins(y=0.3)
        axes.set_xlim(-0.5, max(t.number for part in learning for t in part.trainings) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="upper left", ncols=len(learning))

    panels.append(
        style.draw(
            "learning-labels",
            "Number of labelled configurations in each training.",
            paint_labels,
            width=4.3,
            height=3.6,
        )
    )
    rows: list[list[Value]] = [
        [part.functional, t.number, t.n_train, t.n_valid, *_three(t.train), *_three(t.valid)]
        for part in learning
        for t in part.trainings
    ]
    units = ("meV/atom", "eV/A", "kbar")
    columns = [
        Column("functional"),
        Column("training"),
        Column("fitted configurations"),
        Column("held-out configurations"),
    ]
    columns += [
        Column(f"{kind} {name} error", unit)
        for kind in ("fitted", "held-out")
        for name, unit in zip(("energy", "force", "stress"), units, strict=True)
    ]
    return Figure(
        "Learning curve",
        "Root-mean-square errors against the reference engine after each training: filled points "
        "on configurations held out of the fit, hollow points on those fitted. Training 0 uses "
        "only the first training set; each later one adds the configurations labelled in the "
        "round of active learning before it. Only configurations of the first training set are "
        "held out; all that active learning selects are used for "
        f"training.{given(learning)}{pushed(learning)}",
        tuple(panels),
        Table("learning_curve", "Learning curve", tuple(columns), rows),
    )


def _three(errors: Errors | None) -> tuple[float, float, float]:
    assert errors is not None  # of what was fitted
    return errors.energy_meV_per_atom, errors.forces_eV_per_A, errors.stress_kbar


def grades(learning: tuple[Learning, ...]) -> Figure | None:
    """Largest extrapolation grade against time, for every exploration run."""
    panels = []
    rows: list[list[Value]] = []
    for part in learning:
        runs = [run for step in part.rounds for run in step.explorations if len(run.grade)]
        if not runs:
            continue

        def paint(axes: Axes, runs: list[Exploration] = runs) -> None:
            colors = style.by_temperature(run.round for run in runs)
            for run in runs:
                axes.plot(run.grade_time_ps, run.grade, color=colors[run.round], lw=1.0, alpha=0.85)
                if run.stop != "completed":
                    axes.plot(
                        run.grade_time_ps[-1], run.grade[-1], "X", color=colors[run.round], ms=7
                    )
            axes.set(
                xlabel="time, ps", ylabel="largest extrapolation grade", title=runs[0].functional
            )
            style.logarithmic(axes, "xy")
            top = max(float(np.nanmax(run.grade)) for run in runs)
            axes.set_ylim(0.1 if top > 0.1 else None, max(top, runs[0].threshold_break) * 2)
            for level, name in (
                (runs[0].threshold_break, "stop"),
                (runs[0].threshold_save, "keep"),
            ):
                axes.axhline(level, color=style.INK, lw=0.9, ls=(0, (4, 3)))
                axes.annotate(
                    f"{name}, {level:g}",
                    (0.01, level),
                    xycoords=("axes fraction", "data"),
                    xytext=(0, 3),
                    textcoords="offset points",
                    fontsize=8.5,
                )
            last = {run.round: float(run.grade[-1]) for run in runs}
            style.label_ends(
                axes, [(grade, f"round {number}", colors[number]) for number, grade in last.items()]
            )

        panels.append(
            style.draw(
                f"grades-{part.functional}",
                f"Largest extrapolation grade in each exploration run with {part.functional}.",
                paint,
            )
        )
        rows += [
            [run.functional, run.round, run.vacancies, run.run + 1, float(time), float(grade)]
            for run in runs
            for time, grade in zip(run.grade_time_ps, run.grade, strict=True)
        ]
    if not panels:
        return None
    columns = (
        Column("functional"),
        Column("round"),
        Column("vacancies"),
        Column("run"),
        Column("time", "ps"),
        Column("largest grade"),
    )
    return Figure(
        "Extrapolation grades",
        "Largest grade of any atom in each exploration run. Frames above the lower "
        "dashed line are kept as candidates for labelling; a run that reaches the upper "
        "one stops. A cross marks a run that ended early; the table gives the reason. A "
        "grade below 1 is interpolation.",
        tuple(panels),
        Table("grades", "Extrapolation grades", columns, rows),
    )


def parity(learning: tuple[Learning, ...]) -> Figure | None:
    """Potential against reference over held-out configurations."""
    panels = []
    rows: list[list[Value]] = []
    for part in learning:
        if part.parity is None:
            continue
        final = part.trainings[-1].valid
        shown = (
            (
                "energy",
                "eV/atom",
                part.parity.energy_eV_per_atom,
                f"{text.number(final.energy_meV_per_atom, 3)} meV/atom",
            ),
            (
                "forces",
                "eV/Å",
                part.parity.forces_eV_per_A,
                f"{text.number(final.forces_eV_per_A, 3)} eV/Å",
            ),
            (
                "stress",
                "kbar",
                part.parity.stress_kbar,
                f"{text.number(final.stress_kbar, 3)} kbar",
            ),
        )
        for name, unit, values, error in shown:
            color = style.by_functional(part.functional)

            def paint(
                axes: Axes,
                name: str = name,
                unit: str = unit,
                values: Array = values,
                error: str = error,
                color: str = color,
                functional: str = part.functional,
            ) -> None:
                low, high = style.limits(values)
                axes.plot([low, high], [low, high], color=style.MUTED, lw=0.9)
                size = 3.0 if values.shape[1] > 500 else 5.0
                axes.plot(
                    values[0],
                    values[1],
                    "o",
                    color=color,
                    ms=size,
                    mew=0,
                    alpha=0.45,
                    rasterized=values.shape[1] > 500,
                )
                axes.set(
                    xlim=(low, high),
                    ylim=(low, high),
                    xlabel=f"reference {name}, {unit}",
                    ylabel=f"potential {name}, {unit}",
                    title=functional,
                    aspect="equal",
                )
                axes.locator_params(nbins=5)
                axes.annotate(
                    f"rms error {error}",
                    (0.04, 0.96),
                    xycoords="axes fraction",
                    va="top",
                    fontsize=9.5,
                )

            alt = (
                f"{name.capitalize()} of the potential against the reference, {part.functional}, "
                f"held out, rms error {error}."
            )
            panels.append(
                style.draw(f"parity-{name}-{part.functional}", alt, paint, width=4.3, height=4.1)
            )
            rows += [[part.functional, name, unit, float(a), float(b)] for a, b in values.T]
    if not panels:
        return None
    columns = (
        Column("functional"),
        Column("quantity"),
        Column("unit"),
        Column("reference"),
        Column("potential"),
    )
    return Figure(
        "Parity on held-out configurations",
        "The final potential against its reference on configurations that no fit has "
        "seen. Force and stress panels show Cartesian components, at most 3000 chosen at "
        "random; the errors include all. On the grey line both agree.",
        tuple(panels),
        Table("parity", "Parity", columns, rows),
    )
