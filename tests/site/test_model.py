"""The site file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from borarun.basics.errors import StudyError
from borarun.records.task import Task
from borarun.site import default_site, load_site
from borarun.site.batch_systems import Batch
from borarun.site.executors import Local

PROJECT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text)
    return path


def test_the_default_is_this_machine_with_all_cores() -> None:
    site = default_site()
    assert (site.name, dict(site.executors)) == ("local", {"local": Local()})
    assert site.executors["local"].slots == os.cpu_count()


def test_the_shipped_site_is_the_default() -> None:
    path = PROJECT / "site-configs/local.yaml"
    assert load_site(path) == default_site()
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=../schemas/site.schema.json\n"
    )


def test_cores_are_read(tmp_path: Path) -> None:
    assert (
        load_site(
            write(
                tmp_path,
                "borarun: 1\nname: desk\nexecutors:\n  desk: {provider: local, cores: 2}\n",
            )
        )
        .executors["desk"]
        .slots
        == 2
    )


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "borarun: 1\nname: a b\ncore: 2\nexecutors:\n  cpu: {provider: slurn}\n  wide: "
        "{provider: slurm, walltme: '1:00:00', cores_per_node: 0}\n"
        "  desk: {provider: local, queue: long}\n",
    )
    with pytest.raises(StudyError) as caught:
        load_site(path)
    assert [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems] == [
        "2: name: contains characters that are not allowed (got 'a b'). Name of the "
        "site: letters, digits, `.`, `_` and `-`, at most 64.",
        "3: core: unknown key. Known here: borarun, name, executors, driver, programs, retries.",
        "5: executors.cpu: its provider must be one of local, slurm, pbspro, torque (got "
        "'slurn'). Did you mean slurm?",
        "6: executors.wide.cores_per_node: must be more than 0 (got 0).",
        "6: executors.wide.walltime: is missing. Length of a job, HH:MM:SS. Programs "
        "that can restart from files may take longer.",
        "6: executors.wide.walltme: unknown key. Did you mean walltime?",
        "7: executors.desk.queue: is a key of provider pbspro and torque, and the provider "
        "here is local. Remove it, or change the provider.",
    ]


CLUSTER = """borarun: 1
name: cluster
executors:
  single: {provider: slurm, cores_per_node: 16, walltime: "4:00:00", max_blocks: 2}
  wide: {provider: pbspro, cores_per_node: 128, nodes_per_block: 4, max_workers_per_block: 2, mpi_launcher: mpiexec, walltime: "24:00:00"}
programs:
  vasp: {executor: wide, command: "{launch} vasp_std"}
  lammps: {flavour: mlip, command: "srun -n {cores} lmp", cores: 8}
"""  # noqa: E501


def test_slots_follow_from_the_sizes(tmp_path: Path) -> None:
    site = load_site(write(tmp_path, CLUSTER))
    single, wide = site.executors["single"], site.executors["wide"]
    assert (single.slots, single.cores_per_task) == (32, 1)
    assert (wide.slots, wide.cores_per_task) == (2, 256)


def test_tasks_go_where_their_cores_are(tmp_path: Path) -> None:
    site = load_site(write(tmp_path, CLUSTER))

    def place(engine: str, cores: int) -> tuple[str, int]:
        task = Task(engine, {"segments": [hold]} if engine == "lammps" else {}, cores=cores)
        return site.executor_of(task), site.on(task).cores

    hold = {"name": "hold", "time_ps": 1.0, "from_K": 300.0, "to_K": 300.0}
    assert place("borarun-mtp", 1) == ("single", 1)
    assert place("borarun-mtp", 2) == (
        "single",
        1,
    )  # not on two nodes of 128, of which it would use two cores
    assert place("lammps", 1) == ("wide", 8)
    assert place("vasp", 4) == ("wide", 4)


def test_a_run_that_can_share_needs_one_core_and_has_those_of_its_worker(tmp_path: Path) -> None:
    """It comes to the smallest executor, and there it has what nobody else could use."""
    text = """\
borarun: 1
name: cluster
executors:
  pairs: {provider: slurm, cores_per_node: 16, cores_per_worker: 2, walltime: "4:00:00"}
  whole: {provider: slurm, cores_per_node: 16, cores_per_worker: 16, walltime: "4:00:00"}
