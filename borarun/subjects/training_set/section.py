"""The study's section on the first labelled configurations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, Strict

from borarun.basics.units import FS_PER_PS
from borarun.engines.potential.training import HoldOut
from borarun.engines.reference.base import ReferenceSection
from borarun.input.renamed import Renamed
from borarun.sections.dynamics import (
    Dynamics,
    Finding,
    Length,
    Phases,
    Place,
    RunsDynamics,
    Sampled,
)
from borarun.sections.study import Study
from borarun.sections.values import (
    VACANCIES,
    Count,
    Counts,
    FilePath,
    FilePaths,
    Functional,
    Kelvins,
    Positive,
    Supercell,
    TimeStep,
)


class Aimd(Sampled):
    """Short molecular dynamics with the reference engine (NPT, Langevin); its frames are the first
    training set.
    """

    temperatures_K: Kelvins = Field(
        default=(1000.0,), description="Temperatures, K. A number, a list or a range."
    )
    time_ps: Positive = Field(default=1.0, description="Length of each run, ps.")
    timestep_fs: TimeStep = Field(
        default=1.0, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Positive = Field(
        default=1.0,
        description="Time between stored configurations, fs; a multiple of the time step.",
    )
    friction_per_ps: Positive = Field(
        default=10.0, description="Friction of the Langevin thermostat, 1/ps."
    )
    vacancies: Counts = Field(default=(0,), description=VACANCIES)
    supercell: Supercell = Field(
        default=(1, 1, 1), description="Repeats of the structure's unit cell along a, b and c."
    )
    label_again: bool | None = Field(
        default=None,
        description="Compute the kept configurations again with the settings of all other "
        "labels, so that the training set has one setting. Default: yes for "
        "`vasp` and `quantum-espresso`, whose molecular dynamics keeps the plane "
        "waves of its first cell.",
    )

    def n_runs(self) -> int:
        """A run a temperature and vacancy count."""
        return len(self.temperatures_K) * len(self.vacancies)

    @property
    def n_samples(self) -> int:
        """Configurations that a run keeps."""
        steps = round(self.time_ps * FS_PER_PS / self.timestep_fs)
        return steps // round(self.sample_every_fs / self.timestep_fs)

    def is_labelled_again(self, reference: ReferenceSection) -> bool:
        """Whether the kept configurations are computed again with the settings of other labels."""
        return reference.LABELS_AGAIN if self.label_again is None else self.label_again

    def lengths(self) -> Iterator[Length]:
        """The whole run."""
        yield Length("time_ps", self.time_ps, self.time_ps * FS_PER_PS)


class TrainingSet(RunsDynamics):
    """The first labelled configurations."""

    labels: dict[Functional, FilePaths] = Field(
        default={},
        description="Labelled configurations that you have, by the functional that they were "
        "computed with: a file in this study's folder, or a list of files and "
        "patterns, e.g. `{PBE-D3: [labels.extxyz, old/*/vasprun.xml]}`. Read are "
        "extended XYZ (eV, eV/angstrom, eV/angstrom^3 with ASE's sign), MLIP's "
        "cfg, VASP's vasprun.xml and OUTCAR, and the output of pw.x, also "
        "compressed (`.xz`, `.gz`, `.bz2`). They must have the settings of "
        "`reference`, which labels all further configurations.",
    )
    cfg_elements: (
        Annotated[tuple[str, ...], Field(min_length=1, max_length=100), Strict(False)] | None
    ) = Field(
        default=None,
        description="Elements of the types 0, 1, 2 ... in cfg files of `labels`, e.g. "
        "`[Li, B, H]`.",
    )
    configurations: FilePath | None = Field(
        default=None,
        description="Configurations for the reference to label with each functional, in this "
        "study's folder: extended XYZ, also compressed. Labels in the file are "
        "ignored. Configurations that `labels` already has are not computed "
        "again.",
    )
    aimd: Aimd | None = Field(
        default=None,
        description="Short molecular dynamics with the reference engine. With this key it "
        "runs for all functionals. Without it, it runs with its defaults, where "
        "there are no `configurations`, for functionals without `labels`.",
    )
    contacts: Count = Field(
        default=0,
        description="Number of training configurations with two ions pushed together. They "
        "teach the potential the repulsive wall, which molecular dynamics rarely "
        "reaches.",
    )
    strained_bonds: Count = Field(
        default=0,
        description="Number of training configurations in which one outer bond of an anion, "
        "e.g. B-H in B12H12, is compressed or stretched. Without them the bond "
        "may break or collapse in molecular dynamics.",
    )
    validation_fraction: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        default=0.1,
        description="Fraction of these configurations that is held out of the fit, to "
        "measure its errors. What active learning selects is all used for "
        "training.",
    )
    hold_out: HoldOut = Field(
        default="runs",
        description="What is held out: whole `runs` of molecular dynamics and whole files of "
        "`labels`; where there are few, a block of each run, without its edges. Or single "
        "`configurations` at random, as borarun did once: a configuration is then much like its "
        "neighbours in time, which are fitted, and errors look too small.",
    )

    @property
    def dynamics(self) -> Aimd:
        """How molecular dynamics with the reference is done, where it is."""
        return self.aimd or Aimd()

    def runs_dynamics(self, functional: str) -> bool:
        """Whether molecular dynamics with the reference is done for a functional."""
        return self.aimd is not None or (
            self.configurations is None and functional not in self.labels
        )

    def dynamics_in(self, study: Study) -> Iterator[tuple[Place, Dynamics]]:
        """Molecular dynamics with the reference, where any functional needs it."""
        # no functionals where they did not validate: then dynamics is judged all the same
        functionals = getattr(study, "functionals", ())
        if not functionals or any(map(self.runs_dynamics, functionals)):
            yield ("aimd",), self.dynamics


def _functionals(study: Study, section: TrainingSet, phases: Phases) -> Iterator[Finding]:
    if strange := sorted(section.labels.keys() - set(study.functionals)):
        message = (
            f"must be one of this study's functionals, {', '.join(study.functionals)} "
            f"(got {strange[0]}). Use the functional that the labels were computed with."
        )
        yield ("training_set", "labels", strange[0]), message


def _strained(study: Study, section: TrainingSet, phases: Phases) -> Iterator[Finding]:
    if section.strained_bonds and not study.material.anions:
        yield (
            ("training_set", "strained_bonds"),
            "needs molecular anions, whose bonds are strained; material.anions names none (got "
            f"{section.strained_bonds}). Set 0.",
        )


CHECKS = (_functionals, _strained)
"""What is impossible in the section; see ``study/checks.py``."""

RENAMED = (
    Renamed(
        (
            "aimd",
            "temperature_K",
        ),
        "temperatures_K",
        since="0.1.0",
    ),
)
"""Keys that have a new name."""
