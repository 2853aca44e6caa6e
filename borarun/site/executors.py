"""Where tasks run: this machine, or the nodes of a batch system."""

from __future__ import annotations

import os
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from borarun.input.messages import Section
from borarun.site.batch_systems import BatchSystem


@cache
def cores_here() -> int:
    """Cores of this machine; asked once, for a plan wants it with each of its tasks."""
    return os.cpu_count() or 1


class Local(Section):
    """Processes on this machine."""

    provider: Literal["local"] = Field(
        default="local", description="`local`: processes on this machine."
    )
    cores: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None, description="Number of cores to use. Default: all."
    )

    @property
    def slots(self) -> int:
        """How much can run at once, in units of what ``takes`` says of a task: cores."""
        return self.cores or cores_here()

    @property
    def cores_per_task(self) -> int:
        """The most cores that one task can have."""
        return self.slots

    def takes(self, cores: int) -> int:
        """How much of ``slots`` a task of so many cores takes."""
        return min(cores, self.slots)


Executor = Annotated[Local | BatchSystem, Field(discriminator="provider")]
