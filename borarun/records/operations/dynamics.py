"""What a run of molecular dynamics leaves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from borarun.records.operations.base import TRAJECTORY, Array, Facts, FramesItem

SNAPSHOT = "snapshot"


def snapshot(segment: str, part: float) -> str:
    """Name of a frame of a trajectory as an item of its record, by which another task asks for it.

    Parameters
    ----------
    segment : name
    part : 0 is the first frame of the segment, 1 the end; the frame before that time is meant
    """
    return f"{SNAPSHOT}/{segment}/{part:.6f}"


Stop = Literal["completed", "extrapolation", "exploded"]


class Ended(Facts):
    """How a run ended. Records that do not say it are of runs that came to their end."""

    stop: Stop = "completed"
    reason: str = Field(default="", description="why it stopped, for people")
    time_fs: float | None = Field(default=None, description="simulated time")

    @property
    def cut_short(self) -> str:
        """Why the run ended before its time; empty where it ran to its end."""
        return "" if self.stop == "completed" else self.reason or self.stop


class MolecularDynamics(Ended):
    """A trajectory with the potential, or one that was given, whose file says nothing of
    temperature, energy and pressure.
    """

    stop: Stop
    steps: int
    time_fs: float = Field(description="simulated time")
    n_frames: int
    n_candidates: int
    n_torn: int = Field(default=0, description="candidates with a torn anion, dropped")
    grade_max: float | None = Field(
        description="largest extrapolation grade; none where no grade was asked for"
    )
    min_distance_A: float | None = None
    segments: tuple[str, ...] = Field(description="their names")

    STEP = Array("step", "step of each frame", dtype="int64", shape="F", dims=("frame",))
    SEGMENT = Array(
        "segment", "place of its segment in `segments`", dtype="int32", shape="F", dims=("frame",)
    )
    CELL = Array(
        "cell",
        "rows are the cell vectors",
        shape="F 3 3",
        unit="angstrom",
        dims=("frame", "vector", "axis"),
    )
    POSITIONS = Array(
        "positions",
        "unwrapped; the mobile ions first, so that they are read at once",
        dtype="float32",
        shape="N 3 F",
        unit="angstrom",
        dims=TRAJECTORY,
    )
    NUMBERS = Array("numbers", "atomic numbers", dtype="int32", shape="N", dims=("atom",))
    TEMPERATURE = Array(
        "thermo/temperature",
        "of the atoms",
        optional=True,
        shape="F",
        unit="K",
        dims=("frame",),
    )
    POTENTIAL_ENERGY = Array(
        "thermo/potential_energy",
        "of the cell",
        optional=True,
        shape="F",
        unit="eV",
        dims=("frame",),
    )
    PRESSURE = Array(
        "thermo/pressure", "of the cell", optional=True, shape="F", unit="bar", dims=("frame",)
    )
    VOLUME = Array("thermo/volume", "of the cell", shape="F", unit="angstrom^3", dims=("frame",))
    GRADE_STEP = Array(
        "grade/step", "steps at which the grade was found", dtype="int64", shape="G", dims=("look",)
    )
    GRADE_VALUE = Array(
        "grade/value", "largest extrapolation grade there", shape="G", dims=("look",)
    )
    CANDIDATES = FramesItem("candidates", "configurations to label, each with its grade")
    LAST = FramesItem("last", "the last frame, where later runs begin")
