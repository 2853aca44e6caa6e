"""A request to end is heard once, and not in the middle of what must be whole."""

from __future__ import annotations

import os
import signal

import pytest

from borarun.run.interrupts import asked, listening, shielded


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_each_of_them_interrupts_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with listening():
        assert not asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert asked()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(number) == before


def test_a_shielded_block_is_whole() -> None:
    steps = []
    with listening(), pytest.raises(KeyboardInterrupt):
        with shielded():
            with shielded():
                os.kill(os.getpid(), signal.SIGTERM)
                steps.append("inner")
            steps.append("outer")
        steps.append("after")
    assert steps == ["inner", "outer"]


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with listening():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked()
    finally:
        signal.signal(signal.SIGHUP, before)
