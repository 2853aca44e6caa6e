"""Whole small studies in jobs of batch systems whose answers are often wrong: nothing is lost,
nothing is done twice, no job is left.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from borarun.records.places import Places
from borarun.records.store import Store
from borarun.site import jobs

STUDY = """
borarun: 1
name: lies
material:
  formula: Li2B12H12
  phases: {Pa-3: structures/Li2B12H12-Pa-3.cif}
  mobile: Li
  anions: B12H12
functionals: [PBE-D3]
reference: {engine: bundled}
training_set:
  aimd: {temperatures_K: [300, 600], time_ps: 0.5, sample_every_fs: 25, vacancies: [0]}
potential: {level: 6, max_evaluations: 2}
"""

SITE = """
borarun: 1
name: liars
executors:
  cpu:
    provider: PROVIDER
    cores_per_node: 2
    max_blocks: 2
    walltime: "0:30:00"
    walltime_margin_s: 60
    cmd_timeout: 8
    status_polling_interval: 1
    heartbeat_period: 2
    heartbeat_threshold: 60
    max_idletime: 5
    address: 127.0.0.1
"""
COMMANDS = ("sbatch", "squeue", "scancel", "qsub", "qstat", "qdel", "qselect")


@pytest.mark.parametrize(("provider", "seed"), [("slurm", 1), ("pbspro", 2), ("torque", 3)])
def test_a_study_outlasts_a_batch_system_that_lies(
    provider: str, seed: int, tmp_path: Path
) -> None:
    tests = Path(__file__).parent
    (tmp_path / "bin").mkdir()
    for name in COMMANDS:
        path = tmp_path / "bin" / name
        path.write_text(
            f"#!/bin/bash\nexec {sys.executable} {tests / 'standins/lying_scheduler.py'} "
            f'{tmp_path} {seed} {name} "$@"\n'
        )
        path.chmod(0o755)
    shutil.copytree(tests.parent / "studies/structures", tmp_path / "structures")
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "site.yaml").write_text(SITE.replace("PROVIDER", provider))
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "borarun", "submit", "study.yaml", "--site", "site.yaml"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    places = Places.of(tmp_path / "runs", "lies")
    store = Store(places.store)
    finished = Counter(re.findall(r"  done   (.*?) \(", done.stdout))
    assert len(finished) == len(store.keys()) >= 3 and set(finished.values()) == {1}, done.stdout
    assert not store.failures() and jobs.noted(places.study) == []
    end = time.monotonic() + 90
    while (left := _alive(tmp_path / "jobs")) and time.monotonic() < end:
        time.sleep(0.5)
    assert left == []


def _alive(folder: Path) -> list[str]:
    """Jobs of which a process is left."""
    groups = set[int]()
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                groups.add(os.getpgid(process.pid))
        except (psutil.Error, ProcessLookupError):
            continue
    return [file.parent.name for file in folder.glob("*/pid") if int(file.read_text()) in groups]
