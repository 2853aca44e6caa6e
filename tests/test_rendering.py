"""`borarun render` writes what would run, and what it writes runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator

from borarun.records.attributes import Provenance
from borarun.records.endings import Written, result_of
from borarun.records.frames import Frames
from borarun.records.operations.reference import Labelled
from borarun.records.places import Places
from borarun.records.store import Store
from borarun.records.task import Result
from borarun.structures.files import read_structure
from borarun.study import load_study
from borarun.study.plan import expand

RENDER = [sys.executable, "-m", "borarun", "render"]


def render(study: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RENDER, study.name, *more], cwd=study.parent, capture_output=True, text=True, check=False
    )


def test_tasks_known_before_running_are_written_and_run_by_hand(mini_study: Path) -> None:
    done = render(mini_study)
    assert done.returncode == 0, done.stderr
    *paths, last = done.stdout.splitlines()
    directories = [mini_study.parent / path for path in paths]
    assert {directory.parent for directory in directories} == {
        mini_study.parent / "rendered" / "training_set"
    } and len(directories) == 2
    assert "more tasks wait for results" in last
    subprocess.run([directories[0] / "run.sh"], check=True, timeout=300)
    assert result_of(directories[0], Written).facts["n_labels"] == 20
    assert not Store(Places.of(mini_study.parent / "runs", "mini").store).keys()


def test_one_task_by_its_key(mini_study: Path) -> None:
    study = load_study(mini_study)
    first, *_ = expand(study, {}).tasks
    waiting = next(task for task in expand(study, {}).tasks if task.needs)
    done = render(mini_study, "--task", first.key[:6], "--out", "one")
    assert len(done.stdout.splitlines()) == 1 and done.stdout.startswith("one/training_set/")
    assert first.key in (mini_study.parent / done.stdout.strip() / "run.sh").read_text()
    assert f"{waiting.key} waits for results" in render(mini_study, "--task", waiting.key).stderr
    wrong = render(mini_study, "--task", "nothing")
    assert (
        wrong.returncode == 1
        and "--task: nothing is not a known task of this study" in wrong.stderr
    )


def test_a_task_that_waits_is_written_once_its_inputs_are_there(mini_study: Path) -> None:
    study = load_study(mini_study)
    store = Store(Places.of(mini_study.parent / "runs", study.name).store)
    waiting = next(task for task in expand(study, {}).tasks if task.needs)
    needed = [task for task in expand(study, {}).tasks if task.key in waiting.needs]
    atoms = read_structure(mini_study.parent / study.material.phases["Pa-3"])
    atoms.calc = SinglePointCalculator(
        atoms, energy=-1.0, forces=np.zeros((len(atoms), 3)), stress=np.zeros(6)
    )
    for task in needed:
        labels = Result(Labelled(n_labels=1), frames={Labelled.LABELS: Frames.of([atoms])})
        store.write(task, labels, Provenance())
    done = render(mini_study, "--task", waiting.key)
    assert done.returncode == 0, done.stderr
    assert (mini_study.parent / done.stdout.strip() / "train.extxyz").exists()


def test_an_mpi_program_is_written_with_the_launcher_of_its_executor(
    mini_study: Path, tmp_path: Path
) -> None:
    study = mini_study.read_text().replace(
        "{engine: bundled}",
        "{engine: quantum-espresso, pseudopotentials: {Li: Li.upf, B: B.upf, H: H.upf}, "
        "degauss_Ry: 0.0147}",
    )
    mini_study.write_text(study)
    (tmp_path / "site.yaml").write_text(
        "borarun: 1\nname: x\nexecutors:\n  wide: {provider: slurm, cores_per_node: 8, "
        "nodes_per_block: 2, mpi_launcher: srun, walltime: '1:00:00'}\n"
        "programs:\n  quantum-espresso: {cores: 16, threads: 2, init: module load qe, "
        "environment: {STACK: 'a b'}, command: '{launch} pw.x -nk 2', "
        "pseudopotential_directory: /upf}\n"
    )
    done = render(mini_study, "--site", "site.yaml")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / done.stdout.splitlines()[0] / "run.sh").read_text()
    assert text.rstrip().endswith(
        "-- srun --ntasks 8 --ntasks-per-node 4 --nodes 2 --cpus-per-task 2 pw.x -nk 2"
    )
    assert "\nmodule load qe\nexport OMP_NUM_THREADS=2\nexport STACK='a b'\n" in text
