"""Jobs of an executor before a batch system that notes what it is asked, and lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from parsl.jobs.states import JobState

from borarun.run.blocks import ABSENT_ANSWERS, MAX_UNKNOWN_REFUSALS, Blocks
from borarun.site import jobs
from borarun.site.batch_systems import Slurm
from borarun.site.batch_systems.base import Standing

SLURM = Slurm(provider="slurm", cores_per_node=2, walltime="1:00:00", max_blocks=3, cmd_timeout=2)


class Bench:
    """One executor, commands that answer as told, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.said, self.now = folder / "bin", list[str](), 0.0
        self.study = folder / "study"
        self.bin.mkdir()
        self.study.mkdir()
        self.says("squeue", "exit 0")
        self.says("scancel", f'echo "$@" >> {folder}/cancelled')
        self.blocks = Blocks(SLURM, "cpu", self.study, self.said.append, lambda: self.now)
        self.blocks.script_dir = str(folder / "scripts")

    def says(self, command: str, answer: str) -> None:
        path = self.bin / command
        path.write_text(f"#!/bin/bash\n{answer}\n")
        path.chmod(0o755)

    def submit(self) -> str:
        return self.blocks.submit("start a pool", 1)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Bench(tmp_path)


def test_a_job_is_submitted_and_written_down(bench: Bench) -> None:
    bench.says("sbatch", "echo 17")
    assert bench.submit() == "17"
    (job,) = jobs.noted(bench.study)
    assert (job.id, job.cancel) == ("17", ("scancel", "17"))
    script = (Path(str(bench.blocks.script_dir)) / job.name).read_text()
    assert "start a pool" in script and "export PARSL_CORES=2" in script
    assert "#SBATCH --time=01:00:00" in script


def test_a_refusal_that_may_pass_is_waited_for_with_growing_pauses(bench: Bench) -> None:
    bench.says("sbatch", "echo 'sbatch: error: Unable to contact slurm controller' >&2; exit 1")
    for pause in (10, 20, 40):
        with pytest.raises(jobs.RefusedError):
            bench.submit()
        assert f"Next try in {pause} s" in bench.said[-1]
        bench.blocks.limit()
        assert bench.blocks.max_blocks == 0  # Parsl asks for none meanwhile
        bench.now += pause
        bench.blocks.limit()
        assert bench.blocks.max_blocks == 3
    assert bench.blocks.refused is None
    bench.says("sbatch", "echo 18")
    assert bench.submit() == "18"


def test_a_refusal_that_cannot_pass_ends_at_once(bench: Bench) -> None:
    bench.says("sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    with pytest.raises(jobs.RefusedError, match="invalid partition"):
        bench.submit()
    assert bench.blocks.refused is not None and bench.said == []
    assert jobs.noted(bench.study) == []


def test_a_refusal_in_words_that_nobody_knows_is_tried_a_few_times(bench: Bench) -> None:
    bench.says("sbatch", "echo 'sbatch: error: out of budget' >&2; exit 1")
    for _ in range(MAX_UNKNOWN_REFUSALS):
        assert bench.blocks.refused is None
        with pytest.raises(jobs.RefusedError):
            bench.submit()
    assert bench.blocks.refused is not None


@pytest.mark.parametrize("answer", ["sleep 60", "echo rubbish", "echo timed out >&2; exit 1"])
def test_a_job_whose_submission_was_not_answered_is_found_by_its_name(
    bench: Bench, answer: str
) -> None:
    taken = bench.bin.parent / "taken"
    bench.says("sbatch", f'echo "${{@/#--job-name=/}}" | cut -d" " -f2 > {taken}; {answer}')
    bench.says(
        "squeue", f'[ -e {taken} ] && echo "41 RUNNING $(cat {taken})"; echo 4 RUNNING other'
    )
    assert bench.submit() == "41"
    assert [job.id for job in jobs.noted(bench.study)] == ["41"]


def test_a_job_that_may_be_there_is_cancelled_by_its_name(bench: Bench) -> None:
    """The submission is not answered, and squeue does not answer either."""
    bench.says("sbatch", "exit 0")
    bench.says("squeue", "exit 1")
    with pytest.raises(jobs.RefusedError):
        bench.submit()
    (job,) = jobs.noted(bench.study)
    assert job.cancel == ("scancel", "--me", f"--name={job.name}")
    assert jobs.cancel(bench.study) == []
    assert f"--name={job.name}" in (bench.bin.parent / "cancelled").read_text()


def test_absent_only_after_several_answers_and_an_end_is_final(bench: Bench) -> None:
    bench.says("sbatch", "echo 17")
    job = bench.submit()

    def state(standing: Standing) -> JobState:
        bench.blocks.settle(job, standing)
        found: JobState = bench.blocks.resources[job]["status"].state
        return found

    assert state(Standing("running")) == JobState.RUNNING
    for _ in range(ABSENT_ANSWERS - 1):
        assert state(Standing("absent")) == JobState.RUNNING
        assert state(Standing("unknown")) == JobState.RUNNING
    assert state(Standing("running")) == JobState.RUNNING
    for _ in range(ABSENT_ANSWERS):
        state(Standing("absent"))
    assert bench.blocks.resources[job]["status"].state == JobState.COMPLETED
    assert state(Standing("running")) == JobState.COMPLETED


def test_another_job_whose_number_begins_alike_lends_no_state(bench: Bench) -> None:
    bench.says("sbatch", "echo 100001")
    job = bench.submit()
    bench.says("squeue", "echo '10000 PENDING JobHeldUser'; echo '100001 RUNNING None'")
    assert [each.state for each in bench.blocks.status([job])] == [JobState.RUNNING]
