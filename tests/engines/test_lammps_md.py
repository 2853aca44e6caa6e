"""``borarun.engines.lammps.md``: real LAMMPS, in its own process."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

import borarun
from borarun.basics.errors import EngineError
from borarun.basics.file import write_files
from borarun.basics.units import BOLTZMANN_EV_PER_K, EV_PER_A3_IN_BAR
from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps import md
from borarun.engines.lammps.md_watch import MAX_CANDIDATES, Candidates
from borarun.mtp import active_set
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames
from borarun.records.task import Result
from borarun.structures import structure
from borarun.structures.files import read_structure

DATA = Path(__file__).parent.parent / "data"
STRUCTURES = Path(__file__).parents[2] / "studies" / "structures"
TEXT = (DATA / "li2b12h12_level8.mtp").read_text()
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(
        [str(Path(borarun.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    ),
}


RESUMED = "Reading restart file"
"""What LAMMPS logs when it goes on."""


@pytest.fixture(scope="module")
def crystal() -> Atoms:
    """Ordered Li2B12H12, 104 atoms."""
    return read_structure(STRUCTURES / "Li2B12H12-Pa-3.cif")


def settings(*segments: tuple[float, float, float, float | None], **more: Any) -> lammps.Settings:
    """Settings with segments of (time_ps, from_K, to_K, sample_every_fs)."""
    names = ("time_ps", "from_K", "to_K", "sample_every_fs")
    parts = [
        {"name": f"part {index}", **dict(zip(names, part, strict=True))}
        for index, part in enumerate(segments)
    ]
    return lammps.Settings(segments=parts, **more)


def lay_out(
    directory: Path,
    run: lammps.Settings,
    atoms: Atoms,
    edit: Callable[[str], str] = str,
    **inputs: Any,
) -> None:
    """Write the files of a run; ``edit`` changes the deck."""
    write_files(
        directory,
        lammps.render(
            run, {"potential": TEXT, "structure": Frames.of([atoms]), **inputs}, lammps.Program()
        ),
    )
    deck = directory / "in.lammps"
    deck.write_text(edit(deck.read_text()))


def start(directory: Path) -> multiprocessing.context.ForkProcess:
    """Start the program in a directory; in a copy of this process, because its modules are loaded
    already.
    """
    program = multiprocessing.get_context("fork").Process(target=_main, args=(directory,))
    program.start()
    return program


def finish(directory: Path, run: lammps.Settings, code: int = 0) -> Result:
    """Run to the end and read the result."""
    program = start(directory)
    program.join()
    assert program.exitcode == code
    return lammps.parse(run, directory)


def _main(directory: Path) -> None:
    os.chdir(directory)
    sys.exit(md.main())


def often(deck: str) -> str:
    """The deck with restart files every 20 steps."""
    return re.sub(r"(stride\(\d+,\d+,|every )\d+", r"\g<1>20", deck)


def shuffled(atoms: Atoms) -> Atoms:
    """The same crystal in another orientation, skewed, left-handed and with some atoms outside the
    cell.
    """
    atoms = atoms.copy()
    atoms.set_cell(
        atoms.cell.array @ (np.eye(3) + 0.03 * np.arange(9).reshape(3, 3) / 9), scale_atoms=True
    )
    atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    atoms.positions[::7] += atoms.cell[0] - 2 * atoms.cell[2]
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell.array[[1, 0, 2]], pbc=True)


@pytest.fixture(scope="module")
def tilted(crystal: Atoms, tmp_path_factory: pytest.TempPathFactory) -> tuple[Atoms, Result]:
    """A few steps in a triclinic cell."""
    atoms, directory = shuffled(crystal), tmp_path_factory.mktemp("triclinic")
    run = settings((0.02, 300, 300, 0.5), mode="triclinic")
    lay_out(directory, run, atoms)
    return atoms, finish(directory, run)


class TestForces:
    """LAMMPS sees the potential's energy, forces and pressure, whatever the cell."""

    def test_first_frame_is_the_start(self, tilted: tuple[Atoms, Result]) -> None:
        """Orientation, handedness and image of every atom come back."""
        atoms, found = tilted
        assert np.allclose(found.arrays["cell"].values[0], atoms.cell.array, atol=1e-6)
        assert np.allclose(found.arrays["positions"].values[:, :, 0], atoms.positions, atol=2e-5)

    def test_energy_and_pressure(self, tilted: tuple[Atoms, Result]) -> None:
        """Potential energy is the potential's; pressure is -trace(stress)/3 and the kinetic
        part.
        """
        atoms, found = tilted
        evaluator = Evaluator(Potential.read(TEXT), atoms.numbers)
        thermo = {
            name: found.arrays[f"thermo/{name}"].values
            for name in ("temperature", "potential_energy", "pressure", "volume")
        }
        for frame in range(found.facts.n_frames):
            there = evaluator.evaluate(
                found.arrays["positions"].values[:, :, frame].astype(float),
                found.arrays["cell"].values[frame],
            )
            kinetic = (
                (len(atoms) - 1)
                * BOLTZMANN_EV_PER_K
                * thermo["temperature"][frame]
                / thermo["volume"][frame]
            )
            pressure = (kinetic - there.stress[:3].sum() / 3) * EV_PER_A3_IN_BAR
            assert thermo["potential_energy"][frame] == pytest.approx(there.energy, abs=1e-3)
            assert thermo["pressure"][frame] == pytest.approx(pressure, rel=1e-3, abs=15)
            assert thermo["volume"][frame] == pytest.approx(
                abs(np.linalg.det(found.arrays["cell"].values[frame]))
            )

    def test_positions_follow_newton(self, tilted: tuple[Atoms, Result]) -> None:
        """Second differences of early positions are force over mass."""
        atoms, found = tilted
        x, dt = found.arrays["positions"].values[:, :, :3].astype(float), 0.5
        force = (
            Evaluator(Potential.read(TEXT), atoms.numbers)
            .evaluate(x[:, :, 1], found.arrays["cell"].values[1])
            .forces
        )
        acceleration = (x[:, :, 2] - 2 * x[:, :, 1] + x[:, :, 0]) / dt**2
        expected = force / atoms.get_masses()[:, None] * 9.6485e-3  # eV/A/u in A/fs^2
        assert np.corrcoef(acceleration.ravel(), expected.ravel())[0, 1] > 0.8

    def test_last_is_the_last_frame(self, tilted: tuple[Atoms, Result]) -> None:
        """A run can go on where another ended."""
        _, found = tilted
        last = found.frames["last"][0]
        assert np.allclose(last.cell.array, found.arrays["cell"].values[-1], atol=1e-6)
        offset = np.linalg.solve(
            last.cell.array.T, (last.positions - found.arrays["positions"].values[:, :, -1]).T
        ).T
        offset -= offset[0]
        assert np.allclose(offset, np.round(offset), atol=1e-4)


