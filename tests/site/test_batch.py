"""Scripts of single jobs, and what batch systems answer of them, as recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borarun.site.batch import Standing, ask, cancel, job_of, script, standing, submit
from borarun.site.executors import PBSPro, Slurm, Torque

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


def lines(executor: Any) -> list[str]:
    return script(
        executor,
        "borarun-doctor-wide",
        ["python", "-m", "x y"],
        300,
        Path("/runs/out.txt"),
        directory=Path("/my runs"),
    ).splitlines()


def test_slurm_is_asked_for_what_runs_ask_for() -> None:
    found = lines(SLURM)
    assert (
        found[0] == "#!/bin/bash"
        and found[-1] == "exec python -m 'x y'"
        and "module load python" in found
        and "cd '/my runs'" in found
    )
    assert "export BORARUN_JOB_ENDS=$((BORARUN_JOB_BEGAN + 14100))" in found
    assert {line.removeprefix("#SBATCH ") for line in found if line.startswith("#SBATCH")} == {
        "--job-name=borarun-doctor-wide",
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
    found = lines(PBS)
    assert {
        "#PBS -l select=2:ncpus=64:ngpus=4",
        "#PBS -q workq",
        "#PBS -A chem",
        "#PBS -l walltime=00:05:00",
        "#PBS -N borarun-doctor-",
    } <= set(found)
    assert "#PBS -l nodes=1:ppn=64" in lines(TORQUE) and not any(
        "-A" in line for line in lines(TORQUE)
    )


def test_the_commands_are_those_of_the_batch_system() -> None:
    assert submit(SLURM, Path("a.sh")) == ["sbatch", "--parsable", "a.sh"] and submit(
        PBS, Path("a.sh")
    ) == ["qsub", "a.sh"]
    assert submit(SLURM, Path("a.sh"), after="7") == [
        "sbatch",
        "--parsable",
        "--dependency=afterany:7",
        "a.sh",
    ]
    assert submit(PBS, Path("a.sh"), after="7.vm") == ["qsub", "-W", "depend=afterany:7.vm", "a.sh"]
    assert cancel(SLURM, "7") == ["scancel", "7"] and cancel(TORQUE, "7") == ["qdel", "7"]
    assert ask(PBS, "7.vm") == ["qstat", "-x", "-f", "-F", "json", "7.vm"] and ask(TORQUE, "7") == [
        "qstat",
        "-f",
        "7",
    ]


@pytest.mark.parametrize(
    ("text", "job"),
    [
        ("17\n", "17"),
        ("17;lab\n", "17"),
        ("a notice of the day\n44.vm\n", "44.vm"),
        ("qsub: Unknown queue\n", ""),
        ("", ""),
    ],
)
def test_the_job_is_read_from_what_was_printed(text: str, job: str) -> None:
    assert job_of(text) == job


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PENDING Resources\n", Standing("waiting", "PENDING (Resources)")),
        ("RUNNING None\n", Standing("running", "RUNNING")),
        ("COMPLETED None\n", Standing("ended", "COMPLETED")),
        ("CLUSTER: lab\nFAILED NonZeroExitCode\n", Standing("ended", "FAILED (NonZeroExitCode)")),
        ("TIMEOUT TimeLimit\n", Standing("ended", "TIMEOUT (TimeLimit)")),
        ("slurm_load_jobs error: Invalid job id specified\n", Standing("ended")),
        ("", Standing("ended")),
        (
            "slurm_load_jobs error: Unable to contact slurm controller\n",
            Standing("unknown", "slurm_load_jobs error: Unable to contact slurm controller"),
        ),
    ],
)
def test_standing_in_slurm(text: str, expected: Standing) -> None:
    assert standing(SLURM, text) == expected


@pytest.mark.parametrize(
    ("file", "phase", "word"),
    [
        ("qstat_Q.json", "waiting", "Q (Not Running: Insufficient amount of resource: ncpus"),
        ("qstat_R.json", "running", "R (Job run at"),
        ("qstat_F_ok.json", "ended", "finished"),
        ("qstat_F_exit1.json", "ended", "failed"),
        ("qstat_F_walltime.json", "ended", "exceeded resource walltime"),
        ("qstat_F_deleted_queued.json", "ended", "terminated"),
        ("qstat_unknown.txt", "ended", ""),
        ("qstat_finished_without_x.txt", "ended", ""),
    ],
)
def test_standing_in_pbs_as_recorded(file: str, phase: str, word: str) -> None:
    found = standing(PBS, (DATA / file).read_text())
    assert found.phase == phase and word in found.said


def test_standing_in_torque() -> None:
    assert standing(TORQUE, "Job Id: 7\n\tjob_state = Q\n\tcomment = no nodes\n") == Standing(
        "waiting", "Q (no nodes)"
    )
    assert standing(TORQUE, "qstat: Unknown Job Id Error 7\n").phase == "ended"


@given(
    st.text()
    | st.sampled_from(
        [
            "{}",
            '{"Jobs": {}}',
            '{"Jobs": []}',
            '{"Jobs": {"1": 3}}',
            '{"Jobs": {"1": {}}}',
            "[]",
            "null",
        ]
    )
)
def test_no_answer_is_an_error(text: str) -> None:
    for executor in (SLURM, PBS, TORQUE):
        assert standing(executor, text).phase in ("waiting", "running", "ended", "unknown")
    job_of(text)
