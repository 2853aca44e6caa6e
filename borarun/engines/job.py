"""What a task's directory tells the program that an engine starts there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

FILE = "job.json"


class Job(BaseModel):
    """Base of what engines tell their programs. The engine renders it, and the program reads it; a
    directory that an earlier version rendered may say more. ``NAME`` is the file's.
    """

    NAME: ClassVar[str] = FILE

    model_config = ConfigDict(
        extra="ignore", frozen=True, defer_build=True
    )  # most commands render nothing

    @classmethod
    def of(cls, settings: BaseModel) -> Self:
        """That part of a task's settings which has the same names."""
        return cls.model_validate(settings.model_dump(include=set(cls.model_fields)))

    @classmethod
    def read(cls, directory: Path) -> Self:
        """The job of a directory."""
        return cls.model_validate_json((directory / cls.NAME).read_bytes())

    def text(self) -> str:
        """Content of the file."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"
