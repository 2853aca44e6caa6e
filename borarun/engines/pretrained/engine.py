"""Pretrained potentials as references. They stand in for DFT, and are none."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from borarun.engines import base
from borarun.engines.base import Cost, Files, Inputs, Probe, Result, python_probe
from borarun.engines.networks import packages
from borarun.engines.networks.calculator import NetworkJob
from borarun.engines.networks.families import DISPERSION, FAMILIES, FUNCTIONALS, Family
from borarun.engines.pretrained.calculator import JOB
from borarun.engines.pretrained.section import Keys, section
from borarun.engines.reference import base as reference


class Program(base.Program):
    """How a pretrained potential runs on a site."""

    model_directory: base.AbsolutePath | None = Field(
        default=None, description="Absolute path of the folder that holds model files."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where it runs. `auto`: on a GPU where there is one."
    )


class PretrainedSettings(Keys, reference.ReferenceSettings):
    """Settings of a pretrained potential."""

    FAMILY: ClassVar[Family]
    CALCULATOR: ClassVar[str] = "pretrained"
    FUNCTIONALS: ClassVar[tuple[str, ...]] = FUNCTIONALS

    @property
    def name(self) -> str:
        """The model: a name that the package knows, or a file."""
        return self.model or self.FAMILY.default or ""

    @property
    def file(self) -> str | None:
        """Name of the model's file, where the package does not contain it."""
        return None if self.name in self.FAMILY.models else self.name

    @property
    def dispersion(self) -> str | None:
        """The functional whose D3(BJ) is added."""
        plain = self.functional.removesuffix(DISPERSION)
        return None if plain == self.functional else plain

    @model_validator(mode="after")
    def _is_a_model(self) -> Self:
        family = self.FAMILY
        inside = ", ".join(family.models)
        if not self.name:
            raise ValueError(
                f"model is missing: the package of {family.title} contains none. Download one "
                f"from {family.weights}, and name its file."
            )
        if self.file is None:
            if self.model_sha256 or self.approximates:
                raise ValueError(
                    f"model_sha256 and approximates are for model files; {self.name} comes with "
                    "the package. Remove them."
                )
            approximates = family.models[self.name]
        else:
            if Path(self.file).name != self.file or self.file.startswith("."):
                raise ValueError(
                    f"model must be a file name without a folder (got {self.file}). The site file "
                    "gives the folder."
                )
            if self.model_sha256 is None or self.approximates is None:
                also = f", or choose one of {inside}" if inside else ""
                raise ValueError(
                    f"a model file needs model_sha256, as `sha256sum {self.file}` prints it, and "
                    f"approximates, the functional it was trained on. Add both{also}."
                )
            approximates = self.approximates
        if self.functional.removesuffix(DISPERSION) != approximates:
            known = [name for name in FUNCTIONALS if name.removesuffix(DISPERSION) == approximates]
            raise ValueError(
                f"the model {self.name} approximates {approximates} (got functional "
                f"{self.functional}). Use {' or '.join(known)}, or another model."
            )
        return self


class Pretrained:
    """The engine of a family."""

    RESUMABLE = True

    def __init__(self, family: Family) -> None:
        self.family = family
        self.NAME = family.name
        self.HOME = family.home
        self.Program = Program
        self.Section = section(family)

    @cached_property
    def Settings(self) -> type[PretrainedSettings]:
        """Settings of a task; built when they are first used, since studies use one family."""
        family = self.family

        class Settings(PretrainedSettings):
            ENGINE: ClassVar[str] = family.name
            FAMILY: ClassVar[Family] = family

        return Settings

    def version(self, settings: PretrainedSettings) -> str:
        """Versions of the files, the model and the packages, as far as they are installed here."""
        return ", ".join(
            [
                f"format {reference.FORMAT}",
                settings.name,
                *packages.versions(self.family, settings.dispersion),
            ]
        )

    def missing(self, settings: PretrainedSettings, program: Program) -> str:
        """How to install what is not there, or what is wrong with the model's file."""
        if lacking := packages.missing(self.family, settings.dispersion):
            return lacking
        if settings.file is None:
            return ""
        if program.model_directory is None:
            return (
                f"set programs.{self.NAME}.model_directory in the site file to the folder that "
                f"holds {settings.file}. Models are published at {self.family.weights}."
            )
        file = Path(program.model_directory) / settings.file
        try:
            with file.open("rb") as handle:
                found = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError:
            return (
                f"the model {file} cannot be read. Download it from {self.family.weights} and put "
                "it there."
            )
        if found != settings.model_sha256:
            return (
                f"the model {file} is not the one of the study (SHA-256 {found}, the study needs "
                f"{settings.model_sha256}). Replace the file."
            )
        return ""

    def probes(self, program: Program) -> list[Probe]:
        """The package and PyTorch, and the GPUs that they see."""
        code = (
            f"import {self.family.module}, torch; from importlib.metadata import version; "
            f"print('version', version('{self.family.package}'), 'with PyTorch', "
            "torch.__version__, 'and', torch.cuda.device_count(), 'GPUs')"
        )
        return [python_probe(code, f"pip install 'borarun[{self.NAME}]'")]

    def paths(self, program: Program) -> dict[str, str]:
        """The folder of models."""
        return {"model_directory": program.model_directory} if program.model_directory else {}

    def render(self, settings: PretrainedSettings, inputs: Inputs, program: Program) -> Files:
        """Every input file, the model's description among them."""
        job = NetworkJob(
            family=self.NAME,
            model=settings.name
            if settings.file is None
            else str(Path(program.model_directory or "/") / settings.file),
            dispersion=settings.dispersion,
            device=program.device,
        )
        return {
            **reference.render(settings, reference.configurations(settings, inputs)),
            JOB: job.model_dump_json(indent=1) + "\n",
        }

    def command(self, settings: PretrainedSettings, cores: int, program: Program) -> list[str]:
        """The command to start."""
        return reference.command(settings, cores)

    def parse(self, settings: PretrainedSettings, directory: Path) -> Result:
        """What the run left."""
        return reference.parse(settings, directory)

    def cost(self, settings: PretrainedSettings, n_atoms: int) -> Cost:
        """Estimate."""
        return reference.cost(settings, n_atoms, self.family.seconds_per_atom, start_s=20.0)


ENGINES = {family.name: Pretrained(family) for family in FAMILIES}
"""An engine for each family."""
