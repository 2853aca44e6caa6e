"""The command line: parse arguments, call one function, choose the exit code."""

from __future__ import annotations

import io
import json
import logging
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from borarun import __version__
from borarun.basics.causes import cause_of_error
from borarun.basics.errors import BorarunError, Problem, StudyError
from borarun.basics.file import let_nobody_else_write, make_folder, refused, replacing
from borarun.basics.printable import on_one_line
from borarun.input.renamed import Former, in_words
from borarun.live.display import Lines, LiveTable, Terminal, duration, size
from borarun.published import published_schema, read_published
from borarun.run.interrupts import EXIT_CODE, asked, leave, listening
from borarun.site import Site, default_site, load_site, site_schema
from borarun.study import Study, init_study, load_study, study_schema
from borarun.subjects.common.stage import plural

RUNS = Path("runs")
File = TypeVar("File")
PACK_SUFFIX = ".borarun.zip"

out = Terminal(emoji=False)  # `study.yaml:100:` is a place, not a picture
err = Terminal(stderr=True, emoji=False)

app = typer.Typer(
    help="Order-disorder transitions and ionic conductivity of solid electrolytes, from one study "
    "file.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

StudyFile = Annotated[
    Path, typer.Argument(metavar="STUDY", help="The study file.", show_default=False)
]
SiteFile = Annotated[
    Path | None,
    typer.Option(
        "--site", help="Site file: where programs run. Default: this machine.", show_default=False
    ),
]
LastSite = Annotated[
    Path | None,
    typer.Option(
        "--site",
        help="Site file: where programs run. Default: where the study last ran.",
        show_default=False,
    ),
]
Runs = Annotated[
    Path,
    typer.Option(
        "--runs",
        file_okay=False,
        help="Directory for the store, the work and the reports.",
        envvar="BORARUN_RUNS",
    ),
]
Authors = Annotated[
    list[str] | None,
    typer.Option(
        "--author",
        metavar="NAME",
        help="An author for repositories, with or without ORCID. Repeat it for each author.",
        show_default=False,
    ),
]
Licence = Annotated[
    str,
    typer.Option(
        "--license",
        metavar="SPDX",
        help="Licence for repositories, such as CC-BY-4.0.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def _study(path: Path) -> Study:
    study = _meant(path, "study", load_study)
    _tell_former(study.former)
    return study


def _site(path: Path | None) -> Site:
    if path is None:
        return default_site()
    site = _meant(path, "site", load_site)
    _tell_former(site.former)
    return site


def _tell_former(former: Iterable[Former]) -> None:
    for line in in_words(former):
        _tell(line)


def _meant(path: Path, kind: str, load: Callable[[Path], File]) -> File:
    """The file; where it is of another kind than the command takes, that alone is said, and not
    what it lacks.
    """
    try:
        return load(path)
    except StudyError:
        from borarun.cli.kinds import NAMES, kind_of

        found = kind
        with suppress(StudyError):
            found = kind_of(path)
        if found != kind:
            raise StudyError(
                Problem(
                    str(path),
                    0,
                    "",
                    f"is {NAMES[found]}, and the command needs {NAMES[kind]}. Check the "
                    "order of the files.",
                )
            ) from None
        raise


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _tell(text: str) -> None:
    """What is no result: notes on the way, warnings, errors."""
    err.print(text, markup=False, highlight=False, soft_wrap=True)


def _command(verb: str, file: Path, runs: Path = RUNS) -> str:
    """A command as one types it next."""
    return shlex.join(
        ["borarun", verb, str(file), *(["--runs", str(runs)] if runs != RUNS else [])]
    )


@app.command()
def init(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", file_okay=False, help="Where to write study.yaml and its structure."
        ),
    ] = Path(),
) -> None:
    """Write a commented study.yaml to start from."""
    path = init_study(directory)
    _say(f"{path} written. Next: {_command('validate', path)}")


@app.command()
def init_site(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The site file to write.")] = Path(
        "site.yaml"
    ),
) -> None:
    """Write a first site file, commented. It contains the queues that the batch system of this
    machine reports.
    """
    from borarun.site.new import ask, write_site

    facts = ask()
    write_site(path, facts)
    machine = "this machine only" if facts.scheduler == "local" else facts.scheduler
    _say(f"{path} written, for {machine}. Next: edit it, then {_command('validate', path)}")


