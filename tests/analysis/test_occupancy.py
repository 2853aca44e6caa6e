"""Which site an ion is on, and how long: antifluorite, and a hopper of known residence time."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from borarun.analysis.occupancy import fractions, hops, nearest_site, residence, settled
from borarun.analysis.sites import Sites, find_sites

A = 9.58
CUBE = A * np.eye(3)
FCC = A * np.array([(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)])
TWO = Sites(
    np.array([[0.25] * 3, [0.5] * 3]), np.array([4, 6]), np.array(["tetrahedral", "octahedral"])
)


def test_in_antifluorite_all_ions_are_on_tetrahedral_sites() -> None:
    rng = np.random.default_rng(2)
    ions = A * np.array(list(product((0.25, 0.75), repeat=3)))[:, :, None] + rng.normal(
        0, 0.2, (8, 3, 50)
    )
    ions += A * rng.integers(-2, 3, (8, 3, 1))  # unwrapped ions may be cells away
    shift = np.array([1.0, 2.0, -3.0])
    sites = find_sites(FCC + shift, CUBE)
    site = nearest_site(ions + shift[:, None], sites, CUBE)
    share = fractions(site, sites)
    assert share["tetrahedral"].tolist() == [1.0] * 50
    assert sum(share.values()) == pytest.approx(np.ones(50))
    assert len(np.unique(site)) == 8
    assert hops(site, sites) == {}


def test_the_nearest_site_is_the_nearest_in_angstrom_in_a_skew_cell() -> None:
    rng = np.random.default_rng(3)
    cell = np.array([[7.0, 0, 0], [-3.0, 8.0, 0], [2.0, -3.0, 9.0]])
    sites = find_sites(rng.uniform(0, 1, (5, 3)) @ cell, cell)
    points = rng.uniform(-1, 2, (40, 3)) @ cell
    found = nearest_site(points[:, :, None], sites, cell)[:, 0]
    images = np.array(list(product(range(-3, 4), repeat=3)))
    every = (sites.scaled[:, None] + images) @ cell
    distance = np.linalg.norm(points[:, None, None] - every, axis=3).min(axis=2)
    assert distance[np.arange(40), found] == pytest.approx(distance.min(axis=1))


def test_a_visit_that_is_too_short_is_no_hop() -> None:
    site = np.array([[0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1]])
    assert settled(site, 100.0, 300.0).tolist() == [[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]]
    assert settled(site, 500.0, 300.0).tolist() == site.tolist()


def test_residence_times_of_a_hopper_lie_in_their_intervals_as_often_as_they_say() -> None:
    """Two states, mean stays of 20 and 80 ps, drawn at random; sixteen ions for 200 ps, 200
    times.
    """
    rng = np.random.default_rng(4)
    leave = np.array([0.1 / 20, 0.1 / 80])  # probability a frame of 100 fs
    site = rng.integers(0, 2, (200, 16, 1)).repeat(2001, axis=2)
    draws = rng.random(site.shape)
    for frame in range(1, site.shape[2]):
        before = site[..., frame - 1]
        site[..., frame] = np.where(draws[..., frame] < leave[before], 1 - before, before)
    found = [residence(run, TWO, 100.0) for run in site]
    for index, truth_fs in enumerate((20e3, 80e3)):
        inside = [part[index].low_fs <= truth_fs <= part[index].high_fs for part in found]
        assert 0.90 < np.mean(inside) <= 1.0
        assert np.mean([part[index].mean_fs for part in found]) == pytest.approx(truth_fs, rel=0.05)
    tetrahedral, octahedral = found[0]
    assert (tetrahedral.kind, octahedral.kind) == ("tetrahedral", "octahedral")
    assert sum(hops(site[0], TWO).values()) == tetrahedral.departures + octahedral.departures
    assert tetrahedral.time_fs + octahedral.time_fs == 16 * 2000 * 100.0


def test_ions_that_never_leave_have_only_a_lower_bound() -> None:
    (part,) = residence(np.zeros((4, 101), int), TWO, 100.0)
    assert part.departures == 0
    assert math.isnan(part.mean_fs)
    assert part.low_fs == pytest.approx(40_000 / -math.log(0.025))
    assert math.isinf(part.high_fs)
