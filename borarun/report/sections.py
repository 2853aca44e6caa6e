"""The page's sections, in the order of the science."""

from __future__ import annotations

from collections.abc import Sequence

from borarun.report import text
from borarun.report.blocks import Block, Note, Section
from borarun.report.checks import tables as checks_tables
from borarun.report.comparison import tables as comparison_tables
from borarun.report.provenance import tables as provenance_tables
from borarun.report.provenance.results import Gap
from borarun.report.results import Results
from borarun.report.structure import figures as structure_figures
from borarun.report.structure import tables as structure_tables
from borarun.subjects.diffusion import figures as diffusion_figures
from borarun.subjects.diffusion import tables as diffusion_tables
from borarun.subjects.heating import figures as heating_figures
from borarun.subjects.heating import tables as heating_tables
from borarun.subjects.heating.results import Transition
from borarun.subjects.phonons import figures as phonons_figures
from borarun.subjects.phonons import tables as phonons_tables
from borarun.subjects.phonons.results import Phonons
from borarun.subjects.potential import figures as potential_figures
from borarun.subjects.potential import tables as potential_tables
from borarun.subjects.relax import tables as relax_tables
from borarun.subjects.reorientation import figures as reorientation_figures
from borarun.subjects.reorientation import tables as reorientation_tables
from borarun.subjects.vibrations import figures as vibrations_figures


def sections(results: Results) -> list[Section]:
    """All sections that this study asks for, with what is there so far."""
    asked = (
        (_relaxed, ("relax",)),
        (_phonons, ("phonons",)),
        (_potential, ("training_set", "potential", "active_learning")),
        (_heating, ("heating",)),
        (_diffusion, ("diffusion",)),
        (_reorientation, ("reorientation",)),
        (_structure, ("heating", "diffusion", "vibrations")),
    )
    found = [build(results) for build, names in asked if results.sections.intersection(names)]
    comparison = comparison_tables.comparison(results)
    if comparison is not None:
        intro = "What is published, each number with ours beside it."
        found.append(Section("compare", "Comparison", intro, [comparison]))
    if results.checks:
        found.append(_checks(results))
    return [*found, _provenance(results)]


def _blocks(gaps: Sequence[Gap], *parts: tuple[str, Block | None]) -> list[Block]:
    """The blocks that are there, and one note that says what is missing and why."""
    missing = [what for what, block in parts if block is None]
    found = [block for _, block in parts if block is not None]
    return [_absent(text.listed(missing), gaps), *found] if missing else found


def _absent(what: str, gaps: Sequence[Gap]) -> Note:
    failed = [gap for gap in gaps if gap.failed]
    if failed:
        return Note(f"{what}: not available, because {_first(failed)}", "warning")
    if gaps:
        return Note(
            f"{what}: not there yet. {text.count(len(gaps), 'run')} still to come, the first "
            f"of them {gaps[0].label}.",
            "missing",
        )
    return Note(
        f"{what}: not there yet. Its runs follow from results that are still missing.", "missing"
    )


def _first(failed: Sequence[Gap]) -> str:
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{failed[0].stage} {failed[0].label} failed{more}: {failed[0].reason}"


def _relaxed(results: Results) -> Section:
    gaps = results.missing("relax")
    intro = (
        f"Where the simulations start: each phase of {text.formula(results.formula)}, relaxed "
        "with each functional."
    )
    return Section(
        "relaxation",
        "Relaxed structures",
        intro,
        _blocks(gaps, *_wrong_orders(results), ("Relaxed cells", relax_tables.cells(results))),
        gaps,
    )