@app.command()
def validate(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Files of studies, sites, published values and analyses.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Check files and report all mistakes at once.

    Files of studies, sites, published values and analyses. Each message says where the mistake is
    and what to do.
    """
    from borarun.cli.kinds import kind_of
    from borarun.given.load import load_analysis

    problems = []
    for path in files:
        try:
            kind = kind_of(path)
            if kind == "published" and (wrong := read_published(path)[1]):
                raise StudyError(wrong)
            warnings, former = [], []
            if kind == "site":
                former = load_site(path).former
            elif kind == "study":
                study = load_study(path)
                warnings, former = study.warnings, study.former
            elif kind == "analysis":
                load_analysis(path)
        except StudyError as error:
            problems += error.problems
            continue
        for each in former:
            _tell(each.warning(_command("update", Path(each.problem.file))))
        for warning in warnings:
            _tell(f"{path}: warning: {warning}")
        if not as_json:
            _say(f"{path}: valid {'published values' if kind == 'published' else kind}")
    if as_json:
        _say(json.dumps([asdict(problem) for problem in problems], indent=2))
        if problems:
            raise typer.Exit(2)
    elif problems:
        raise StudyError(problems)


@app.command()
def update(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Files of studies and sites.", show_default=False),
    ],
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Show the changes without writing them; exit code 1 if there are any."
        ),
    ] = False,
) -> None:
    """Replace old names of keys in files by the current ones.

    Only the names change: values, comments, order and layout stay. The old file is kept as
    FILE.bak.
    """
    from borarun.cli.update import backup_of, updated, write

    changed = [each for path in files if (each := updated(path)).former]
    if check:
        for each in changed:
            _say(each.difference())
        _say(f"{plural(len(changed), 'file')} would change." if changed else "Nothing to change.")
        if changed:
            raise typer.Exit(1)
        return
    for each in changed:
        write(each)
        for former in each.former:
            _say(f"{former.problem.file}:{former.problem.line}: {former.before} -> {former.name}")
        _say(f"{each.path} updated. The file as it was: {backup_of(each.path)}")
    if not changed:
        _say("Nothing to change.")


@app.command()
def doctor(
    site_file: Annotated[
        Path, typer.Argument(metavar="SITE", help="The site file.", show_default=False)
    ],
    runs: Runs = RUNS,
    wait: Annotated[
        float, typer.Option("--wait", help="How long jobs may wait in the queue, minutes.", min=0.1)
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Check that the nodes of a site have everything that runs need.

    Checks programs, files, disk space and network on a node of each executor, with one short job
    for each executor.
    """
    from borarun.site.doctor import examine

    found = examine(_site(site_file), runs, _tell, wait * 60)
    if as_json:
        _say(json.dumps([asdict(each) for each in found], indent=2))
    else:
        _show_findings(found)
    if not all(each.ok for each in found):
        raise typer.Exit(1)


@app.command()
def order(
    structure: Annotated[
        Path,
        typer.Argument(
            metavar="STRUCTURE", help="A CIF with partly occupied sites.", show_default=False
        ),
    ],
    supercell: Annotated[
        tuple[int, int, int],
        typer.Option("--supercell", metavar="A B C", help="Repeats of the file's cell.", min=1),
    ] = (1, 1, 1),
    models: Annotated[int, typer.Option("--models", help="How many models.", min=1, max=50)] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the search.", min=0)] = 1,
    mobile: Annotated[
        list[str] | None,
        typer.Option(
            "--mobile",
            metavar="ELEMENT",
            help="Element of the mobile ions; models then differ in what does not move. Can be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    charge: Annotated[
        list[str] | None,
        typer.Option(
            "--charge",
            metavar="ELEMENT=CHARGE",
            help="Charge of an ion, e.g. Fe=3. Can be given several times. Default: guessed.",
            show_default=False,
        ),
    ] = None,
    nearest: Annotated[
        bool,
        typer.Option(
            "--nearest", help="Take the nearest neutral composition that the supercell can hold."
        ),
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--out",
            file_okay=False,
            help="Where to write the models. Default: nowhere.",
            show_default=False,
        ),
    ] = None,
    written_as: Annotated[
        str, typer.Option("--format", metavar="cif|poscar", help="Format of these files.")
    ] = "cif",
    as_json: AsJson = False,
) -> None:
    """Show the ordered models of a structure with partly occupied sites.

    A study makes the same models with `material: {order: ...}`.
    """
    from borarun.structures.ordering.show import show_models

    asked = {
        "supercell": supercell,
        "models": models,
        "seed": seed,
        "mobile": frozenset(mobile or ()),
        "nearest": nearest,
    }
    found = show_models(structure, asked, charge or [], directory, written_as)
    if as_json:
        _say(json.dumps(found.as_plain(), indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in found.COLUMNS:
        table.add_column(column, justify="left" if column in found.WORDS else "right")
    for row in found.rows:
        table.add_row(*row)
    out.print(table)
    for line in found.lines:
        _say(line)


@app.command()
def plan(
    study_file: StudyFile, site_file: SiteFile = None, runs: Runs = RUNS, as_json: AsJson = False
) -> None:
    """Show tasks, core time and disk before anything runs.

    Lists tasks by stage and says which are already in the store. Starts nothing.
    """
    from borarun.run.clock import Clock
    from borarun.study.plan import estimate, expand

    study = _study(study_file)
    site = _site(site_file)
    records = _records(runs, study.name)
    forecast = expand(study, records, forecast=True)
    rows = estimate(forecast, records, lambda engine: site.program(engine).cost_factor)
    if as_json:
        _say(
            json.dumps(
                {
                    "stages": [asdict(row) for row in rows],
                    "may_grow": forecast.waiting,
                    "stuck": forecast.stuck,
                },
                indent=2,
            )
        )
        return
    table = Table(box=None, pad_edge=False)
    for column in ("stage", "tasks", "in store", "core time", "disk"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for row in rows:
        table.add_row(
            row.stage,
            str(row.tasks),
            str(row.done),
            duration(row.core_hours * 3600),
            size(row.bytes),
        )
    hours, disk = sum(row.core_hours for row in rows), sum(row.bytes for row in rows)
    table.add_row(
        "all",
        str(sum(row.tasks for row in rows)),
        str(sum(row.done for row in rows)),
        duration(hours * 3600),
        size(disk),
    )
    out.print(table)
    if left := [task for task in forecast.tasks if task.key not in records]:
        clock = Clock(site)
        clock.expect(left)
        seconds, executor = clock.limit()
        reason = (
            f"executor {executor} is busy for that time"
            if executor
            else "a single task takes that time"
        )
        _say(
            f"At least {duration(seconds)} on site {site.name}, where {reason}. These are "
            "estimates."
        )
    else:
        _say("All known tasks are done.")
    for note in forecast.waiting:
        _say(note)
    for note in forecast.stuck:
        _say(f"stuck: {note}")


@app.command()
def diff(
    first: Annotated[
        Path, typer.Argument(metavar="STUDY", help="A study file.", show_default=False)
    ],
    second: Annotated[
        Path,
        typer.Argument(
            metavar="OTHER", help="The study file to compare it with.", show_default=False
        ),
    ],
    runs: Runs = RUNS,
    as_json: AsJson = False,
) -> None:
    """Show how two studies differ and which tasks are new."""
    from borarun.study.difference import difference

    one, other = _study(first), _study(second)
    found = difference(one, other, _records(runs, other.name))
    if as_json:
        new, gone = (
            [{"task": task.name, "key": task.key} for task in tasks]
            for tasks in (found.new, found.gone)
        )
        _say(
            json.dumps(
                {"changes": [asdict(change) for change in found.changes], "new": new, "gone": gone},
                indent=2,
            )
        )
        return
    for change in found.changes:
        is_structure = change.key.startswith("structure.")
        _say(
            f"{change.key} has changed"
            if is_structure
            else f"{change.key}: {change.before} -> {change.after}"
        )
    for sign, tasks in (("+", found.new), ("-", found.gone)):
        for task in tasks:
            _say(f"{sign} {task.name}")
    time_s = sum(task.cost.core_seconds for task in found.new)
    told = (
        f"{len(found.new)} tasks are new ({duration(time_s)} of core time)"
        if found.new
        else "0 tasks are new"
    )
    _say(
        f"{told} and {len(found.gone)} are gone; all others are the same. More tasks may "
        "follow from results."
    )


@app.command()
def render(
    study_file: StudyFile,
    site_file: SiteFile = None,
    runs: Runs = RUNS,
    directory: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Where to write them.")
    ] = Path("rendered"),
    key: Annotated[
        str | None,
        typer.Option(
            "--task", help="Only the task whose key begins with this.", show_default=False
        ),
    ] = None,
) -> None:
    """Write the input files and commands of tasks without running them.

    It writes those of all tasks whose inputs are already known.
    """
    from borarun.records.places import Places, StoredRecords
    from borarun.records.store import Store
    from borarun.run.rendering import ready, write_tasks
    from borarun.study.plan import expand

    study = _study(study_file)
    site = _site(site_file)
    store = Store(Places.of(runs, study.name).store)
    tasks, waiting = ready(expand(study, StoredRecords(store)), store)
    if key is not None:
        chosen = [task for task in tasks if task.key.startswith(key)]
        if not chosen:
            later = any(task.key.startswith(key) for task in waiting)
            reason = (
                "waits for results that do not exist yet"
                if later
                else "is not a known task of this study"
            )
            raise BorarunError(
                f"--task: {key} {reason}. `{_command('render', study_file, runs)}` without "
                "--task writes every task that can be written."
            )
        tasks, waiting = chosen, []
    for path in write_tasks(tasks, site, store, directory):
        _say(str(path))
    if waiting:
        _say(
            f"{len(waiting)} more tasks wait for results. Render them when these results "
            "are in the store."
        )


@app.command()
def submit(
    study_file: StudyFile,
    site_file: SiteFile = None,
    runs: Runs = RUNS,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="Run in the background, also after you log out. With `driver` in the site "
            "file: in a batch job.",
        ),
    ] = False,
) -> None:
    """Run the study and show its progress. Submit it again after an interruption: finished tasks
    are kept.
    """
    from borarun.records.places import Places
    from borarun.records.store import Store
    from borarun.run.control import start_detached
    from borarun.run.driver import begin_again, drive, sole_driver
    from borarun.run.relay import relay, start_in_job
    from borarun.run.workers import WorkersLostError
    from borarun.subjects.common.verdicts import Verdicts

    study = _study(study_file)
    site = _site(site_file)
    places = Places.of(runs, study.name)
    let_nobody_else_write()
    places.make()
    if detach:
        arguments = [
            "submit",
            str(study_file),
            "--runs",
            str(runs),
            *(["--site", str(site_file)] if site_file else []),
        ]
        _say(
            start_in_job(places.study, site.driver, arguments, _tell)
            if site.driver
            else start_detached(places.study, arguments)
        )
        return
    for warning in study.warnings:
        _tell(f"warning: {warning}")
    with ExitStack() as held:
        held.enter_context(sole_driver(places.study, _tell))
        held.enter_context(relay(places.study, site.driver, _tell))
        _log_to(places.study / "driver.log")
        _remember(site_file, places.site)
        listener = (LiveTable if out.is_terminal else Lines)(out, site, places.work)
        try:
            with listener:
                outcome = drive(study, site, places, listener)
        except KeyboardInterrupt:
            _tell("\nStopped. Finished work is kept. Run the same command again to continue.")
            raise
        except WorkersLostError as error:
            if asked():
                raise KeyboardInterrupt from error
            _tell(str(error))
            held.close()  # or this process, begun again, would find itself at work on the study
            begin_again()
        verdicts = Verdicts(study, Store(places.store))
        if (
            outcome.done
            or not (places.study / "report" / "report.html").exists()
            or not all(verdicts.known(task, record) for task, record in outcome.recorded)
        ):
            _write_report(study, Store(places.store), places.study / "report")
        _say(f"report: {places.study / 'report' / 'report.html'}")
        # Said while the claim is held: who follows this driver from elsewhere stops listening when
        # it is gone.
        unusable = [
            (task, failure)
            for task, record in outcome.recorded
            if (failure := verdicts.unusable(task, record)) is not None
        ]
        if outcome.ok and not unusable:
            _say(
                "All tasks are done."
                if outcome.done
                else "All tasks are already done; nothing was started."
            )
            return
        for task, failure in (*outcome.failed, *unusable):
            _say(f"failed: {task.name}: {on_one_line(failure.message)}")
        if outcome.blocked:
            _say(
                f"{len(outcome.blocked)} tasks could not start, because a task that they "
                "need failed."
            )
        for reason in outcome.stuck:
            _say(f"stuck: {on_one_line(reason)}")
        _say(f"Causes and remedies: {_command('why', study_file, runs)}")
        raise typer.Exit(1)


@app.command()
def stop(study_file: StudyFile, runs: Runs = RUNS) -> None:
    """Stop a running study and end its jobs. What is finished is kept.

    The driver may run on another machine.
    """
    from borarun.records.places import Places
    from borarun.run.control import stop_driver

    study = _study(study_file)
    _say(stop_driver(Places.of(runs, study.name).study, _say))


@app.command()
def attach(study_file: StudyFile, runs: Runs = RUNS) -> None:
    """Show the output of a detached driver. Ctrl-C leaves the driver running."""
    from borarun.records.places import Places
    from borarun.run.control import follow

    study = _study(study_file)
    for line in follow(Places.of(runs, study.name).study):
        _say(line)


@app.command()
def watch(
    study_file: StudyFile,
    site_file: LastSite = None,
    runs: Runs = RUNS,
    every_s: Annotated[
        float, typer.Option("--every", min=0.5, help="Seconds between two updates.")
    ] = 5.0,
    web: Annotated[
        bool, typer.Option("--web", help="Show a page for the browser instead, until Ctrl-C.")
    ] = False,
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="Port of that page; 0 for any free port."),
    ] = 0,
) -> None:
    """Show the status and update it until the study's driver ends.

    What is done, what runs now, what failed and why, and curves as they grow. Ctrl-C leaves the
    driver running.
    """
    study, observer = _observer(study_file, site_file, runs)
    if web:
        from borarun.live.server import serve

        serve(study, str(study_file), observer, port, _say)
        return
    from borarun.live.curves import Drawn
    from borarun.live.terminal import curves_of, failures_of, progress_of

    drawn = Drawn(study, observer.places)
    while True:
        state = observer.look()
        curves, missing = drawn.look(state, every_s)
        out.clear()
        _show(
            (
                *progress_of(state, _command("submit", study_file, runs)),
                *curves_of(curves),
                *failures_of(state),
            )
        )
        if missing:
            _say(f"Curves of {plural(missing, 'finished run')} are not read yet.")
        if not state.driver:
            return
        time.sleep(every_s)


