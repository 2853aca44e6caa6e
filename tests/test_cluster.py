"""Studies on a real Slurm, through real accidents: nothing finished is lost or done twice.

Each test submits a study to a cluster of its own (``cluster.py``) and does to it what happens on
supercomputers. docs/accidents.md promises what is checked here.
"""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from cluster import Cluster, missing
from potcars import TITELS, write_potcars
from test_documentation import blocks, commands

from borarun.records.places import Places, StoredRecords
from borarun.records.store import Store
from borarun.records.task import Ref
from borarun.run.claim import Claim
from borarun.run.work import is_running
from borarun.site import jobs
from borarun.study import load_study
from borarun.study.plan import expand

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing()), reason=f"no Slurm: {missing()}"),
]

STUDY = """
borarun: 1
name: faults
material:
  formula: Li2B12H12
  phases: {Pa-3: structures/Li2B12H12-Pa-3.cif}
  mobile: Li
  anions: B12H12
functionals: [PBE-D3]
reference: {engine: bundled}
training_set:
  aimd: {temperatures_K: [300, 600], time_ps: 2.0, sample_every_fs: 100, vacancies: [0, 1]}
potential: {level: 6, max_evaluations: 5}
"""

SITE = """
borarun: 1
name: test-cluster
executors:
  cpu:
    provider: slurm
    partition: main
    cores_per_node: 2
    max_blocks: 2
    exclusive: false
    walltime: "0:10:00"
    walltime_margin_s: 20
    cmd_timeout: 10
    status_polling_interval: 2
    heartbeat_period: 2
    heartbeat_threshold: 12
    max_idletime: 15
retries: {limit: 2, pause_s: 3}
"""


