"""Batch systems: what jobs ask for, and how answers are read, as recorded and as they go wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from borarun.site.batch_systems import BATCH_SYSTEMS, Batch, PBSPro, Slurm, Torque, outside
from borarun.site.batch_systems.base import Reply, Standing, one_command

DATA = Path(__file__).parent / "data" / "schedulers"

SHARED: dict[str, Any] = {
    "cores_per_node": 64,
    "walltime": "4:00:00",
    "worker_init": "module load python",
}
SLURM = Slurm(
    provider="slurm",
    partition="main",
    account="chem",
    nodes_per_block=2,
    scheduler_options="#SBATCH --mail-type=NONE",
    **SHARED,
)
PBS = PBSPro(
    provider="pbspro",
    queue="workq",
    account="chem",
    nodes_per_block=2,
    select_options="ngpus=4",
    **SHARED,
)
TORQUE = Torque(provider="torque", queue="batch", **SHARED)
SYSTEMS: list[Batch] = [SLURM, PBS, TORQUE]


class Answers:
    """A batch system that answers in turn what it is told to, and keeps what it was asked."""

    def __init__(self, *replies: Reply | str) -> None:
        self.replies = [Reply(0, each) if isinstance(each, str) else each for each in replies]
        self.asked: list[list[str]] = []

    def __call__(self, command: list[str]) -> Reply:
        self.asked.append(command)
        return self.replies[min(len(self.asked), len(self.replies)) - 1]


def look(system: Batch, job: str, *replies: Reply | str) -> Standing:
    return system.look([job], Answers(*replies))[job]


def lines(system: Batch) -> list[str]:
    body = one_command(["python", "-m", "x y"], Path("/my runs"))
    return system.script(body, 300, Path("/runs/out.txt")).splitlines()


def test_every_batch_system_is_in_the_list() -> None:
    files = {
        path.stem
        for path in (Path(__file__).parents[2] / "borarun/site/batch_systems").glob("*.py")
    }
    assert {system.__module__.rpartition(".")[2] for system in BATCH_SYSTEMS} == files - {
        "__init__",
        "base",
        "keys",
        "pbs",
    }


def test_slurm_is_asked_for_what_the_site_file_says() -> None:
    found = lines(SLURM)
    assert found[0] == "#!/bin/bash" and found[-1] == "exec python -m 'x y'"
    assert "module load python" in found and "cd '/my runs'" in found
    assert "export BORARUN_JOB_ENDS=$((BORARUN_JOB_BEGAN + 14100))" in found
    assert {line.removeprefix("#SBATCH ") for line in found if line.startswith("#SBATCH")} == {
        "--output=/runs/out.txt",
        "--error=/runs/out.txt",
        "--time=00:05:00",
        "--nodes=2",
        "--ntasks-per-node=1",
        "--cpus-per-task=64",
        "--partition=main",
        "--account=chem",
        "--exclusive",
        "--mail-type=NONE",
    }


def test_pbs_is_asked_for_chunks_and_torque_for_nodes() -> None:
    assert {
        "#PBS -l select=2:ncpus=64:ngpus=4",
        "#PBS -q workq",
        "#PBS -A chem",
        "#PBS -l walltime=00:05:00",
    } <= set(lines(PBS))
    assert "#PBS -l nodes=1:ppn=64" in lines(TORQUE)
    assert not any("-A" in line for line in lines(TORQUE))


def test_gpus_of_tasks_are_asked_for_once() -> None:
    def slurm(**keys: Any) -> list[str]:
        executor = Slurm(provider="slurm", available_accelerators=4, **SHARED, **keys)
        return [line for line in lines(executor) if "gpu" in line.lower()]

    assert slurm() == ["#SBATCH --gpus-per-node=4"]
    assert slurm(gpus_per_node=8) == ["#SBATCH --gpus-per-node=8"]
    assert slurm(gres="gpu:a100:4") == ["#SBATCH --gres=gpu:a100:4"]
    assert slurm(scheduler_options="#SBATCH --gpus=4") == ["#SBATCH --gpus=4"]
    pbs = PBSPro(provider="pbspro", available_accelerators=4, **SHARED)
    assert "#PBS -l select=1:ncpus=64:ngpus=4" in lines(pbs)
    fast = pbs.model_copy(update={"select_options": "system=polaris"})
    assert "#PBS -l select=1:ncpus=64:system=polaris:ngpus=4" in lines(fast)
    told = pbs.model_copy(update={"select_options": "ngpus=2"})
    assert "#PBS -l select=1:ncpus=64:ngpus=2" in lines(told)
    torque = Torque(provider="torque", available_accelerators=4, **SHARED)
    assert "#PBS -l nodes=1:ppn=64:gpus=4" in lines(torque)


def test_a_launcher_of_mpi_programs_gives_no_gpu_to_a_task() -> None:
    with pytest.raises(ValidationError, match="available_accelerators and mpi_launcher"):
        Slurm(provider="slurm", available_accelerators=4, mpi_launcher="srun", **SHARED)


def test_options_of_the_site_file_take_the_place_of_the_own_ones() -> None:
    asks = "#SBATCH --ntasks=2\n#SBATCH --mem-per-cpu=2G\n#SBATCH --time=01:00:00"
    found = lines(SLURM.model_copy(update={"scheduler_options": asks}))
    assert "#SBATCH --ntasks=2" in found and "#SBATCH --mem-per-cpu=2G" in found
    assert not any("--ntasks-per-node" in line for line in found)
    assert [line for line in found if "--time" in line] == ["#SBATCH --time=01:00:00"]
    chosen = lines(PBS.model_copy(update={"scheduler_options": "#PBS -l select=1:ncpus=4:mem=8gb"}))
    assert [line for line in chosen if "select" in line] == ["#PBS -l select=1:ncpus=4:mem=8gb"]


def test_two_ways_to_ask_for_memory_are_refused() -> None:
    with pytest.raises(ValidationError, match="mem_per_node and --mem-per-cpu"):
        Slurm(
            provider="slurm",
            mem_per_node=8,
            scheduler_options="#SBATCH --mem-per-cpu=2G",
            **SHARED,
        )


def test_the_commands_are_those_of_the_batch_system() -> None:
    script = Path("a.sh")
    assert SLURM.submit(script, "x") == ["sbatch", "--parsable", "--job-name=x", "a.sh"]
    assert SLURM.submit(script, "x", after="7;lab")[3] == "--dependency=afterany:7"
    assert PBS.submit(script, "x") == ["qsub", "-N", "x", "a.sh"]
    assert PBS.submit(script, "x", after="7.vm")[3:5] == ["-W", "depend=afterany:7.vm"]
    assert SLURM.cancel("7") == ["scancel", "7"] and TORQUE.cancel("7") == ["qdel", "7"]


def test_every_command_of_slurm_names_the_cluster() -> None:
    two = SLURM.model_copy(update={"clusters": "cm4"})
    answers = Answers("CLUSTER: cm4\n")
    two.look(["7"], answers)
    two.find("x", answers)
    commands = [*answers.asked, two.cancel("7"), two.cancel_named("x")]
    assert len(commands) == 5 and all("--clusters=cm4" in command for command in commands)
    assert "#SBATCH --clusters=cm4" in lines(two)
    # sbatch says which of several took the job
    assert SLURM.cancel("7;cm2") == ["scancel", "--clusters=cm2", "7"]


def test_a_name_fits_the_batch_system_and_is_new_each_time() -> None:
    long = "1-" + "very-long-name-of-a-study" * 5
    for system in SYSTEMS:
        names = {
            system.name_of(
                long,
            )
            for _ in range(50)
        }
        assert len(names) == 50 and all(len(name) <= system.NAME_LENGTH for name in names)
        assert all(name[0].isalpha() for name in names)
    assert SLURM.name_of("li b/12").startswith("li-b-12-")


@pytest.mark.parametrize(
    ("text", "job"),
    [
        ("17\n", "17"),
        ("17;lab\n", "17;lab"),
        ("a notice of the day\n44.vm\n", "44.vm"),
        ("qsub: Unknown queue\n", ""),
        ("sbatch: error: Batch job submission failed: Socket timed out\n", ""),
        ("", ""),
    ],
)
def test_the_job_is_read_from_what_was_printed(text: str, job: str) -> None:
    assert SLURM.job_of(Reply(0, text)) == job
    assert SLURM.job_of(Reply(1, text)) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 PENDING Resources\n", Standing("waiting", "PENDING (Resources)")),
        ("7 RUNNING None\n", Standing("running", "RUNNING")),
        ("7 COMPLETED None\n", Standing("done", "COMPLETED")),
        (
            "CLUSTER: lab\n7 FAILED NonZeroExitCode\n",
            Standing("failed", "FAILED (NonZeroExitCode)"),
        ),
        ("7 TIMEOUT TimeLimit\n", Standing("timeout", "TIMEOUT (TimeLimit)")),
        ("7 REQUEUE_HOLD job was held\n", Standing("waiting", "REQUEUE_HOLD (job was held)")),
        ("a notice of the day\n7 RUNNING None\n", Standing("running", "RUNNING")),
        ("", Standing("absent")),
    ],
)
def test_standing_in_slurm(text: str, expected: Standing) -> None:
    assert look(SLURM, "7", text) == expected


WRONG_OF_SLURM = {
    "another job whose number begins alike": "100001 RUNNING None\n",
    "another job": "10 PENDING Priority\n",
    "a state cut short": "100 RUNN\n",
    "no state": "100\n",
    "an error with exit code 0": "slurm_load_jobs error: Unable to contact slurm controller\n",
    "rubbish": "\x00\ufffd{{{\n",
    "another cluster": "CLUSTER: other\n100 COMPLETED None\n",
}


@pytest.mark.parametrize("text", WRONG_OF_SLURM.values(), ids=WRONG_OF_SLURM)
def test_a_wrong_answer_of_slurm_is_no_answer(text: str) -> None:
    assert look(SLURM, "100;lab", text).phase == "unknown"
    assert look(SLURM, "100;lab", Reply(1, text)).phase == "unknown"


def test_a_job_that_slurm_forgot_is_asked_for_alone() -> None:
    answers = Answers(
        "8 RUNNING None\n", Reply(1, "", "slurm_load_jobs error: Invalid job id specified\n")
    )
    found = SLURM.look(["7", "8"], answers)
    assert found == {"7": Standing("absent"), "8": Standing("running", "RUNNING")}
    assert answers.asked[1][-1] == "--jobs=7" and len(answers.asked) == 2


@pytest.mark.parametrize(
    ("file", "job", "phase", "word"),
    [
        ("qstat_Q.json", None, "waiting", "Q (Not Running: Insufficient amount of resource: ncpus"),
        ("qstat_R.json", None, "running", "R (Job run at"),
        ("qstat_F_ok.json", None, "done", "finished"),
        ("qstat_F_exit1.json", None, "failed", "failed"),
        ("qstat_F_badcmd.json", None, "failed", "failed"),
        ("qstat_F_walltime.json", None, "timeout", "exceeded resource walltime"),
        ("qstat_F_deleted_queued.json", None, "cancelled", "terminated"),
        ("qstat_F_deleted_running.json", None, "done", "terminated"),  # it caught the signal
    ],
)
def test_standing_in_pbs_as_recorded(file: str, job: str | None, phase: str, word: str) -> None:
    text = (DATA / file).read_text()
    own = job or next(iter(json.loads(text)["Jobs"]))
    found = look(PBS, own, text)
    assert found.phase == phase and word in found.said
    assert look(PBS, f"{own}.example.org", text) == found
    assert look(PBS, f"1{own}", text).phase == "unknown"  # it is another job


@pytest.mark.parametrize(
    ("file", "job", "phase"),
    [
        ("qstat_unknown.txt", "999.vm", "absent"),
        ("qstat_unknown.txt", "99.vm", "unknown"),
        ("qstat_finished_without_x.txt", "41.vm", "done"),
    ],
)
def test_a_job_that_pbs_does_not_know(file: str, job: str, phase: str) -> None:
    assert look(PBS, job, Reply(153, "", (DATA / file).read_text())).phase == phase


TEXT = """Job Id: 44.vm
    Job_Name = x
    job_state = {state}
    Variable_List = PBS_O_HOME=/home/user,BASH_FUNC_module%%=() {{  eval
\t`job_state = F`
    comment = Job run at Sun Nov 22 at 17:56 on
\t(vm:ncpus=1)
    Exit_status = {code}
"""


@pytest.mark.parametrize(
    "broken",
    [
        '{"Jobs": {"44.vm": {"Variable_List": {"FOO":005}, "job_state": "F"}}}',
        '{"Jobs": {"44.vm": {"job_state": "R", "BASH_FUNC_x": "() { echo "a"',
        '{"Jobs": {"44.vm": 3}}',
        "{}",
        "[]",
        "",
    ],
)
def test_json_that_is_broken_is_asked_for_as_text(broken: str) -> None:
    """openpbs#1255, openpbs#2541."""
    answers = Answers(broken, TEXT.format(state="R", code=""))
    found = PBS.look(["44.vm"], answers)["44.vm"]
    if broken == '{"Jobs": {"44.vm": 3}}':  # whole JSON, but nothing in it
        assert found.phase == "unknown"
        return
    assert found.phase == "running" and answers.asked[1] == ["qstat", "-x", "-f", "44.vm"]
    assert look(PBS, "44.vm", broken, TEXT.format(state="F", code=-29)).phase == "timeout"
    assert look(PBS, "45.vm", broken, TEXT.format(state="F", code=0)).phase == "unknown"
    assert look(PBS, "44.vm", broken, "rubbish").phase == "unknown"


def test_an_exit_status_that_is_no_number_says_nothing() -> None:
    for code in ("Infinity", "NaN", "null", "[]", '"?"'):
        text = f'{{"Jobs": {{"44.vm": {{"job_state": "F", "Exit_status": {code}}}}}}}'
        assert look(PBS, "44.vm", text).ended


def test_standing_in_torque() -> None:
    text = "Job Id: 7.server.example.org\n    job_state = Q\n    comment = no nodes\n"
    assert look(TORQUE, "7.server", text) == Standing("waiting", "Q (no nodes)")
    assert look(TORQUE, "7.se", text).phase == "unknown"
    assert look(TORQUE, "70.server", text).phase == "unknown"
    unknown = Reply(153, "", "qstat: Unknown Job Id Error 7.server\n")
    assert look(TORQUE, "7.server", unknown).phase == "absent"
    assert look(TORQUE, "8.server", unknown).phase == "unknown"
    assert look(TORQUE, "7.server", "").phase == "absent"  # so says Slurm's qstat
    done = "Job Id: 7\n\tjob_state = C\n\texit_status = {}\n"
    assert look(TORQUE, "7", done.format(0)).phase == "done"
    assert look(TORQUE, "7", done.format(-11)).phase == "timeout"
    assert look(TORQUE, "7", done.format(271)).phase == "cancelled"


@pytest.mark.parametrize(
    ("system", "said", "kind"),
    [
        (SLURM, "sbatch: error: invalid partition specified: nope", "stays"),
        (
            SLURM,
            "sbatch: error: Batch job submission failed: Invalid account or "
            "account/partition combination specified",
            "stays",
        ),
        (
            SLURM,
            "sbatch: error: Batch job submission failed: Requested node configuration is "
            "not available",
            "stays",
        ),
        (
            SLURM,
            "sbatch: error: Batch job submission failed: Unable to contact slurm "
            "controller (connect failure)",
            "passes",
        ),
        (
            SLURM,
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            "passes",
        ),
        (
            SLURM,
            "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission "
            "failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time "
            "limits)",
            "passes",
        ),
        (SLURM, "sbatch: error: your project is over its budget", "unknown"),
        (PBS, "qsub: Unknown queue", "stays"),
        (PBS, "qsub: Illegal attribute or resource value Resource_List.walltime", "stays"),
        (PBS, "qsub: Job violates queue and/or server resource limits", "stays"),
        (PBS, "qsub: Queue is not enabled", "passes"),
        (PBS, "Connection refused\nqsub: cannot connect to server vm (errno=15010)", "passes"),
        (PBS, "qsub: would exceed queue generic's per-user limit", "passes"),
        (
            TORQUE,
            "qsub: submit error (Maximum number of jobs already in queue MSG=total "
            "number of jobs in queue exceeds the queue limit)",
            "passes",
        ),
    ],
)
def test_a_refusal_may_pass_or_not(system: Batch, said: str, kind: str) -> None:
    assert system.refusal(Reply(1, "", said)) == kind


def test_a_refusal_as_recorded() -> None:
    assert PBS.refusal(Reply(170, "", (DATA / "qsub_badqueue.txt").read_text())) == "stays"
    assert PBS.refusal(Reply(1, late=True)) == "passes"
    assert PBS.refusal(Reply(127, "", "qsub is not found on this machine")) == "stays"


def test_what_the_job_of_the_driver_has_is_not_inherited() -> None:
    given = {
        "HOME": "/home/user",
        "SLURM_CONF": "/etc/slurm.conf",
        "PBS_SERVER": "vm",
        "SLURM_MEM_PER_NODE": "1000",
        "SLURM_CPU_BIND": "none",
        "SBATCH_PARTITION": "other",
        "SQUEUE_STATES": "PENDING",
        "SCANCEL_STATE": "RUNNING",
        "PBS_NODEFILE": "/var/x",
        "PBS_O_WORKDIR": "/",
        "PMI_RANK": "0",
        "PMIX_RANK": "0",
        "OMPI_COMM_WORLD_RANK": "0",
        "BORARUN_RELAY": "1",
    }
    assert outside(given).keys() == {"HOME", "SLURM_CONF", "PBS_SERVER", "BORARUN_RELAY"}
    assert SLURM.own_job({"SLURM_JOB_ID": "7", "SLURM_CLUSTER_NAME": "lab"}) == "7"
    assert SLURM.is_same("7;lab", "7") and not SLURM.is_same("7;lab", "7;other")
    assert PBS.own_job({"PBS_JOBID": "7.vm"}) == "7.vm" and PBS.own_job(os.environ.copy()) is None


RUBBISH = st.text() | st.sampled_from(
    [
        "{}",
        '{"Jobs": {}}',
        '{"Jobs": []}',
        '{"Jobs": {"1": 3}}',
        '{"Jobs": {"1": {}}}',
        "[]",
        "null",
        "[" * 5000,
        "1 RUNNING",
        "Job Id: 1\n",
        "Job Id: 1\n    job_state = Z\n",
    ]
)


@given(RUBBISH, st.sampled_from([0, 1, 153]))
def test_no_answer_is_an_error(text: str, code: int) -> None:
    for system in SYSTEMS:
        found = system.look(["1"], Answers(Reply(code, text)))["1"]
        assert found.phase in ("running", "absent", "unknown") and not found.ended
        system.job_of(Reply(code, text))
        system.find("x", Answers(Reply(code, text)))
