"""The engine of MLIP-3: what it writes, what it reads of recorded runs, and what the real ``mlp``
makes of it where there is one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError, ParseError
from borarun.basics.file import write_files
from borarun.engines.mlip_3 import engine as mlip_3
from borarun.engines.mlip_3.engine import Program, Settings
from borarun.mtp import active_set, almtp, cfg
from borarun.mtp.evaluate import Evaluator, MTPCalculator
from borarun.mtp.potential import Potential
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.store import Store
from borarun.records.task import Ref, Result, Task
from borarun.run.claim import Holder
from borarun.run.work import perform

DATA = Path(__file__).parent / "data" / "mlip-3"
LABELS = (
    Path(__file__).parent.parent.parent
    / "benchmarks"
    / "data"
    / "li2b12h12_sevennet0_d3_valid.extxyz"
)
SPECIES = (3, 5, 1)

real = pytest.mark.skipif(shutil.which("mlp") is None, reason="MLIP-3's mlp is not on PATH")


def _recording() -> ModuleType:
    spec = importlib.util.spec_from_file_location("record", DATA / "record.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


record = _recording()
TRAIN: Settings = record.TRAIN


def start(
    settings: Settings, directory: Path, program: Program | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        mlip_3.command(settings, 1, program or Program()), cwd=directory, stderr=subprocess.PIPE
    )


def run(settings: Settings, inputs: dict[str, Any], directory: Path) -> Result:
    write_files(directory, mlip_3.render(settings, inputs, Program()))
    process = start(settings, directory)
    _, told = process.communicate()
    assert process.returncode == 0, told.decode()
    return mlip_3.parse(settings, directory)


@pytest.fixture(scope="module")
def labels() -> Frames:
    return Frames.from_extxyz(LABELS.read_text())


@pytest.fixture(scope="module")
def recorded() -> Result:
    return mlip_3.parse(TRAIN, DATA / "train")


@pytest.fixture
def selection(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of a recorded selection, with the potential it selected for."""
    directory: Path = shutil.copytree(DATA / request.param, tmp_path / "selection")
    shutil.copy(DATA / "train" / "trained.almtp", directory / "start.almtp")
    return directory


# What it writes


def test_what_was_recorded_is_what_is_written_today() -> None:
    files = mlip_3.render(TRAIN, record.inputs(), Program())
    assert set(files) == {"start.mtp", "train.cfg", "valid.cfg", "job.json"}
    assert files["start.mtp"] == (DATA / "train" / "start.mtp").read_text()
    species = Potential.read(str(files["start.mtp"])).species
    for name in ("train.cfg", "valid.cfg"):
        ours, theirs = (
            cfg.read(str(files[name]), species),
            cfg.read((DATA / "train" / name).read_text(), species),
        )
        np.testing.assert_allclose(ours.positions, theirs.positions, rtol=1e-12)
        np.testing.assert_allclose(ours.forces, theirs.forces, atol=1e-8)  # type: ignore[arg-type]


def test_training_goes_on_from_an_earlier_potential_with_its_elements(
    labels: Frames, recorded: Result
) -> None:
    earlier = Potential.untrained(6, (1, 3, 5)).write()
    files = mlip_3.render(TRAIN, {"labels": [labels], "potential": earlier}, Program())
    assert files["start.mtp"] == earlier
    found = cfg.read(str(files["valid.cfg"]), (1, 3, 5))
    assert found.numbers.tolist()[:104] == labels.numbers.tolist()[:104]
    assert str(files["valid.cfg"]).splitlines()[8].split()[:2] == [
        "1",
        "2",
    ]  # boron comes first, and is the potential's type 2


def test_candidates_travel_without_labels_and_with_a_number(
    recorded: Result, labels: Frames
) -> None:
    images = record.labelled(record.cells(2, seed=4))
    files = mlip_3.render(
        record.SELECT["whole"],
        {"almtp": recorded.arrays["almtp"].values, "candidates": [images, images]},
        Program(),
    )
    assert files["start.almtp"] == (DATA / "train" / "trained.almtp").read_bytes()
    assert [noted["ID"] for noted in cfg.features(str(files["candidates.cfg"]))] == [
        "0",
        "1",
        "2",
        "3",
    ]
    assert not cfg.read(str(files["candidates.cfg"]), (3, 1)).labelled