class Run:
    """A study in a folder of its own, and the driver that runs it."""

    def __init__(
        self, cluster: Cluster, folder: Path, study: str = STUDY, site: str = SITE
    ) -> None:
        self.cluster = cluster
        self.folder = folder
        self.counted: Counter[str] = Counter()
        self.said = ""
        folder.mkdir(exist_ok=True)
        shutil.copytree(
            Path(__file__).parents[1] / "studies/structures",
            folder / "structures",
            ignore=shutil.ignore_patterns("*.py"),
        )
        (folder / "study.yaml").write_text(study)
        (folder / "site.yaml").write_text(site)
        self.places = Places.of(folder / "runs", re.findall(r"^name: (.*)", study, re.MULTILINE)[0])
        self.store = Store(self.places.store)

    def start(self, study: str = "study.yaml", **environment: str) -> subprocess.Popen[str]:
        """Start a driver."""
        command = [sys.executable, "-m", "borarun", "submit", study, "--site", "site.yaml"]
        return subprocess.Popen(
            command, cwd=self.folder, env={**self.cluster.environment, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,  # noqa: E501
            start_new_session=True,
        )  # fmt: skip

    def end(
        self, process: subprocess.Popen[str], code: int | None = 0, timeout_s: float = 900
    ) -> str:
        """Wait until a driver ends; what it said."""
        output, _ = process.communicate(timeout=timeout_s)
        assert code is None or process.returncode == code, output
        self.counted.update(
            line.split("done   ")[1].split(" (")[0]
            for line in output.splitlines()
            if "  done   " in line
        )
        self.said += output
        return output

    def running(self) -> list[str]:
        """Keys of the tasks that are being worked on."""
        keys = (
            {path.name.partition(".")[0] for path in self.places.work.glob("*.claim.*")}
            if self.places.work.exists()
            else set()
        )
        return sorted(key for key in keys if is_running(self.places.work, key))

    def wait_for_work(self, count: int = 2) -> None:
        """Until so many tasks have begun to leave files that they can go on from."""

        def begun() -> bool:
            return (
                sum((self.places.work / key / "state.json").exists() for key in self.running())
                >= count
            )

        self.cluster.wait_until(begun, f"{count} tasks are at work", 300)

    def check_complete(self) -> None:
        """Everything is there, once, and nothing is left behind."""
        assert len(self.store.keys()) == 5 and not self.store.failures(), self.said
        assert all(times == 1 for times in self.counted.values()), self.said
        assert jobs.noted(self.places.study) == []
        self.wait_for_silence()

    def wait_for_silence(self) -> None:
        """Until no job of ours is in the queue and nobody works in the folder."""
        self.cluster.wait_until(lambda: not self.cluster.jobs(), "the queue is empty")
        self.cluster.wait_until(lambda: not self.left(), "nobody works in the folder")

    def left(self) -> list[psutil.Process]:
        """Processes that work in this study's folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()).is_relative_to(self.folder):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found


@pytest.fixture
def run(cluster: Cluster, tmp_path: Path) -> Iterator[Run]:
    """A study that takes some ten seconds on the cluster's four slots."""
    made = Run(cluster, tmp_path)
    yield made
    for process in made.left():
        process.kill()


Accident = Callable[[Run], None]


def cancel_a_block(run: Run) -> None:
    """The administrator cancels a job."""
    run.cluster.cancel(next(job for job, state, _ in run.cluster.jobs() if state == "R"))


def kill_a_worker(run: Run) -> None:
    """One process of the pool is killed, as by the kernel when memory is short."""
    program = next(
        process
        for process in run.left()
        if any("borarun.engines" in word for word in _words(process))
    )
    worker = program.parent()
    assert worker is not None
    worker.kill()


def kill_a_program(run: Run) -> None:
    """The program of a task is killed."""
    next(
        process
        for process in run.left()
        if any("borarun.engines" in word for word in _words(process))
    ).kill()


def kill_a_manager(run: Run) -> None:
    """The pool itself is killed, with its workers left behind."""
    next(filter(_is_pool, run.left())).kill()


def kill_the_interchange(run: Run) -> None:
    """The process between driver and workers is killed; the driver begins again."""
    found = [
        process
        for process in psutil.process_iter()
        if "HTEX interchange" in " ".join(_words(process))
        and Path(process.cwd()).is_relative_to(run.folder)
    ]
    assert found
    for process in found:
        process.kill()


def _words(process: psutil.Process) -> list[str]:
    """Its command line; of one that ends while it is looked at, nothing."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _is_pool(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
        return (
            any("process_worker_pool" in word for word in words)
            and "python" in process.name()
            and "--after" in words
            and "--around" not in words
        )
    except psutil.Error:
        return False


def kill_a_node(run: Run) -> None:
    """A node dies with all that runs on it, and comes back later."""
    node = next(node for _, state, node in run.cluster.jobs() if state == "R")
    run.cluster.kill_node(node)
    time.sleep(20)  # until Slurm has noticed
    run.cluster.start_node(node)


def restart_the_controller(run: Run) -> None:
    """The scheduler itself goes away for a while."""
    run.cluster.stop_controller()
    time.sleep(12)
    run.cluster.start_controller()


ACCIDENTS = [
    cancel_a_block,
    kill_a_worker,
    kill_a_program,
    kill_a_manager,
    kill_the_interchange,
    kill_a_node,
    restart_the_controller,
]


@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda accident: accident.__name__)
def test_the_study_goes_on_after(run: Run, accident: Accident) -> None:
    process = run.start()
    run.wait_for_work()
    accident(run)
    run.end(process)
    run.check_complete()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_driver_that_ends_leaves_no_job_behind(run: Run, how: signal.Signals) -> None:
    """Killed, terminated, interrupted, or its terminal closed; at another instant each time."""
    process = run.start()
    run.wait_for_work(1)
    time.sleep(random.Random(int(how)).uniform(0, 4))
    process.send_signal(how)
    run.end(process, code=-9 if how == signal.SIGKILL else 130)
    if how != signal.SIGKILL:
        run.wait_for_silence()
        assert jobs.noted(run.places.study) == []
    run.end(run.start())
    run.check_complete()


def test_jobs_of_a_killed_driver_end_by_themselves(run: Run) -> None:
    """Even if nobody ever comes back: the pools notice that the driver is gone."""
    process = run.start()
    run.wait_for_work(1)
    process.kill()
    run.end(process, code=-9)
    run.wait_for_silence()


def test_stop_ends_the_jobs_of_a_dead_driver(run: Run) -> None:
    process = run.start()
    run.wait_for_work(1)
    process.kill()
    run.end(process, code=-9)
    assert jobs.noted(run.places.study)
    stop = [sys.executable, "-m", "borarun", "stop", "study.yaml"]
    subprocess.run(stop, cwd=run.folder, env=run.cluster.environment, check=True, timeout=60)
    assert jobs.noted(run.places.study) == []
    run.cluster.wait_until(lambda: not run.cluster.jobs(), "the queue is empty", 20)


def test_scheduler_commands_that_fail_for_a_while(cluster: Cluster, tmp_path: Path) -> None:
    """squeue, sbatch and scancel fail for a while, twice: jobs run on, and new ones are asked for
    later. The study outlasts it.
    """
    run = Run(cluster, tmp_path, STUDY.replace("time_ps: 2.0", "time_ps: 16.0"))
    bin_folder, broken = run.folder / "bin", run.folder / "broken"
    bin_folder.mkdir()
    for name in ("squeue", "sbatch", "scancel"):
        script = bin_folder / name
        script.write_text(
            f'#!/bin/sh\n[ -e {broken} ] && {{ echo "{name}: error: Unable to contact slurm '
            f'controller" >&2; exit 1; }}\nexec {shutil.which(name)} "$@"\n'
        )
        script.chmod(0o755)
    broken.touch()  # from the beginning: not even the first job can be submitted
    process = run.start(PATH=f"{bin_folder}:{os.environ['PATH']}")
    time.sleep(15)
    broken.unlink()
    run.wait_for_work()
    broken.touch()
    time.sleep(10)
    broken.unlink()
    run.end(process)
    run.check_complete()


def test_tasks_longer_than_a_job_go_on_in_the_next(cluster: Cluster, tmp_path: Path) -> None:
    """Molecular dynamics of the reference, training and LAMMPS, each cut by the wall."""
    study = (
        STUDY.replace("time_ps: 2.0", "time_ps: 60.0")
        .replace("[300, 600]", "300")
        .replace("vacancies: [0, 1]", "vacancies: 0")
    )
    study += "supercell: [1, 1, 1]\n"
    study += (
        "heating: {from_K: 50, to_K: 80, heating_rates_K_per_ps: 0.9, cooling_rates_K_per_ps: 0.45,"
        " timestep_fs: 1, sample_every_fs: 100}\n"
    )
    site = SITE.replace('"0:10:00"', '"0:01:00"')
    run = Run(cluster, tmp_path, study, site)
    said = run.end(
        run.start(), timeout_s=900
    )  # on a busy machine a minute is hardly more than it takes to begin
    assert "goes on in another job" in said
    assert not run.store.failures() and all(times == 1 for times in run.counted.values()), said
    run.wait_for_silence()


def test_vasp_longer_than_a_job_goes_on_in_the_next(cluster: Cluster, tmp_path: Path) -> None:
    """A stand-in for VASP, a second a step, cut by the wall at an ionic step as often as it takes;
    its labels are those of one piece.
    """
    vasp = shlex.join([sys.executable, str(Path(__file__).parent / "standins" / "vasp.py")])
    study = STUDY.replace(
        "{engine: bundled}",
        f"{{engine: vasp, potcar: "
        f"{{{', '.join(f'{name}: {titel}' for name, titel in TITELS.items())}}}}}",
    )
    study = study.replace(
        "[300, 600], time_ps: 2.0, sample_every_fs: 100, vacancies: [0, 1]",
        "300, time_ps: 0.07, sample_every_fs: 1, vacancies: 0, label_again: false",
    )
    programs = (
        f"programs:\n  vasp: {{command: {vasp!r}, potcar_directory: "
        f"{write_potcars(tmp_path / 'potpaw')}, walltime_margin_s: 45}}\n"
    )
    cut = Run(cluster, tmp_path / "cut", study, SITE.replace('"0:10:00"', '"0:02:00"') + programs)
    said = cut.end(cut.start(STANDIN_PAUSE="1"), timeout_s=900)
    assert "the wall of the batch job was reached before VASP was done" in said
    assert not cut.store.failures() and all(times == 1 for times in cut.counted.values()), said
    whole = Run(cluster, tmp_path / "whole", study, SITE + programs)
    whole.end(whole.start())
    assert cut.store.keys() == whole.store.keys()
    runs = [
        task
        for task in expand(load_study(cut.folder / "study.yaml"), StoredRecords(cut.store)).tasks
        if task.stage == "training_set"
    ]
    for store in (cut.store, whole.store):
        assert [len(store.get(Ref(task.key, "labels"))) for task in runs] == [70]
    cut.wait_for_silence()


def test_training_longer_than_a_job_goes_on_in_the_next(cluster: Cluster, tmp_path: Path) -> None:
    """A stand-in for `mlp`, a second an iteration: none is lost at the wall, and each begins where
    the last one ended.
    """
    mlp = shlex.join([sys.executable, str(Path(__file__).parent / "standins" / "mlp.py")])
    study = STUDY.replace(
        "[300, 600], time_ps: 2.0, sample_every_fs: 100, vacancies: [0, 1]",
        "300, time_ps: 0.5, sample_every_fs: 25, vacancies: 0",
    )
    study = study.replace(
        "{level: 6, max_evaluations: 5}",
        "{engine: mlip-3, level: 6, iteration_limit: 60, al_mode: nbh}",
    )
    run = Run(
        cluster,
        tmp_path,
        study,
        SITE.replace('"0:10:00"', '"0:01:00"') + f"programs: {{mlip-3: {{command: {mlp!r}}}}}\n",
    )
    said = run.end(run.start(STANDIN_PAUSE="1"))
    assert re.search(r"again  potential .*goes on in another job", said), said
    assert not run.store.failures() and all(times == 1 for times in run.counted.values()), said
    (training,) = [
        task
        for task in expand(load_study(tmp_path / "study.yaml"), StoredRecords(run.store)).tasks
        if task.engine == "mlip-3"
    ]
    losses = run.store.array(training.key, "loss")
    assert len(losses) >= 60 and (np.diff(losses) <= 1e-9 * losses[0]).all(), (
        "it began again from the start"
    )
    run.wait_for_silence()


@pytest.mark.skipif(
    shutil.which("qsub") is None, reason="no qsub: apt-get install slurm-wlm-torque"
)
def test_the_commands_of_pbs_do_as_well(cluster: Cluster, tmp_path: Path) -> None:
    """qsub, qstat and qdel, as Slurm brings them; the administrator cancels a job, the driver is
    killed, and the next one ends what it left.
    """
    site = (
        SITE.replace("slurm", "torque")
        .replace("partition", "queue")
        .replace("    exclusive: false\n", "")
    )
    run = Run(cluster, tmp_path, STUDY, site)
    first = run.start()
    run.wait_for_work()
    cancel_a_block(run)
    run.wait_for_work(1)
    first.kill()
    run.end(first, code=-9)
    run.end(run.start())
    run.check_complete()


QUICK = """
borarun: 1
extends: quickstart.yaml
name: quick
training_set: {aimd: {time_ps: 0.5, sample_every_fs: 25}}
potential: {max_evaluations: 10}
active_learning: {heating_ns: 0.001, hold_ns: 0.001, to_K: 500, runs: 1}
heating: {from_K: 100, to_K: 700, heating_rates_K_per_ps: 200, cooling_rates_K_per_ps: 200}
diffusion: {temperatures_K: [600, 700], vacancies: [0, 2], equilibration_ns: 0.001, time_ns: 0.004}
"""


def test_the_quickstart_runs_to_its_report(cluster: Cluster, tmp_path: Path) -> None:
    """Every stage of the quickstart, smaller, in jobs of Slurm; the report that comes of it says
    all that the quickstart's says.
    """
    run = Run(cluster, tmp_path, QUICK)
    shutil.copy(Path(__file__).parents[1] / "studies" / "quickstart.yaml", tmp_path)
    said = run.end(run.start(), timeout_s=900)
    report = run.places.study / "report"
    assert (
        f"report: {report.relative_to(run.folder) / 'report.html'}" in said or str(report) in said
    )
    assert not run.store.failures() and all(times == 1 for times in run.counted.values()), said
    page = (report / "report.html").read_text()
    for title in (
        "Lattice parameter",
        "Conductivity",
        "Activation energy",
        "Reorientation",
        "Learning",
    ):
        assert title.lower() in page.lower(), title
    run.wait_for_silence()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A runs directory with room for little more than the study."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def small_quota(folder: Path) -> Iterator[Path]:
    """The same on a disk with room, of which a quota lets the study have little."""
    image, whole = folder.with_name("disk.img"), folder.with_name("disk")
    whole.mkdir()
    with image.open("wb") as file:
        file.truncate(300_000_000)
    quiet: dict[str, Any] = {
        "check": True,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    subprocess.run(["mkfs.btrfs", "-q", str(image)], **quiet)
    subprocess.run(["mount", "-o", "loop", str(image), str(whole)], check=True)
    try:
        folder.symlink_to(whole / "runs")
        subprocess.run(["btrfs", "quota", "enable", str(whole)], **quiet)
        subprocess.run(["btrfs", "subvolume", "create", str(whole / "runs")], **quiet)
        subprocess.run(["btrfs", "qgroup", "limit", "24M", str(whole / "runs")], **quiet)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(whole)], check=True)


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (small_disk, "No space left on device"),
        pytest.param(
            small_quota,
            "Disk quota exceeded",
            marks=pytest.mark.skipif(
                shutil.which("mkfs.btrfs") is None,
                reason="no file system with quotas: apt-get install btrfs-progs",
            ),
        ),
    ],
    ids=["disk", "quota"],
)
def test_room_that_runs_out_and_is_given_again(
    run: Run, room: Callable[[Path], AbstractContextManager[Path]], words: str
) -> None:
    """The disk is full, or the quota reached, in the middle; when there is room again, everything
    is done.
    """
    with room(run.folder / "runs") as runs:
        process = run.start()
        run.wait_for_work()
        filler = runs / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(bytes(100_000))
                    file.flush()
            except OSError:
                pass
        time.sleep(15)
        filler.unlink()
        first = run.end(process, code=None)
        assert words in first, first
        if process.returncode != 0:  # it ended with failures while there was no room
            run.end(run.start())
        run.check_complete()
        time.sleep(2)


MISBEHAVING = """
import os, sys, time
from pathlib import Path
{real}
for name in ("hangs", "leaves rubbish", "says error", "is cut short"):
    try:
        os.close(os.open(Path({folder!r}) / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        continue
    Path({folder!r}, name).write_text(Path.cwd().name)
    if name == "hangs":
        print("thinking", flush=True)
        time.sleep(10000)
    if name == "leaves rubbish":
        print("LAMMPS is done", flush=True)
        for file in ("dump.lammps", "thermo.txt", "last.lammps"):
            Path(file).write_bytes(bytes(1000))
        Path("ended.txt").write_text("1000000")
        sys.exit(0)
    lammps()
    if name == "says error":
        sys.exit(1)
    content = Path("dump.lammps").read_bytes()
    Path("dump.lammps").write_bytes(content[: len(content) // 2])
    sys.exit(0)
lammps()
"""

OF_LAMMPS = """
diffusion:
  {temperatures_K: [200, 250, 300, 350], vacancies: 0, heating_rate_K_per_ps: 1000,
   equilibration_ns: 0.0001, time_ns: 0.0002, timestep_fs: 1, sample_every_fs: 5}
supercell: [1, 1, 1]
"""


def misbehaving(folder: Path) -> str:
    """The command of a LAMMPS that misbehaves in another way at each of its first four starts, and
    notes in which task.
    """
    stand_in = str(Path(__file__).parent / "standins/lmp.py")
    real = (
        f"import subprocess\ndef lammps(): subprocess.run([sys.executable, {stand_in!r}, "
        "*sys.argv[1:]], check=True)"
    )
    (folder / "lmp.py").write_text(MISBEHAVING.format(real=real, folder=str(folder)))
    return shlex.join([sys.executable, str(folder / "lmp.py")])


def test_a_program_that_hangs_leaves_rubbish_says_error_or_is_cut_short(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Each once. No wrong number is stored; what is whole counts; the rest is done again; and where
    nothing is tried again, `why` has the evidence.
    """
    study = (
        STUDY.replace("vacancies: [0, 1]", "vacancies: 0").replace("[300, 600]", "300") + OF_LAMMPS
    )
    folder = tmp_path / "run"
    run = Run(cluster, folder, study)
    program = (
        f"programs: {{lammps: {{flavour: mlip, command: {misbehaving(folder)!r}, "
        f"silence_minutes: 0.8}}}}\n"
    )
    (folder / "site.yaml").write_text(SITE.replace("limit: 2", "limit: 0") + program)
    said = run.end(run.start(), code=1)
    assert said.count("failed: diffusion") == 3, said
    which = {
        name: (folder / name).read_text()
        for name in ("hangs", "leaves rubbish", "says error", "is cut short")
    }
    found = {
        each["key"]: each
        for each in json.loads(borarun(run, "why", "study.yaml", "--json"))["failed"]
    }
    assert len(found) == 3 and which["says error"] not in found
    assert Store(run.places.store).attributes(which["says error"]).facts["stop"] == "completed"
    assert (
        "wrote nothing for 0.8 minutes" in found[which["hangs"]]["message"]
        and "silence_minutes" in found[which["hangs"]]["remedy"]
    )
    for name in ("leaves rubbish", "is cut short"):
        assert (
            found[which[name]]["cause"] == "unreadable output"
            and ".unread" in found[which[name]]["remedy"]
        ), found[which[name]]
    assert all(each["remedy"] for each in found.values())
    (folder / "site.yaml").write_text(SITE + program)
    run.end(run.start())
    assert not run.store.failures() and all(times == 1 for times in run.counted.values()), run.said
    run.wait_for_silence()


def test_two_studies_share_a_store_at_the_same_time(cluster: Cluster, tmp_path: Path) -> None:
    """They begin together and have tasks in common, which count for both; that each is done once is
    in test_work.py.
    """
    run = Run(cluster, tmp_path)
    (tmp_path / "other.yaml").write_text(
        STUDY.replace("name: faults", "name: other").replace("[300, 600]", "[300, 900]")
    )
    first, second = run.start(), run.start("other.yaml")
    run.end(first)
    run.end(second)
    assert len(run.store.keys()) == 8 and not run.store.failures(), run.said  # 5 + 5 - 2 in common
    for name in ("faults", "other"):
        assert (tmp_path / "runs" / name / "report/report.html").exists()
    run.wait_for_silence()


def test_a_damaged_record_is_made_again(run: Run) -> None:
    run.end(run.start())
    victim = sorted(run.store.keys())[0]
    file = run.store.root / f"{victim}.zarr.zip"
    content = bytearray(file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    file.write_bytes(content[:-30])
    said = run.end(run.start())
    assert "  done   " in said
    assert victim in run.store and (run.store.root / f"{victim}.damaged.zip").exists()
    assert len(run.store.keys()) == 5


def test_a_second_driver_leaves(run: Run) -> None:
    process = run.start()
    run.wait_for_work(1)
    second = run.start()
    assert "is being run by process" in run.end(second, code=1)
    run.end(process)
    run.check_complete()


def test_a_study_begun_at_one_site_is_finished_at_another(run: Run) -> None:
    process = run.start()
    run.cluster.wait_until(lambda: bool(run.store.keys()), "one task is done", 120)
    process.send_signal(signal.SIGINT)
    run.end(process, code=130)
    before = run.store.keys()
    here = [sys.executable, "-m", "borarun", "submit", "study.yaml"]
    said = subprocess.run(
        here, cwd=run.folder, capture_output=True, text=True, check=True, timeout=400
    ).stdout
    # A task whose program had ended when its job was cancelled may store its record later.
    (there,) = map(int, re.findall(r"(\d) of 5 tasks are in the store already", said))
    assert there >= len(before)
    assert said.count("  done   ") == 5 - there
    assert len(run.store.keys()) == 5


DRIVER = """
driver: {provider: slurm, partition: main, cores_per_node: 1, exclusive: false, walltime: "0:02:00", walltime_margin_s: 30}
"""  # noqa: E501


def borarun(run: Run, *arguments: str) -> str:
    """What a command says that ends well."""
    command = [sys.executable, "-m", "borarun", *arguments]
    done = subprocess.run(
        command,
        cwd=run.folder,
        env=run.cluster.environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("skew", [0, 86400], ids=["clocks agree", "a day ahead"])
def test_another_login_node_follows_and_stops_the_driver(run: Run, skew: int) -> None:
    """Another host name, and a clock that is wrong where the files' times are looked at: what is
    there is asked, stops in order, and goes on there.
    """
    elsewhere = [
        "unshare",
        "--uts",
        "sh",
        "-c",
        'hostname login2; exec "$@"',
        "sh",
        sys.executable,
        "-c",
        ANOTHER_CLOCK,
        str(skew),
    ]

    def there(*arguments: str) -> str:
        command, environment = [*elsewhere, *arguments], run.cluster.environment
        done = subprocess.run(
            command,
            cwd=run.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    borarun(run, "submit", "study.yaml", "--site", "site.yaml", "--detach")
    run.wait_for_work(1)
    assert "Run by process" in there("status", "study.yaml")
    said = there("stop", "study.yaml")
    assert "Asked process" in said and "Stopped." in said and "taken for dead" not in said
    assert not Claim(run.places.study / "driver.claim").held(), "it was not waited for"
    run.wait_for_silence()
    there("submit", "study.yaml", "--site", "site.yaml", "--detach")
    run.said = there("attach", "study.yaml")
    assert "All tasks are done" in run.said
    run.check_complete()


ANOTHER_CLOCK = (
    "import sys, time; now = time.time; skew = float(sys.argv.pop(1)); time.time = lambda: now() "
    "+ skew; from borarun.cli import main; main()"
)


def test_a_driver_in_a_job_hands_over_before_its_wall(cluster: Cluster, tmp_path: Path) -> None:
    """The study takes longer than the driver's job; `attach` follows from one to the next, and none
    is left in the end.
    """
    run = Run(cluster, tmp_path, STUDY.replace("time_ps: 2.0", "time_ps: 40.0"), SITE + DRIVER)
    assert "will be run by job" in borarun(
        run, "submit", "study.yaml", "--site", "site.yaml", "--detach"
    )
    again = [
        sys.executable,
        "-m",
        "borarun",
        "submit",
        "study.yaml",
        "--site",
        "site.yaml",
        "--detach",
    ]
    assert (
        subprocess.run(
            again,
            cwd=run.folder,
            env=run.cluster.environment,
            capture_output=True,
            timeout=60,
            check=False,
        ).returncode
        == 1
    )
    said = borarun(run, "attach", "study.yaml")
    assert said.count("goes on after it") >= 2 and "All tasks are done" in said
    assert jobs.noted(run.places.study, jobs.DRIVERS) == []
    run.said = said
    run.check_complete()


def test_a_driver_in_a_job_whose_node_dies_is_succeeded(cluster: Cluster, tmp_path: Path) -> None:
    run = Run(cluster, tmp_path, STUDY, SITE + DRIVER.replace('"0:02:00"', '"0:10:00"'))
    borarun(run, "submit", "study.yaml", "--site", "site.yaml", "--detach")
    run.wait_for_work(1)
    first = min(cluster.jobs(), key=lambda job: int(job[0]))
    node = first[2]
    cluster.kill_node(node)
    time.sleep(20)
    cluster.start_node(node)
    run.said = borarun(run, "attach", "study.yaml")
    assert "All tasks are done" in run.said
    run.check_complete()


def test_stop_ends_a_driver_in_a_job_and_its_successor(cluster: Cluster, tmp_path: Path) -> None:
    run = Run(cluster, tmp_path, STUDY, SITE + DRIVER)
    borarun(run, "submit", "study.yaml", "--site", "site.yaml", "--detach")
    run.wait_for_work(1)
    assert "Stopped" in borarun(run, "stop", "study.yaml")
    run.wait_for_silence()


def test_the_page_on_clusters_holds_command_by_command(cluster: Cluster, tmp_path: Path) -> None:
    """What a new user types, in the page's order. The nodes pretend to have more cores than there
    are; one program goes to the executor for MPI.
    """
    run = Run(
        cluster,
        tmp_path,
        STUDY.replace("time_ps: 2.0, sample_every_fs: 100", "time_ps: 0.1, sample_every_fs: 5")
        .replace("[300, 600]", "600")
        .replace("[0, 1]", "0"),
    )
    (tmp_path / "site.yaml").unlink()
    said = {}
    for block in blocks(Path(__file__).parents[1] / "docs/clusters.md"):
        for name, *rest in commands(block.text) if not block.language else ():
            if name == "validate":
                site = (tmp_path / "site.yaml").read_text()
                assert "mpi_launcher: srun" in site
                site = site.replace(
                    "cores_per_node: 4", "cores_per_node: 2\n    max_idletime: 10"
                ).replace("#programs:", "programs:\n  borarun-mtp: {executor: node}")
                (tmp_path / "site.yaml").write_text(site)
            said[name] = borarun(run, name, *rest)
            if name == "submit":
                said["attach"] = borarun(run, "attach", "study.yaml")
    assert list(said) == [
        "init-site",
        "validate",
        "doctor",
        "plan",
        "render",
        "submit",
        "attach",
        "status",
        "report",
        "why",
        "stop",
    ]
    assert (
        "FAILS" not in said["doctor"]
        and "All tasks are done" in said["attach"]
        and "Nothing has failed" in said["why"]
    )
    assert (tmp_path / "runs/faults/report/report.html").exists()
    run.wait_for_silence()


def test_an_executor_that_cannot_start_says_why(cluster: Cluster, tmp_path: Path) -> None:
    site = SITE.replace(
        "    max_blocks",
        '    worker_init: "echo there is no such module >&2; exit 7"\n    max_blocks',
    )
    run = Run(cluster, tmp_path, STUDY, site)
    said = run.end(run.start(), code=1)
    assert (
        "jobs of executor cpu failed before a worker connected" in said
        and "there is no such module" in said
    )
    run.wait_for_silence()
