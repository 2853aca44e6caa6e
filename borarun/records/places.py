"""Where a run keeps its things, and the records it finds there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from borarun.basics.errors import DamagedError
from borarun.basics.file import let_nobody_else_write_in, make_private
from borarun.records.store import Store
from borarun.records.task import Record


@dataclass(frozen=True)
class Places:
    """Where a run keeps its things, all below one directory ``runs``.

    Attributes
    ----------
    store : records, shared by all studies here
    work : directories of the tasks being worked on, and of those that failed
    study : lock, log and report of one study, and the site file that it last ran under
    """

    store: Path
    work: Path
    study: Path

    @property
    def site(self) -> Path:
        """Copy of the site file that the study last ran under; there is none where it ran
        without.
        """
        return self.study / "site.yaml"

    @classmethod
    def of(cls, runs: Path, name: str) -> Places:
        """The places of the study ``name``."""
        runs = runs.resolve()
        return cls(runs / "store", runs / "work", runs / name)

    def make(self) -> None:
        """Make the folders that are missing, so that no other user of the machine reads them, and
        keep others from writing in the study's, where its driver takes orders. Several users may
        share a store that one of them opened.

        Raises
        ------
        StoreError
            Where that cannot be.
        """
        for folder in (self.store, self.work, self.study):
            make_private(folder)
        let_nobody_else_write_in(self.study)


class StoredRecords(Mapping[str, Record]):
    """The store's successful records as the mapping that plans read; each is read once. One that is
    damaged counts as absent.

    Parameters
    ----------
    on_damage : told of each damaged record, once
    """

    def __init__(
        self, store: Store, on_damage: Callable[[DamagedError], None] = lambda _: None
    ) -> None:
        self._store = store
        self._known: dict[str, Record] = {}
        self._damaged: set[str] = set()
        self._on_damage = on_damage

    def __getitem__(self, key: str) -> Record:
        if key not in self._known:
            try:
                record = self._store.record(key)
            except DamagedError as error:
                if key not in self._damaged:
                    self._damaged.add(key)
                    self._on_damage(error)
                record = None
            if record is None or not record.done:
                raise KeyError(key)
            self._known[key] = record
        return self._known[key]

    def lost(self, keys: Iterable[str]) -> set[str]:
        """Which of the keys had a record that has been set aside since."""
        gone = {key for key in keys if key in self._known and key not in self._store}
        for key in gone:
            del self._known[key]
        return gone

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.keys())

    def __len__(self) -> int:
        return sum(1 for _ in self)
