"""Where the numbers come from, and which are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """A task whose result is not there.

    Attributes
    ----------
    stage, label : of the task
    failed : whether it failed; otherwise it has not run yet
    reason : what is known of the cause
    remedy : what the user can do
    evidence : the program's own last lines
    """

    stage: str
    label: str
    failed: bool
    reason: str
    remedy: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class Run:
    """A line of the provenance table."""

    stage: str
    label: str
    engine: str
    version: str
    seed: int | None
    key: str


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from.

    Attributes
    ----------
    study : the study file as borarun understood it, YAML-like JSON text
    versions : program -> version
    started, ended : first and last time in the records, ISO 8601; empty where unknown
    """

    study: str
    versions: Mapping[str, str]
    runs: tuple[Run, ...]
    started: str = ""
    ended: str = ""
