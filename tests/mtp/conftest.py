"""A labelled set and potentials that the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from borarun.mtp.potential import Potential
from borarun.records.frames import Frames

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def labels() -> Frames:
    """Eight labelled configurations of Li2B12H12, 104 atoms."""
    text = (ROOT / "benchmarks" / "data" / "li2b12h12_sevennet0_d3_train.extxyz").read_text()
    return Frames.from_extxyz(text).take(range(0, 38, 5))


@pytest.fixture(scope="session")
def fitted() -> Potential:
    """A potential of level 8 that was fitted to them."""
    return Potential.read((ROOT / "tests" / "data" / "li2b12h12_level8.mtp").read_text())


@pytest.fixture(scope="session")
def small() -> Atoms:
    """Nine atoms of three elements in a triclinic cell smaller than the cutoff."""
    random = np.random.default_rng(4)
    cell = [[4.1, 0.0, 0.0], [0.9, 4.4, 0.0], [-0.6, 0.7, 4.8]]
    grid = np.array(list(np.ndindex(3, 3, 1))) / [3.0, 3.0, 1.0] + random.uniform(
        -0.05, 0.05, (9, 3)
    )
    return Atoms(numbers=[3, 5, 1] * 3, scaled_positions=grid, cell=cell, pbc=True)


@pytest.fixture(scope="session")
def random_potential() -> Callable[[int], Potential]:
    """Makes a potential of a level with all coefficients random."""

    def make(level: int) -> Potential:
        potential = Potential.untrained(level, (3, 5, 1))
        return potential.with_parameters(
            np.random.default_rng(1).normal(0.0, 0.1, potential.n_parameters)
        )

    return make
