"""Diffusivity: known walks, the rules that flag one, and error bars that cover what they claim."""

from __future__ import annotations

import math
from dataclasses import replace

import diffusivity_calibration as walks
import numpy as np
import pytest
import walks as kinds

from borarun.analysis.diffusion import (
    Haven,
    collective_diffusivity,
    diffusivity,
    haven_ratio,
    pooled,
    pooled_haven,
)
from borarun.analysis.zero_frequency import level
from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_brownian_walk_of_known_diffusivity(rng):
    # A mean square step of 3 A^2 in 20 fs is D = 3/(6*20) A^2/fs = 2.5e-3 cm^2/s.
    d = diffusivity(kinds.brownian(rng, 200, 4000), 20.0)
    assert d.diffusive
    assert d.value == pytest.approx(2.5e-3, rel=0.04)
    assert d.low < 2.5e-3 < d.high
    assert d.n_blocks == 10
    assert d.share == pytest.approx(1, abs=0.1)


def test_vibration_adds_nothing(rng):
    walk = 0.05 * kinds.brownian(rng, 50, 2000)
    shaken = walk + rng.normal(size=walk.shape)
    assert diffusivity(shaken, 20.0).value == pytest.approx(diffusivity(walk, 20.0).value, rel=0.1)


def test_times_of_the_spectrum_are_told(rng):
    # 20 ps: from half the onset of 0.5 ps, where all frequencies are used, to 20 ps / pi.
    d = diffusivity(kinds.brownian(rng, 8, 1000), 20.0)
    assert 250 <= d.fit_from_fs < 1000
    assert d.fit_to_fs == pytest.approx(20_000 / math.pi)


def test_vibration_alone_is_flagged_as_too_few_hops(rng):
    d = diffusivity(0.3 * rng.normal(size=(8, 3, 1000)), 20.0)
    assert not d.diffusive
    assert "too few hops" in d.reason
    assert abs(d.hops) < 5
    assert d.counted_hops is not None and d.counted_hops <= d.hops
    # No hop seen allows 3.69 of them, N T D = 3.69 a^2 / 6.
    at_least = 3.68 * 9 / 6 / (8 * 20_000) * 0.1
    assert d.low == 0
    assert at_least <= d.high < 3 * at_least


def test_shorter_hops_are_more_of_them(rng):
    walk = kinds.brownian(rng, 8, 1000)
    long, short = (diffusivity(walk, 20.0, hop_length_A=length) for length in (3.0, 1.5))
    assert short.hops == pytest.approx(4 * long.hops)
    still = 0.3 * rng.normal(size=(8, 3, 1000))
    runs = [diffusivity(still, 20.0, hop_length_A=1.5)] * 2
    assert "hops of 1.5 A" in runs[0].reason and "hops of 1.5 A" in pooled(runs).reason
    assert haven_ratio(still, 20.0, hop_length_A=1.5).reason == runs[0].reason


def test_a_run_of_less_than_twenty_onset_times_is_flagged_but_valued(rng):
    d = diffusivity(kinds.brownian(rng, 8, 450), 20.0)
    assert not d.diffusive
    assert d.reason == "too short: the run has 9 ps, at least 10 ps are needed"
    assert math.isfinite(d.value)


@pytest.mark.parametrize("n_frames", [1, 2, 20, 60])
def test_a_run_without_any_slope_is_flagged(rng, n_frames):
    d = diffusivity(kinds.brownian(rng, 8, n_frames), 20.0)
    assert "too short" in d.reason
    assert not haven_ratio(kinds.brownian(rng, 8, n_frames), 20.0).usable


def test_ions_caged_in_wide_cages_are_flagged_as_sub_diffusive(rng):
    positions = np.zeros((30, 3, 4000))
    for frame in range(1, 4000):
        positions[..., frame] = 0.99 * positions[..., frame - 1] + 0.2 * rng.normal(size=(30, 3))
    d = diffusivity(positions, 20.0)
    assert not d.diffusive
    assert d.share < 0.5


def test_hops_that_all_happen_at_one_time_are_uncertain(rng):
    # One block of time has them all, nine have none: the run says nothing of how often it happens.
    positions = 0.1 * rng.normal(size=(40, 3, 2000))
    positions[:, 0, 1010:] += 3.0
    d = diffusivity(positions, 20.0)
    assert "uncertain" in d.reason or "sub-diffusive" in d.reason


def test_rattling_between_two_sites_adds_nothing():
    # 20 hops of 3 A an ion in 1 ns, and a flip between sites 2.5 A apart every 60 ps: the slope of
    # the mean squared displacement at 10 to 20 ps is a third too high.
    case = next(case for case in walks.CASES if "rattle, 20 hops" in case.name)
    result = walks.calibrate(case, 6, seed=2)
    assert result.mean_over_true == pytest.approx(1, abs=0.12)
    assert result.accepted == 1


def test_jumps_back_into_the_vacancy_are_taken_off():
    # 0.65 of the hops' own diffusivity.
    case = next(case for case in walks.CASES if case.name.startswith("4 vacancies, 0.3"))
    result = walks.calibrate(case, 6, seed=2)
    assert result.mean_over_true == pytest.approx(1, abs=0.12)