@app.command()
def status(
    study_file: StudyFile, site_file: LastSite = None, runs: Runs = RUNS, as_json: AsJson = False
) -> None:
    """Show what is done, what runs now and what failed."""
    from borarun.live.terminal import progress_of

    state = _observer(study_file, site_file, runs)[1].look()
    if not as_json:
        _show(progress_of(state, _command("submit", study_file, runs)))
        if state.failed:
            _say(f"Causes and remedies: {_command('why', study_file, runs)}")
        return
    stages = [
        {
            "stage": stage.name,
            "tasks": len(stage.tasks),
            "done": len(stage.in_condition("done")),
            "running": [
                {
                    "task": each.task.label,
                    "part": each.part,
                    "where": each.where,
                    "seconds": each.seconds,
                }
                for each in stage.in_condition("running")
            ],
            "failed": [each.task.label for each in stage.in_condition("failed")],
        }
        for stage in state.stages
    ]
    _say(
        json.dumps(
            {"driver": state.driver or None, "left_s": state.left_s, "stages": stages}, indent=2
        )
    )


@app.command()
def why(study_file: StudyFile, runs: Runs = RUNS, as_json: AsJson = False) -> None:
    """Say why tasks failed or cannot start, and what to do.

    Shows the last lines of the program's output.
    """
    from borarun.live.terminal import failures_of

    state = _observer(study_file, None, runs)[1].look()
    if as_json:
        found = [
            {"task": each.task.name, "key": each.task.key, **asdict(each.failure)}
            for each in state.failed
        ]
        _say(json.dumps({"failed": found, "stuck": list(state.stuck)}, indent=2))
        return
    _show(failures_of(state))
    if state.failed:
        _say(f"After fixing the cause: {_command('submit', study_file, runs)}")
    elif not state.stuck:
        _say("Nothing has failed.")


