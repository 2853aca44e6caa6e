"""A moment tensor potential and its training set as files for MLIP-3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from borarun.engines.potential.base import Exported
from borarun.mtp import cfg
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames

ALMTP = "almtp"
"""Array of a record of MLIP-3: the potential with its selection state."""


def exported(
    potential: str, array: Callable[[str], bytes | None], parts: Mapping[str, Frames]
) -> Sequence[Exported]:
    """The potential, with its selection state where MLIP-3 gave one, and its training set."""
    found = [Exported("potentials", "", "mtp", potential.encode(), "moment tensor potential")]
    if content := array(ALMTP):
        about = "the same with its selection state, for MLIP-3"
        found.append(Exported("potentials", "", "almtp", content, about))
    species = Potential.read(potential).species
    for name, frames in parts.items():
        content = cfg.write(replace(frames, grade=None), species).encode()
        found.append(Exported("training_sets", name, "cfg", content, "MLIP-3's cfg"))
    return found
