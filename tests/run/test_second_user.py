"""Who has not the keys of a run gets in nowhere, least of all another user of the machine."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from borarun.basics.errors import StoreError
from borarun.basics.file import close, let_nobody_else_write
from borarun.records.places import Places
from borarun.run import workers
from borarun.run.workers import Workers
from borarun.site import default_site

pytestmark = [  # sockets and threads of Parsl, which nobody closes
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]

NOBODY = 65534
PYTHON = Path("/usr/bin/python3")
"""An interpreter that every user can start; this one may be in somebody's home."""

DRIVER, INTERCHANGE = 3, 1
"""Ports on which each of the two listens."""


def _ports(process: psutil.Process) -> set[int]:
    """Ports on which a process and its children listen."""
    return {
        each.laddr.port
        for one in (process, *process.children(recursive=True))
        for each in one.net_connections()
        if each.status == psutil.CONN_LISTEN
    }


class Touch:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._path,)


@pytest.mark.parametrize("encrypted", [True, False], ids=["as it is", "without keys"])
def test_a_pickle_from_a_peer_without_keys_is_not_read(
    encrypted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same peer and pickle run on a driver that asks for no keys, so the attack is a real
    one.
    """
    start, made = workers.started_by, []

    def started(*arguments: Any) -> Any:
        made.append(start(*arguments))
        made[-1].encrypted = encrypted
        return made[-1]

    monkeypatch.setattr(workers, "started_by", started)
    before = _ports(psutil.Process())
    run = Workers(Places.of(tmp_path, "x"), default_site())
    context = zmq.Context()
    peers: list[zmq.Socket[bytes]] = []  # open until the end, as an attacker's are
    touched = tmp_path / "touched"
    try:
        run._start()
        ports = _ports(psutil.Process()) - before
        assert len(ports) >= DRIVER + INTERCHANGE
        for port in ports:
            for kind in (zmq.DEALER, zmq.REQ, zmq.PAIR):
                peers.append(peer := context.socket(kind))
                peer.linger = 0
                peer.sndtimeo = 1000
                peer.connect(f"tcp://127.0.0.1:{port}")
                with contextlib.suppress(zmq.Again):  # refused as of another kind already
                    peer.send(pickle.dumps(Touch(touched)))
        end = time.monotonic() + (10 if encrypted else 60)
        while not touched.exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert touched.exists() is not encrypted
        assert not run.lost
    finally:
        context.destroy(linger=0)
        run.stop()
        for executor in made:  # what the pickle broke does not close it
            executor.incoming_q.zmq_context.destroy(linger=0)
        del run
        gc.collect()


GREET = """
import os, socket, sys
folder, *ports = sys.argv[1:]
seen = {int(line.split()[1].split(":")[1], 16) for line in open("/proc/net/tcp").readlines()[1:]}
seen |= {int(line.split()[1].split(":")[1], 16) for line in open("/proc/net/tcp6").readlines()[1:]}
print("seen", all(int(port) in seen for port in ports))
greeting = b"\\xff" + bytes(8) + b"\\x7f\\x03\\x00" + b"NULL".ljust(20, b"\\0") + bytes(32)
for port in ports:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=30) as peer:
        peer.sendall(greeting[:12])  # after the version the other says what it asks
        answer = b""
        while len(answer) < 64 and (more := peer.recv(64 - len(answer))):
            answer += more
        print("asks", answer[12:32].rstrip(b"\\0").decode())
        try:
            peer.sendall(greeting[12:])
            left = peer.recv(100)
        except ConnectionError:
            left = b""
        print("ends", left == b"")
for place in ("", "parsl", "driver.log", "driver.claim"):
    try:
        open(os.path.join(folder, place))
    except PermissionError:
        print("closed")
try:
    open(os.path.join(folder, "stop"), "w")
except PermissionError:
    print("goes on")
"""
"""Greets every port as a peer without keys (ZMTP 3.0, https://rfc.zeromq.org/spec/23), and tries
to open a study's files.
"""


@pytest.fixture
def seen_by_all(mini_study: Path) -> Iterator[Path]:
    """The mini study where other users can go, as pytest's folders are not."""
    place = Path(tempfile.mkdtemp(prefix="borarun-"))
    place.chmod(0o755)
    shutil.copytree(mini_study.parent, place, dirs_exist_ok=True)
    place.chmod(0o755)
    yield place / mini_study.name
    shutil.rmtree(place)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
@pytest.mark.skipif(not PYTHON.exists(), reason="there is no Python that other users can start")
def test_another_user_of_the_machine_gets_in_nowhere(seen_by_all: Path) -> None:
    """Though the driver was started with a umask that closes nothing."""
    study, output = seen_by_all, seen_by_all.parent / "output"
    folder = study.parent / "runs/mini"
    with output.open("wb") as said:
        driver = subprocess.Popen(
            [sys.executable, "-m", "borarun", "submit", study.name],
            cwd=study.parent,
            stdout=said,
            stderr=said,
            start_new_session=True,
            umask=0,
        )
    try:
        end = time.monotonic() + 240
        while len(ports := _ports(psutil.Process(driver.pid))) < DRIVER + INTERCHANGE:
            assert driver.poll() is None and time.monotonic() < end, output.read_text()
            time.sleep(0.2)
        answer = subprocess.run(
            [PYTHON, "-I", "-c", GREET, folder, *map(str, ports)],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.split("\n")[:-1] == [
            "seen True",
            *["asks CURVE", "ends True"] * len(ports),
            *["closed"] * 4,
            "goes on",
        ]
        assert driver.poll() is None
        for path in folder.parent.rglob("*"):
            assert path.is_symlink() or not path.stat().st_mode & 0o022, path
    finally:
        driver.send_signal(signal.SIGTERM)
        driver.wait(timeout=120)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_new_folders_are_closed_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        places = Places.of(tmp_path / "runs", "x")
        places.make()
        let_nobody_else_write()
        (places.study / "stop").touch()
    finally:
        os.umask(before)
    for folder in (places.store, places.work, places.study):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not (places.study / "stop").stat().st_mode & 0o022


def test_folders_that_their_owner_opened_stay_open_but_for_orders(tmp_path: Path) -> None:
    places = Places.of(tmp_path / "runs", "x")
    for folder in (places.store, places.study):
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    places.make()
    assert stat.S_IMODE(places.store.stat().st_mode) == 0o777
    assert stat.S_IMODE(places.study.stat().st_mode) == 0o755
    close(places.study)
    assert stat.S_IMODE(places.study.stat().st_mode) == 0o700


def test_a_file_system_without_permissions_takes_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    with pytest.raises(
        StoreError, match=r"borarun cannot change that on this file system \(mode 755\).*--runs"
    ):
        close(tmp_path)
