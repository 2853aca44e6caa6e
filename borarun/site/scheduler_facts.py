"""What a batch system says of its queues and nodes: readers of the texts of ``sinfo``, ``qstat -Q
-f``, ``qstat -B -f`` and ``pbsnodes -a``. Pure.

Text that is none of these gives nothing, never an error: whoever asks says what to do then.

Source: sinfo(1) and sbatch(1) of Slurm for formats of time and generic resources; qstat(1B),
pbsnodes(8B), pbs_resources(7B) of OpenPBS; Torque's pbsnodes for ``np`` and ``gpus``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from borarun.basics.units import S_PER_HOUR

Scheduler = Literal["slurm", "pbspro", "torque", "local"]

SINFO = ("sinfo", "--noheader", "--format=%P|%a|%l|%D|%c|%X|%Y|%m|%G")
"""One line for all nodes of a partition that are of one kind: partition, state, time limit, nodes,
CPUs, sockets, cores of one, MB, generic resources.
"""

S_PER_DAY = 24 * S_PER_HOUR
GB = {"b": 1e-9, "kb": 1e-6, "mb": 1e-3, "gb": 1.0, "tb": 1e3}


@dataclass(frozen=True)
class Nodes:
    """Nodes of one kind in one queue, or partition.

    Attributes
    ----------
    queue : its name
    count : number of nodes
    cores : of one node; threads of one core count once where the batch system tells them apart
    memory_GB : of one node; None where it is not told
    gpus : of one node
    limit_s : length of the longest job; None where there is no limit, or none is told
    default : whether jobs that name no queue go to this one
    """

    queue: str
    count: int
    cores: int
    memory_GB: float | None = None
    gpus: int = 0
    limit_s: float | None = None
    default: bool = False


@dataclass(frozen=True)
class Facts:
    """What is known of a machine.

    Attributes
    ----------
    scheduler : its batch system; ``local`` where there is none
    name : what the cluster is called; empty where it is not told
    nodes : of all queues
    accounts : that jobs of this user can be charged to
    """

    scheduler: Scheduler
    name: str = ""
    nodes: tuple[Nodes, ...] = ()
    accounts: tuple[str, ...] = ()


def slurm_nodes(text: str) -> tuple[Nodes, ...]:
    """From the answer to ``SINFO``; partitions that are not up are left out."""
    found = []
    for line in text.splitlines():
        fields = line.strip().split("|")
        if len(fields) != 9 or fields[1] != "up":
            continue
        partition, _, limit, count, cpus, sockets, cores, memory, resources = fields
        of_one = _number(sockets) * _number(cores) or _number(cpus)
        if of_one and _number(count):
            megabytes = _number(memory)
            found.append(
                Nodes(
                    queue=partition.removesuffix("*"),
                    count=_number(count),
                    cores=min(of_one, _number(cpus) or of_one),
                    memory_GB=megabytes / 1000
                    if megabytes > 1
                    else None,  # 1 is what Slurm says where it was not told
                    gpus=sum(
                        int(number)
                        for number in re.findall(
                            r"\bgpu(?::[^:,()]*[^\d:,()][^:,()]*)?:(\d+)", resources
                        )
                    ),
                    limit_s=slurm_time(limit),
                    default=partition.endswith("*"),
                )
            )
    return tuple(found)


def slurm_time(text: str) -> float | None:
    """Seconds of ``minutes``, ``minutes:seconds``, ``hours:minutes:seconds``, each after ``days-``
    or not; None for ``infinite`` and what is no time.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if found is None:
        return None
    days, *parts = (None if part is None else int(part) for part in found.groups())
    numbers = [part for part in parts if part is not None]
    if days is not None:  # after days come hours
        numbers += [0] * (3 - len(numbers))
    elif len(numbers) < 3:  # minutes stand alone, or before seconds
        numbers = [0, *numbers, *([0] * (2 - len(numbers)))]
    hours, minutes, seconds = numbers
    return (days or 0) * S_PER_DAY + hours * S_PER_HOUR + minutes * 60 + seconds


