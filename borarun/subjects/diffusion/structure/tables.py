"""Sites, hops, residence times and shells of neighbours."""

from __future__ import annotations

from borarun.analysis.occupancy import SETTLE_FS
from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.diffusion.structure.results import Stay


def sites(results: Results) -> Table | None:
    """Shares of the sites, hops and residence times."""
    local = [p for p in results.of(DiffusionFound).local if p.sites]
    if not local:
        return None
    kinds = list(dict.fromkeys(kind for p in local for kind in p.sites))
    rows: list[list[Value]] = []
    for p in local:
        stays = {stay.kind: stay for stay in p.stays}
        rows.append(
            [
                p.functional,
                p.vacancies,
                p.temperature_K,
                f"{p.n_runs} × {text.duration(p.time_ps)}",
                *(p.share.get(kind) for kind in kinds),
                str(sum(p.hops.values())),
                p.hops_per_ion_ns,
                *(_stay(stays.get(kind)) for kind in kinds),
            ]
        )
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("runs"),
        *(Column(f"fraction, {kind}") for kind in kinds),
        Column("hops"),
        Column("hops per ion", "1/ns", 3),
        *(Column(f"residence time, {kind}", "ps") for kind in kinds),
    )
    first = local[0]
    present = text.listed(
        [
            f"{n} {kind if kind != 'window' or n == 1 else 'windows'}"
            for kind, n in first.sites.items()
        ]
    )
    caption = (
        f"Sites follow from {first.between}: {present} in this supercell. Fractions of "
        "ions have 95 % intervals from ten blocks of time in each run. A hop is a change of site "
        f"(windows count as sites) that lasts {SETTLE_FS:g} fs (or one frame). The residence time "
        "is the time on sites of one kind divided by the number of departures from them, with "
        "the interval of a Poisson process. Ions that rattle between two sites make many hops "
        "but give no conductivity."
    )
    return Table("sites", "Sites and residence times", columns, rows, caption)


def hops(results: Results) -> Table | None:
    """Changes of site by the kinds of the two sites."""
    ways = sorted({way for p in results.of(DiffusionFound).local for way in p.hops})
    if not ways:
        return None
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, *(p.hops.get(way, 0) for way in ways)]
        for p in results.of(DiffusionFound).local
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        *(Column(way) for way in ways),
    )
    caption = (
        "Hops in all runs, from one kind of site to another. In equilibrium each hop is "
        "as frequent as its reverse, within counting statistics; otherwise the run is "
        "too short."
    )
    return Table("hops", "Hops between sites", columns, rows, caption)


def paths(results: Results) -> Table | None:
    """Rates of the jumps from hole to hole, and how far they are correlated."""
    rows: list[list[Value]] = [
        [
            p.functional,
            p.vacancies,
            p.temperature_K,
            path.path,
            path.jumps,
            path.rate_per_ns,
            path.length_A,
            p.correlation_factor,
            p.non_gaussian,
        ]
        for p in results.of(DiffusionFound).local
        for path in p.paths
    ]
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("path"),
        Column("jumps"),
        Column("rate per ion", "1/ns", 3),
        Column("length", "Å", 3),
        Column("correlation factor f", "", 2),
        Column("non-Gaussian parameter", "", 2),
    )
    caption = (
        "Jumps from hole to hole; windows between holes are not counted as sites here. The rate "
        "is that of one ion on a hole of the first kind, with the exact 95 % interval of a "
        "Poisson process. The correlation factor f, for all paths together, is the tracer "
        "diffusivity divided by that of independent jumps: 1 if jumps are independent, 0.65 for "
        "a vacancy on a simple cubic lattice, near 0 if ions only jump back and forth. It checks "
        "D by counting: f above 1 means that jumps were missed or that D is too high."
    )
    return Table("jumps", "Jumps between sites", columns, rows, caption)


def barriers(results: Results) -> Table | None:
    """Barriers of the paths."""
    rows: list[list[Value]] = [
        [b.functional, b.vacancies, b.phase, b.path, b.barrier_meV, b.n_temperatures, b.jumps]
        for b in results.of(DiffusionFound).barriers
    ]
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("phase"),
        Column("path"),
        Column("barrier", "meV", 3),
        Column("temperatures"),
        Column("jumps"),
    )
    caption = (
        "Arrhenius fits of the rates in the previous table, one for each path. The barrier of "
        "the path that limits diffusion is about equal to the activation energy of D. 95 % "
        "intervals; counts below ten enter by their Poisson likelihood."
    )
    return Table("jump_barriers", "Barriers of the jumps", columns, rows, caption)


def _stay(stay: Stay | None) -> Value:
    if stay is None:
        return "not visited"
    return stay.mean_ps if stay.mean_ps is not None else f"over {text.number(stay.low_ps, 2)}"


def shells(results: Results) -> Table | None:
    """First shells of neighbours."""
    rows: list[list[Value]] = [
        [
            p.functional,
            p.vacancies,
            p.temperature_K,
            text.formula(pair.name),
            pair.peak_A,
            pair.end_A,
            pair.first_shell,
        ]
        for p in results.of(DiffusionFound).local
        for pair in p.pairs
        if pair.first_shell is not None
    ]
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("pair"),
        Column("peak of g(r)", "Å", 3),
        Column("end of the shell", "Å", 3),
        Column("coordination number", "", 3),
    )
    caption = (
        "The coordination number counts neighbours up to the minimum after the first peak of "
        "g(r). Pairs whose first shell extends beyond half the width of the cell are not listed."
    )
    return Table("shells", "First shells", columns, rows, caption)
