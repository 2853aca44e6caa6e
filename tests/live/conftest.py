"""A live page that is served in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from borarun.live import server
from borarun.live.server import Server, make_server
from borarun.places import Places
from borarun.site import default_site
from borarun.state import Observer
from borarun.study import Study, load_study


@pytest.fixture
def study(mini_study: Path) -> Study:
    return load_study(mini_study)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places.of(tmp_path / "runs", "mini")


@pytest.fixture
def serving(study: Study, places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Server]]:
    """Serve the study, which looks at it whenever it is asked."""
    monkeypatch.setattr(server, "LOOK_S", 0.0)
    monkeypatch.setattr(server, "PAUSE", 0.0)
    with ExitStack() as after:

        def start() -> Server:
            found = after.enter_context(make_server(study, "mini.yaml", Observer(study, default_site(), places), 0))
            thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            after.callback(thread.join)
            after.callback(found.shutdown)
            return found

        yield start
