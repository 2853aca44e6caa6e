"""The kernel of energies and forces: its lanes, and its parts."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray

from borarun.mtp.evaluate import Evaluator, energies_forces_virial
from borarun.mtp.forces import evaluate_parts
from borarun.mtp.lanes import LANES, load, positive, root, splat, store, total
from borarun.mtp.parts import bounds, n_parts
from borarun.mtp.potential import Potential

Array = NDArray[Any]


@njit  # type: ignore[misc, unused-ignore]
def _compute(first: Array, second: Array, out: Array) -> float:
    """All that lanes can do."""
    x, y = load(first, LANES), load(second, 0)
    z = 2.0 * x * y + root(y) - x / y
    store(out, LANES, positive(z - splat(3.0)))
    return total(z) + 0.0


def test_lanes_compute_what_arrays_compute() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, LANES)), random.uniform(1.0, 9.0, LANES)
    out = np.full((3, LANES), np.nan)
    found = _compute(first, second, out)
    z = 2.0 * first[1] * second + np.sqrt(second) - first[1] / second
    assert found == pytest.approx(z.sum(), rel=1e-14)
    np.testing.assert_allclose(out[1], np.maximum(z - 3.0, 0.0), rtol=1e-13)
    assert np.isnan(out[[0, 2]]).all()


@settings(deadline=None)  # the first one compiles
@given(st.integers(1, 5000))
def test_every_atom_belongs_to_one_part(n: int) -> None:
    parts = bounds(n)
    assert parts[0][0] == 0 and parts[-1][1] == n
    assert all(a[1] == b[0] for a, b in pairwise(parts))
    assert all(begin < end and begin % LANES == 0 for begin, end in parts)


def test_parts_add_up_to_the_whole(fitted: Potential, small: Atoms) -> None:
    """Two parts or one: the sums differ by rounding alone."""
    atoms = small * (3, 2, 2)
    del atoms[-3:]
    evaluator = Evaluator(fitted, atoms.numbers)
    evaluator.evaluate(atoms.positions, atoms.cell.array)
    energies, forces, virial = energies_forces_virial(fitted, evaluator.neighbours.pairs)
    n = len(atoms)
    assert n_parts(n) > 2 and n % LANES
    for parts in (1, 2):
        of_atoms, of_parts, virials = np.empty(n), np.empty((parts, n, 3)), np.empty((parts, 6))
        evaluate_parts(fitted.tables, *evaluator.neighbours.pairs, of_atoms, of_parts, virials)
        np.testing.assert_array_equal(of_atoms, energies)
        np.testing.assert_allclose(of_parts.sum(axis=0), forces, atol=1e-12)
        np.testing.assert_allclose(virials.sum(axis=0), virial, atol=1e-12)


def test_a_run_does_not_depend_on_the_number_of_threads() -> None:
    """Bit for bit, through new lists and for grades too."""
    code = """\
import sys
import numpy as np
from borarun.mtp.potential import Potential
from borarun.engines.moment_tensor.form import Evaluator
random = np.random.default_rng(0)
potential = Potential.untrained(8, (3, 5))
potential = potential.with_parameters(random.normal(size=potential.n_parameters))
numbers, cell = random.choice([3, 5], 165), np.diag([11.0, 12.0, 13.0])
positions = random.uniform(size=(165, 3)) @ cell
evaluator = Evaluator(potential, numbers, np.eye(potential.n_parameters), int(sys.argv[1]))
for _ in range(12):
    found = evaluator.evaluate(positions, cell)
    for part in (found.energies, found.forces, found.stress, found.min_distance):
        print(np.asarray(part).tobytes().hex())
    print(evaluator.grade().hex())
    positions = positions + random.normal(0.0, 0.15, positions.shape)
print(evaluator.neighbours.n_builds)
"""
    one, two = (
        subprocess.run(
            [sys.executable, "-c", code, number],
            env={**os.environ, "NUMBA_NUM_THREADS": number},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    )
    assert one == two
    assert int(one.split()[-1]) > 1