def test_the_command_knows_the_site() -> None:
    program = Program(command="nice mlp", train_command="mpirun -np {cores} '/opt/my mlp'", cores=8)
    words = mlip_3.command(TRAIN, 8, program)
    assert words[:3] == [sys.executable, "-m", "borarun.engines.mlip_3.program"]
    assert words[3:] == ["--command", "nice mlp", "--", "mpirun", "-np", "8", "/opt/my mlp"]
    assert mlip_3.command(TRAIN, 8, Program())[-1] == "mlp"
    assert mlip_3.command(TRAIN, 8, Program(train_command="{launch} mlp"))[-2:] == [
        "{launch}",
        "mlp",
    ]  # a word of its own, for whoever knows the nodes


@pytest.mark.parametrize("command", ["", "  ", "mlp 'x"])
def test_a_command_that_is_none_is_refused(command: str) -> None:
    with pytest.raises(ValueError, match="command"):
        Program(command=command)


def test_a_program_that_is_not_there_is_named() -> None:
    told = mlip_3.missing(TRAIN, Program(command="no-such-mlp"))
    assert "programs.mlip-3.command" in told and "'no-such-mlp'" in told
    assert "train_command" in mlip_3.missing(
        TRAIN, Program(command=sys.executable, train_command="no-such-mpirun mlp")
    )
    assert mlip_3.missing(TRAIN, Program(command=sys.executable)) == ""


def test_mlp_tells_whether_it_was_built_with_mpi() -> None:
    by = (
        "(C) A. Shapeev, E. Podryabinkin, I. Novikov (Skoltech).\nUsage:\nmlp help               "
        "  prints this message\n"
    )
    serial, train = mlip_3.probes(Program(train_command="mpirun -np {cores} mlp", cores=4))
    assert (serial.command, train.command) == ("mlp", "mpirun -np {cores} mlp")
    assert serial.read(f"mlp serial version, {by}").version == "mlp, serial"
    assert train.read(f"mlp mpi version (4 cores), {by}") == serial.read(
        f"mlp mpi version (1 cores), {by}"
    )
    told = train.read(f"mlp serial version, {by}")
    assert (
        told.trouble == "was built without MPI: 4 processes would each train separately"
        and "cores to 1" in told.remedy
    )
    assert len(mlip_3.probes(Program())) == 1


def test_neighbourhoods_are_cut_out_only_where_they_are_graded() -> None:
    with pytest.raises(ValueError, match="al_mode nbh"):
        Settings(operation="select", al_mode="cfg", cut_radius_A=6.0)


# What it reads


def test_training_leaves_what_the_contract_names(recorded: Result) -> None:
    facts, arrays = recorded.facts, recorded.arrays
    potential = Potential.read(recorded.texts["potential"])
    p = potential.n_parameters
    assert (facts.level, facts.n_parameters, facts.n_train, facts.n_valid) == (
        6,
        p,
        6,
        4,
    )
    assert (facts.evaluations, facts.converged) == (15, False)
    assert potential.species == (3, 1)
    assert set(arrays) == {
        "almtp",
        "active_set",
        "loss",
        "parity/energy",
        "parity/forces",
        "parity/stress",
    }
    assert arrays["active_set"].values.shape == (p, p) and arrays["almtp"].values.dtype == np.uint8
    assert arrays["loss"].values[-1] < arrays["loss"].values[0] / 10.0
    assert arrays["parity/forces"].values.shape == (2, 4 * 8 * 3)


def test_errors_are_those_of_the_report(recorded: Result) -> None:
    """The report's numbers, by eye: errors_train.txt; a force is a vector there, and a component
    here.
    """
    found = recorded.facts.errors.train
    assert found.energy_meV_per_atom == pytest.approx(1e3 * 0.0255278, rel=1e-4)
    assert found.forces_eV_per_A == pytest.approx(1.04833 / np.sqrt(3.0), rel=1e-4)