@app.command()
def report(study_file: StudyFile, runs: Runs = RUNS) -> None:
    """Write the report of the results so far.

    One HTML page, and every figure and table as a file.
    """
    from borarun.records.places import Places
    from borarun.records.store import Store

    study = _study(study_file)
    places = Places.of(runs, study.name)
    if not places.store.is_dir():
        raise BorarunError(
            f"{runs}: holds no results. Check --runs, or compute them: "
            f"{_command('submit', study_file, runs)}"
        )
    _say(str(_write_report(study, Store(places.store), places.study / "report")))


@app.command()
def analyse(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="TRAJECTORY",
            help="Files of trajectories, in any of many formats; or one YAML file that names them.",
            show_default=False,
        ),
    ],
    mobile: Annotated[
        list[str] | None,
        typer.Option(
            "--mobile",
            help="Element of the ions that move; once for each element.",
            show_default=False,
        ),
    ] = None,
    anion: Annotated[
        list[str] | None,
        typer.Option(
            "--anion",
            help="Formula of a molecular anion, e.g. B12H12, if there is any; once for each.",
            show_default=False,
        ),
    ] = None,
    temperatures_K: Annotated[
        list[float] | None,
        typer.Option(
            "--temperature",
            help="Temperature, K; once for all files, or once for each in their order.",
            show_default=False,
        ),
    ] = None,
    timestep_fs: Annotated[
        float | None,
        typer.Option("--timestep-fs", help="Time step of the run, fs.", show_default=False),
    ] = None,
    interval_fs: Annotated[
        float | None,
        typer.Option(
            "--interval-fs",
            help="Time from one frame to the next, fs; where the file does not say it.",
            show_default=False,
        ),
    ] = None,
    elements: Annotated[
        str | None,
        typer.Option(
            "--elements",
            help="Elements of the atom types of a LAMMPS dump, in order, e.g. Li,B,H.",
            show_default=False,
        ),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(
            "--units",
            help="LAMMPS's units of the run, if they are neither metal nor real.",
            show_default=False,
        ),
    ] = None,
    topology: Annotated[
        str | None,
        typer.Option(
            "--topology",
            help="File with the elements of an xtc, trr or dcd, such as a .gro or .pdb.",
            show_default=False,
        ),
    ] = None,
    mobile_charge: Annotated[
        int | None,
        typer.Option("--mobile-charge", help="Charge of a mobile ion, e; else the usual one."),
    ] = None,
    formula: Annotated[
        str | None,
        typer.Option(
            "--formula",
            help="Formula unit without vacancies; without it, that of the first frame.",
            show_default=False,
        ),
    ] = None,
    supercell: Annotated[
        str | None,
        typer.Option(
            "--supercell",
            help="Unit cells along a, b and c in the simulated cell, e.g. 3,3,3.",
            show_default=False,
        ),
    ] = None,
    skip_ps: Annotated[
        float | None,
        typer.Option("--skip-ps", help="Time to leave out at the beginning, ps."),
    ] = None,
    stride: Annotated[
        int | None, typer.Option("--stride", help="Keep every Nth frame only.")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="What computed the forces, e.g. PBE-D3.")
    ] = "",
    name: Annotated[
        str, typer.Option("--name", help="Name of the results; without it, that of the file.")
    ] = "",
    runs: Runs = RUNS,
) -> None:
    """Analyse trajectories that you already have.

    Diffusion, conductivity, structure, rotation of the anions and the checks, with the report of
    borarun's own runs. No program is run.
    """
    from borarun.given.analyse import analyse as run_analysis
    from borarun.given.load import SUFFIXES, load_analysis, of_flags, refuse_flags
    from borarun.given.summary import HEADER, energies, rows
    from borarun.page import write_report
    from borarun.records.places import Places
    from borarun.records.store import Store

    material = {
        "mobile": mobile[0] if mobile and len(mobile) == 1 else mobile or None,
        "anions": anion or None,
        "mobile_charge": mobile_charge,
        "formula": formula,
        "supercell": _numbers_of("--supercell", supercell),
    }
    reading = {
        "timestep_fs": timestep_fs,
        "interval_fs": interval_fs,
        "elements": elements.split(",") if elements else None,
        "units": units,
        "topology": topology,
        "skip_ps": skip_ps,
        "stride": stride,
    }
    if files[0].suffix in SUFFIXES:
        refuse_flags(
            files,
            {
                **material,
                **reading,
                "temperature": temperatures_K,
                "name": name or None,
                "method": method or None,
            },
        )
        analysis, folder = load_analysis(files[0]), files[0].parent
        _tell_former(analysis.former)
    else:
        folder = Path()
        analysis = of_flags(
            files,
            temperatures_K or [],
            material=material,
            reading=reading,
            name=name,
            method=method,
        )
    places = Places.of(runs, analysis.name)
    places.make()
    results = run_analysis(analysis, folder, Store(places.store), _tell)
    for remark in (*results.warnings, *(f"{gap.label}: {gap.reason}" for gap in results.gaps)):
        _tell(f"note: {remark}")
    table = Table(*HEADER, box=None, pad_edge=False)
    for row in rows(results):
        table.add_row(*row)
    out.print(table)
    for line in energies(results):
        _say(line)
    _say(str(write_report(results, places.study / "report")))


