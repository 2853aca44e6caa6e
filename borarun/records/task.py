"""Task, Record and the key that identifies them: the vocabulary that engines, stages, store and run
share.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from borarun.basics.causes import Cause
from borarun.basics.errors import DamagedError, EngineError
from borarun.records.frames import Frames
from borarun.records.operations.base import Facts, Quantity, misfits, mistakes

FORMER_NAMES = {"motep": "borarun-mtp"}
"""Engines that had another name once. Keys hold the former one: records made under it stay valid.
"""


def current_name(engine: Any) -> Any:
    """The name of an engine that may have had another once; whatever else is left as it is."""
    return FORMER_NAMES.get(engine, engine) if isinstance(engine, str) else engine


_IN_KEYS = {name: former for former, name in FORMER_NAMES.items()}


Found = TypeVar("Found", bound=Facts)


class Settings(BaseModel):
    """Base of every engine's settings and of their parts: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def of(cls, task: Task) -> Self:
        """The settings of a task of this engine."""
        return cls.model_validate(task.settings)


class About(BaseModel):
    """What a task is about, for the report: never part of a key. Each kind of task has a class of
    its own, beside the stage that asks for it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    functional: str = ""

    def stored(self) -> dict[str, JsonValue]:
        """The same as JSON values, as a record holds them."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Ref:
    """An item of another task's result: a text, a ``Frames`` or an array, named ``item`` in the
    record ``key``.

    ``run`` is the key of the run whose configurations the item has, where another task made them:
    parts of one run share it. It is no part of a key.
    """

    key: str
    item: str
    run: str = field(default="", compare=False)


@dataclass(frozen=True, eq=False)
class Given:
    """Labelled configurations that a study brings along, as an input beside other tasks' results.
    Equal content is equal, whatever file it came from.

    Attributes
    ----------
    frames : the configurations
    lengths : how many of them are of each file, in order; empty where they are of one
    """

    frames: Frames
    lengths: tuple[int, ...] = ()

    def files(self) -> tuple[Given, ...]:
        """The configurations of each file that has any."""
        ends = np.cumsum(self.lengths)
        return tuple(
            Given(self.frames.take(range(end - length, end)))
            for end, length in zip(ends.tolist(), self.lengths, strict=True)
            if length
        ) or (self,)

    @cached_property
    def sha256(self) -> str:
        """Hash of the numbers themselves."""
        digest = hashlib.sha256()
        for name, values in self.frames.arrays().items():
            little_endian = values.astype(values.dtype.newbyteorder("<"))
            digest.update(f"{name} {little_endian.dtype.str} {values.shape}\n".encode())
            digest.update(little_endian.tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)


Input = Ref | Given


def identity(item: Input) -> tuple[str, str]:
    """What of an input is in the key: a key and the item's name, or a hash of the content."""
    return ("sha256", item.sha256) if isinstance(item, Given) else (item.key, item.item)


@dataclass(frozen=True)
class Cost:
    """What a task is expected to take: an estimate for people and for the order of work, never part
    of a key.

    Attributes
    ----------
    core_seconds : expected core time, s
    bytes : expected size of its record, B
    """

    core_seconds: float = 1.0
    bytes: float = 1e4


@dataclass(frozen=True)
class Task:
    """One run of one engine in one directory.

    Attributes
    ----------
    engine : name in ``borarun.engines.registry.ENGINES``
    settings : the engine's settings as JSON values, complete with defaults
    inputs : results of other tasks that this one reads, and configurations that the study brings
        along, by the name the engine knows them by
    version : version of the program and of the engine's file format
    stage : section of the study that asked for it
    label : what it is, for people, e.g. ``PBE-D3/700 K/1 vacancy``
    about : the same as values, for the report
    cores : cores that it can use
    cost : estimate
    """

    engine: str
    settings: Mapping[str, JsonValue]
    inputs: Mapping[str, Input | tuple[Input, ...]] = field(default_factory=dict)
    version: str = ""
    stage: str = ""
    label: str = ""
    about: About = field(default_factory=About)
    cores: int = 1
    cost: Cost = Cost()

    @cached_property
    def key(self) -> str:
        """Content hash: what changes the result changes the key, and nothing else does (not label,
        site or cores).
        """
        content = {
            "engine": _IN_KEYS.get(self.engine, self.engine),
            "version": self.version,
            "settings": self.settings,
            "inputs": {
                name: [identity(item) for item in items_of(value)]
                for name, value in self.inputs.items()
            },
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def needs(self) -> frozenset[str]:
        """Keys of the records that must exist before this task can start."""
        return frozenset(
            item.key
            for value in self.inputs.values()
            for item in items_of(value)
            if isinstance(item, Ref)
        )

    @property
    def name(self) -> str:
        """Stage and label, as shown to people."""
        return f"{self.stage} {self.label}".strip()


Content = str | NDArray[Any] | Frames
"""An item of a record: a text, an array or a ``Frames``."""

Inputs = Mapping[str, Content | list[Content]]
"""What a task reads, by the names that its engine knows; a list where the task names several
items.
"""


def items_of(value: Input | tuple[Input, ...]) -> tuple[Input, ...]:
    """The items of one input, always as a tuple."""
    return value if isinstance(value, tuple) else (value,)


def ref_of(value: Input | tuple[Input, ...]) -> Ref:
    """An input that is one other task's result."""
    assert isinstance(value, Ref)
    return value


@dataclass(frozen=True)
class Result:
    """What an engine read from its directory after a run.

    Attributes
    ----------
    facts : counts, errors, reasons, by the class of its operation; stages decide on these alone
    texts : named texts, e.g. ``potential`` -> the engine's own file
    arrays : named arrays with units
    frames : named ``Frames``, e.g. ``labels``, ``candidates``
    """

    facts: Facts
    texts: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, Quantity] = field(default_factory=dict)
    frames: dict[str, Frames] = field(default_factory=dict)

    def misfits(self) -> list[str]:
        """What of it is not as its operation declares it, one sentence each."""
        return misfits(self.facts, self.arrays, self.frames, self.texts)


@dataclass(frozen=True)
class Failure:
    """Why a task failed.

    Attributes
    ----------
    cause : decides what is done about it
    message : what happened
    remedy : what the user can do
    evidence : the program's own last lines
    """

    cause: Cause
    message: str
    remedy: str = ""
    evidence: str = ""

    @classmethod
    def of_error(cls, error: EngineError) -> Failure:
        """What the error of an engine or a program says."""
        return cls(error.cause, str(error), error.remedy, error.evidence)


@dataclass(frozen=True)
class Record:
    """What a task left: its facts, or why it failed. The arrays stay in the store.

    Attributes
    ----------
    stored : the facts as the store has them; ``facts`` reads them
    """

    key: str
    engine: str
    stage: str
    label: str
    stored: Mapping[str, JsonValue] = field(default_factory=dict)
    failure: Failure | None = None

    def facts(self, kind: type[Found]) -> Found:
        """Its facts, as those of an operation or of what several have in common.

        Raises
        ------
        DamagedError
            Where a fact is missing, or is not what it must be.
        """
        try:
            return kind.model_validate(self.stored)
        except ValidationError as error:
            raise DamagedError(
                f"{self.stage} {self.label}: the facts of its record are not those of "
                f"{kind.__name__} ({mistakes(error)}). Remove {self.key}.zarr.zip from the store "
                "and submit again: the task is then done anew.",
                self.key,
            ) from error

    @property
    def done(self) -> bool:
        """Whether the task succeeded."""
        return self.failure is None
