"""Commands of a batch system that runs jobs on this machine and lies about them.

``lying_scheduler.py FOLDER SEED COMMAND ARGUMENTS...``: COMMAND is one of sbatch, squeue, scancel,
qsub, qstat, qdel, qselect. What it does is true; what it answers often is not. The seed and the
number of the call say which lie is told.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

FOLDER, COMMAND, ARGUMENTS = Path(sys.argv[1]), sys.argv[3], sys.argv[4:]
SLURM = COMMAND.startswith("s")
LATE_S = 12


def count(name: str, first: int) -> int:
    with (FOLDER / name).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = int(file.read() or first) + 1
        file.truncate(0)
        file.write(str(number))
    return number


DICE = random.Random(f"{sys.argv[2]} {COMMAND} {count(f'calls-{COMMAND}', 0)}")


def lies(*kinds: Callable[[], None]) -> None:
    """Tell one of these lies, or none."""
    if DICE.random() < 0.4:
        DICE.choice(kinds)()


def say(text: str, code: int = 0) -> None:
    (sys.stderr if code else sys.stdout).write(text)
    sys.exit(code)


def late() -> None:
    time.sleep(LATE_S)


def state(job: Path) -> str:
    if (job / "code").exists():
        return "COMPLETED" if SLURM else "F"
    pid = int((job / "pid").read_text())
    alive = Path(f"/proc/{pid}").exists()
    return ("RUNNING" if SLURM else "R") if alive else ("CANCELLED" if SLURM else "F")


def submit() -> None:
    script = Path(ARGUMENTS[-1])
    lies(
        lambda: say(
            "sbatch: error: Socket timed out on send/recv operation\nqsub: End of File\n", 1
        )
    )
    number = count("last", 99_998)
    job = FOLDER / "jobs" / str(number)
    job.mkdir(parents=True)
    name = re.search(r"--job-name=(\S+)|-N (\S+)", " ".join(ARGUMENTS))
    assert name
    (job / "name").write_text(name[1] or name[2])
    output = re.search(r"^#(?:SBATCH --output=|PBS -o )(.*)$", script.read_text(), re.MULTILINE)
    assert output
    ids = {"SLURM_JOB_ID": str(number)} if SLURM else {"PBS_JOBID": f"{number}.vm"}
    process = subprocess.Popen(
        ["bash", "-c", f"bash {script} > {output[1]} 2>&1; echo $? > {job}/code"],
        env={**os.environ, **ids},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (job / "pid").write_text(str(process.pid))
    lies(late, lambda: say("error: no answer\n"), lambda: say("Submitted?\n", 1))
    say(f"{number}\n" if SLURM else f"{number}.vm\n")


def found() -> list[Path]:
    return sorted((FOLDER / "jobs").glob("*")) if (FOLDER / "jobs").exists() else []


def ask_slurm() -> None:
    words = " ".join(ARGUMENTS)
    asked, named = re.search(r"--jobs=(\d+)", words), re.search(r"--name=(\S+)", words)
    lies(
        late,
        lambda: say("slurm_load_jobs error: Unable to contact slurm controller\n"),
        lambda: say("Unable to contact slurm controller\n", 1),
        lambda: say("\x00}{ 12\n9 RUNNING None\n99 COMPLETED None\n9999 PENDING JobHeldUser\n"),
        lambda: say("".join(f"{job.name} RUNN\n" for job in found())),
        lambda: say("".join(f"CLUSTER: other\n1{job.name} COMPLETED\n" for job in found())),
        lambda: say("".join(f"{job.name} PENDING Priority\n" for job in found())),
    )
    for job in found():
        name = (job / "name").read_text()
        if (asked and asked[1] != job.name) or (named and named[1] != name):
            continue
        print(job.name, state(job), name if named else "None")


def ask_pbs() -> None:
    number = ARGUMENTS[-1].partition(".")[0]
    job = FOLDER / "jobs" / number
    if not job.exists():
        say(f"qstat: Unknown Job Id {ARGUMENTS[-1]}\n", 153)
    about = {"Job_Name": (job / "name").read_text(), "job_state": state(job)}
    if about["job_state"] == "F":
        about["Exit_status"] = "0"
    whole = json.dumps({"Jobs": {f"{number}.vm": about}})
    other = {**about, "job_state": "F", "Exit_status": "1"}
    if "json" in ARGUMENTS:
        lies(
            late,
            lambda: say(whole.replace('"job_state"', '"FOO":005, "job_state"')),
            lambda: say(whole[: len(whole) // 2]),
            lambda: say("cannot connect to server\n"),
            lambda: say(f"qstat: Unknown Job Id {number}0.vm\n", 153),
            lambda: say(json.dumps({"Jobs": {f"{number}1.vm": other}})),
        )
        say(whole)
    lies(
        late,
        lambda: say("cannot connect to server\n", 1),
        lambda: say("Job Id: "),
        lambda: say(f"Job Id: {number[:-1]}.vm\n    job_state = F\n"),
        lambda: say(f"Job Id: {number}.vm\n    job_state = ?\n"),
    )
    say("".join([f"Job Id: {number}.vm\n", *(f"    {key} = {about[key]}\n" for key in about)]))


def cancel() -> None:
    words = " ".join(ARGUMENTS)
    named = re.search(r"--name=(\S+)", words)
    for job in found():
        mine = (
            (job / "name").read_text() == named[1] if named else job.name in re.split(r"\W", words)
        )
        if mine:
            try:
                os.killpg(int((job / "pid").read_text()), signal.SIGTERM)
            except ProcessLookupError:
                say("Invalid job id specified: Unknown Job Id\n", 1)


def select() -> None:
    lies(late, lambda: say("cannot connect to server\n", 1))
    for job in found():
        if (job / "name").read_text() == ARGUMENTS[-1] and not (job / "code").exists():
            print(f"{job.name}.vm")


DO = {"sbatch": submit, "qsub": submit, "squeue": ask_slurm, "qstat": ask_pbs, "qselect": select}
DO.get(COMMAND, cancel)()