def _numbers_of(flag: str, words: str | None) -> list[int] | None:
    """Whole numbers between commas."""
    if words is None:
        return None
    try:
        return [int(word) for word in words.split(",")]
    except ValueError:
        raise StudyError(
            Problem(flag, 0, "", f"must be whole numbers, as in 3,3,3 (got {words!r}).")
        ) from None


@app.command()
def pack(
    study_file: StudyFile,
    runs: Runs = RUNS,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            dir_okay=False,
            help="The file to write. Default: NAME.borarun.zip in this folder.",
            show_default=False,
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="WHAT",
            help="Leave out the results of this stage, or of all `trajectories`.",
            show_default=False,
        ),
    ] = None,
    authors: Authors = None,
    licence: Licence = "",
) -> None:
    """Write one file with a study and its results, for another group.

    It contains all files that the study names. Site settings and licensed files are left out.
    """
    from borarun.records.places import Places
    from borarun.records.store import Store
    from borarun.sharing.crate import Terms
    from borarun.sharing.pack import pack as write_pack

    study = _study(study_file)
    path = output or Path(f"{study.name}{PACK_SUFFIX}")
    packed = write_pack(
        study_file,
        study,
        Store(Places.of(runs, study.name).store),
        path,
        terms=Terms.of(authors or [], licence),
        without=without or [],
    )
    _say(
        f"{packed.path}: {plural(packed.n_records, 'result')}, {size(packed.size_B)}, "
        f"SHA-256 {packed.sha256}"
    )
    for stage, count in packed.left_out.items():
        _say(f"{plural(count, 'result')} of {stage} left out. The receiver can compute them again.")
    if packed.not_done:
        _say(f"{plural(packed.not_done, 'known task')} without a result yet.")


