"""Jobs on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from borarun.site import jobs
from borarun.site.jobs import Job


def test_jobs_are_noted_and_forgotten(tmp_path: Path) -> None:
    assert jobs.noted(tmp_path) == []
    both = [Job("cpu", "12", ("scancel", "12")), Job("gpu", "13", ("scancel", "13"))]
    for job in both:
        jobs.note(tmp_path, job)
    assert jobs.noted(tmp_path) == both
    jobs.forget(tmp_path)
    assert jobs.noted(tmp_path) == []


def test_a_line_cut_short_is_passed_over(tmp_path: Path) -> None:
    jobs.note(tmp_path, Job("cpu", "12", ("scancel", "12")))
    with (tmp_path / jobs.WORKERS).open("a") as file:
        file.write('{"executor": "cpu", "id')
    assert [job.id for job in jobs.noted(tmp_path)] == ["12"]


def test_jobs_that_a_dead_driver_left_are_cancelled(tmp_path: Path) -> None:
    for name in ("a", "b"):
        jobs.note(tmp_path, Job("cpu", name, ("touch", str(tmp_path / name))))
    assert jobs.cancel(tmp_path) == []
    assert (tmp_path / "a").exists() and (tmp_path / "b").exists()
    assert jobs.noted(tmp_path) == []


@pytest.mark.parametrize(
    "said",
    [
        "scancel: error: Kill job error on job id 1: Invalid job id specified",
        "scancel: error: Kill job error on job id 1: Job/step already completing or completed",
        "qdel: Unknown Job Id 1.vm",
        "qdel: Job has finished 1.vm",
        "qdel: Request invalid for state of job 1.vm",
    ],
)
def test_a_job_that_has_ended_or_is_ending_is_no_trouble(tmp_path: Path, said: str) -> None:
    """It is what a driver meets that begins again because its interchange died."""
    jobs.note(tmp_path, Job("cpu", "1", ("sh", "-c", f"echo '{said}' >&2; exit 1")))
    assert jobs.cancel(tmp_path) == []


def test_a_batch_system_that_does_not_answer_at_once_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CANCEL_PAUSES_S", (0.0, 0.0, 0.0))
    count = tmp_path / "count"
    script = f"echo x >> {count}; [ $(wc -l < {count}) -ge 3 ] || {{ echo timed out; exit 1; }}"
    jobs.note(tmp_path, Job("cpu", "1", ("sh", "-c", script)))
    assert jobs.cancel(tmp_path) == [] and jobs.noted(tmp_path) == []


def test_what_cannot_be_cancelled_stays_noted(tmp_path: Path) -> None:
    jobs.note(
        tmp_path,
        Job("cpu", "1", ("sh", "-c", "echo 'Unable to contact slurm controller' >&2; exit 1")),
    )
    jobs.note(tmp_path, Job("cpu", "2", (str(tmp_path / "no-such-command"), "2")))
    first, second = jobs.cancel(tmp_path)
    assert "job 1" in first and "Unable to contact slurm controller" in first
    assert "job 2" in second and "is not found on this machine" in second
    assert len(jobs.noted(tmp_path)) == 2
