"""Claims: held by one, and by nobody who is dead."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from borarun.run import claim as module
from borarun.run.claim import Claim, Holder, _line


def other(path: Path, number: int = 1, beat: int = 0) -> Path:
    """The claim of a process on another machine."""
    file = path.with_name(f"{path.name}.{number}")
    file.write_bytes(_line(Holder("another-host", 1, 0.0), beat))
    return file


def test_a_holder_is_gone_when_its_process_is_or_another_has_its_number() -> None:
    here = Holder.here()
    assert not here.gone()
    assert Holder(here.host, here.pid, here.started - 100).gone()
    assert not Holder("another-host", 1, 0.0).gone()


def test_one_holds_and_others_wait(tmp_path: Path) -> None:
    first, second = Claim(tmp_path / "x"), Claim(tmp_path / "x")
    assert first.take() and not second.take()
    assert second.holder() == Holder.here() and second.held()
    first.release()
    assert not second.held() and second.holder() is None
    assert second.take()
    second.release()
    assert not list(tmp_path.iterdir())


def test_a_killed_process_on_this_machine_cannot_keep_it(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from borarun.run.claim import Claim; assert "
        "Claim(pathlib.Path(sys.argv[1])).take()\nprint('held', flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        claim = Claim(tmp_path / "x")
        assert not claim.take() and claim.held()
        process.kill()
        process.wait()
    assert not claim.held()
    assert claim.take()
    claim.release()


def test_a_silent_holder_elsewhere_is_superseded_and_a_living_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 0.5)
    path = tmp_path / "x"
    file = other(path)
    claim = Claim(path)
    for beat in range(1, 8):  # longer than the silence in all, but never silent
        assert not claim.take()
        time.sleep(0.1)
        file.write_bytes(_line(Holder("another-host", 1, 0.0), beat))
    assert not claim.take()
    time.sleep(0.6)
    assert claim.take()
    assert not file.exists()
    claim.release()


def test_nobody_holds_what_has_no_directory_yet(tmp_path: Path) -> None:
    claim = Claim(tmp_path / "new" / "x")
    assert not claim.held() and claim.holder() is None
    assert claim.take() and claim.held()
    claim.release()


def test_the_age_of_the_file_does_not_matter(tmp_path: Path) -> None:
    """The clock of the other machine may be a day behind or ahead."""
    for shift in (-86400, 86400):
        file = other(tmp_path / "x")
        os.utime(file, (time.time() + shift,) * 2)
        assert not Claim(tmp_path / "x").take()


@pytest.mark.parametrize("number", [2, 3])
def test_a_holder_who_was_superseded_learns_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Even when whoever did it is gone too, and a third holds the claim."""
    monkeypatch.setattr(module, "BEAT_S", 0.05)
    claim = Claim(tmp_path / "x")
    assert claim.take()
    other(tmp_path / "x", number)
    if number > 2:
        (tmp_path / "x.1").unlink()
    end = time.monotonic() + 10
    while not claim.lost and time.monotonic() < end:
        time.sleep(0.02)
    assert claim.lost
    claim.release()
    assert Claim(tmp_path / "x").holder() == Holder("another-host", 1, 0.0)


def test_the_file_changes_while_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.05)
    claim = Claim(tmp_path / "x")
    assert claim.take()
    before, end = claim.beat(), time.monotonic() + 10
    while claim.beat() == before and time.monotonic() < end:
        time.sleep(0.02)
    assert claim.beat() != before
    claim.release()


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    other(tmp_path / "x").write_bytes(
        _line(Holder(Holder.here().host, 2**22 + 1, 0.0), 0)
    )  # dead, here
    claims = [Claim(tmp_path / "x") for _ in range(16)]
    got: list[bool] = []
    barrier = threading.Barrier(len(claims))

    def try_it(claim: Claim) -> None:
        barrier.wait()
        got.append(claim.take())

    threads = [threading.Thread(target=try_it, args=(claim,)) for claim in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 1
    for claim in claims:
        claim.release()
