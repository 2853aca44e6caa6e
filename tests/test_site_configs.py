"""The site files of the project: each is valid, plans the studies of the project, and starts each
program as its machine wants it.

The machines themselves are not at hand; each file says from what it was written.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from borarun.cli.kinds import kind_of
from borarun.engines.quantum_espresso import engine as quantum_espresso
from borarun.engines.registry import ENGINES
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.run.rendering import launched, write_tasks
from borarun.site import Site, load_site
from borarun.site.batch_systems import Batch
from borarun.study import load_study
from borarun.study.plan import Plan, estimate, expand

PROJECT = Path(__file__).parents[1]
FILES = sorted((PROJECT / "site-configs").glob("*.yaml"))
CLUSTERS = [path for path in FILES if path.stem != "local"]
GENERIC = {"slurm", "pbspro"}
PUBLIC = [path for path in CLUSTERS if path.stem not in GENERIC]

LAUNCHED = {
    "slurm": (
        "srun --ntasks 128 --ntasks-per-node 64 --nodes 2",
        "srun --ntasks 64 --ntasks-per-node 64 --nodes 1",
    ),
    "lumi": (
        "srun --ntasks 256 --ntasks-per-node 128 --nodes 2",
        "srun --ntasks 128 --ntasks-per-node 128 --nodes 1",
    ),
    "archer2": (
        "srun --ntasks 256 --ntasks-per-node 128 --nodes 2 --hint=nomultithread "
        "--distribution=block:block",
        "srun --ntasks 128 --ntasks-per-node 128 --nodes 1 --hint=nomultithread "
        "--distribution=block:block",
    ),
    "perlmutter": (
        "srun --ntasks 256 --ntasks-per-node 128 --nodes 2 --cpu-bind=cores",
        "srun --ntasks 128 --ntasks-per-node 128 --nodes 1 --cpu-bind=cores",
    ),
    "pbspro": ("mpiexec -n 64 -ppn 32", "mpiexec -n 32 -ppn 32"),
    "polaris": ("mpiexec -n 128 -ppn 32 --cpu-bind core", "mpiexec -n 32 -ppn 32 --cpu-bind core"),
    "derecho": (
        "mpiexec -n 256 -ppn 128 --cpu-bind depth",
        "mpiexec -n 128 -ppn 128 --cpu-bind depth",
    ),
}
"""How VASP starts, and how programs on one node do."""

named = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
clusters = pytest.mark.parametrize("path", CLUSTERS, ids=lambda path: path.stem)


@cache
def planned(study: str) -> Plan:
    """A study of the project, as far as it can be foreseen."""
    return expand(load_study(PROJECT / "studies" / f"{study}.yaml"), {}, forecast=True)


def command(site: Site, engine: str, settings: Any, task: Task) -> str:
    """What starts, as it is written for people."""
    placed = site.on(task)
    return " ".join(
        launched(
            ENGINES[engine].command(settings, placed.cores, site.program(engine)), site, placed
        )
    )


@named
def test_the_file_names_its_schema_first_and_is_a_site(path: Path) -> None:
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=../schemas/site.schema.json\n"
    )
    assert kind_of(path) == "site"
    load_site(path)


@pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)
def test_a_public_machine_says_what_it_was_written_from(path: Path) -> None:
    comment = " ".join(
        line.removeprefix("# ") for line in path.read_text().split("\n\n")[0].splitlines()
    )
    assert "Untested: written from its documentation, https://" in comment
    assert "read in November 2026" in comment and "Replace" in comment


def test_there_are_public_machines_of_both_kinds() -> None:
    providers = [next(iter(load_site(path).executors.values())).provider for path in PUBLIC]
    assert providers.count("slurm") >= 2 and providers.count("pbspro") >= 2


@named
@pytest.mark.parametrize("study", ["quickstart", "li2b12h12"])
def test_the_studies_of_the_project_plan(path: Path, study: str) -> None:
    site, plan = load_site(path), planned(study)
    rows = estimate(plan, {}, lambda engine: site.program(engine).cost_factor)
    assert (
        sum(row.tasks for row in rows) == len(plan.tasks)
        and sum(row.core_hours for row in rows) > 0
    )
    for task in plan.tasks:
        executor = site.executors[site.executor_of(task)]
        assert site.on(task).cores <= executor.cores_per_task
        assert (
            not isinstance(executor, Batch)
            or executor.mpi_launcher is None
            or "{launch}" in str(site.program(task.engine))
        ), "a task of few cores on many"


@clusters
def test_programs_start_with_the_launcher_of_the_machine(path: Path, tmp_path: Path) -> None:
    site = load_site(path)
    wide, node = LAUNCHED[path.stem]
    plan = planned("li2b12h12")
    first = {
        engine: next(task for task in plan.tasks if task.engine == engine)
        for engine in ("vasp", "mlip-3")
    }
    first["lammps"] = next(
        task for task in plan.tasks if task.stage == "heating"
    )  # a run that explores takes one core
    settings = {engine: ENGINES[engine].Settings(**task.settings) for engine, task in first.items()}
    assert command(site, "vasp", settings["vasp"], first["vasp"]).endswith(
        f"-m borarun.engines.vasp.program {wide} vasp_std"
    )
    assert command(site, "mlip-3", settings["mlip-3"], first["mlip-3"]).endswith(
        f"--command mlp -- {node} mlp"
    )
    assert command(site, "lammps", settings["lammps"], first["lammps"]).endswith(
        f"-m borarun.engines.lammps.lmp {node} lmp"
    )
    label = quantum_espresso.Settings(
        operation="label", functional="PBE", pseudopotentials={"Li": "Li.upf"}
    )
    assert command(site, "quantum-espresso", label, Task("quantum-espresso", {})).endswith(
        f"-- {node} pw.x -nk 4"
    )
    dynamics = next(
        task for task in plan.tasks if task.engine == "vasp" and task.stage == "training_set"
    )
    assert command(site, "vasp", ENGINES["vasp"].Settings(**dynamics.settings), dynamics).endswith(
        f"{wide} vasp_gam"
    )
    (directory,) = write_tasks([first["vasp"]], site, Store(tmp_path / "store"), tmp_path / "out")
    assert (directory / "run.sh").read_text().rstrip().endswith(f"{wide} vasp_std")


@clusters
def test_one_core_tasks_and_gpu_tasks_have_their_own_place(path: Path) -> None:
    site = load_site(path)
    assert {site.executor_of(Task("borarun-mtp", {}, cores=cores)) for cores in (1, 2)} == {"small"}
    if "gpu" in site.executors:
        gpu = site.executors["gpu"]
        assert isinstance(gpu, Batch) and gpu.available_accelerators == gpu.workers_per_node
        assert site.executors_of("sevennet") == ["gpu"]