def pbs_records(text: str) -> dict[str, dict[str, str]]:
    """Queues, servers or nodes by name, each with its attributes: a name in the first column, lines
    of ``name = value`` below, long ones folded.
    """
    records: dict[str, dict[str, str]] = {}
    attributes: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            name = re.sub(r"^(Queue|Server):\s*", "", line).strip()
            attributes, last = records.setdefault(name, {}), ""
        elif " = " in line:
            last, value = (part.strip() for part in line.split(" = ", 1))
            attributes[last] = value
        elif last and line.strip():
            attributes[last] += line.strip()
    return {name: attributes for name, attributes in records.items() if attributes}


def pbs_nodes(queues: str, nodes: str, server: str = "") -> tuple[Nodes, ...]:
    """From the answers to ``qstat -Q -f``, ``pbsnodes -a`` and ``qstat -B -f``; queues that take no
    jobs from people are left out.
    """
    default = next((about.get("default_queue") for about in pbs_records(server).values()), None)
    machines = [about for about in pbs_records(nodes).values() if _cores(about)]
    found = []
    for name, about in pbs_records(queues).items():
        if (
            "queue_type" not in about
            or not _true(about.get("enabled"))
            or not _true(about.get("started"))
            or _true(about.get("from_route_only"))
        ):
            continue
        own = (
            [machine for machine in machines if name in _queues(machine)]
            or [machine for machine in machines if not _queues(machine)]
            or machines
        )
        limit = _pbs_time(about.get("resources_max.walltime", ""))
        for (cores, gpus, memory), count in Counter(
            (_cores(each), _gpus(each), _memory_GB(each)) for each in own
        ).items():
            found.append(Nodes(name, count, cores, memory, gpus, limit, name == default))
    return tuple(found)


def pbs_flavour(nodes: str) -> Literal["pbspro", "torque"]:
    """Which PBS it is, by the words in which it counts cores."""
    known = pbs_records(nodes).values()
    return (
        "torque"
        if any("np" in about for about in known)
        and not any("resources_available.ncpus" in about for about in known)
        else "pbspro"
    )


def _number(text: str) -> int:
    """``64``, or ``64+`` where some nodes have more; 0 where it is no number."""
    found = re.fullmatch(r"(\d+)\+?", text.strip())
    return int(found[1]) if found else 0


def _true(text: str | None) -> bool:
    return text is not None and text.lower() in ("true", "yes", "1")


def _cores(node: dict[str, str]) -> int:
    return _number(node.get("resources_available.ncpus", "")) or _number(node.get("np", ""))


def _gpus(node: dict[str, str]) -> int:
    return _number(node.get("resources_available.ngpus", "")) or _number(node.get("gpus", ""))


def _memory_GB(node: dict[str, str]) -> float | None:
    """Rounded, so that nodes of one kind are of one kind."""
    for text in _memories(node):
        if found := re.fullmatch(r"(\d+)([kmgt]?b)", text.lower()):
            return float(round(int(found[1]) * GB[found[2]])) or None
    return None


def _memories(node: dict[str, str]) -> Iterator[str]:
    yield node.get("resources_available.mem", "")
    yield from re.findall(r"\b(?:physmem|availmem)=(\w+)", node.get("status", ""))


def _queues(node: dict[str, str]) -> set[str]:
    """The queues that a node is bound to; none where it takes jobs of all."""
    return set(
        re.split(
            r"[,\s]+", ",".join(node.get(key, "") for key in ("queue", "resources_available.Qlist"))
        )
    ) - {""}


def _pbs_time(text: str) -> float | None:
    """Seconds of ``HH:MM:SS``, or of seconds alone."""
    if not re.fullmatch(r"\d+(:\d+){0,2}", text):
        return None
    seconds = 0
    for part in text.split(":"):
        seconds = 60 * seconds + int(part)
    return float(seconds)