@app.command()
def unpack(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A file written by `borarun pack`.", show_default=False
        ),
    ],
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="A new folder. Default: the name of the pack, in this folder.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            "--runs",
            help="Add the results to the store of this run directory. Default: DIR/runs.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Unpack a study and its results into a new folder.

    The whole file is checked first. Existing files are not changed.
    """
    from borarun.records.places import Places, StoredRecords
    from borarun.records.store import Store
    from borarun.sharing.unpack import differing_versions
    from borarun.sharing.unpack import unpack as read_pack
    from borarun.study.plan import expand

    place = directory or Path(file.name.removesuffix(PACK_SUFFIX).removesuffix(".zip"))
    found = read_pack(file, place, None if runs is None else Store(Places.of(runs, "").store))
    study = load_study(found.study)
    where = runs or place / "runs"
    store = Store(Places.of(where, study.name).store)
    known = expand(study, StoredRecords(store))
    idle = found.keys - {task.key for task in known.tasks}
    before = f", {found.n_there} of them already there" if found.n_there else ""
    whole = "; complete" if not idle and len(found.keys) == len(known.tasks) else ""
    _say(
        f"{found.study}: unpacked, with {plural(len(found.keys), 'result')} in "
        f"{where / 'store'}{before}{whole}"
    )
    for needed in found.licensed:
        _say(on_one_line(f"Needs {needed.what} ({needed.hash}), which is not in the pack."))
    if idle:
        others = (
            " and ".join(differing_versions(known.tasks, idle, store))
            or f"it was packed by borarun {found.borarun}, this is {__version__}"
        )
        others = on_one_line(others)
        _say(
            f"{plural(len(idle), 'result')} do not match any task of the study here: "
            f"{others}. To continue from these results, install those versions."
        )
    _say(f"Next: {_command('plan', found.study, where)}")


@app.command()
def export(
    study_file: StudyFile,
    directory: Annotated[
        Path, typer.Option("--output", help="The new folder to write.", show_default=False)
    ],
    runs: Runs = RUNS,
    authors: Authors = None,
    licence: Licence = "",
) -> None:
    """Write results for a repository, as files that are readable without borarun.

    Tables, figures, training sets, potentials and structures, with a description.
    """
    from borarun.basics.file import must_be_new
    from borarun.records.places import Places
    from borarun.records.store import Store
    from borarun.report import parquet
    from borarun.sharing.crate import Terms
    from borarun.sharing.export import export as write_export

    terms = Terms.of(authors or [], licence)
    must_be_new(directory)  # asked before minutes are spent
    study = _study(study_file)
    store = Store(Places.of(runs, study.name).store)
    tasks, results = _results(study, store)
    written = write_export(study_file, study, tasks, results, store, directory, terms=terms)
    _say(f"{directory}: {len(written)} files, {size(sum(path.stat().st_size for path in written))}")
    if not parquet.available():
        _say(
            "Tables are written as CSV only: Parquet needs pyarrow (pip install "
            "'borarun[parquet]')."
        )
    if not (authors and licence):
        _say(
            "Repositories ask for authors and a licence: --author 'Ada Lovelace "
            "0000-0002-1825-0097' --license CC-BY-4.0"
        )


@app.command()
def schema(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            file_okay=False,
            help="Write all schemas into this folder. Default: print the schema of the study.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print or write the JSON schemas of the files, for editors.

    Of studies, sites, published values and analyses.
    """
    if directory is None:
        _say(json.dumps(study_schema(), indent=2))
        return
    from borarun.given.load import analysis_schema

    make_folder(directory)
    for name, content in (
        ("study", study_schema()),
        ("site", site_schema()),
        ("published", published_schema()),
        ("analysis", analysis_schema()),
    ):
        (directory / f"{name}.schema.json").write_text(json.dumps(content, indent=2) + "\n")


