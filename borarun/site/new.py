"""A first site file, written from what the batch system of this machine says of itself."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from borarun.basics.errors import BorarunError, Problem, StudyError
from borarun.basics.file import replacing
from borarun.basics.units import S_PER_HOUR
from borarun.site.scheduler_facts import (
    SINFO,
    Facts,
    Nodes,
    pbs_flavour,
    pbs_nodes,
    pbs_records,
    slurm_nodes,
)

TIMEOUT_S = 60.0
LONGEST_S = 24 * S_PER_HOUR
"""Jobs are asked for no longer than this, so that they start; who wants more writes more."""

SHORTEST_S = S_PER_HOUR
"""Queues of shorter jobs are for trying things out."""

MARGIN_S = 300.0
"""What a site file takes for ``walltime_margin_s``."""

NAMES = {"slurm": "Slurm", "pbspro": "PBS Pro or OpenPBS", "torque": "Torque"}

Run = Callable[[tuple[str, ...]], str | None]
"""A command's output; None where there is no such command."""


def write_site(path: Path, facts: Facts) -> None:
    """Write a first site file.

    Raises
    ------
    StudyError
        Where the file is there already, or its folder cannot be written.
    """
    if path.exists():
        raise StudyError(
            Problem(str(path), 0, "", "already exists. Choose another name, or move the file away.")
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(site_text(facts).encode())
    except (BorarunError, OSError) as error:
        raise StudyError(
            Problem(str(path), 0, "", f"cannot be written ({error}). Choose another folder.")
        ) from None


def run(command: tuple[str, ...]) -> str | None:
    """A command's output; None where there is no such command here.

    Raises
    ------
    BorarunError
        Where it is there and fails: then the answer is unknown, not empty.
    """
    if shutil.which(command[0]) is None:
        return None
    what = " ".join(command)
    way_out = "Try again later, or start from a file in site-configs."
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BorarunError(f"{what}: did not answer within {TIMEOUT_S:.0f} s. {way_out}") from None
    except OSError as error:
        raise BorarunError(f"{what}: cannot be started ({error.strerror}). {way_out}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BorarunError(
            f"{what}: failed (got {said[-1] if said else f'exit code {done.returncode}'}). "
            f"{way_out}"
        )
    return done.stdout


def ask(run: Run = run) -> Facts:
    """What the batch system of this machine says; ``local`` where there is none.

    Raises
    ------
    BorarunError
        Where there is one that does not answer, or says nothing that could be read.
    """
    if (text := run(SINFO)) is not None:
        return _found(
            Facts("slurm", _cluster_name(run), slurm_nodes(text), _accounts(run)), "sinfo"
        )
    if (queues := run(("qstat", "-Q", "-f"))) is not None:
        nodes, server = run(("pbsnodes", "-a")) or "", _or_empty(run, "qstat", "-B", "-f")
        name = next(iter(pbs_records(server)), "").partition(".")[0]
        return _found(
            Facts(pbs_flavour(nodes), name, pbs_nodes(queues, nodes, server)), "qstat and pbsnodes"
        )
    return Facts("local", nodes=(Nodes("local", 1, os.cpu_count() or 1),))


def _found(facts: Facts, who: str) -> Facts:
    if not facts.nodes:
        raise BorarunError(
            f"{who}: reported no queue with nodes that accept jobs. Start from a file in "
            "site-configs."
        )
    return facts


def _or_empty(run: Run, *command: str) -> str:
    """What can be done without."""
    try:
        return run(command) or ""
    except BorarunError:
        return ""


def _cluster_name(run: Run) -> str:
    found = re.search(
        r"^ClusterName\s*=\s*(\S+)", _or_empty(run, "scontrol", "show", "config"), re.MULTILINE
    )
    return found[1] if found else ""


def _accounts(run: Run) -> tuple[str, ...]:
    text = _or_empty(
        run,
        "sacctmgr",
        "--noheader",
        "--parsable2",
        "show",
        "associations",
        f"user={getpass.getuser()}",
        "format=account",
    )
    return tuple(dict.fromkeys(word for word in text.split() if re.fullmatch(r"[\w.-]+", word)))


def site_text(facts: Facts) -> str:
    """A commented site file that validates."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", facts.name).strip("-._")[:64] or (
        "local" if facts.scheduler == "local" else "my-cluster"
    )
    head = [
        "# How programs run here: the same for all studies. Check it with `borarun validate` "
        "and `borarun doctor`, then",
        "#     borarun submit STUDY --site THIS-FILE",
        "# What each key means: schemas/site.schema.json; whole files for known machines: "
        "site-configs/.",
        "",
        "borarun: 1",
        f"name: {_quoted(name)}",
        "",
    ]
    body = _local(facts) if facts.scheduler == "local" else _batch(facts)
    return "\n".join([*head, *body]) + "\n"


def _local(facts: Facts) -> list[str]:
    return [
        "executors:",
        "  local:",
        "    provider: local             # no batch system was found: processes on this machine",
        f"    # cores: {facts.nodes[0].cores:<19} # number of cores to use; default: all",
        *_programs("mpirun -np {cores}", facts.nodes[0].cores, None),
    ]


def _batch(facts: Facts) -> list[str]:
    cpu, gpu = (
        _best([each for each in facts.nodes if not each.gpus]) or _best(list(facts.nodes)),
        _best([each for each in facts.nodes if each.gpus]),
    )
    assert cpu is not None  # ``ask`` lets no Facts without nodes pass
    launcher = "srun" if facts.scheduler == "slurm" else "mpiexec"
    lines = [
        f"# What {NAMES[facts.scheduler]} said of its queues:",
        *(f"#   {_described(each)}" for each in facts.nodes),
    ]
    if len(facts.accounts) > 1:
        lines.append(f"# Accounts of yours: {', '.join(facts.accounts)}")
    lines += [
        "",
        "# A block is one job of the batch system. It runs many tasks, one after another and "
        "side by side, and ends when there is nothing left to do.",
        "executors:",
        "  small:                        # tasks of one or two cores, side by side on one node",
        *_executor(facts, cpu),
        f"    cores_per_worker: {min(2, cpu.cores)}",
    ]
    if cpu.cores > 1:
        lines += [
            "  node:                         # MPI programs on one node each",
            *_executor(facts, cpu),
            f"    nodes_per_block: {min(4, cpu.count)}",
            f"    max_workers_per_block: {min(4, cpu.count)}",
            f"    mpi_launcher: {launcher:<13} # `{{launch}}` in a command becomes "
            f"{launcher} on the nodes of the task",
        ]
    if cpu.cores > 1 and cpu.count > 1:
        lines += [
            "  wide:                         # MPI programs over two nodes each",
            *_executor(facts, cpu),
            "    nodes_per_block: 2",
            f"    mpi_launcher: {launcher}",
        ]
    if gpu is not None:
        lines += [
            "  gpu:                          # SevenNet as reference: each task has a GPU of "
            "its own",
            *_executor(facts, gpu),
            *_gpus(facts, gpu),
            f"    available_accelerators: {gpu.gpus}",
            f"    cores_per_worker: {max(1, gpu.cores // gpu.gpus)}",
        ]
    return lines + _programs(
        "{launch}" if cpu.cores > 1 else "",
        cpu.cores,
        "node" if cpu.cores > 1 else None,
        gpu is not None,
    )


def _best(nodes: list[Nodes]) -> Nodes | None:
    """Where most can be done: no queue for short tries, the one that jobs go to by default, the
    most cores.
    """
    return max(
        nodes,
        key=lambda each: (_length(each) >= SHORTEST_S, each.default, each.count * each.cores),
        default=None,
    )


def _length(nodes: Nodes) -> float:
    return max(60.0, min(LONGEST_S, nodes.limit_s if nodes.limit_s is not None else LONGEST_S))


def _described(nodes: Nodes) -> str:
    limit = "no limit told" if nodes.limit_s is None else f"{_clock(nodes.limit_s)} at most"
    memory = f", {nodes.memory_GB:.0f} GB" if nodes.memory_GB else ""
    gpus = f", {nodes.gpus} GPUs" if nodes.gpus else ""
    return (
        f"{_printable(nodes.queue)}{' (default)' if nodes.default else ''}: {nodes.count} x "
        f"{nodes.cores} cores{memory}{gpus}; {limit}"
    )


def _executor(facts: Facts, nodes: Nodes) -> list[str]:
    """The keys that all executors have."""
    length = _length(nodes)
    queue, account = (
        ("partition" if facts.scheduler == "slurm" else "queue"),
        (facts.accounts or ("YOUR_ACCOUNT",))[0],
    )
    return [
        f"    provider: {facts.scheduler}",
        f"    {queue}: {_quoted(nodes.queue)}",
        f"    {'' if facts.accounts else '# '}account: {_quoted(account)}"
        + ("" if facts.accounts else "     # where jobs must name one"),
        f"    cores_per_node: {nodes.cores}",
        f'    walltime: "{_clock(length)}"',
        *([f"    walltime_margin_s: {length / 4:.0f}"] if length < 3 * MARGIN_S else []),
        '    worker_init: ""             # at the beginning of each job, e.g. module load '
        "python vasp",
    ]


def _gpus(facts: Facts, nodes: Nodes) -> list[str]:
    if facts.scheduler == "slurm":
        return [f"    gpus_per_node: {nodes.gpus}"]
    return [f"    select_options: ngpus={nodes.gpus}"] if facts.scheduler == "pbspro" else []


def _programs(launch: str, cores: int, executor: str | None, gpu: bool = False) -> list[str]:
    """How programs start, commented out: those that are named here are looked for."""
    place = f"executor: {executor}, " if executor else ""
    start = f"{launch} ".lstrip()
    lines = [
        "",
        "# Programs that your studies use: remove the `#` before `programs:` and before "
        "those that you have. borarun's own need no line.",
        "#programs:",
        f'#  vasp: {{{place}cores: {cores}, command: "{start}vasp_std", potcar_directory: '
        f"/path/to/potpaw.54}}",
        f'#  quantum-espresso: {{{place}cores: {cores}, command: "{start}pw.x", '
        f"pseudopotential_directory: /path/to/SSSP}}",
        f'#  mlip-3: {{{place}cores: {cores}, command: mlp, train_command: "{start}mlp"}}',
        f'#  lammps: {{{place}cores: {cores}, flavour: mlip, command: "{start}lmp"}}',
    ]
    return [*lines, "#  sevennet: {executor: gpu}"] if gpu else lines


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _quoted(text: str) -> str:
    """As YAML reads it back, whatever a queue is called."""
    plain = re.fullmatch(r"[A-Za-z_][\w.-]*", text) and text.lower() not in (
        "true",
        "false",
        "null",
    )
    return text if plain else "'" + _printable(text).replace("'", "''") + "'"


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())
