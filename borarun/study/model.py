"""The model of a study file: what every study says, and the section of each subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from borarun.header import RENAMED as IN_HEADER
from borarun.header import Compare, Header
from borarun.renamed import Renamed
from borarun.subjects import SUBJECTS


def _field(section: Any, description: str) -> Any:
    return (section | None, Field(default=None, description=description))


if TYPE_CHECKING:

    class Study(Header):
        """What ``create_model`` makes below; ``study.section(Heating)`` gives a section."""

else:
    Study = create_model(
        "Study",
        __base__=Header,
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
    *IN_HEADER,
    *(
        each.within(subject.name)
        for subject in SUBJECTS
        for each in getattr(subject.part("section"), "RENAMED", ())
    ),
)
"""Every name in study files that has changed."""