def test_energy_is_conserved_without_thermostat(crystal: Atoms, tmp_path: Path) -> None:
    """NVE: potential and kinetic energy exchange, their sum stays."""
    run = settings((0.3, 300, 300, 5.0))
    lay_out(
        tmp_path,
        run,
        crystal,
        lambda deck: "\n".join(_nve(line) for line in deck.splitlines()) + "\n",
    )
    found = finish(tmp_path, run)
    kinetic = (
        1.5 * (len(crystal) - 1) * BOLTZMANN_EV_PER_K * found.arrays["thermo/temperature"].values
    )
    potential = found.arrays["thermo/potential_energy"].values
    assert np.ptp(potential) > 0.5
    assert np.ptp(potential + kinetic) < 0.02 * np.ptp(potential)


def _nve(line: str) -> str:
    return '  "fix npt all nve" &' if '"fix npt' in line else line


def test_npt_at_300_k_keeps_the_material(crystal: Atoms, tmp_path: Path) -> None:
    """Temperature and pressure come near their targets, and anions stay whole."""
    run = settings((0.4, 600, 300, None), (0.8, 300, 300, 5.0))
    lay_out(tmp_path, run, crystal)
    found = finish(tmp_path, run)
    assert found.facts.stop == "completed"
    assert found.facts.steps == 2400
    assert found.arrays["thermo/temperature"].values.mean() == pytest.approx(300, abs=45)
    assert abs(found.arrays["thermo/pressure"].values.mean()) < 4000
    assert set(found.arrays["segment"].values) == {1}
    atoms = found.frames["last"][0]
    bh = neighbor_list("d", atoms, {("B", "H"): 1.5})
    bb = neighbor_list("d", atoms, {("B", "B"): 2.1})
    assert len(bh) == 2 * 48 and bh.min() > 1.0 and bh.max() < 1.4
    assert len(bb) == 48 * 5 and bb.min() > 1.55 and bb.max() < 2.05


