"""The section on structure says of made-up runs what was put into them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from borarun.basics.units import BOLTZMANN_EV_PER_K
from borarun.report.measured import Measured
from borarun.subjects.common.results import Results
from borarun.subjects.common.trajectory import DRAWN_FRAMES
from borarun.subjects.diffusion.arrhenius import barriers
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.diffusion.structure import tables as structure_tables
from borarun.subjects.diffusion.structure.results import JumpPath, LocalStructure
from borarun.subjects.heating.results import HeatingFound


def test_ions_that_stay_are_on_the_tetrahedral_sites_that_they_were_put_on(
    results: Results,
) -> None:
    still = [p for p in results.of(DiffusionFound).local if p.vacancies == 0]
    assert [p.temperature_K for p in still] == [400, 500, 600, 700]
    for p in still:
        assert p.sites == {"tetrahedral": 8, "window": 32, "octahedral": 4}
        assert (p.share["tetrahedral"].value, p.share["window"].value, p.hops) == (1, 0, {})
        (stay,) = p.stays
        assert (stay.mean_ps, stay.kind) == (None, "tetrahedral")
        assert stay.low_ps == pytest.approx(8 * p.time_ps / 3.689, rel=1e-3)


def test_ions_that_walk_leave_them(results: Results) -> None:
    (walking,) = [
        p for p in results.of(DiffusionFound).local if p.vacancies == 1 and p.temperature_K == 700
    ]
    assert walking.share["tetrahedral"].value < 0.6
    assert sum(share.value for share in walking.share.values()) == pytest.approx(1)
    assert sum(walking.hops.values()) > 100
    assert (
        walking.hops["window → octahedral"] > 0 and "tetrahedral → octahedral" not in walking.hops
    )


def test_the_density_holds_the_ions_and_is_at_the_tetrahedral_sites(results: Results) -> None:
    for p in results.of(DiffusionFound).local:
        assert p.density.total == pytest.approx(p.n_mobile)
    density = results.of(DiffusionFound).local[0].density
    peak = np.array(np.unravel_index(np.argmax(density.projection), density.projection.shape)) + 0.5
    assert np.abs(peak / density.projection.shape % 0.5 - 0.25).max() < 0.03
    assert {kind: len(found) for kind, found in density.sites.items()} == {
        "anion": 4,
        "tetrahedral": 8,
        "window": 32,
        "octahedral": 4,
    }
    assert density.sites["tetrahedral"] % 0.5 == pytest.approx(0.25, abs=0.01)


def test_pairs_have_the_distances_of_the_lattice(results: Results) -> None:
    pairs = {pair.name: pair for pair in results.of(DiffusionFound).local[0].pairs}
    assert list(pairs) == ["Li–Li", "Li–B", "Li–H", "Li–B12H12", "B12H12–B12H12"]
    anion = pairs["Li–B12H12"]
    assert anion.r_A[np.argmax(anion.g)] == pytest.approx(9.58 * 3**0.5 / 4, abs=0.15)
    assert anion.coordination[-1] == pytest.approx(4, abs=0.1)
    assert not pairs["B12H12–B12H12"].g.any()  # 6.8 angstrom are out of reach in a cell of 9.6
    assert results.of(DiffusionFound).local[0].n_pair_frames == DRAWN_FRAMES


def test_the_ramps_keep_their_order_because_the_anions_only_librate(results: Results) -> None:
    assert [branch.branch for branch in results.of(HeatingFound).order] == ["heating", "cooling"]
    for branch in results.of(HeatingFound).order:
        (turned,) = branch.orientations
        assert (turned.anion, turned.l) == ("B12H12", 6)
        assert turned.memory.min() > 0.9
        assert turned.order.min() > 0.5
        assert branch.share["tetrahedral"].tolist() == [1.0] * len(branch.temperature_K)


def test_a_stay_that_never_ended_is_a_lower_bound(results: Results) -> None:
    table = structure_tables.sites(results)
    assert table is not None
    assert table.cells[0][-3:] == ["over 130", "not visited", "not visited"]


def test_barriers_of_jumps_are_those_of_their_rates(results: Results) -> None:
    """Rates of 250 meV, of which the coldest makes no jump and still counts."""
    found = results.of(DiffusionFound)
    path = "tetrahedral → octahedral"

    def at(one: LocalStructure) -> LocalStructure:
        # 40 jumps in an ion-ns at 500 K.
        factor = np.exp(-0.25 / BOLTZMANN_EV_PER_K * (1 / one.temperature_K - 1 / 500))
        jumps = round(40 * factor) if one.temperature_K > 400 else 0
        rate = Measured(jumps, jumps, jumps)
        paths = (JumpPath(path, jumps, rate, 4.1),) if jumps else ()
        return replace(one, paths=paths, hole_time_ns={"tetrahedral": 1.0})

    transport = [replace(p, phase="") for p in found.transport]
    local = [at(one) for one in found.local if one.vacancies == 1]
    (barrier,) = barriers(transport, local)
    assert (barrier.path, barrier.n_temperatures) == (path, 4)
    assert barrier.barrier_meV is not None
    assert barrier.barrier_meV.low < 250 < barrier.barrier_meV.high
    mixed = [replace(p, phase="mixed") for p in found.transport]
    assert barriers(mixed, local) == ()


def test_ions_that_stay_make_no_jumps_and_come_nowhere(results: Results) -> None:
    still = next(one for one in results.of(DiffusionFound).local if one.vacancies == 0)
    assert still.paths == () and still.correlation_factor is None
    assert still.hole_time_ns["tetrahedral"] == pytest.approx(
        still.n_mobile * still.time_ps / 1000, rel=1e-6
    )
    bin_A = float(still.came_A[1] - still.came_A[0])
    assert still.came_density.sum() * bin_A == pytest.approx(1)
    assert still.came_density[still.came_A > 3].sum() == 0