def _show_findings(found: list[Any]) -> None:
    rows = [(each.executor, finding) for each in found for finding in each.answer.findings]
    table = Table(box=None, pad_edge=False)
    for column in ("executor", "check", "", "found"):
        table.add_column(column, overflow="fold")
    for executor, finding in rows:
        table.add_row(
            *(
                Text(word)
                for word in (executor, finding.what, "ok" if finding.ok else "FAILS", finding.said)
            )
        )
    (out if out.is_terminal else Terminal(width=160, emoji=False)).print(table)
    for executor, finding in rows:
        if not finding.ok:
            _say(f"{executor}: {finding.what}: {finding.remedy}")
    _say(
        "All is well."
        if all(finding.ok for _, finding in rows)
        else "These problems would stop a study. Correct them, then run `borarun doctor` again."
    )


def _show(parts: Iterable[Any]) -> None:
    """Tables and lines."""
    for part in parts:
        _say(part) if isinstance(part, str) else out.print(part)


def _observer(study_file: Path, site_file: Path | None, runs: Path) -> tuple[Any, Any]:
    """The study, and who looks at it."""
    from borarun.records.places import Places
    from borarun.run.state import Observer

    study = _study(study_file)
    places = Places.of(runs, study.name)
    site = _site(site_file)
    if site_file is None and places.site.exists():
        with suppress(StudyError):  # of another version of borarun
            site = load_site(places.site)
    return study, Observer(study, site, places)


