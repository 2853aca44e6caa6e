"""What a record says beside its arrays, and what the file of a failure says: their classes, as the
store writes and reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    field_serializer,
    field_validator,
)

from borarun.basics.causes import Cause
from borarun.records.task import About, Failure, Ref, Task, current_name, identity, items_of


class _Part(BaseModel):
    """Frozen. What a newer borarun says beside it is passed over in reading."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Provenance(_Part):
    """When, where and by which borarun a program ran.

    Attributes
    ----------
    borarun : version; empty where it is not known
    host : empty where it is not known, as of another group's record
    started : in UTC; None where it is not known
    seconds : how long the program ran, s, without the time in a queue; None where it is not known
    cores : that the program was given; None where it is not known
    exit_code : of the program: a whole and sound result counts, whatever the program said at its
        end
    file, size_B, sha256 : of a trajectory that was given, its file
    """

    borarun: str = ""
    host: str = ""
    started: datetime | None = None
    seconds: float | None = None
    cores: int | None = None
    exit_code: int = 0
    file: str = ""
    size_B: int | None = None
    sha256: str = ""

    @field_validator("started")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)

    @field_serializer("started", when_used="json-unless-none")
    def _to_the_second(self, value: datetime) -> str:
        return value.isoformat(timespec="seconds")

    def stored(self) -> dict[str, JsonValue]:
        """What is known of it, as JSON values."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude_none=True)

    def shared(self) -> dict[str, JsonValue]:
        """What of it may leave the site, as JSON values."""
        of_site = {"host", "file", "size_B", "sha256"}
        return self.model_dump(
            mode="json", exclude_defaults=True, exclude_none=True, exclude=of_site
        )


def span(runs: Iterable[Provenance]) -> tuple[datetime | None, datetime | None]:
    """When the first of some programs started and the last one ended, among those whose start is
    known; None where no start is known.
    """
    spans = [
        (run.started, run.started + timedelta(seconds=run.seconds or 0.0))
        for run in runs
        if run.started is not None
    ]
    return min((start for start, _ in spans), default=None), max(
        (end for _, end in spans), default=None
    )


class TaskAttributes(_Part):
    """The task of a record. Of what it was given, its inputs say the hash alone."""

    engine: Annotated[str, BeforeValidator(current_name)]
    version: str
    settings: dict[str, JsonValue]
    inputs: dict[str, list[tuple[str, str]]]
    stage: str
    label: str
    about: dict[str, JsonValue]

    @classmethod
    def of(cls, task: Task) -> Self:
        """What a record says of its task."""
        return cls(
            engine=task.engine,
            version=task.version,
            settings=dict(task.settings),
            inputs={
                name: [identity(item) for item in items_of(value)]
                for name, value in task.inputs.items()
            },
            stage=task.stage,
            label=task.label,
            about=task.about.stored(),
        )

    def task(self) -> Task:
        """The task, without the content of what it was given: its hash stands for it in the key as
        it does here.
        """
        return Task(
            self.engine,
            self.settings,
            {name: tuple(Ref(*pair) for pair in pairs) for name, pairs in self.inputs.items()},
            self.version,
            self.stage,
            self.label,
            About.model_validate(self.about),
        )


class Attributes(_Part):
    """What a record says beside its arrays."""

    borarun_store: int
    task: TaskAttributes
    facts: dict[str, JsonValue]
    provenance: Provenance


_OF_CLASS = {
    "ParseError": Cause.UNREADABLE,
    "TimeUpError": Cause.OUT_OF_TIME,
    "WorkerLost": Cause.WORKER_LOST,
    "DamagedError": Cause.INPUT_DAMAGED,
    "ForeignError": Cause.INPUT_DAMAGED,
    "ExecutorError": Cause.BAD_SETUP,
    "bug": Cause.BUG,
}
"""Causes of failures that borarun stored before it had causes; FAILED for all other classes."""


class FailureAttributes(_Part):
    """A failure, as it is stored.

    Attributes
    ----------
    kind : class of the error, in the files of a borarun that did not store causes
    """

    cause: str = ""
    kind: str = ""
    message: str = ""
    remedy: str = ""
    evidence: str = ""

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """What the store says of a failure."""
        return cls(
            cause=failure.cause,
            message=failure.message,
            remedy=failure.remedy,
            evidence=failure.evidence,
        )

    def failure(self) -> Failure:
        """The failure; of a cause that only a newer borarun knows, one without a known cause."""
        cause = Cause.named(self.cause) if self.cause else _OF_CLASS.get(self.kind, Cause.FAILED)
        return Failure(cause, self.message, self.remedy, self.evidence)

    def stored(self) -> dict[str, JsonValue]:
        """The same as JSON values."""
        return self.model_dump(mode="json", exclude={"kind"})


class FailedAttributes(_Part):
    """The file of a failure."""

    borarun_store: int
    task: TaskAttributes
    failure: FailureAttributes


class VerdictAttributes(_Part):
    """The file that says whether the run of a record can be used.

    Attributes
    ----------
    of : for which anions and mobile ions this was found
    failure : why it is of no use; None where it is of use
    """

    of: JsonValue
    failure: FailureAttributes | None