def test_what_mlp_computed_is_what_borarun_computes(recorded: Result) -> None:
    """Energies, forces and stresses of the trained potential, to the decimals of the cfg file."""
    calculator = MTPCalculator(Potential.read(recorded.texts["potential"]))
    found = cfg.read((DATA / "train" / "efs_valid.cfg").read_text(), (3, 1))
    for index, atoms in enumerate(cfg.read((DATA / "train" / "valid.cfg").read_text(), (3, 1))):
        atoms.calc = calculator
        assert found.energy is not None and found.forces is not None and found.stress is not None
        assert atoms.get_potential_energy() == pytest.approx(found.energy[index], abs=1e-6)
        np.testing.assert_allclose(
            found.forces[8 * index : 8 * index + 8], atoms.get_forces(), atol=1e-6
        )
        np.testing.assert_allclose(found.stress[index], atoms.get_stress(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("selection", ["whole", "cut"], indirect=True)
def test_selection_takes_the_most_valuable_first(selection: Path) -> None:
    name = "cut" if (selection / "pieces.cfg").exists() else "whole"
    found = mlip_3.parse(record.SELECT[name], selection)
    frames = found.frames["selected"]
    assert found.facts.n_candidates == len(found.facts.grades) == 5
    assert found.facts.n_selected == len(frames) == 3
    assert frames.grade is not None and max(frames.grade) == pytest.approx(
        max(found.facts.grades), rel=1e-5
    )
    if name == "whole":
        candidates = cfg.read((selection / "candidates.cfg").read_text(), (3, 1))
        for atoms in frames:
            assert any(np.array_equal(atoms.positions, one.positions) for one in candidates), (
                "positions lost digits on the way"
            )


@pytest.mark.parametrize("selection", ["cut"], indirect=True)
def test_a_piece_is_alone_in_its_cell(selection: Path) -> None:
    for atoms in mlip_3.parse(record.SELECT["cut"], selection).frames["selected"]:
        assert (atoms.cell.lengths() - np.ptp(atoms.positions, axis=0) >= 10.0 - 1e-9).all()
        centre = atoms.positions[0]
        assert np.linalg.norm(atoms.positions - centre, axis=1).max() < 2.5


# What is damaged


TRAINED = [
    "train.log",
    "trained.almtp",
    "active_set.npy",
    "efs_train.cfg",
    "efs_valid.cfg",
    "errors_train.txt",
    "errors_valid.txt",
]
PLACES = [None, *np.linspace(0.0, 0.97, 20)]


def cut_short(file: Path, keep: float | None) -> None:
    if keep is None:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("keep", PLACES)
def test_a_training_cut_short_is_never_read(tmp_path: Path, name: str, keep: float | None) -> None:
    directory = shutil.copytree(DATA / "train", tmp_path / "train")
    cut_short(directory / name, keep)
    with pytest.raises(ParseError, match=name):
        mlip_3.parse(TRAIN, directory)


@pytest.mark.parametrize("name", ["graded.cfg", "chosen.cfg", "select_add.log"])
@pytest.mark.parametrize("selection", ["whole"], indirect=True)
@pytest.mark.parametrize("keep", PLACES)
def test_a_selection_cut_short_is_never_read(
    selection: Path, name: str, keep: float | None
) -> None:
    cut_short(selection / name, keep)
    with pytest.raises(ParseError, match=name):
        mlip_3.parse(record.SELECT["whole"], selection)


def test_numbers_that_contradict_the_report_are_refused(tmp_path: Path) -> None:
    directory = shutil.copytree(DATA / "train", tmp_path / "train")
    shutil.copy(directory / "efs_valid.cfg", tmp_path / "kept.cfg")
    frames = cfg.read((directory / "efs_valid.cfg").read_text(), (3, 1))
    assert frames.energy is not None
    frames.energy[0] += 0.5
    (directory / "efs_valid.cfg").write_text(cfg.write(frames, (3, 1)))
    with pytest.raises(ParseError, match=r"efs_valid\.cfg.*energy per atom.*check_errors says"):
        mlip_3.parse(TRAIN, directory)
    shutil.copy(directory / "train.cfg", directory / "efs_valid.cfg")
    with pytest.raises(ParseError, match=r"efs_valid\.cfg.*requested configurations"):
        mlip_3.parse(TRAIN, directory)


# The real program


@pytest.fixture(scope="module")
def trained(labels: Frames, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A potential of level 6 after 20 iterations on real labels, graded by neighbourhoods."""
    settings = Settings(
        operation="train", level=6, iteration_limit=20, al_mode="nbh", validation_fraction=0.2
    )
    return run(settings, {"labels": [labels]}, tmp_path_factory.mktemp("train"))


def grades_of_mlp(content: bytes, frames: Frames, directory: Path) -> np.ndarray[Any, Any]:
    species = Potential.read(almtp.split(content)[0]).species
    write_files(directory, {"p.almtp": content, "in.cfg": cfg.write(frames, species)})
    subprocess.run(
        ["mlp", "calculate_grade", "p.almtp", "in.cfg", "out.cfg"],
        cwd=directory,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found = cfg.read((directory / "out.cfg").read_text(), species).grade
    assert found is not None
    return found


def gradients(potential: Potential, frames: Frames) -> list[Any]:
    found = []
    for atoms in frames:
        evaluator = Evaluator(potential, atoms.numbers)
        evaluator.evaluate(atoms.positions, atoms.cell.array)
        found.append(evaluator.gradients())
    return found


def squeezed(frames: Frames) -> Frames:
    """Four configurations, the second and fourth squeezed."""
    images = [frames[index] for index in range(4)]
    for index in (1, 3):
        images[index].set_cell(images[index].cell.array * 0.95, scale_atoms=True)
    return Frames.of(images)


@real
def test_real_training_learns(trained: Result) -> None:
    assert (trained.facts.level, trained.facts.evaluations) == (6, 20)
    assert trained.facts.errors.valid.forces_eV_per_A < 1.0  # forces scatter by 1.3 eV/A
    assert (
        almtp.read(
            trained.arrays["almtp"].values.tobytes(), Potential.read(trained.texts["potential"])
        ).mode
        == "nbh"
    )


@real
def test_real_grades_are_those_of_the_active_set(
    trained: Result, labels: Frames, tmp_path: Path
) -> None:
    frames = squeezed(labels)
    theirs = grades_of_mlp(trained.arrays["almtp"].values.tobytes(), frames, tmp_path)
    rows = gradients(Potential.read(trained.texts["potential"]), frames)
    ours = [active_set.grades(trained.arrays["active_set"].values, one).max() for one in rows]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert max(theirs) > 2.0


@real
def test_real_grades_of_configurations_are_those_of_their_mean_rows(
    trained: Result, labels: Frames, tmp_path: Path
) -> None:
    """al_mode cfg; with no iteration the potential stays as it is and gets another
    selection state.
    """
    settings = Settings(
        operation="train", iteration_limit=0, al_mode="cfg", validation_fraction=0.2
    )
    given = {"labels": [labels], "potential": trained.texts["potential"]}
    found = run(settings, given, tmp_path / "train")
    potential = Potential.read(found.texts["potential"])
    np.testing.assert_array_equal(
        potential.parameters, Potential.read(trained.texts["potential"]).parameters
    )
    content = found.arrays["almtp"].values.tobytes()
    selection = almtp.read(content, potential)
    assert selection.mode == "cfg"
    theirs = grades_of_mlp(content, labels, tmp_path)
    ours = [
        active_set.grades(selection.active_set, rows.mean(axis=0, keepdims=True)).max()
        for rows in gradients(potential, labels)
    ]
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    # beside it the neighbourhoods of the same training set, for whoever watches these
    known = gradients(
        potential, cfg.read((tmp_path / "train" / "train.cfg").read_text(), potential.species)
    )
    assert (
        max(active_set.grades(found.arrays["active_set"].values, rows).max() for rows in known)
        < 1.1
    )


@real
def test_a_potential_of_motep_gets_a_selection_state_that_mlp_grades_by(
    labels: Frames, tmp_path: Path
) -> None:
    potential = Potential.untrained(8, SPECIES, seed=5)
    potential = potential.with_parameters(
        potential.parameters + np.random.default_rng(6).normal(0.0, 0.05, potential.n_parameters)
    )
    rows = active_set.build(gradients(potential, labels.take(range(6))))
    frames = squeezed(labels)
    theirs = grades_of_mlp(almtp.write(potential, rows), frames, tmp_path)
    ours = [active_set.grades(rows, one).max() for one in gradients(potential, frames)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


@real
@pytest.mark.parametrize("level", [6, 12, 20])
def test_potentials_mean_the_same_to_mlp_and_to_borarun(
    labels: Frames, tmp_path: Path, level: int
) -> None:
    """From borarun to mlp: energies, forces and stresses; from mlp back: the trained potential is
    in another test.
    """
    potential = Potential.untrained(level, SPECIES, seed=1)
    potential = potential.with_parameters(
        potential.parameters + np.random.default_rng(2).normal(0.0, 0.01, potential.n_parameters)
    )
    write_files(
        tmp_path, {"p.mtp": potential.write(), "in.cfg": cfg.write(labels.take([0, 1]), SPECIES)}
    )
    subprocess.run(
        ["mlp", "calculate_efs", "p.mtp", "in.cfg"],
        cwd=tmp_path,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found = cfg.read((tmp_path / "in.cfg").read_text(), SPECIES)
    assert found.energy is not None and found.forces is not None and found.stress is not None
    for index, atoms in enumerate(labels.take([0, 1])):
        atoms.calc = MTPCalculator(potential)
        assert atoms.get_potential_energy() == pytest.approx(found.energy[index], abs=1e-6)
        np.testing.assert_allclose(
            found.forces[104 * index : 104 * index + 104], atoms.get_forces(), atol=1e-6
        )
        np.testing.assert_allclose(found.stress[index], atoms.get_stress(), rtol=1e-6, atol=1e-6)


@real
@pytest.mark.parametrize("cut_radius_A", [None, 5.0])
def test_real_selection_takes_what_is_new(
    trained: Result, labels: Frames, tmp_path: Path, cut_radius_A: float | None
) -> None:
    settings = Settings(
        operation="select", al_mode="nbh", max_selected=2, cut_radius_A=cut_radius_A
    )
    found = run(
        settings,
        {"almtp": trained.arrays["almtp"].values, "candidates": [squeezed(labels)]},
        tmp_path / "select",
    )
    grades, selected = found.facts.grades, found.frames["selected"]
    assert found.facts.n_selected == len(selected) == 2
    assert selected.grade is not None and sorted(selected.grade) == pytest.approx(
        sorted([grades[1], grades[3]]), rel=1e-4
    )
    assert min(grades[1], grades[3]) > max(grades[0], grades[2])


@real
def test_training_that_was_killed_goes_on_with_the_iterations_left(
    labels: Frames, tmp_path: Path
) -> None:
    settings = Settings(operation="train", level=6, iteration_limit=30, validation_fraction=0.2)
    write_files(tmp_path, mlip_3.render(settings, {"labels": [labels]}, Program()))
    process = start(settings, tmp_path)
    log = tmp_path / "train.log"
    while not log.exists() or log.read_text().count("BFGS iter") < 10:
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)  # mlp ends with it
    process.communicate()
    before = log.read_text().count("BFGS iter")
    (tmp_path / "current.almtp").write_text(
        (tmp_path / "current.almtp").read_text()[:1000]
    )  # as if it was killed while it wrote
    again = start(settings, tmp_path)
    _, told = again.communicate()
    assert again.returncode == 0, told.decode()
    found = mlip_3.parse(settings, tmp_path)
    losses = found.arrays["loss"].values
    assert len(losses) == found.facts.evaluations == 30
    assert losses[before] < losses[0] / 5.0, "it began again from the start"
    assert (
        not (tmp_path / "progress").exists()
        or 0.0 <= float((tmp_path / "progress").read_text()) <= 1.0
    )


@real
def test_what_mlp_says_reaches_the_user(labels: Frames, tmp_path: Path) -> None:
    write_files(tmp_path, mlip_3.render(TRAIN, {"labels": [labels]}, Program()))
    (tmp_path / "start.mtp").write_text("MTP\nversion = 1.0.0\n")
    process = start(TRAIN, tmp_path)
    _, told = process.communicate()
    assert "Traceback" not in told.decode()
    with pytest.raises(EngineError, match="exit code 9") as caught:  # mlp's own 777
        mlip_3.parse(TRAIN, tmp_path)
    assert "version" in caught.value.evidence


def test_which_mlp_it_was_is_kept_by_the_hash_of_its_file(labels: Frames, tmp_path: Path) -> None:
    assert (
        mlip_3.parse(TRAIN, DATA / "train").facts.program == "MLIP-3"
    )  # recorded before it was noted
    (tmp_path / "bin").mkdir()
    mlp = tmp_path / "bin" / "mlp"
    mlp.write_text("#!/bin/sh\nexit 1\n")
    mlp.chmod(0o755)
    directory = shutil.copytree(DATA / "train", tmp_path / "train")
    (directory / "job.json").write_text(
        str(mlip_3.render(TRAIN, {"labels": [labels]}, Program())["job.json"])
    )
    start(
        TRAIN, directory, Program(train_command=f"nice {mlp}")
    ).communicate()  # all is there, nothing is left to do
    assert (
        mlip_3.parse(TRAIN, directory).facts.program
        == f"MLIP-3, mlp {hashlib.sha256(mlp.read_bytes()).hexdigest()[:12]}"
    )
    other = tmp_path / "other"
    other.mkdir()
    write_files(other, mlip_3.render(TRAIN, {"labels": [labels]}, Program()))
    start(TRAIN, other, Program(train_command="/no/such/mlp")).communicate()
    assert (other / "program.txt").read_text() == "MLIP-3"


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("kill -KILL $$", Cause.KILLED),
        ("exit 143", Cause.KILLED),
        ("echo oh dear; exit 2", Cause.FAILED),
        ("echo No space left on device; exit 1", Cause.DISK_FULL),
    ],
)
def test_how_a_command_ended_is_handed_on(
    labels: Frames, tmp_path: Path, script: str, cause: Cause
) -> None:
    """So that a training that the machine killed goes on, and one that refuses its input
    does not.
    """
    write_files(tmp_path, mlip_3.render(TRAIN, {"labels": [labels]}, Program()))
    mlp = tmp_path / "mlp"
    mlp.write_text(f"#!/bin/sh\n{script}\n")
    mlp.chmod(0o755)
    start(TRAIN, tmp_path, Program(train_command=str(mlp))).communicate()
    with pytest.raises(EngineError, match=r"MLIP-3: `mlp train` (ended with|was ended)") as caught:
        mlip_3.parse(TRAIN, tmp_path)
    assert caught.value.cause is cause
    assert script.startswith("echo") == bool(caught.value.evidence)


def test_a_program_that_cannot_be_started_is_told(labels: Frames, tmp_path: Path) -> None:
    write_files(tmp_path, mlip_3.render(TRAIN, {"labels": [labels]}, Program()))
    start(TRAIN, tmp_path, Program(train_command="/no/such/mlp")).communicate()
    with pytest.raises(EngineError, match=r"MLIP-3: .*/no/such/mlp") as caught:
        mlip_3.parse(TRAIN, tmp_path)
    assert caught.value.cause is Cause.PROGRAM_MISSING


@real
def test_a_round_of_active_learning_widens_what_is_known(tmp_path: Path) -> None:
    """Train, select among squeezed cells, label the selection, train again, all as tasks through
    the store: the grades of what was new fall.
    """
    store = Store(tmp_path / "store")
    shape = {
        "level": 6,
        "iteration_limit": 15,
        "al_mode": "nbh",
        "radial_basis_size": 4,
        "cutoff_A": 4.0,
    }

    def done(task: Task) -> Task:
        failure = perform(task, Program(), tmp_path / "store", tmp_path / "work", Holder.here())
        assert failure is None, failure
        return task

    def given(name: str, frames: Frames) -> Ref:
        store.write(Task("bundled", {"name": name}), Result(frames={name: frames}), Provenance())
        return Ref(Task("bundled", {"name": name}).key, name)

    def facts(task: Task) -> Mapping[str, Any]:
        record = store.record(task.key)
        assert record is not None
        return record.facts

    first, candidates = (
        given("first", record.labelled(record.cells(10, seed=1))),
        given("candidates", Frames.of(record.cells(3, seed=5, scale=0.92))),
    )
    train = done(
        Task(
            "mlip-3",
            Settings(operation="train", **shape).model_dump(mode="json"),
            {"labels": (first,)},
        )
    )
    state = Ref(train.key, "almtp")
    select = done(
        Task(
            "mlip-3",
            Settings(operation="select", al_mode="nbh").model_dump(mode="json"),
            {"almtp": state, "candidates": (candidates,)},
        )
    )
    selected = store.get(Ref(select.key, "selected"))
    assert isinstance(selected, Frames) and len(selected) == 3
    second = given("second", record.labelled(list(selected)))
    again = done(
        Task(
            "mlip-3",
            Settings(operation="train", **shape).model_dump(mode="json"),
            {"labels": (first, second), "potential": Ref(train.key, "potential")},
        )
    )
    look = done(
        Task(
            "mlip-3",
            Settings(operation="select", al_mode="nbh").model_dump(mode="json"),
            {"almtp": Ref(again.key, "almtp"), "candidates": (candidates,)},
        )
    )
    before, after = (facts(task)["grades"] for task in (select, look))
    assert max(after) < max(before) / 10.0
    assert facts(again)["n_train"] > facts(train)["n_train"]
    assert not (tmp_path / "work" / train.key).exists()
