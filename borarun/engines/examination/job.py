"""What the program that examines potentials is told."""

from __future__ import annotations

from borarun.engines.job import Job


class ExaminationJob(Job):
    """Which files are of which potential.

    Attributes
    ----------
    potential : folder of engines with the form of the potentials
    files : names of the files of each; its number stands before them
    """

    potential: str
    files: tuple[tuple[str, ...], ...]
