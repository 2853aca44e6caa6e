"""A request to end is heard once, and not in the middle of what must be whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

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
    assert not asked()  # what comes next in this process was not asked to end


def test_who_listens_outside_knows_what_was_asked_inside() -> None:
    with listening():
        with pytest.raises(KeyboardInterrupt), listening():
            os.kill(os.getpid(), signal.SIGTERM)
        assert asked()
        os.kill(os.getpid(), signal.SIGTERM)  # is not heard twice
    assert not asked()


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


def test_a_request_while_code_of_a_text_runs_ends_with_the_same_code(tmp_path: Path) -> None:
    """As of dataclasses, while they are loaded: Python would end by SIGINT, whatever was caught."""
    (tmp_path / "asked.py").write_text(
        "import borarun.cli, borarun.__main__, os, signal\n"
        "text = 'import os, signal; os.kill(os.getpid(), signal.SIGTERM)'\n"
        "borarun.cli.main = lambda: borarun.cli.commands._run(lambda: exec(text))\n"
        "borarun.__main__.main()\n"
    )
    command = [sys.executable, "-m", "asked"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 130