def test_pooled_runs_take_the_larger_of_their_errors_and_their_scatter(rng):
    run = diffusivity(kinds.brownian(rng, 24, 2000), 20.0)
    alike = pooled([run, run, run])
    assert alike.value == pytest.approx(run.value)
    assert alike.error == pytest.approx(run.error / math.sqrt(3))
    assert alike.n_blocks == 30
    apart = pooled([replace(run, value=factor * run.value) for factor in (0.5, 1, 1.5)])
    assert apart.error == pytest.approx(0.5 * run.value / math.sqrt(3))
    assert apart.freedom == 2
    assert apart.low < apart.value < apart.high


def test_one_run_that_is_refused_refuses_the_pool(rng):
    run = diffusivity(kinds.brownian(rng, 24, 2000), 20.0)
    pool = pooled([run, replace(run, diffusive=False, reason="sub-diffusive")])
    assert not pool.diffusive
    assert pool.reason == "run 2: sub-diffusive"
    assert pool.counted_hops is None


def test_runs_that_know_little_are_judged_together(rng):
    """Nine runs of about two hops each are refused one by one, and know D together."""
    runs = [diffusivity(walks.hopping(rng, 64, 2000, 2 / 64), 20.0) for _ in range(9)]
    assert all(run.counted_hops is not None for run in runs)
    few = pooled(runs[:2])
    assert not few.diffusive
    assert few.counted_hops <= few.hops == pytest.approx(sum(run.hops for run in runs[:2]))
    # Two hops of 3 A in 64 ions and 40 ps.
    true = 9 * 2 / 64 / 6 / 40_000 * A2_PER_FS_IN_CM2_PER_S
    pool = pooled(runs)
    assert pool.diffusive
    assert pool.low < true < pool.high


def test_vacancies_that_have_jumped_a_few_times_are_held_by_the_interval(rng):
    """Seven jumps a vacancy: most returns are yet to come, and D is still a fifth too high."""
    case = next(c for c in walks.CASES if c.name == "8 vacancies, 0.006 jumps/ps each")
    found = [case.answer(rng) for _ in range(20)]
    assert np.mean([d.value for d in found]) > case.true
    assert sum(d.low <= case.true <= d.high for d in found) >= 16


def test_an_uncertain_run_counts_for_the_hops_that_its_error_is_worth(rng):
    uncertain = next(
        d
        for _ in range(50)
        if (d := diffusivity(kinds.vacancies(rng, 1, 2500, 0.012), 400.0)).reason[:9] == "uncertain"
    )
    assert not uncertain.diffusive
    assert uncertain.counted_hops == pytest.approx(
        min(uncertain.hops, (uncertain.value / uncertain.error) ** 2)
    )


def test_ions_that_move_as_one_have_a_haven_ratio_of_one_over_their_number(rng):
    walk = kinds.brownian(rng, 12, 2000, 12)
    assert collective_diffusivity(walk, 20.0).value == pytest.approx(
        12 * diffusivity(walk, 20.0).value
    )
    h = haven_ratio(walk, 20.0)
    assert h.usable
    assert h.value == pytest.approx(1 / 12)
    assert h.error == pytest.approx(0, abs=1e-6)


def test_hops_of_the_collective_motion_are_counted_for_all_ions(rng):
    walk = kinds.brownian(rng, 12, 2000, 12)
    assert collective_diffusivity(walk, 20.0).hops == pytest.approx(
        12 * diffusivity(walk, 20.0).hops
    )


@pytest.mark.parametrize(
    "name",
    [
        "24 independent ions, 40 ps",
        "24 ions in groups of 12, 40 ps",
        "8 ions, 5 hops each, 20 ps",
    ],
)
def test_error_bars_cover_what_they_claim(name):
    # With 60 trials a right coverage of 95 % shows as 85 % or more in all but one of 500 cases.
    (case,) = (case for case in walks.CASES if case.name == name)
    result = walks.calibrate(case, 60, seed=4)
    assert abs(result.mean_over_true - 1) < 4 * result.real_sd / math.sqrt(60)
    assert 0.75 < result.quoted_over_true < 1.5
    assert result.coverage >= 0.85
    assert result.accepted > 0.85


def test_haven_ratios_are_averaged_by_their_logarithms() -> None:
    def run(value: float, reason: str = "") -> Haven:
        return Haven(value, 0.1 * value, value / 2, value * 2, 20, not reason, reason)

    found = pooled_haven([run(0.25), run(1.0), run(4.0)])
    assert found.value == pytest.approx(1.0)
    assert found.error == pytest.approx(math.log(4) / math.sqrt(3))  # their scatter
    assert found.low == pytest.approx(1 / found.high)
    assert pooled_haven([run(0.25), run(1.0, "too short")]).reason == "too short"


def test_the_noise_of_one_particle_is_not_found_smaller_than_that_of_three_axes() -> None:
    even = np.ones(40)
    free, bound = (level(even, np.ones((10, 4)), least) for least in (0.0, 2 / 3))
    assert bound.value == pytest.approx(1.0)
    assert bound.error > 5 * free.error
