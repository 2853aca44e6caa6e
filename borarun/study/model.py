"""The model of a study file: what every study says, and the section of each subject."""

from __future__ import annotations

from typing import Any

from pydantic import Field, create_model

from borarun.input.renamed import Renamed
from borarun.sections.study import RENAMED as IN_EVERY_STUDY
from borarun.sections.study import Compare, Study
from borarun.subjects import SUBJECTS


def _field(section: Any, description: str) -> Any:
    return (section | None, Field(default=None, description=description))


StudyFile: type[Study] = create_model(
    "Study",
    __base__=Study,
    __module__=__name__,
    __doc__="A borarun study: what is computed, the same on every machine. A section that is "
    "absent is not\nrun.",
    **{subject.name: _field(subject.section, subject.description) for subject in SUBJECTS},
    compare=_field(
        Compare,
        "Published values to compare with. Default: those that ship with borarun.",
    ),
)

RENAMED: tuple[Renamed, ...] = (
    *IN_EVERY_STUDY,
    *(
        each.within(subject.name)
        for subject in SUBJECTS
        for each in getattr(subject.part("section"), "RENAMED", ())
    ),
)
"""Every name in study files that has changed."""
