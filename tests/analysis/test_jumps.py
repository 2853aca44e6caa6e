"""Jumps between sites: known rates, lengths, barriers and correlation factors."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from borarun.analysis.diffusion import diffusivity
from borarun.analysis.jumps import holes, jump_diffusivity, paths, time_on, together
from borarun.analysis.sites import OCTAHEDRAL, TETRAHEDRAL, WINDOW, Sites

SIZE, SPACING_A = 6, 4.85
CELL = SIZE * SPACING_A * np.eye(3)


def lattice(kinds: str = TETRAHEDRAL) -> Sites:
    """Simple cubic."""
    scaled = np.array(list(product(range(SIZE), repeat=3))) / SIZE
    return Sites(scaled, np.full(SIZE**3, 4), np.full(SIZE**3, kinds))


def test_windows_are_no_stops() -> None:
    sites = Sites(np.zeros((3, 3)), np.zeros(3), np.array([TETRAHEDRAL, OCTAHEDRAL, WINDOW]))
    site = np.array([[2, 0, 0, 2, 1, 1, 2, 1, 2, 2], [2] * 10])
    assert holes(site, sites).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1, 1, 1], [2] * 10]


def test_rate_and_length_of_independent_jumps_and_their_diffusivity() -> None:
    """Ions that jump at random along the axes: f = 1."""
    rng, n_ions, n_frames, per_frame = np.random.default_rng(1), 60, 4000, 0.02
    jump = rng.random((n_ions, n_frames)) < per_frame
    step = np.zeros((n_ions, n_frames, 3), int)
    ion, frame = np.nonzero(jump)
    step[ion, frame, rng.integers(3, size=len(ion))] = rng.choice([-1, 1], size=len(ion))
    place = step.cumsum(axis=1)
    folded = place % SIZE
    site = (folded[..., 0] * SIZE + folded[..., 1]) * SIZE + folded[..., 2]
    (path,) = paths(site, lattice(), CELL, 100.0)
    assert (path.before, path.after) == (TETRAHEDRAL, TETRAHEDRAL)
    assert path.length_A == pytest.approx(SPACING_A)
    rate, low, high = path.rate_per_fs
    assert rate == pytest.approx(per_frame / 100, rel=0.05)
    assert low < per_frame / 100 < high
    found = jump_diffusivity([path], n_ions, n_frames * 100.0)
    tracer = diffusivity(SPACING_A * place.transpose(0, 2, 1).astype(float), 100.0)
    assert tracer.low / found < 1 < tracer.high / found


def test_one_vacancy_has_its_correlation_factor() -> None:
    rng, n_frames, n_jumps = np.random.default_rng(3), 10_000, 1000
    when = np.sort(rng.integers(1, n_frames, size=n_jumps))
    place = np.array(list(product(range(SIZE), repeat=3)))
    at = np.arange(SIZE**3).reshape(SIZE, SIZE, SIZE)
    hole, moved = SIZE**3 - 1, np.zeros((SIZE**3, 3, n_frames))
    site = np.empty((SIZE**3, n_frames), int)
    number = np.arange(SIZE**3).reshape(SIZE, SIZE, SIZE)
    now, jump = np.zeros((SIZE**3, 3)), 0
    for frame in range(n_frames):
        while jump < n_jumps and when[jump] == frame:
            axis, sign = rng.integers(3), rng.choice([-1, 1])
            target = place[hole].copy()
            target[axis] = (target[axis] + sign) % SIZE
            ion = at[tuple(target)]
            now[ion, axis] -= sign
            at[tuple(place[hole])], at[tuple(target)] = ion, hole
            place[ion], place[hole] = place[hole].copy(), target
            jump += 1
        site[:, frame] = number[tuple(place.T)]
        moved[:, :, frame] = now
    ions = slice(SIZE**3 - 1)
    tracer = diffusivity(SPACING_A * moved[ions], 400.0)
    found = jump_diffusivity(
        paths(site[ions], lattice(), CELL, 400.0), SIZE**3 - 1, 400.0 * n_frames
    )
    assert tracer.value / found == pytest.approx(0.653, abs=0.12)
    assert tracer.low / found < 0.653 < tracer.high / found


def test_rattling_between_two_sites_is_no_diffusion() -> None:
    rng = np.random.default_rng(5)
    flips = (rng.random((20, 4000)) < 0.02).cumsum(axis=1) % 2
    moved = np.zeros((20, 3, 4000))
    moved[:, 0] = SPACING_A * flips
    sites = lattice()
    found = jump_diffusivity(paths(flips * SIZE**2, sites, CELL, 100.0), 20, 4e5)
    assert diffusivity(moved, 100.0).value / found < 0.05


def test_runs_together_count_all_jumps_and_all_time() -> None:
    sites = Sites(
        np.array([[0.0, 0, 0], [0.25, 0, 0]]), np.zeros(2), np.array([TETRAHEDRAL, OCTAHEDRAL])
    )
    jumping, staying = np.array([[0, 0, 1, 1, 1]]), np.array([[0, 0, 0, 0, 0]])
    runs = [paths(site, sites, CELL, 10.0) for site in (jumping, staying)]
    times = [time_on(site, sites, 10.0) for site in (jumping, staying)]
    (path,) = together(runs, times)
    assert (path.before, path.after, path.count) == (TETRAHEDRAL, OCTAHEDRAL, 1)
    assert path.time_fs == 20 + 40
    assert path.length_A == pytest.approx(CELL[0, 0] / 4)