def _remember(site_file: Path | None, copy: Path) -> None:
    """Keep the site file for whoever looks at the study."""
    if site_file is None:
        copy.unlink(missing_ok=True)
        return
    with replacing(copy) as file:
        file.write(site_file.read_bytes())


def _records(runs: Path, name: str) -> Any:
    from borarun.records.places import Places, StoredRecords
    from borarun.records.store import Store

    return StoredRecords(Store(Places.of(runs, name).store))


def _results(study: Any, store: Any) -> tuple[Any, Any]:
    """The tasks that are known by now, and what came of them."""
    from borarun.page import collect
    from borarun.records.places import StoredRecords
    from borarun.study.plan import expand

    known = expand(study, StoredRecords(store))
    results = collect(study, known.tasks, store)
    return known.tasks, replace(results, warnings=(*results.warnings, *known.stuck))


def _write_report(study: Any, store: Any, directory: Path) -> Path:
    from borarun.page import write_report

    return write_report(_results(study, store)[1], directory)


def _log_to(path: Path) -> None:
    logging.basicConfig(
        filename=path,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    logging.getLogger("parsl").setLevel(logging.WARNING)


def _version(value: bool) -> None:
    if value:
        _say(f"borarun {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of borarun itself."""


def _write_down(story: str) -> Path:
    """The log of a bug: here, or where this folder takes no file, in that for temporary files."""
    text = f"borarun {__version__}\n{shlex.join(sys.argv)}\n{story}"
    path = Path("borarun-bug.log").resolve()
    try:
        path.write_text(text)
    except OSError:
        with tempfile.NamedTemporaryFile(
            "w", prefix="borarun-bug-", suffix=".log", delete=False
        ) as file:
            file.write(text)
        path = Path(file.name)
    return path


def main(run: Callable[[], Any] = app) -> None:
    """Run the command line. Exit codes: 0 done, 1 something failed, 2 a file or the usage is wrong,
    3 a bug, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # a terminal or log that is not UTF-8 shows a question mark
    logging.getLogger("matplotlib").setLevel(
        logging.ERROR
    )  # it warns of a home that takes no cache, as on many compute nodes
    with listening():
        _run(run)


def _run(run: Callable[[], Any]) -> None:
    try:
        run()
    except StudyError as error:
        _tell(str(error))
        sys.exit(2)
    except BorarunError as error:
        _tell(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as ended:  # as typer ends after an interrupt
        if ended.code == EXIT_CODE:
            _interrupted()
        raise
    except Exception as error:
        if cause_of_error(error).may_pass:
            _tell(f"{error}. Finished work is kept. Correct this, then run the same command again.")
            sys.exit(1)
        if refusal := refused(error):
            _tell(refusal)
            sys.exit(1)
        import traceback

        _tell(
            "This is a bug in borarun. What happened is in "
            f"{_write_down(traceback.format_exc())}; please report it."
        )
        sys.exit(3)


def _interrupted() -> NoReturn:
    if "parsl" in sys.modules:  # its threads may wait for a process that is gone
        leave(EXIT_CODE)
    sys.exit(EXIT_CODE)
