"""PBS Pro and OpenPBS."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from pydantic import Field

from borarun.site.batch_systems.base import Ask, Reply
from borarun.site.batch_systems.pbs import PBS, records


class PBSPro(PBS):
    """Jobs of PBS Pro or OpenPBS."""

    TITLE: ClassVar[str] = "PBS Pro or OpenPBS"
    WALLTIME: ClassVar[int] = -29  # seen on a real OpenPBS

    provider: Literal["pbspro"] = Field(description="`pbspro`: jobs of PBS Pro or OpenPBS.")
    select_options: str = Field(default="", description="Added to `-l select=`, e.g. `ngpus=4`.")

    def size(self) -> str:
        """See ``PBS``."""
        more = self.select_options.removeprefix(":")
        if self.available_accelerators and "ngpus=" not in more:
            more = f"{more}:ngpus={self.available_accelerators}".removeprefix(":")
        chunk = f"{self.nodes_per_block}:ncpus={self.cores_per_node}"
        return f"-l select={chunk}{f':{more}' if more else ''}"

    def question(self, job: str, ask: Ask) -> tuple[Reply, dict[str, dict[str, Any]]]:
        """See ``PBS``. What a user put into a job's environment may break the JSON of qstat
        (openpbs#1255, openpbs#2541); its text can then be read all the same.
        """
        reply = ask(["qstat", "-x", "-f", "-F", "json", job])
        try:
            known = json.loads(reply.text)["Jobs"]
            return reply, {job: about for job, about in known.items() if isinstance(about, dict)}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        if reply.code:
            return reply, {}
        reply = ask(["qstat", "-x", "-f", job])
        return reply, records(reply.text)