def _wrong_orders(results: Results) -> list[tuple[str, Block | None]]:
    """A note for each functional that puts another phase below the one that is measured to be
    stable.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for cell in results.cells:
        if cell.below:
            found.setdefault((cell.functional, cell.below), []).append(cell.phase)
    statement = (
        "{} gets the order of phases wrong: it puts {} below {}, which is measured to be stable."
    )
    return [
        ("", Note(statement.format(functional, text.listed(phases), stable), "warning"))
        for (functional, stable), phases in found.items()
    ]


def _phonons(results: Results) -> Section:
    gaps = results.missing("phonons")
    intro = (
        "Vibrations about the relaxed structures. Measured peak positions, where the study gives "
        "them, rank the functionals."
    )
    drawn = phonons_figures.densities(results)
    parts: list[tuple[str, Block | None]] = [
        ("", _unstable(p)) for p in results.phonons if p.n_imaginary
    ]
    parts += [("", figure) for figure in drawn] or [("Density of states", None)]
    if results.measured_peaks_meV:
        parts += [
            ("Ranking of the functionals", phonons_tables.ranking(results)),
            ("Peaks", phonons_tables.peaks(results)),
        ]
    parts += [("", figure) for figure in phonons_figures.bands(results)]
    parts.append(("Energies of the phonons", phonons_tables.phonons(results)))
    return Section("phonons", "Phonons", intro, _blocks(gaps, *parts), gaps)


def _unstable(p: Phonons) -> Note:
    return Note(
        f"{p.phase} with {p.functional} has {text.count(p.n_imaginary, 'imaginary mode')} at the "
        f"{text.count(p.n_q_points, 'point')} of the mesh, down to "
        f"{text.number(p.lowest_meV, 2)} meV. Either the structure is no minimum of the energy, "
        "or the forces are noisy: a lower relax.max_force_eV_per_A or a larger "
        "phonons.supercell tells which.",
        "warning",
    )


def _potential(results: Results) -> Section:
    gaps = results.missing("training_set", "potential", "active_learning")
    intro = (
        "A moment tensor potential learns from the reference engine, explores by molecular "
        "dynamics, has the configurations labelled that it does not know, and learns again, "
        "until a whole round of exploration stays in the known region."
    )
    stand_ins = potential_tables.stand_ins(results)
    parts: list[tuple[str, Block | None]] = [("", stand_ins)] if stand_ins is not None else []
    parts += [
        ("Training statistics", potential_tables.training_statistics(results)),
        ("Learning curve", potential_figures.learning_curve(results.learning)),
    ]
    if "active_learning" in results.sections:
        parts += [
            ("Ledger of active learning", potential_tables.ledger(results)),
            ("Extrapolation grades", potential_figures.grades(results.learning)),
        ]
    parts.append(("Parity plots", potential_figures.parity(results.learning)))
    return Section("potential", "Potential", intro, _blocks(gaps, *parts), gaps)


def _heating(results: Results) -> Section:
    gaps = results.missing("heating")
    intro = (
        "Temperature ramps up and down. An order-disorder transition is a step in the lattice "
        "parameter, with hysteresis between the two."
    )
    statements: list[tuple[str, Block | None]] = [
        (
            "",
            Note(
                f"{t.functional}, {text.count(t.vacancies, 'vacancy')}{_rate(results, t)}: "
                f"{t.statement}",
                "good" if t.temperature_K else "plain",
            ),
        )
        for t in results.transitions
    ]
    blocks = _blocks(
        gaps,
        ("Lattice against temperature", heating_figures.lattice(results)),
        *_asked(heating_figures.functionals(results)),
        *_asked(heating_figures.edges(results)),
        *statements,
        ("Transition temperatures", heating_tables.transitions(results)),
        *_asked(heating_figures.hysteresis(results)),
        ("Lattice parameters" if results.cubic else "Volumes", heating_tables.lattice(results)),
    )
    return Section("heating", "Heating and cooling", intro, blocks, gaps)


def _asked(block: Block | None) -> list[tuple[str, Block | None]]:
    """A block that not every study has: nothing is missing where it is not there."""
    return [] if block is None else [("", block)]


def _rate(results: Results, transition: Transition) -> str:
    """At which rate, where there are several."""
    several = len({t.heating_K_per_ps for t in results.transitions}) > 1
    return f", heated at {text.number(transition.heating_K_per_ps, 3)} K/ps" if several else ""


def _diffusion(results: Results) -> Section:
    gaps = results.missing("diffusion")
    intro = (
        f"How fast {results.mobile} moves at fixed temperature, without and with vacancies, and "
        "what conductivity follows."
    )
    blocks = _blocks(
        gaps,
        ("Mean squared displacement", diffusion_figures.displacement(results)),
        (
            "Ionic conductivity",
            diffusion_figures.conductivity(results) if results.transport else None,
        ),
        *_asked(diffusion_figures.pristine(results)),
        *_asked(diffusion_figures.activation(results)),
        ("Activation energy", diffusion_tables.activation(results)),
        ("Diffusivity and conductivity", diffusion_tables.transport(results)),
        ("Convergence", diffusion_figures.convergence(results)),
        ("Framework", diffusion_figures.framework(results)),
    )
    return Section("diffusion", "Diffusion", intro, blocks, gaps)


def _reorientation(results: Results) -> Section:
    gaps = results.missing("diffusion")
    intro = f"How the {text.formula(results.anion)} anions turn, from the same runs."
    blocks = _blocks(
        gaps,
        ("Angular autocorrelation", reorientation_figures.autocorrelation(results)),
        *_asked(reorientation_figures.by_vacancies(results)),
        ("Deflection and full rotations", reorientation_tables.rotations(results)),
        ("Distribution of deflections", reorientation_figures.deflections(results)),
        ("Direction of single vertices", reorientation_figures.angles(results)),
    )
    return Section("reorientation", "Reorientation of the anions", intro, blocks)


def _structure(results: Results) -> Section:
    """What disorders, on ramps and at constant temperature."""
    gaps = results.missing("heating", "diffusion", "vibrations")
    intro = (
        f"What disorders: which sites between the anions {results.mobile} takes, how the "
        f"{text.formula(results.anion)} anions point, what lies around "
        "what. From the frames of the ramps and of the runs at constant temperature whose "
        "framework held."
    )
    parts: list[tuple[str, Block | None]] = []
    if "heating" in results.sections:
        parts.append(("Order against temperature", structure_figures.order(results)))
    if "diffusion" in results.sections:
        hops, shells = structure_tables.hops(results), structure_tables.shells(results)
        parts += [
            ("Sites", structure_tables.sites(results)),
            *([("", hops)] if hops is not None else []),
            ("Sites against time", structure_figures.shares(results)),
            ("Density", structure_figures.densities(results)),
            ("Radial distribution functions", structure_figures.pairs(results)),
            *([("", shells)] if shells is not None else []),
        ]
    if "vibrations" in results.sections:
        parts.append(("Vibrational density of states", vibrations_figures.densities(results)))
    return Section("structure", "Structure", intro, _blocks(gaps, *parts))


def _checks(results: Results) -> Section:
    broken = [check for check in results.checks if not check.intact]
    blocks: list[Block] = []
    if broken:
        blocks.append(
            Note(
                f"{text.count(len(broken), 'run')} with a framework that did not hold; see "
                "the remarks below.",
                "warning",
            )
        )
    else:
        blocks.append(
            Note(
                f"The framework held in all {len(results.checks)} production runs that are done.",
                "good",
            )
        )
    table = checks_tables.checks(results)
    if table is not None:
        blocks.append(table)
    return Section(
        "validity",
        "Does the framework hold?",
        "Numbers from a trajectory whose anions broke would mean nothing, so every run is checked.",
        blocks,
    )


def _provenance(results: Results) -> Section:
    p = results.provenance
    versions = provenance_tables.versions(results)
    blocks: list[Block] = [versions] if versions is not None else []
    blocks.append(provenance_tables.runs(results))
    span = f" Computed from {p.started} to {p.ended}." if p.started else ""
    return Section("provenance", "Provenance", f"What was asked, and what answered.{span}", blocks)