"""
    task = Task("lammps", {}, cores=12)
    site = load_site(write(tmp_path, text))
    assert (site.executor_of(task), site.on(task).cores) == ("pairs", 2)
    site = load_site(write(tmp_path, text + "programs:\n  lammps: {executor: whole}\n"))
    assert (site.executor_of(task), site.on(task).cores) == ("whole", 12)
    here = default_site()
    assert (here.on(task).cores, here.widest(task).cores) == (1, min(12, os.cpu_count() or 1))


@pytest.mark.parametrize(
    ("said", "training", "selection"),
    [
        ("{}", 1, 1),
        ("{cores: 4}", 1, 1),
        ("{train_command: 'mpirun -np {cores} mlp'}", 1, 1),  # as many as single gives to one task
        ("{train_command: 'mpirun -np {cores} mlp', cores: 4}", 4, 1),
        ("{train_command: '{launch} mlp', cores: 4, executor: wide}", 4, 1),
        ("{train_command: /opt/mlp}", 1, 1),
        ("{train_command: mpirun -np 4 mlp, cores: 4}", 4, 1),
    ],
)
def test_mlip_3_reserves_the_cores_that_its_command_uses(
    tmp_path: Path, said: str, training: int, selection: int
) -> None:
    site = load_site(write(tmp_path, CLUSTER.replace("programs:", f"programs:\n  mlip-3: {said}")))
    tasks = [
        Task("mlip-3", {"operation": operation}, cores=cores)
        for operation, cores in (("train", 2), ("select", 1))
    ]
    assert [site.on(task).cores for task in tasks] == [training, selection]
    assert [site.on(site.on(task)).cores for task in tasks] == [training, selection]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "walltime: '0:10:00'",
            "walltime_margin_s must be at most a third of the walltime, 200 s (got 300)",
        ),
        (
            "walltime: '1:00:00', cores_per_worker: 32",
            "cores_per_worker is more than cores_per_node, 16 (got 32): for tasks on "
            "several nodes use mpi_launcher",
        ),
        (
            "walltime: '1:00:00', mpi_launcher: srun, max_workers_per_block: 2",
            "max_workers_per_block is more than nodes_per_block, 1 (got 2)",
        ),
        (
            "walltime: '1:00:00', init_blocks: 3",
            "max_blocks is less than min_blocks or init_blocks (got 1)",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(tmp_path: Path, line: str, message: str) -> None:
    text = (
        f"borarun: 1\nname: x\nexecutors:\n  cpu: {{provider: slurm, cores_per_node: 16, {line}}}\n"
    )
    with pytest.raises(StudyError, match=re.escape(message)):
        load_site(write(tmp_path, text))


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (
            "vasp: {executor: wyde}",
            6,
            "programs.vasp.executor: must be one of the executors small, wide (got 'wyde'). Did "
            "you mean wide?",
        ),
        (
            "vasp: {executor: wide, cores: 300}",
            6,
            "programs.vasp.cores: must be at most 256, the cores of one task on executor "
            "wide (got 300).",
        ),
        (
            "vasp: {executor: small, command: '{launch} vasp_std'}",
            6,
            "programs.vasp.command: `{launch}` has no meaning on executor small, which has "
            "no mpi_launcher",
        ),
        (
            "lammps: {command: '{launch} lmp'}",
            6,
            "programs.lammps.command: `{launch}` has no meaning on executor small",
        ),
        (
            "lammps: {command: 'srun -n {core} lmp'}",
            6,
            "{core} is unknown. Known here: {cores}, {ranks} and {launch} (got 'srun -n "
            "{core} lmp'). Did you mean {cores}?",
        ),
        (
            "lammps: {command: '{launch}'}",
            6,
            "programs.lammps.command: must name a program (got '{launch}').",
        ),
        (
            "lammps: {command: 'a{launch} lmp'}",
            6,
            "{launch} must occur once, as a separate word (got 'a{launch} lmp').",
        ),
        (
            'vasp: {command: "srun \'vasp"}',
            6,
            "programs.vasp.command: is not a valid command: No closing quotation",
        ),
        (
            "mlip-3: {command: '{launch} mlp', executor: wide}",
            6,
            "{launch} is only for train_command",
        ),
        (
            "vasp: {executor: wide, cores: 128, threads: 3}",
            6,
            "programs.vasp: cores must be a multiple of threads, 3 (got 128)",
        ),
        ("vasp: {environment: {a-b: c}}", 6, "programs.vasp.environment"),
        (
            "vasp: {potcar_directory: ~/potpaw}",
            6,
            "programs.vasp.potcar_directory: must be an absolute path without `~`",
        ),
        (
            "quantum-espresso: {pseudopotential_directory: $WORK/upf}",
            6,
            "pseudopotential_directory: must be an absolute path without `~`",
        ),
    ],
)
def test_programs_that_do_not_fit_are_refused_with_their_line(
    tmp_path: Path, lines: str, line: int, message: str
) -> None:
    executors = """borarun: 1
