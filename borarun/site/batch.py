"""A single job of a batch system: its script, and the commands that submit it, ask for it and end
it. Pure: whoever calls runs them.

Runs themselves go through Parsl; this is for a job that must say why Parsl's would not run. It asks
for what Parsl's jobs ask for.

Source: sbatch(1), squeue(1), scancel(1) of Slurm; qsub(1B), qstat(1B), qdel(1B) of OpenPBS and of
Torque.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from borarun.job_time import JOB_BEGAN, JOB_ENDS
from borarun.site.executors import Batch, PBSPro, Slurm, Torque

WAITING = {
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "SUSPENDED",
    "Q",
    "H",
    "W",
    "T",
    "S",
    "U",
}
RUNNING = {"RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "R", "E", "B", "M"}


@dataclass(frozen=True)
class Standing:
    """Where a job stands.

    Attributes
    ----------
    phase : ``unknown`` where the batch system gave no answer to go by
    said : its own words
    """

    phase: Literal["waiting", "running", "ended", "unknown"]
    said: str = ""


def script(
    executor: Batch,
    name: str,
    command: list[str],
    seconds: float,
    output: Path,
    *,
    directory: Path,
    says: Path | None = None,
) -> str:
    """The script of a job that runs one command on its first node.

    Parameters
    ----------
    seconds : length that is asked for
    output : file for all that the job prints
    directory : where the command runs
    says : file that what the command prints is added to at once; without it that goes to
        ``output``, with PBS at the end
    """
    options = (
        _slurm(executor, name, seconds, output)
        if isinstance(executor, Slurm)
        else _pbs(executor, name, seconds, output)
    )
    head = "\n".join(f"{executor.MARK} {option}" for option in options)
    to = f" >> {shlex.quote(str(says))} 2>&1" if says else ""
    where = f"cd {shlex.quote(str(directory))}"
    return (
        f"#!/bin/bash\n{head}\n{executor.scheduler_options}\n\n"
        f"{beginning(executor)}\n{where}\n\nexec "
        f"{shlex.join(command)}{to}\n"
    )


def beginning(executor: Batch) -> str:
    """Shell commands that every job begins with: it notes, by its own node's clock, when it began
    and until when programs may run.
    """
    until = round(executor.walltime_s - executor.walltime_margin_s)
    return (
        f"export {JOB_BEGAN}=$(date +%s)\nexport {JOB_ENDS}=$(({JOB_BEGAN} + "
        f"{until}))\n{executor.worker_init}"
    )


def _slurm(executor: Slurm, name: str, seconds: float, output: Path) -> list[str]:
    wanted = {
        "job-name": name,
        "output": output,
        "error": output,
        "time": _clock(seconds),
        "nodes": executor.nodes_per_block,
        "ntasks-per-node": 1,
        "cpus-per-task": executor.cores_per_node,
        "partition": executor.partition,
        "account": executor.account,
        "qos": executor.qos,
        "constraint": executor.constraint,
        "clusters": executor.clusters,
        "gpus-per-node": executor.gpus_per_node,
        "gres": executor.gres,
        "mem": f"{executor.mem_per_node}g" if executor.mem_per_node else None,
    }
    return [f"--{key}={value}" for key, value in wanted.items() if value is not None] + (
        ["--exclusive"] if executor.exclusive else []
    )


def _pbs(executor: Batch, name: str, seconds: float, output: Path) -> list[str]:
    assert isinstance(executor, PBSPro | Torque)
    if isinstance(executor, PBSPro):
        more = executor.select_options.removeprefix(":")
        chunk = f"{executor.nodes_per_block}:ncpus={executor.cores_per_node}"
        size = f"-l select={chunk}{f':{more}' if more else ''}"
    else:
        size = f"-l nodes={executor.nodes_per_block}:ppn={executor.cores_per_node}"
    where = [f"-q {executor.queue}"] if executor.queue else []
    where += [f"-A {executor.account}"] if executor.account else []
    return [
        "-S /bin/bash",
        f"-N {name[:15]}",
        "-m n",
        "-j oe",
        f"-o {output}",
        f"-l walltime={_clock(seconds)}",
        size,
        *where,
    ]


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def submit(executor: Batch, file: Path, after: str | None = None) -> list[str]:
    """Puts a script into the queue; its last line says which job it is. It waits until the job
    ``after`` has ended, however it does.
    """
    if isinstance(executor, Slurm):
        return [
            "sbatch",
            "--parsable",
            *([f"--dependency=afterany:{after}"] if after else []),
            str(file),
        ]
    return ["qsub", *(["-W", f"depend=afterany:{after}"] if after else []), str(file)]


def job_of(text: str) -> str:
    """The job that a submission printed; empty where it printed none."""
    lines = text.strip().splitlines()
    found = re.fullmatch(r"(\d+[\w.\[\]-]*)(;.*)?", lines[-1].strip()) if lines else None
    return found[1] if found else ""


def ask(executor: Batch, job: str) -> list[str]:
    """Asks where a job stands."""
    if isinstance(executor, Slurm):
        clusters = [f"--clusters={executor.clusters}"] if executor.clusters else []
        return [
            "squeue",
            "--noheader",
            "--states=all",
            "--format=%T %r",
            f"--jobs={job}",
            *clusters,
        ]
    return (
        ["qstat", "-x", "-f", "-F", "json", job]
        if isinstance(executor, PBSPro)
        else ["qstat", "-f", job]
    )


def standing(executor: Batch, text: str) -> Standing:
    """Where a job stands by the answer, error messages among it; a job that is known no more has
    ended.
    """
    if re.search(r"invalid job id|unknown job|job has finished", text, re.IGNORECASE):
        return Standing("ended")
    if isinstance(executor, Slurm):
        states = [
            line.split(None, 1) for line in text.splitlines() if re.match(r"[A-Z_]+( |$)", line)
        ]
        state, reason = (states[-1] + [""])[:2] if states else ("", "")
        reason = "" if reason in ("None", "(null)") else reason.strip()
        if not states and not text.strip():  # forgotten
            return Standing("ended")
    else:
        state, reason = _pbs_state(text)
    phase: Literal["waiting", "running", "ended"] = (
        "waiting" if state in WAITING else "running" if state in RUNNING else "ended"
    )
    return (
        Standing(phase, f"{state} ({reason})" if reason else state)
        if state
        else Standing("unknown", text.strip()[-200:])
    )


def _pbs_state(text: str) -> tuple[str, str]:
    """State and comment, from JSON or from the lines of ``qstat -f``."""
    try:
        about = next(iter(json.loads(text)["Jobs"].values()))
        return str(about["job_state"]), str(about.get("comment", ""))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        found = {
            key: re.search(rf"^\s*{key} = (.*)$", text, re.MULTILINE)
            for key in ("job_state", "comment")
        }
        state, comment = found["job_state"], found["comment"]
        return (state[1].strip() if state else ""), (comment[1].strip() if comment else "")


def cancel(executor: Batch, job: str) -> list[str]:
    """Ends a job."""
    return ["scancel", job] if isinstance(executor, Slurm) else ["qdel", job]
