"""Phonons on the page."""

from __future__ import annotations

from borarun.report import text
from borarun.report.blocks import Block, Note, PageSection
from borarun.report.parts import present
from borarun.subjects.common.results import Results
from borarun.subjects.phonons import figures as phonons_figures
from borarun.subjects.phonons import tables as phonons_tables
from borarun.subjects.phonons.results import PhononsFound, PhononsOfPhase


def sections(results: Results) -> list[PageSection]:
    gaps = results.missing("phonons")
    intro = (
        "Vibrations about the relaxed structures. If the study gives measured peak "
        "positions, they rank the functionals."
    )
    drawn = phonons_figures.densities(results)
    parts: list[tuple[str, Block | None]] = [
        ("", _unstable(p)) for p in results.of(PhononsFound).phonons if p.n_imaginary
    ]
    parts += [("", figure) for figure in drawn] or [("Density of states", None)]
    if results.of(PhononsFound).measured_peaks_meV:
        parts += [
            ("Ranking of the functionals", phonons_tables.ranking(results)),
            ("Peaks", phonons_tables.peaks(results)),
        ]
    parts += [("", figure) for figure in phonons_figures.bands(results)]
    parts.append(("Energies of the phonons", phonons_tables.phonons(results)))
    return [PageSection("phonons", "Phonons", intro, present(gaps, *parts), gaps)]


def _unstable(p: PhononsOfPhase) -> Note:
    return Note(
        f"{p.phase} with {p.functional} has {text.count(p.n_imaginary, 'imaginary mode')} "
        f"at the {text.count(p.n_q_points, 'point')} of the mesh, down to "
        f"{text.number(p.lowest_meV, 2)} meV. Either the structure is not a minimum of "
        "the energy, or the forces are noisy. Test it with a lower "
        "relax.max_force_eV_per_A or a larger phonons.supercell.",
        "warning",
    )
