"""What every engine of potentials says of the potentials that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, NotRequired, Protocol, TypedDict, TypeVar

from pydantic import Field

from borarun.engines.base import Engine
from borarun.engines.potential.training import HoldOut
from borarun.input.messages import Section
from borarun.records.frames import Frames
from borarun.records.task import Settings

Finding = tuple[str, str]
"""A key of the section, and what is wrong with its value."""


Complete = TypeVar("Complete", bound=Settings)


class HeldOut(TypedDict):
    """Which labels a training holds out of its fit: see ``TrainingSettings``."""

    hold_out: HoldOut
    runs: NotRequired[tuple[int, ...]]


class ToTrain(HeldOut):
    """What a stage asks of a training."""

    validation_fraction: float
    seed: int


class ToSelect(TypedDict):
    """What a stage asks of a selection."""

    max_selected: int


class PotentialSection(Section):
    """What a study says of its potential; each engine adds its own keys.

    ``FORM`` is the folder of engines whose ``form.py`` evaluates the potential.
    ``UNCERTAINTY`` names the array of a training's record from which extrapolation grades follow;
    empty where the potential has none, and then active learning is not possible.
    ``SELECTION`` names the array from which the engine selects, and ``OF_SELECTIONS`` the keys that
    are part of the settings of selections. ``KIND`` is what it is, in
    words. ``LARGER`` names the key that gives the potential more
    parameters, for one that cannot learn more. ``IS_FITTED`` says whether it is fitted to labels;
    else they only examine it.
    """

    FORM: ClassVar[str]
    UNCERTAINTY: ClassVar[str] = ""
    SELECTION: ClassVar[str] = ""
    LARGER: ClassVar[str] = ""
    KIND: ClassVar[str]
    IS_FITTED: ClassVar[bool] = True
    OF_SELECTIONS: ClassVar[frozenset[str]] = frozenset()

    if TYPE_CHECKING:
        engine: str

    committee: Annotated[int, Field(ge=0, le=50)] = Field(
        default=0,
        description="Members of a committee: further potentials that are trained on the same "
        "data from other starts, with other configurations held out. Repeated runs of `heating` "
        "and `diffusion` use them in turn, so that their scatter contains that of potentials. 4 "
        "are usual.",
    )

    @property
    def cutoff(self) -> tuple[str, float]:
        """The key that holds the cutoff radius, and its value in angstrom; 0 where the section says
        none.
        """
        return "engine", 0.0

    @property
    def title(self) -> str:
        """What kind of potential it is, in words."""
        raise NotImplementedError

    @property
    def atom_step_us(self) -> float:
        """Core time of a step of molecular dynamics for each atom, in microseconds."""
        raise NotImplementedError

    def findings(self) -> Iterator[Finding]:
        """What is impossible in it."""
        yield from ()

    def training(self, kind: type[Complete], asked: ToTrain) -> Complete:
        """The settings of a training: what the study says of the potential, and what a stage asks.

        Parameters
        ----------
        kind : the engine's ``Settings``
        """
        ours = self.model_dump(exclude={"engine", "committee"})
        return kind.model_validate({"operation": "train", **ours, **asked})

    def selecting(self, kind: type[Complete], asked: ToSelect) -> Complete:
        """The settings of a selection, likewise."""
        ours = self.model_dump(include=set(self.OF_SELECTIONS))
        return kind.model_validate({"operation": "select", **ours, **asked})


@dataclass(frozen=True)
class Exported:
    """A file for other programs.

    Attributes
    ----------
    folder : ``potentials`` or ``training_sets``
    name : of a training set, the part of it; empty of a potential
    suffix : of the file's name
    content : bytes
    about : what it is
    """

    folder: str
    name: str
    suffix: str
    content: bytes
    about: str


class PotentialEngine(Engine, Protocol):
    """An engine that trains potentials and selects the configurations that they should learn."""

    def exported(
        self,
        potential: str,
        array: Callable[[str], bytes | None],
        parts: Mapping[str, Frames],
    ) -> Sequence[Exported]:
        """A trained potential and its training set as files of the field.

        Parameters
        ----------
        potential : text of the potential
        array : gives an array of the record as bytes, or None where it has none of that name
        parts : ``train`` and ``valid``, the configurations of the fit and those held out
        """
