"""Where a run keeps its things, and the records it finds there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from borarun.store import Store
from borarun.task import Record


@dataclass(frozen=True)
class Places:
    """Where a run keeps its things, all below one directory ``runs``.

    Attributes
    ----------
    store : records, shared by all studies here
    work : directories of the tasks being worked on, and of those that failed
    study : lock, log and report of one study
    """

    store: Path
    work: Path
    study: Path

    @classmethod
    def of(cls, runs: Path, name: str) -> Places:
        """The places of the study ``name``."""
        runs = runs.resolve()
        return cls(runs / "store", runs / "work", runs / name)


class StoredRecords(Mapping[str, Record]):
    """The store's successful records as the mapping that plans read; each is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Record] = {}

    def __getitem__(self, key: str) -> Record:
        if key not in self._known:
            record = self._store.record(key)
            if record is None or not record.done:
                raise KeyError(key)
            self._known[key] = record
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.keys())

    def __len__(self) -> int:
        return sum(1 for _ in self)
