"""The site: where programs run. It knows no science; the study knows no site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from borarun.engines import ENGINES
from borarun.engines.base import Program
from borarun.errors import StudyError
from borarun.messages import Name, Section, in_order, validate
from borarun.task import Task
from borarun.yaml_file import read_yaml

_FIELDS: Any = {
    name.replace("-", "_"): (engine.Program, Field(default=engine.Program(), alias=name, description=f"How `{name}` runs here."))
    for name, engine in ENGINES.items()
}
Programs: Any = create_model("Programs", __base__=Section, __doc__="How programs run; one that is absent runs with its defaults.", **_FIELDS)


class Site(Section):
    """A machine and how programs start on it."""

    borarun: Literal[1] = Field(description="Version of this format.")
    name: Name = Field(description="Name of the site: letters, digits, `.`, `_` and `-`, at most 64.")
    executor: Literal["local"] = Field(default="local", description="How tasks start; `local`: as processes of this machine.")
    cores: Annotated[int, Field(ge=1, le=4096)] | None = Field(default=None, description="Cores to keep busy; without it all there are.")
    programs: Programs = Field(default_factory=Programs, description="How each program runs here.")

    def program(self, engine: str) -> Program:
        """How an engine's program runs here."""
        found: Program = getattr(self.programs, engine.replace("-", "_"))
        return found

    def on(self, task: Task) -> Task:
        """The task with the cores that its program takes here."""
        return replace(task, cores=self.program(task.engine).cores or task.cores)


def default_site() -> Site:
    """This machine with all its cores."""
    return Site(borarun=1, name="local")


def load_site(path: Path) -> Site:
    """Read and validate a site file.

    Raises
    ------
    StudyError
        With every mistake in the file.
    """
    root, problems = read_yaml(path)
    site, misfits, _ = validate(root, Site)
    if site is None or problems:
        raise StudyError(in_order(problems + misfits))
    return site


def site_schema() -> dict[str, Any]:
    """JSON schema of a site file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Site.model_json_schema()}
