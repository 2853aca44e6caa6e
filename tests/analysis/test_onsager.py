"""Transport matrices of walks whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.conductivity import nernst_einstein
from borarun.analysis.diffusion import collective_diffusivity, diffusivity
from borarun.analysis.onsager import charge_weights, pooled_coefficient, transport_matrix
from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S

INTERVAL_FS, N_IONS, N_FRAMES, STEP_A = 50.0, 16, 8000, 0.2
TRUE_CM2_S = STEP_A**2 / (2 * INTERVAL_FS) * A2_PER_FS_IN_CM2_PER_S


def walk(seed: int, step_A: float = STEP_A) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, step_A, (N_IONS, 3, N_FRAMES)).cumsum(axis=2)


def test_independent_walkers_have_no_cross_term() -> None:
    found = transport_matrix([walk(1), walk(2, 2 * STEP_A)], INTERVAL_FS)
    assert found[0, 0].low < N_IONS * TRUE_CM2_S < found[0, 0].high
    assert found[1, 1].low < 4 * N_IONS * TRUE_CM2_S < found[1, 1].high
    assert found[0, 1].low < 0 < found[0, 1].high
    assert found[0, 1].high < 0.5 * N_IONS * TRUE_CM2_S


def test_species_that_move_together_have_the_largest_cross_term() -> None:
    one = walk(3)
    found = transport_matrix([one, 2 * one], INTERVAL_FS)
    assert found[0, 1].value == pytest.approx(2 * found[0, 0].value, rel=1e-6)
    apart = transport_matrix([one, -one], INTERVAL_FS)
    assert apart[0, 1].value == pytest.approx(-found[0, 0].value, rel=1e-6)


def test_the_matrix_gives_the_conductivity_of_all_charge() -> None:
    """Of a 1+ and a 2+ species that share part of their motion."""
    shared = walk(4)
    species = [walk(5) + shared, walk(16, 2 * STEP_A) - shared]
    charges = [1, 2]
    found = transport_matrix(species, INTERVAL_FS)
    total = sum(
        (1 if a == b else 2) * charges[a] * charges[b] * each.value
        for (a, b), each in found.items()
    )
    ions = np.concatenate(species)
    z = np.repeat(charges, N_IONS)
    weighted = ions * charge_weights(z)[:, None, None]
    collective = collective_diffusivity(weighted, INTERVAL_FS).value
    assert total == pytest.approx(np.sum(z**2) * collective, rel=0.15)


def test_tracers_of_unlike_charge_add_up() -> None:
    """A 2+ ion counts four times: sigma is the sum of z^2 n D over species."""
    species, charges = [walk(7), walk(8, 2 * STEP_A)], np.array([1, 2])
    z = np.repeat(charges, N_IONS)
    weights = charge_weights(z)[:, None, None]
    mean = diffusivity(np.concatenate(species) * weights, INTERVAL_FS)
    single = [diffusivity(each, INTERVAL_FS) for each in species]
    charge = float(np.sqrt(np.mean(z**2)))
    total = nernst_einstein(mean.value, len(z), 1e4, 500.0, charge)
    parts = [
        nernst_einstein(each.value, N_IONS, 1e4, 500.0, q)
        for each, q in zip(single, charges, strict=True)
    ]
    assert total == pytest.approx(sum(parts), rel=0.02)
    assert parts[1] == pytest.approx(16 * parts[0], rel=0.2)


def test_ions_of_one_charge_weigh_the_same() -> None:
    assert charge_weights(np.array([2, 2, 2])).tolist() == [1.0, 1.0, 1.0]
    assert charge_weights(np.array([-1, -1])).tolist() == [-1.0, -1.0]


def test_runs_that_differ_widen_the_interval() -> None:
    runs = [transport_matrix([walk(seed), walk(seed + 50)], INTERVAL_FS)[0, 1] for seed in range(4)]
    mean = pooled_coefficient(runs)
    assert mean.value == pytest.approx(np.mean([run.value for run in runs]))
    assert mean.low < 0 < mean.high
    assert pooled_coefficient(runs[:1]) is runs[0]


def test_the_interval_of_a_cross_term_reaches_further_to_the_side_of_the_larger_motion() -> None:
    shared = walk(1)
    found = transport_matrix([shared + walk(2), shared + walk(3)], INTERVAL_FS)[0, 1]
    assert 0 < found.low < found.value < found.high
    assert found.high - found.value > found.value - found.low
    apart = transport_matrix([shared + walk(2), walk(3) - shared], INTERVAL_FS)[0, 1]
    assert apart.low < apart.value < apart.high < 0
    assert apart.value - apart.low > apart.high - apart.value
