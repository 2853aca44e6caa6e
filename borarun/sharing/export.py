"""What others use of a study without borarun: tables, figures, training sets, potentials and
structures as files of the field, for a repository.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from borarun.basics.file import appearing
from borarun.page import Results, files
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.report import parquet
from borarun.report.blocks import File
from borarun.report.provenance import Gap
from borarun.sections.study import Study
from borarun.sharing import crate
from borarun.sharing.disclosure import without_paths
from borarun.sharing.pack import STUDY, STUDY_FILE, study_contents
from borarun.subjects import SUBJECTS


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
        for subject in SUBJECTS:
            part = subject.part("export")
            exported: dict[str, File] = {} if part is None else part.export(done, store)
            for name, own in exported.items():
                about |= _write(place / name, own.content, own.about, place)
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


def _shared(gap: Gap) -> Gap:
    """A gap without what names the site."""
    return replace(
        gap, reason=without_paths(gap.reason), remedy=without_paths(gap.remedy), evidence=""
    )


def _write(path: Path, content: bytes, what: str, place: Path) -> dict[str, str]:
    """Write a file; what it is, by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {path.relative_to(place).as_posix(): what}
