"""Curves thinned without losing their ends or their peaks."""

from __future__ import annotations

import numpy as np

from borarun.report.thinning import peaks, thin, thin_log


def test_thinning_keeps_both_ends() -> None:
    for thinned in (thin, thin_log):
        kept = thinned(100_000)
        assert (kept[0], kept[-1]) == (0, 99_999)
        assert len(kept) <= 1001
        assert np.all(np.diff(kept) > 0)


def test_thinning_grades_keeps_the_peak() -> None:
    grade = np.ones(10_000)
    grade[7777] = 14.0
    time, thinned = peaks(np.arange(10_000.0), grade)
    assert len(thinned) <= 501
    assert time[np.argmax(thinned)] == 7777