def test_ramps_and_segments(crystal: Atoms, tmp_path: Path) -> None:
    """A part without frames leaves none, a part of no length is passed over, boundary frames come
    once.
    """
    run = settings(
        (0.05, 50, 50, 10.0),
        (0.0, 50, 300, 5.0),
        (0.05, 50, 400, None),
        (0.05, 400, 400, 5.0),
        timestep_fs=1.0,
    )
    lay_out(tmp_path, run, crystal)
    found = finish(tmp_path, run)
    assert found.arrays["step"].values.tolist() == [0, 10, 20, 30, 40, 50, *range(100, 151, 5)]
    assert found.arrays["segment"].values.tolist() == [0] * 6 + [3] * 11


@pytest.fixture(scope="module")
def known(crystal: Atoms) -> np.ndarray[Any, Any]:
    """An active set of cold crystals."""
    evaluator = Evaluator(Potential.read(TEXT), crystal.numbers)
    gradients = []
    for seed in range(24):
        atoms = crystal.copy()
        atoms.rattle(0.003 * seed, seed=seed)
        evaluator.evaluate(atoms.positions, atoms.cell.array)
        gradients.append(evaluator.gradients())
    return active_set.build(gradients)


@pytest.fixture(scope="module")
def whole(crystal: Atoms, known: Any, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The run of ``TestKilled`` without an interruption."""
    directory = tmp_path_factory.mktemp("whole")
    lay_out(directory, TestKilled.RUN, crystal, often, active_set=known)
    return finish(directory, TestKilled.RUN)


class TestKilled:
    """A run that is killed at any instant and started again ends with the trajectory of the run
    that was not, to the last bit.
    """

    GRADE = MappingProxyType({"every": 10, "threshold_save": 1e-6, "threshold_break": 1e12})
    RUN = settings(
        (0.15, 10, 200, 2.0),
        (0.05, 200, 200, None),
        (0.3, 200, 300, 4.0),
        grade=GRADE,
        mode="anisotropic",
    )

    def _reached(self, directory: Path) -> int:
        file = directory / "thermo.txt"
        lines = [
            line
            for line in (file.read_text().split("\n")[:-1] if file.exists() else [])
            if line[0].isdigit()
        ]
        return int(lines[-1].split()[0]) if lines else 0

    @pytest.mark.parametrize("seed", [1, 2])
    def test_goes_on(
        self, crystal: Atoms, known: Any, whole: Result, tmp_path: Path, seed: int
    ) -> None:
        """Killed three times at random steps, by SIGKILL and SIGTERM."""
        lay_out(tmp_path, self.RUN, crystal, often, active_set=known)
        stream = random.Random(seed)
        for kill in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            goal = self._reached(tmp_path) + stream.randrange(1, 250)
            program = start(tmp_path)
            while program.is_alive() and self._reached(tmp_path) < goal:
                time.sleep(0.002)
            os.kill(program.pid or 0, kill)  # a child that has ended stays until it is joined
            program.join()
            assert program.exitcode in (0, -signal.SIGKILL, 128 + signal.SIGTERM)
        found = finish(tmp_path, self.RUN)
        assert found.facts.stop == "completed"
        assert found.arrays["step"].values.tolist() == [*range(0, 301, 4), *range(400, 1001, 8)]
        moves = np.abs(np.diff(found.arrays["positions"].values, axis=2)).max(axis=(0, 1))
        assert moves[np.diff(found.arrays["step"].values) <= 8].max() < 0.3
        assert RESUMED in (tmp_path / "log.lammps").read_text()
        looks = found.arrays["grade/step"].values
        assert set(range(0, 1001, 10)) <= set(looks) and len(set(looks)) == len(looks)
        assert found.facts.n_candidates == 101
        for name, quantity in whole.arrays.items():
            assert np.array_equal(quantity.values, found.arrays[name].values), name
        assert np.array_equal(found.frames["last"].positions, whole.frames["last"].positions)
        assert np.array_equal(
            found.frames["candidates"].positions, whole.frames["candidates"].positions
        )

    def test_goes_on_on_several_cores(
        self, crystal: Atoms, known: Any, whole: Result, tmp_path: Path
    ) -> None:
        """Killed on two cores and ended on three: what one core finds."""
        lay_out(tmp_path, self.RUN, crystal, often, active_set=known)
        program = subprocess.Popen(
            lammps.command(self.RUN, 2, lammps.Program()), cwd=tmp_path, env=ENVIRONMENT
        )
        while program.poll() is None and self._reached(tmp_path) < 300:
            time.sleep(0.002)
        program.kill()
        assert program.wait() == -signal.SIGKILL
        subprocess.run(
            lammps.command(self.RUN, 3, lammps.Program()),
            cwd=tmp_path,
            env=ENVIRONMENT,
            check=True,
        )
        assert RESUMED in (tmp_path / "log.lammps").read_text()
        found = lammps.parse(self.RUN, tmp_path)
        for name, quantity in whole.arrays.items():
            assert np.array_equal(quantity.values, found.arrays[name].values), name

    def test_half_written_restart_is_passed_over(self, crystal: Atoms, tmp_path: Path) -> None:
        """The newest restart file is cut short: the one before it is taken; none is whole: the run
        starts anew.
        """
        run = settings((0.03, 100, 100, 5.0))
        lay_out(tmp_path, run, crystal, often)
        whole = finish(tmp_path, run)
        for damage, resumed in (
            ({"restart.a": 0.5}, True),
            ({"restart.a": 0.5, "restart.b": 0.9}, False),
        ):
            (tmp_path / "ending.json").unlink()
            for name, part in damage.items():
                content = (tmp_path / name).read_bytes()
                (tmp_path / name).write_bytes(content[: int(part * len(content))])
            again = finish(tmp_path, run)
            assert (RESUMED in (tmp_path / "log.lammps").read_text()) == resumed
            assert again.arrays["step"].values.tolist() == whole.arrays["step"].values.tolist()
            assert np.allclose(
                again.arrays["positions"].values, whole.arrays["positions"].values, atol=1e-3
            )


class TestStops:
    """A run that leaves what the potential knows ends by itself, with all that is good of it."""

    def test_extrapolation(self, crystal: Atoms, known: Any, tmp_path: Path) -> None:
        """Heated, the crystal passes threshold_save, then threshold_break; the grades are those of
        the frames.
        """
        evaluator = Evaluator(Potential.read(TEXT), crystal.numbers)
        evaluator.evaluate(crystal.positions, crystal.cell.array)
        cold = float(active_set.grades(known, evaluator.gradients()).max())
        save, end = 5.0 * cold, 12.0 * cold
        run = settings(
            (1.0, 600, 2000, 2.5),
            grade={"every": 1, "threshold_save": save, "threshold_break": end},
        )
        lay_out(tmp_path, run, crystal, active_set=known)
        found = finish(tmp_path, run)
        grades, candidates = found.arrays["grade/value"].values, found.frames["candidates"]
        assert found.facts.stop == "extrapolation"
        assert found.facts.grade_max == grades[-1] > end >= grades[:-1].max()
        between = np.flatnonzero((grades > 1) & (grades <= save))[
            ::5
        ]  # of the way to the break every fifth look is kept as well
        kept = np.sort(np.concatenate([grades[grades > save], grades[between]]))
        assert len(between) and np.sort(
            [atoms.info["grade"] for atoms in candidates]
        ) == pytest.approx(kept, rel=1e-4)
        assert found.facts.n_candidates == len(candidates)
        assert (
            found.facts.steps
            == found.arrays["grade/step"].values[-1]
            == found.arrays["step"].values[-1]
        )
        for atoms in candidates:
            evaluator.evaluate(atoms.positions, atoms.cell.array)
            assert active_set.grades(known, evaluator.gradients()).max() == pytest.approx(
                atoms.info["grade"], rel=1e-3
            )

    def test_explosion(self, crystal: Atoms, known: Any, tmp_path: Path) -> None:
        """Atoms closer than allowed end a run; nothing of that step or after it is kept, and
        nothing is NaN.
        """
        run = settings(
            (1.0, 900, 900, 0.5),
            min_distance_A=1.12,
            grade={"every": 50, "threshold_save": 1e-3, "threshold_break": 1e9},
        )
        lay_out(tmp_path, run, crystal, active_set=known)
        found = finish(tmp_path, run)
        assert found.facts.stop == "exploded"
        assert "two atoms came as close as" in found.facts.reason
        assert found.facts.min_distance_A >= 1.12
        assert found.facts.n_frames == found.facts.steps + 1 > 1
        assert (
            len(found.frames["candidates"]) >= found.facts.steps % 50
        )  # those since the last look are kept as well
        assert all(np.isfinite(quantity.values).all() for quantity in found.arrays.values())
        assert np.isfinite(found.frames["last"].positions).all()

    def test_an_anion_that_comes_apart(
        self, crystal: Atoms, known: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The run ends there, though no grade told; the way there is kept."""
        for tolerance in ("BOND_TOLERANCE", "TORN_TOLERANCE"):
            monkeypatch.setattr(
                structure, tolerance, 1.12
            )  # a B-H bond of 1.29 A, which vibration at 900 K soon reaches
        watch = {
            "every": 5,
            "threshold_save": 1e6,
            "threshold_break": 1e9,
            "anion": "B12H12",
            "mobile": "Li",
        }
        run = settings((1.0, 900, 900, 2.5), grade=watch)
        lay_out(tmp_path, run, crystal, active_set=known)
        found = finish(tmp_path, run)
        assert (found.facts.stop, found.facts.reason) == ("exploded", "an anion broke")
        assert 0 < found.facts.steps < 1000
        assert found.facts.grade_max < 1e6

    def test_a_crystal_that_evaporates(self, crystal: Atoms, tmp_path: Path) -> None:
        """Pulled apart from all sides; the last frame is still below twice the first volume."""
        run = settings((2.0, 300, 300, 0.5), pressure_bar=-500_000)
        lay_out(tmp_path, run, crystal)
        found = finish(tmp_path, run)
        assert (found.facts.stop, found.facts.reason) == (
            "exploded",
            f"the volume exceeded {2 * crystal.get_volume():.0f} A3",
        )
        volume = np.linalg.det(found.arrays["cell"].values)
        assert 1.9 < volume.max() / volume[0] < 2.0

    def test_impossible_start(self, crystal: Atoms, tmp_path: Path) -> None:
        """A start that is no structure is an explosion at step 0, not an error and not a number."""
        atoms = crystal.copy()
        atoms.positions[1] = atoms.positions[0] + (0.1, 0.0, 0.0)
        run = settings((0.1, 300, 300, 5.0))
        lay_out(tmp_path, run, atoms)
        found = finish(tmp_path, run)
        assert (found.facts.stop, found.facts.steps, found.facts.n_frames) == (
            "exploded",
            0,
            0,
        )
        assert np.allclose(found.frames["last"][0].get_distance(0, 1, mic=True), 0.1, atol=1e-3)

    def test_deck_error(self, crystal: Atoms, tmp_path: Path) -> None:
        """What LAMMPS says is what the user reads."""
        run = settings((0.1, 300, 300, 5.0))
        lay_out(
            tmp_path,
            run,
            crystal,
            lambda deck: deck.replace("fix npt all npt", "fix npt all nonsense"),
        )
        with pytest.raises(EngineError, match="nonsense"):
            finish(tmp_path, run, code=1)


class TestCandidates:
    """Candidates are kept in a file, and never too many of them."""

    def test_thinned(self, tmp_path: Path) -> None:
        """Early, late and the highest grade stay; the file holds what memory holds."""
        found = Candidates(tmp_path / "candidates.extxyz")
        for step in range(0, 5000, 10):
            found.add(
                step,
                100.0 if step == 130 else 3.0 + step * 1e-3,
                Atoms("BH", [(0, 0, 0), (1, 0, step)], cell=np.eye(3), pbc=True),
            )
        steps = [image.info["step"] for image in found.kept]
        assert MAX_CANDIDATES // 3 < len(steps) <= MAX_CANDIDATES
        assert steps[0] == 0 and 130 in steps and steps[-1] > 4900 and steps == sorted(steps)
        again = Candidates(found.file)
        again.load(5000, 2)
        assert [
            (image.info["step"], image.info["grade"], image.positions[1, 2]) for image in again.kept
        ] == [
            (image.info["step"], image.info["grade"], image.positions[1, 2]) for image in found.kept
        ]

    def test_half_written(self, tmp_path: Path) -> None:
        """Half a configuration, and those after the step where the run goes on, are dropped from
        the file.
        """
        found = Candidates(tmp_path / "candidates.extxyz")
        for step in (10, 20, 30, 40):
            found.add(step, 3.0, Atoms("BH", [(0, 0, 0), (1, 0, step)], cell=np.eye(3), pbc=True))
        found.file.write_text(found.file.read_text()[:-9])
        for last, steps in ((100, [10, 20, 30]), (20, [10, 20])):
            found.load(last, 2)
            assert [image.info["step"] for image in found.kept] == steps
            assert len(Frames.from_extxyz(found.file.read_text())) == len(steps)


def test_command(crystal: Atoms, tmp_path: Path) -> None:
    """The engine's command runs in the directory and ends well; started again after its end, it
    touches nothing.
    """
    run = settings((0.01, 300, 300, 5.0))
    lay_out(tmp_path, run, crystal)
    for _ in range(2):
        subprocess.run(
            lammps.command(run, 1, lammps.Program()), cwd=tmp_path, env=ENVIRONMENT, check=True
        )
        seen = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert lammps.parse(run, tmp_path).facts.stop == "completed"
    assert float((tmp_path / "progress").read_text()) == 1.0
    assert seen["ending.json"] == max(seen.values())
