"""What the report says of phonons and relaxed phases: records of known content, and the page made
from them.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from borarun.basics.units import PER_CM_IN_MEV, THZ_IN_MEV
from borarun.page import Results, collect, write_report
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.operations.base import quantities
from borarun.records.operations.phonons import Displaced, HarmonicPhonons
from borarun.records.operations.reference import Labelled, Relaxed
from borarun.records.store import Store
from borarun.records.task import Result, Task
from borarun.structures.files import read_structure
from borarun.study import load_study
from borarun.study.plan import expand
from borarun.subjects.phonons.figures import blocks, file_name
from borarun.subjects.phonons.results import PhononsFound
from borarun.subjects.relax.results import RelaxFound

STUDIES = Path(__file__).parents[3] / "studies"
PROVENANCE = Provenance(
    borarun="0.1", host="somewhere", started="2025-01-01T10:00:00+00:00", seconds=60.0, cores=1
)
STUDY = """\
borarun: 1
name: phonons
material:
  formula: Li2B12H12
  phases: {Pa-3: structures/Li2B12H12-Pa-3.cif, P2_1/n: structures/other.xyz}
  mobile: Li
  anions: B12H12
functionals: [PBE, PBE-D3]
reference: {engine: sevennet, labels_per_task: 100}
relax: {ground_state: Pa-3, measured_lattice_A: {Pa-3: [9.5, 9.5, 9.5]}}
phonons: {measured_peaks_meV: [310, 60, 25]}
"""
PEAKS_MEV = np.array([25.0, 60.0, 310.0])
SHIFT_MEV = {"PBE": 2.0, "PBE-D3": -1.0}
BELOW = {"PBE": -5.21, "PBE-D3": -5.18}
"""Energy of the second phase, eV/atom; the first has -5.2."""


def relaxed(task: Task) -> Result:
    energy = -5.2 if task.about.phase == "Pa-3" else BELOW[task.about.functional]
    facts = Relaxed(
        energy_eV_per_atom=energy,
        lattice_A=(9.595, 9.595, 9.595),
        angles_deg=(90.0, 90.0, 90.0),
        volume_A3=880.0,
        max_force_eV_per_A=0.001,
        space_group="Pa-3 (205)",
        steps=9,
    )
    return Result(facts, frames={Relaxed.STRUCTURE: Frames.of([])})


def phonons(task: Task) -> Result:
    """Three lines in 104 atoms of the primitive cell, with one imaginary mode for PBE."""
    shift = SHIFT_MEV[task.about.functional]
    frequency = np.arange(-5, 330, 0.2)
    dos = np.exp(-0.5 * (frequency - (PEAKS_MEV + shift)[:, None]) ** 2).sum(axis=0)
    unstable = task.about.functional == "PBE"
    bands = np.tile(np.array([-3.0 if unstable else 0.0, 25.0, 60.0, 310.0]) / THZ_IN_MEV, (5, 1))
    facts = HarmonicPhonons(
        n_displacements=26,
        n_atoms_primitive=104,
        elements=("Li", "B", "H"),
        n_q_points=11,
        n_imaginary=int(unstable),
        lowest_THz=float(bands.min()),
        highest_THz=float(bands.max()),
        zero_point_energy_eV_per_atom=0.17,
        acoustic_sum_eV_per_A2=1e-3,
        force_drift_eV_per_A=1e-5,
        band_labels=("G", "X", "M"),
    )
    arrays = {
        HarmonicPhonons.DOS_FREQUENCY: frequency / THZ_IN_MEV,
        HarmonicPhonons.DOS_TOTAL: dos * THZ_IN_MEV,
        HarmonicPhonons.DOS_PROJECTED: np.stack([0.1 * dos, 0.4 * dos, 0.5 * dos]) * THZ_IN_MEV,
        HarmonicPhonons.GAMMA: bands[0],
        HarmonicPhonons.BAND_FREQUENCY: bands,
        HarmonicPhonons.BAND_DISTANCE: np.array([0.0, 0.25, 0.5, 0.5, 1.0]),
        HarmonicPhonons.BAND_CORNER: np.array([0.0, 0.5, 1.0]),
        HarmonicPhonons.TEMPERATURE: np.array([300.0]),
        HarmonicPhonons.FREE_ENERGY: np.array([0.15]),
        HarmonicPhonons.HEAT_CAPACITY: np.array([1e-4]),
    }
    return Result(facts, arrays=quantities(arrays))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Everything done but the labels, which the report does not read."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copytree(
        STUDIES / "structures", folder / "structures", ignore=shutil.ignore_patterns("*.py")
    )
    (folder / "study.yaml").write_text(STUDY)
    other = read_structure(folder / "structures" / "Li2B12H12-Pa-3.cif")
    other.set_cell(1.01 * other.cell.array, scale_atoms=True)
    (folder / "structures" / "other.xyz").write_text(Frames.of([other]).to_extxyz())
    study, store = load_study(folder / "study.yaml"), Store(folder / "store")
    tasks = expand(study, {}, forecast=True).tasks
    for task in tasks:
        if task.stage == "relax":
            store.write(task, relaxed(task), PROVENANCE)
        elif task.about.operation == "phonons":
            store.write(task, phonons(task), PROVENANCE)
        else:
            store.write(
                task,
                Result(Displaced(n_displacements=26), frames={"displaced": Frames.of([])})
                if task.about.operation == "displace"
                else Result(Labelled(n_labels=26), frames={"labels": Frames.of([])}),
                PROVENANCE,
            )
    return collect(study, tasks, store)


@pytest.fixture(scope="module")
def page(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("report")
    write_report(results, directory)
    return directory


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_the_score_is_the_shift(results: Results) -> None:
    for found in results.of(PhononsFound).phonons:
        assert found.match is not None and found.seen_match is not None
        assert found.seen is not None and found.seen.sum() == pytest.approx(found.dos.sum())
        assert found.match.score == pytest.approx(abs(SHIFT_MEV[found.functional]), abs=0.01)
        np.testing.assert_allclose(
            found.match.computed, PEAKS_MEV + SHIFT_MEV[found.functional], atol=0.01
        )


def test_quantities_are_per_formula_unit_and_meV(results: Results) -> None:
    found = results.of(PhononsFound).phonons[0]
    assert np.trapezoid(found.dos, found.frequency_meV) == pytest.approx(
        3 * np.sqrt(2 * np.pi) / 4, rel=1e-4
    )  # four formula units
    assert found.zero_point_eV == pytest.approx(0.17 * 26)
    assert found.free_energy_eV == ((300.0, pytest.approx(0.15 * 26)),)
    assert found.lowest_meV == pytest.approx(-3.0)


def test_the_wrong_order_of_phases_is_marked(results: Results) -> None:
    below = {(cell.functional, cell.phase): cell.below for cell in results.of(RelaxFound).cells}
    assert below == {
        ("PBE", "Pa-3"): "",
        ("PBE", "P2_1/n"): "Pa-3",
        ("PBE-D3", "Pa-3"): "",
        ("PBE-D3", "P2_1/n"): "",
    }
    energies = {
        (cell.functional, cell.phase): (cell.relative_meV, cell.relative_meV_per_atom)
        for cell in results.of(RelaxFound).cells
    }
    assert energies["PBE", "P2_1/n"] == (pytest.approx(-260), pytest.approx(-10))
    assert energies["PBE-D3", "Pa-3"] == (0, 0)
    assert [cell.deviation_percent for cell in results.of(RelaxFound).cells] == [
        pytest.approx(1.0),
        None,
        pytest.approx(1.0),
        None,
    ]


def test_the_page_ranks_the_functionals_and_warns(page: Path) -> None:
    ranking = rows(page / "tables" / "functional_ranking.csv")
    assert [(row["rank"], row["functional"]) for row in ranking] == [("1", "PBE-D3"), ("2", "PBE")]
    assert float(ranking[0]["score (cm⁻¹)"]) == pytest.approx(1 / PER_CM_IN_MEV, rel=0.01)
    text = (page / "report.html").read_text(encoding="utf-8")
    assert (
        "PBE gives the wrong order of phases: it puts P2_1/n below Pa-3, which is stable in "
        "experiments." in text
    )
    assert (
        "Pa-3 with PBE has 1 imaginary mode at the 11 points of the mesh, down to −3 meV." in text
    )
    assert "Pa-3 with PBE-D3 has" not in text and "PBE-D3 gives the wrong order" not in text


def test_every_figure_is_a_file_and_a_table(page: Path) -> None:
    figures = {
        "phonon-dos-Pa-3-1",
        "phonon-dos-Pa-3-2",
        "phonon-bands-Pa-3-PBE",
        "phonon-bands-Pa-3-PBE-D3",
    }
    assert (
        {file.stem for file in (page / "figures").glob("*.png")}
        == figures
        == {file.stem for file in (page / "figures").glob("*.svg")}
    )
    density = rows(page / "tables" / "phonon_dos_Pa-3.csv")
    assert {row["functional"] for row in density} == {"PBE", "PBE-D3"} and {
        "Li (1/meV/f.u.)",
        "wavenumber (cm^-1)",
    } <= density[0].keys()
    assert len(rows(page / "tables" / "phonon_bands_Pa-3.csv")) == 10
    assert len(rows(page / "tables" / "phonon_peaks.csv")) == 3


def test_gaps_part_the_frequencies_into_panels(results: Results) -> None:
    curves = [(one.frequency_meV, one.dos) for one in results.of(PhononsFound).phonons]
    (low, middle), (start, end) = blocks(curves)
    assert low < 22 and 62 < middle < 70 and 300 < start < 309 and 312 < end < 320
    assert blocks(curves, [200.0])[1] == (197.0, 203.0)


def test_names_of_phases_make_names_of_files() -> None:
    assert file_name("P2_1/n (old)") == "P2_1-n-old-"
