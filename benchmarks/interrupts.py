"""Interrupt a small study at random instants, again and again: does it end within seconds, is no
process left, and is the result that of an undisturbed run?

``python benchmarks/interrupts.py --times 100`` takes about half an hour on two cores. The requests
are SIGTERM, SIGHUP and SIGINT at random, to the whole process group as from ``timeout``, a closed
terminal and Ctrl-C; half of them come twice.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
STUDY = """\
borarun: 1
name: interrupted
material: {formula: Li2B12H12, phases: {Pa-3: Pa-3.cif}, mobile: Li, anions: B12H12}
functionals: [PBE-D3]
reference: {engine: bundled}
training_set: {aimd: {temperatures_K: 600, time_ps: 0.1, sample_every_fs: 5}}
potential: {level: 6, max_evaluations: 40}
diffusion: {temperatures_K: [300, 400, 500], time_ns: 0.002, equilibration_ns: 0.0005}
"""
NUMBERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PATIENCE_S = 120.0
"""After which a run counts as hanging."""


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Submit the study, in a process group of its own."""
    log = (folder / "said.txt").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "borarun", "submit", "study.yaml"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def left(folder: Path) -> list[psutil.Process]:
    """Processes that still work in the folder."""
    found = []
    for process in psutil.process_iter(["cwd"]):
        cwd = process.info["cwd"]
        if cwd and Path(cwd).is_relative_to(folder) and process.pid != os.getpid():
            found.append(process)
    return found


def records(folder: Path) -> set[str]:
    """Names of the records that are there."""
    return {file.name for file in (folder / "runs/store").glob("*.zarr.zip")}


def interrupt(folder: Path, chance: random.Random, most_s: float) -> tuple[str, float]:
    """One run and its end: what came of it, and how long it took to end, s."""
    process = start(folder)
    number = chance.choice(NUMBERS)
    if chance.random() < 0.8:  # the others are interrupted while Python loads
        claim = folder / "runs/interrupted/driver.claim.1"
        while process.poll() is None and not claim.exists():
            time.sleep(0.05)
    try:
        process.wait(chance.uniform(0.0, most_s))
    except subprocess.TimeoutExpired:
        pass
    else:
        return f"ended by itself ({process.returncode})", 0.0
    asked = time.monotonic()
    os.killpg(process.pid, number)
    if chance.random() < 0.5:
        time.sleep(chance.uniform(0.0, 1.0))
        if process.poll() is None:
            os.killpg(process.pid, number)
    try:
        code = process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return f"{number.name}: hung", PATIENCE_S
    took = time.monotonic() - asked
    # Python itself ends by the signal before borarun is loaded.
    early = code == -number or (number is signal.SIGINT and code == 1)
    return f"{number.name}: {'130' if code == 130 else 'early' if early else code}", took


def main() -> None:
    """Interrupt, go on, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-seconds", type=float, default=20.0, help="before the request")
    arguments = parser.parse_args()
    for number in NUMBERS:  # a shell has what it starts in the background ignore Ctrl-C
        signal.signal(number, signal.SIG_DFL)
    chance = random.Random(arguments.seed)
    came, slowest, stayed = Counter[str](), 0.0, 0
    with tempfile.TemporaryDirectory() as place:
        whole, disturbed = Path(place) / "whole", Path(place) / "disturbed"
        for folder in (whole, disturbed):
            folder.mkdir()
            cif = ROOT / "studies/structures/Li2B12H12-Pa-3.cif"
            (folder / "Pa-3.cif").write_bytes(cif.read_bytes())
            (folder / "study.yaml").write_text(STUDY)
        rounds = 0
        for _ in range(arguments.times):
            what, took = interrupt(disturbed, chance, arguments.most_seconds)
            came[what] += 1
            slowest = max(slowest, took)
            until = time.monotonic() + 30.0
            while (others := left(disturbed)) and time.monotonic() < until:
                time.sleep(0.2)
            stayed += len(others)
            print(f"{what}, {took:.1f} s, {len(records(disturbed))} records", flush=True)
            if what.startswith("ended by itself"):  # from the beginning
                rounds += 1
                (disturbed / "runs").rename(disturbed / f"runs-{rounds}")
        assert start(disturbed).wait() == 0, (disturbed / "said.txt").read_text()[-3000:]
        assert start(whole).wait() == 0, (whole / "said.txt").read_text()[-3000:]
        said = (disturbed / "said.txt").read_text()
        print(f"{dict(came)}; slowest end {slowest:.1f} s; {stayed} processes left")
        print(f"the same records: {records(whole) == records(disturbed)}")
        print(f"tracebacks: {said.count('Traceback')}")


if __name__ == "__main__":
    main()
