"""The second material from its shipped structure: a cell that is not cubic, anions with one carbon,
two phases, each answer known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S, BOLTZMANN_EV_PER_K
from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.deck import Segment
from borarun.page import Results, collect, summary, write_report
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.store import Store
from borarun.records.task import About, Result, Task
from borarun.structures.files import read_structure
from borarun.structures.structure import Cell, find_anions, whole_anions
from borarun.study import Study
from borarun.subjects.common.comparison import compare
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.diffusion.stage import DiffusionRun
from borarun.subjects.heating import tables as heating_tables
from borarun.subjects.heating.results import HeatingFound
from borarun.subjects.heating.stage import Ramp
from borarun.subjects.reorientation.results import ReorientationFound

ROOT = Path(__file__).parents[2]
INTERVAL_FS = 50.0
HEATED_K, COOLED_K, STEP = 460.0, 420.0, 0.075
"""Half-height temperatures, and by how much the volume steps up there."""
ENERGY_EV = {"ordered": 0.467, "disordered": 0.22}
ANCHOR = {"ordered": (380.0, 1.5e-4), "disordered": (500.0, 4e-4)}
"""Temperature, K, and diffusivity there, cm^2/s, of each phase."""
TEMPERATURES_K = {"ordered": (320.0, 350.0, 380.0), "disordered": (500.0, 560.0, 640.0)}
TURNING_K, TURNS, EXTRA = 640.0, 2, 0.25
"""In the hottest run every anion turns so often about z, at a steady rate, and a little more, since
its place lags behind by some picoseconds.
"""


def volume(T: Any, half_K: float) -> Any:
    """Of the cell over that of the shipped structure."""
    return 1 + 8e-5 * (T - 298) + STEP / (1 + np.exp(-(T - half_K) / 5))


def diffusivity(phase: str, T: float) -> float:
    """cm^2/s, such that sigma, not sigma T, follows Arrhenius."""
    at_K, value = ANCHOR[phase]
    return (
        value
        * T
        / at_K
        * float(np.exp(-ENERGY_EV[phase] / BOLTZMANN_EV_PER_K * (1 / T - 1 / at_K)))
    )


@dataclass(frozen=True)
class Crystal:
    """The shipped structure, its anions in one piece."""

    atoms: Any
    anions: Any
    positions: Any

    def moved(
        self, n_frames: int, step_A: float, turns: Callable[[int], Any], seed: int
    ) -> np.ndarray:
        """(N, 3, F): lithium that walks by ``step_A`` an axis and frame, anions turned about their
        centres of mass by the rotations of ``turns``.
        """
        rng = np.random.default_rng(seed)
        masses, out = (
            self.atoms.get_masses(),
            np.repeat(self.positions[:, :, None], n_frames, axis=2),
        )
        out += rng.normal(0, 0.02, out.shape)
        lithium = self.atoms.numbers == 3
        out[lithium] += np.cumsum(rng.normal(0, step_A, (lithium.sum(), 3, n_frames)), axis=2)
        for index, anion in enumerate(self.anions):
            centre = np.average(self.positions[anion], axis=0, weights=masses[anion])
            arms = self.positions[anion] - centre
            out[anion] = (
                centre[:, None]
                + np.einsum("fij,kj->kif", turns(index).as_matrix(), arms)
                + rng.normal(0, 0.01, (len(anion), 3, n_frames))
            )
        return out


@pytest.fixture(scope="module")
def crystal() -> Crystal:
    atoms = read_structure(ROOT / "studies" / "structures" / "LiCB11H12-Pca21.cif")
    anions = find_anions(atoms, ["CB11H12"], ["Li"])[0]
    positions = atoms.positions.copy()
    positions[anions] = whole_anions(atoms, anions)
    return Crystal(atoms, anions, positions)


@pytest.fixture(scope="module")
def directions(crystal: Crystal) -> np.ndarray:
    """(A, 3) unit vectors from centres of mass to carbons in the shipped structure."""
    masses = crystal.atoms.get_masses()
    found = []
    for anion in crystal.anions:
        (carbon,) = anion[crystal.atoms.numbers[anion] == 6]
        arm = crystal.positions[carbon] - np.average(
            crystal.positions[anion], axis=0, weights=masses[anion]
        )
        found.append(arm / np.linalg.norm(arm))
    return np.array(found)


@pytest.fixture(scope="module")
def found(
    crystal: Crystal,
    lammps_record: Callable[..., Result],
    study_of: Callable[..., Study],
    tmp_path_factory: pytest.TempPathFactory,
) -> Results:
    """What the report makes of ramps up and down and of six runs at constant temperature."""
    study = study_of(
        name="licb11h12",
        material={
            "formula": "LiCB11H12",
            "phases": {"Pca2_1": "structures/x.cif"},
            "mobile": "Li",
            "anions": "CB11H12",
        },
        reference={"engine": "sevennet"},
        heating={"cell": "anisotropic"},
        diffusion={
            "temperatures_K": [T for part in TEMPERATURES_K.values() for T in part],
            "vacancies": [0],
            "cell": "anisotropic",
        },
    )
    study = study.holding(
        texts={"Pca2_1": Frames.of([crystal.atoms]).to_extxyz()},
        n_atoms=100,
        n_units=4,
        warnings=[],
        former=[],
    )
    store, tasks = Store(tmp_path_factory.mktemp("licb11h12")), []
    box = crystal.atoms.cell.array

    def add(
        result: Result,
        stage: str,
        label: str,
        about: About,
        segment: Segment,
    ) -> None:
        cell = Cell(seed=crc32(label.encode()))  # a key of its own
        run = lammps.Settings(cell=cell, segments=(segment,), timestep_fs=1.0, seed=11)
        settings = run.model_dump(mode="json")
        task = Task(
            "lammps",
            settings,
            {},
            "1",
            stage,
            label,
            about,
        )
        store.write(task, result, Provenance(borarun="0.1"))
        tasks.append(task)

    def librating(n_frames: int, seed: int) -> Callable[[int], Any]:
        return lambda anion: Rotation.from_rotvec(
            0.05 * np.random.default_rng([seed, anion]).normal(size=(n_frames, 3))
        )

    n = 1000
    for branch, half_K, ends in (
        ("heating", HEATED_K, (10.0, 700.0)),
        ("cooling", COOLED_K, (700.0, 10.0)),
    ):
        T = np.linspace(*ends, n)
        noise = 1 + 1e-3 * np.random.default_rng(3).normal(size=n)
        # c takes all of the step, a and b none of it
        smooth, stepped = np.cbrt(1 + 8e-5 * (T - 298)), volume(T, half_K)
        scale = np.stack([smooth * noise, smooth, stepped / smooth**2], axis=1)
        cell, positions = (
            box[None] * scale[:, None, :],
            crystal.moved(n, 0.0, librating(n, 1), 1) * scale.T[None],
        )
        time_ps = (n - 1) * INTERVAL_FS / 1000
        span = Segment(name=branch, time_ps=time_ps, from_K=ends[0], to_K=ends[1])
        about = Ramp(functional="PBE-D3", branch=branch, vacancies=0, heating_K_per_ps=10.0, run=0)
        add(
            lammps_record(crystal.atoms, positions, cell, branch, T),
            "heating",
            branch,
            about,
            span,
        )
    n = 1200
    for phase, temperatures_K in TEMPERATURES_K.items():
        for T in temperatures_K:
            step_A = float(
                np.sqrt(2 * diffusivity(phase, T) / A2_PER_FS_IN_CM2_PER_S * INTERVAL_FS)
            )
            angle = 2 * np.pi * (TURNS + EXTRA) * np.arange(n) / n
            turns = (
                (lambda _, angle=angle: Rotation.from_rotvec(angle[:, None] * [0, 0, 1]))
                if T == TURNING_K
                else librating(n, int(T))
            )
            scale = (volume(T, HEATED_K) ** (1 / 3)) * (
                1 + 1e-3 * np.random.default_rng(int(T)).normal(size=n)
            )
            run = lammps_record(
                crystal.atoms,
                crystal.moved(n, step_A, turns, int(T)) * scale,
                box[None] * scale[:, None, None],
                "produce",
                np.full(n, T),
            )
            held = Segment(name="produce", time_ps=n * INTERVAL_FS / 1000, from_K=T, to_K=T)
            about = DiffusionRun(functional="PBE-D3", temperature_K=T, vacancies=0, run=0)
            add(run, "diffusion", f"{T:g} K", about, held)
    return collect(study, tasks, store)


def test_nothing_is_missing_and_every_anion_held(found: Results) -> None:
    assert found.gaps == () and not found.cubic
    assert all(check.intact for check in found.checks)
    assert set(found.checks[0].bonds_A) == {"B–B", "B–H", "C–B", "C–H"}


def test_the_volume_is_followed_and_its_step_found(found: Results, crystal: Crystal) -> None:
    (transition,) = found.of(HeatingFound).transitions
    assert transition.heated_K.value == pytest.approx(HEATED_K, abs=6)
    assert transition.cooled_K.value == pytest.approx(COOLED_K, abs=6)
    assert transition.volume_step_percent.value == pytest.approx(
        100 * STEP / volume(HEATED_K - 60, HEATED_K), abs=0.4
    )
    volumes = {p.temperature_K: p.volume_A3.value for p in found.of(HeatingFound).lattice}
    unit = crystal.atoms.get_volume() / 4
    assert volumes[298] == pytest.approx(unit, rel=2e-3)
    assert volumes[300] == pytest.approx(unit * volume(300, HEATED_K), rel=2e-3)
    heating = next(
        branch for branch in found.of(HeatingFound).branches if branch.branch == "heating"
    )
    hot = heating.temperature_K > 600
    a, b, c = (
        heating.edges_A[:, axis] / length
        for axis, length in enumerate(crystal.atoms.cell.lengths())
    )
    np.testing.assert_allclose(a[hot], b[hot], rtol=6e-3)  # the last bin holds few frames
    assert (c[hot] / b[hot]).min() > 1 + 0.9 * STEP


def test_the_phases_have_their_conductivities_and_activation_energies(found: Results) -> None:
    phases = {p.temperature_K: p.phase for p in found.of(DiffusionFound).transport}
    assert phases == {T: f"{phase} phase" for phase, part in TEMPERATURES_K.items() for T in part}
    assert all(p.accepted for p in found.of(DiffusionFound).transport)
    for p in found.of(DiffusionFound).transport:
        true = diffusivity(p.phase.split()[0], p.temperature_K)
        assert p.diffusivity_cm2_s.value == pytest.approx(true, rel=0.5)
    lines = {
        line.phase.split()[0]: line.activation_energy_meV
        for line in found.of(DiffusionFound).arrhenius
    }
    for phase, energy in lines.items():
        assert energy.low - 30 < 1000 * ENERGY_EV[phase] < energy.high + 30
    assert lines["ordered"].value > lines["disordered"].value


def test_anions_are_followed_by_their_carbon(found: Results, directions: np.ndarray) -> None:
    points = {p.temperature_K: p for p in found.of(ReorientationFound).rotation}
    still, turning = points[320.0], points[TURNING_K]
    assert still.n_vertices == 12 and still.n_anions == 4
    for series in still.series:
        z = directions[series.anion][2]
        assert np.median(series.theta_deg) == pytest.approx(np.degrees(np.arccos(z)), abs=2)
    for series in turning.series:
        assert np.ptp(series.theta_deg) < 4  # it turns about z
        total = np.unwrap(np.radians(series.phi_deg))
        assert (total[-1] - total[0]) / (2 * np.pi) == pytest.approx(TURNS + EXTRA, abs=0.05)
    assert turning.full_rotations == 4 * TURNS
    assert still.full_rotations == 0 and still.disorder == "ordered"
    assert still.polar_order.value > 0.9  # heads and tails stay


def test_each_published_value_meets_the_phase_that_it_holds_for(found: Results) -> None:
    pairs = [(c.published.quantity, c.published.number, c.ours.phase) for c in compare(found)]
    assert ("activation_energy", 467, "ordered phase") in pairs and (
        "activation_energy",
        550,
        "ordered phase",
    ) in pairs
    assert ("activation_energy", 220, "disordered phase") in pairs
    assert {
        phase
        for quantity, number, phase in pairs
        if quantity == "activation_energy" and number != 220
    } == {"ordered phase"}
    assert {number for quantity, number, _ in pairs if quantity == "volume"} == {223.1, 245.2}
    assert {number for quantity, number, _ in pairs if quantity == "transition_temperature"} == {
        650,
        400,
    }


def test_the_report_shows_volumes(found: Results, tmp_path: Path) -> None:
    assert summary.cards(found)[0].title == "Volume at 300 K"
    table = heating_tables.lattice(found)
    assert (
        table is not None
        and table.name == "volumes"
        and [row[0] for row in table.rows] == [298, 300, 430]
    )
    page = write_report(found, tmp_path)
    assert (tmp_path / "figures" / "edges-PBE-D3-0.svg").is_file()
    text = page.read_text(encoding="utf-8")
    assert "volume per formula unit" in (tmp_path / "tables" / "lattice.csv").read_text()
    assert "LiCB₁₁H₁₂" in text and "Rotation of the CB₁₁H₁₂ anions" in text
