"""How long a program may still run in its job."""

from __future__ import annotations

import math
import time

import pytest

from borarun.basics.job_time import JOB_BEGAN, JOB_ENDS, job_length, seconds_left


def test_outside_of_a_job_time_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(JOB_ENDS, raising=False)
    assert seconds_left() == job_length() == math.inf


def test_a_job_has_the_time_that_its_node_s_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setenv(JOB_BEGAN, str(now - 100))
    monkeypatch.setenv(JOB_ENDS, str(now + 1000))
    assert job_length() == pytest.approx(1100)
    assert 0 < seconds_left() <= 1000
