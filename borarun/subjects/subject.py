"""What a subject is."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Subject:
    """A subject: one section of the study, and all that is made of it.

    Attributes
    ----------
    name : of the section in the study file, of the folder, and of the stage that runs its tasks
    section : the section's model, or a union of models
    description : of the section, for the reference and for editors
    needs : the section that this one builds on; empty where it needs none
    is_trajectory : whether its records are trajectories on which no other subject builds
    """

    name: str
    section: Any
    description: str
    needs: str = ""
    is_trajectory: bool = False

    def part(self, name: str) -> ModuleType | None:
        """A module of the subject's folder, e.g. ``stage``, loaded now; None where the subject has
        none.
        """
        full = f"borarun.subjects.{self.name}.{name}"
        return None if find_spec(full) is None else import_module(full)