name: cluster
executors:
  small: {provider: slurm, cores_per_node: 16, walltime: "4:00:00"}
  wide: {provider: slurm, cores_per_node: 128, nodes_per_block: 2, mpi_launcher: srun, walltime: "4:00:00"}
"""  # noqa: E501
    path = write(tmp_path, f"{executors}programs: {{{lines}}}\n")
    with pytest.raises(StudyError) as caught:
        load_site(path)
    (problem,) = caught.value.problems
    assert message in str(problem) and problem.line == line


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "scheduler_options: '--mail-type=NONE'",
            "contains a line that does not begin with `#SBATCH `",
        ),
        (
            "worker_port_range: [55000, 54000]",
            "must be two ports from 1024 to 65535, the lower one first",
        ),
    ],
)
def test_what_the_batch_system_would_pass_over_is_refused(
    tmp_path: Path, line: str, message: str
) -> None:
    text = (
        "borarun: 1\nname: x\nexecutors:\n  cpu:\n    provider: slurm\n    cores_per_node: 16\n "
        f"   walltime: '1:00:00'\n    {line}\n"
    )
    with pytest.raises(StudyError, match=re.escape(message)) as caught:
        load_site(write(tmp_path, text))
    assert caught.value.problems[0].line == 8


def test_a_program_may_come_to_every_executor_unless_the_site_says_more(tmp_path: Path) -> None:
    site = load_site(write(tmp_path, CLUSTER))
    assert site.executors_of("borarun-mtp") == ["single"]  # nothing of it is started by a launcher
    assert site.executors_of("vasp") == site.executors_of("lammps") == ["wide"]


def test_the_launcher_has_the_nodes_and_cores_of_the_task(tmp_path: Path) -> None:
    wide = load_site(write(tmp_path, CLUSTER)).executors["wide"]
    assert isinstance(wide, Batch)
    assert wide.launch(256) == ["mpiexec", "-n", "256", "-ppn", "128"]
    for launcher, words in {
        "srun": "srun --ntasks 64 --ntasks-per-node 32 --nodes 2",
        "aprun": "aprun -n 64 -N 32",
    }.items():
        assert wide.model_copy(update={"mpi_launcher": launcher}).launch(64) == words.split()
    threaded = "srun --ntasks 16 --ntasks-per-node 8 --nodes 2 --cpus-per-task 4"
    assert (
        wide.model_copy(update={"mpi_launcher": "srun"}).launch(64, threads=4) == threaded.split()
    )


@pytest.mark.parametrize(
    "key",
    [
        "walltime: '" + "9" * 400 + ":00:00'",
        "walltime: '1:00:00', cores_per_node: 1" + "0" * 400,
        "walltime: '1:00:00', max_blocks: 1" + "0" * 400,
        "walltime: '1:00:00', mem_per_node: 1" + "0" * 400,
        "walltime: '1:00:00', mem_per_worker: 1" + "0" * 400,
    ],
)
def test_a_number_of_hundreds_of_digits_is_a_mistake_like_others(tmp_path: Path, key: str) -> None:
    cores = "" if "cores_per_node" in key else ", cores_per_node: 4"
    path = write(
        tmp_path,
        f"borarun: 1\nname: s\nexecutors:\n  a: {{provider: slurm, {key}{cores}}}\n",
    )
    with pytest.raises(StudyError) as caught:
        load_site(path)
    assert all("executors.a" in str(problem) for problem in caught.value.problems)
