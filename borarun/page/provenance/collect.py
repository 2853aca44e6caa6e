"""Where the numbers come from."""

from __future__ import annotations

import io
from collections.abc import Sequence

from ruamel.yaml import YAML

from borarun.records.attributes import span
from borarun.records.operations.base import Facts
from borarun.records.task import Task
from borarun.report.provenance import Provenance, Run
from borarun.sections.study import Study
from borarun.subjects.common.source import Source


def _seed(task: Task) -> int | None:
    seed = task.settings.get("seed")
    return seed if isinstance(seed, int) else None


def provenance(study: Study, tasks: Sequence[Task], source: Source) -> Provenance:
    """The study as it was understood, and what answered."""
    text = io.StringIO()
    YAML().dump(study.model_dump(mode="json", by_alias=True, exclude_none=True), text)
    runs = tuple(
        Run(
            d.task.stage,
            d.task.label,
            d.task.engine,
            d.task.version,
            _seed(d.task),
            d.key,
        )
        for d in source.done
    )
    notes = [source.store.attributes(done.key).provenance for done in source.done]
    started, ended = span(notes)
    versions = {f"engine {task.engine}": task.version for task in tasks}
    for name in {done.task.engine for done in source.done}:
        if told := sorted(
            {
                program
                for done in source.done
                if done.task.engine == name and (program := done.facts(Facts).program)
            }
        ):
            versions[f"program of {name}"] = ", ".join(told)
    ours = sorted({note.borarun for note in notes if note.borarun})
    return Provenance(
        study=text.getvalue(),
        versions={
            **({"borarun": ", ".join(ours)} if ours else {}),
            **dict(sorted(versions.items())),
        },
        runs=runs,
        started=started.isoformat(sep=" ", timespec="minutes") if started else "",
        ended=ended.isoformat(sep=" ", timespec="minutes") if ended else "",
    )
