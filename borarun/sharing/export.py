"""What others use of a study without borarun: tables, figures, training sets, potentials and
structures as files of the field, for a repository.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from borarun.engines.potential.training import TrainingSettings, split
from borarun.engines.registry import ENGINES, potential_engine
from borarun.file import appearing
from borarun.report import Results, files, parquet
from borarun.report.provenance.results import Gap
from borarun.sharing import crate
from borarun.sharing.disclosure import without_paths
from borarun.sharing.pack import STUDY, STUDY_FILE, study_contents
from borarun.store import Store
from borarun.study import Study
from borarun.task import Task


def export(
    file: Path,
    study: Study,
    tasks: Sequence[Task],
    results: Results,
    store: Store,
    directory: Path,
    *,
    terms: crate.Terms,
) -> list[Path]:
    """Write a new folder with everything, described for repositories. Nothing of the site goes in.

    Parameters
    ----------
    file : of the study
    tasks : of the study, as far as they are known
    results : what ``borarun.report.collect`` made of them
    store : their records
    terms : authors and licence

    Returns
    -------
    Every file, from the folder.

    Raises
    ------
    StudyError
        Where the study cannot go to another machine as it is.
    StoreError
        Where a record is damaged, or the folder is there already or cannot be written.
    """
    contents = study_contents(file)
    done = [task for task in tasks if task.key in store]
    with appearing(directory) as place:
        about: dict[str, str] = {}
        for name, content in contents.items():
            about |= _write(place / STUDY / name, content, STUDY_FILE, place)
        for task in done:
            if task.stage == "relax":
                about |= _structure(task, store, place)
        for task in _last_trainings(done):
            about |= _training(task, store, place)
        clean = replace(results, gaps=tuple(map(_shared, results.gaps)))
        for name, report in files(clean, with_parquet=parquet.available()).items():
            about |= _write(place / "report" / name, report.content, report.about, place)
        described = crate.metadata(
            study,
            STUDY + file.name,
            {
                name: crate.File(
                    len(content := (place / name).read_bytes()),
                    hashlib.sha256(content).hexdigest(),
                    about[name],
                )
                for name in sorted(about)
            },
            crate.History.of(done, [store.attributes(task.key) for task in done]),
            terms,
            datetime.now(UTC).date(),
        )
        (place / crate.NAME).write_bytes(crate.text(described))
    return [directory / name for name in (*about, crate.NAME)]


def _last_trainings(done: Sequence[Task]) -> list[Task]:
    """The last training of each functional; production runs with its potential."""
    trained = [task for task in done if task.about.get("operation") == "train"]
    return list(
        {
            task.about["functional"]: task
            for task in sorted(trained, key=lambda task: int(task.about["round"]))
        }.values()
    )


def _structure(task: Task, store: Store, place: Path) -> dict[str, str]:
    from pymatgen.io.ase import (
        AseAtomsAdaptor,
    )  # here and below: its import takes longer than all the rest
    from pymatgen.io.cif import CifWriter

    atoms = store.frames(task.key, "structure")[-1]
    atoms.calc = None
    text = str(CifWriter(AseAtomsAdaptor.get_structure(atoms), significant_figures=12))
    name = f"{_plain(task.about['phase'])}_{_plain(task.about['functional'])}"
    path = place / "structures" / f"{name}.cif"
    if path.exists():  # phases whose names differ in what file names do not have
        path = path.with_name(f"{name}_{task.key[:8]}.cif")
    return _write(
        path, text.encode(), f"{task.label}, relaxed, all atoms of the cell without symmetry", place
    )


def _training(task: Task, store: Store, place: Path) -> dict[str, str]:
    """The potential that a training gave, and what it learnt from and was judged by."""
    functional = task.about["functional"]
    name = _plain(functional)
    settings = cast(TrainingSettings, ENGINES[task.engine].Settings(**task.settings))
    parts = dict(zip(("train", "valid"), split(store.inputs(task), settings), strict=True))
    told = {
        "train": f"{len(parts['train'])} configurations, {functional}, learnt",
        "valid": f"{len(parts['valid'])} configurations, {functional}, held out of the fit, to "
        "judge it",
    }
    about: dict[str, str] = {}
    for file in potential_engine(task.engine).exported(
        store.text(task.key, "potential"),
        lambda item: store.array(task.key, item).tobytes() if store.has(task.key, item) else None,
        parts,
    ):
        if file.name:
            path = place / file.folder / name / f"{file.name}.{file.suffix}"
            what = f"{told[file.name]}; {file.about}"
        else:
            path = place / file.folder / f"{name}.{file.suffix}"
            what = f"{file.about}, {functional}"
        about |= _write(path, file.content, what, place)
    for part, frames in parts.items():
        about |= _write(
            place / "training_sets" / name / f"{part}.extxyz",
            frames.to_extxyz().encode(),
            f"{told[part]}; extended XYZ: eV, eV/angstrom, eV/angstrom^3",
            place,
        )
    return about


def _shared(gap: Gap) -> Gap:
    """A gap without what names the site."""
    return replace(
        gap, reason=without_paths(gap.reason), remedy=without_paths(gap.remedy), evidence=""
    )


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", name)


def _write(path: Path, content: bytes, what: str, place: Path) -> dict[str, str]:
    """Write a file; what it is, by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {path.relative_to(place).as_posix(): what}
