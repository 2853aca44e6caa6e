"""Files with random changes are read, or refused by a message: no traceback, no hang, no number
that the file does not say, nothing written.

Every file is changed ``CHANGES`` times, with a fixed seed each; BORARUN_RANDOM_CHANGES sets how
often, and is 250 by hand. Packs and the answers of batch systems are changed in the same way.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import shutil
import signal
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

import ase.io
import numpy as np
import pytest
from ase import Atoms
from packs import Contents

from borarun.basics.errors import BorarunError, StoreError, StudyError
from borarun.engines import outputs
from borarun.engines.lammps.output import read_dump
from borarun.engines.reference.base import ReferenceSection
from borarun.engines.registry import sections
from borarun.engines.vasp.output_xml import read_vasprun
from borarun.labels import read_labels
from borarun.mtp import cfg
from borarun.records.frames import Frames
from borarun.sharing.pack import MANIFEST
from borarun.sharing.unpack import unpack
from borarun.site import load_site
from borarun.site.batch_systems import Batch, PBSPro, Slurm, Torque
from borarun.site.batch_systems.base import Reply
from borarun.structures.files import read_structure
from borarun.study import load_study

ROOT = Path(__file__).parent.parent
STRUCTURES = ROOT / "tests" / "structure_files" / "data"
CHANGES = int(os.environ.get("BORARUN_RANDOM_CHANGES", "25"))

BUNDLED = sections(ReferenceSection)["bundled"](engine="bundled")

HANGS_S = 120
"""A reader that takes longer than this, on the busiest machine, does not come to its end."""

WORDS = [
    b"",
    b" ",
    b"\n",
    b"-",
    b"nan",
    b"inf",
    b"-1.0E+308",
    b"1_000.0",
    b"9" * 26,
    b"300000000",
    b"0",
    b"-1",
    b"1e-320",
    b"?",
    b".",
    b"D",
    b"11B",
    b"\xff\xfe",
    b"\x00",
    b"'",
    b'"',
    b"<a>",
    b"&lol;",
    b"{a: 1}",
    b"[1, 2]",
    b"../../etc/passwd",
    b"loop_\n",
    b"data_x\n",
    b"T T F",
]


def changed(content: bytes, chance: random.Random, more: Sequence[bytes] = ()) -> bytes:
    """Words replaced, lines doubled, left out or exchanged, bytes changed, the end cut off."""
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        lines = content.splitlines(keepends=True)
        if not lines:
            return content
        place = chance.randrange(len(lines))
        if kind < 0.5:
            words = re.split(rb"(\s+)", lines[place])
            words[chance.randrange(len(words))] = chance.choice([*WORDS, *more])
            lines[place] = b"".join(words)
        elif kind < 0.6:
            lines.insert(place, chance.choice(lines))
        elif kind < 0.7:
            del lines[place]
        elif kind < 0.8:
            other = chance.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
        elif kind < 0.9:
            at = chance.randrange(len(content))
            lines = [content[:at], bytes([chance.randrange(256)]), content[at + 1 :]]
        else:
            lines = [content[: chance.randrange(len(content))]]
        content = b"".join(lines)
    return content


def labels() -> Frames:
    rng = np.random.default_rng(0)
    forces = rng.normal(size=(3, 4, 3))
    forces -= forces.mean(axis=1, keepdims=True)
    return Frames(
        offsets=np.array([0, 4, 8, 12]),
        numbers=np.array([3, 5, 1, 1] * 3, np.int32),
        positions=rng.uniform(0, 6, (12, 3)),
        cell=np.tile(6 * np.eye(3), (3, 1, 1)),
        energy=-12 + 0.1 * rng.normal(size=3),
        forces=forces.reshape(-1, 3),
        stress=rng.normal(scale=0.01, size=(3, 6)),
    )


def structure(path: Path) -> None:
    atoms = read_structure(path)
    assert len(atoms) and np.isfinite(atoms.positions).all()
    if path.suffix == ".xyz" and "D" not in path.read_text(errors="replace"):
        same_as_ase(atoms, path)


def same_as_ase(atoms: Atoms, path: Path) -> None:
    """Where ASE reads it, too, it has the same atoms."""
    try:
        other = ase.io.read(path, format="extxyz")
    except Exception:
        return
    assert isinstance(other, Atoms)
    np.testing.assert_array_equal(atoms.numbers, other.numbers)
    np.testing.assert_array_equal(atoms.positions, other.positions)
    np.testing.assert_array_equal(atoms.cell.array, other.cell.array)


def labelled(path: Path) -> None:
    frames = read_labels({"labels": path}, ["B", "H", "Li"], ["Li", "B", "H"]).frames
    assert all(np.isfinite(values).all() for values in frames.arrays().values())
    if path.suffix != ".extxyz":
        return
    try:
        images = ase.io.read(path, ":", format="extxyz")
        energies = {image.get_potential_energy() for image in images}
    except Exception:  # of what ASE does not read, or reads without an energy
        return
    assert frames.energy is not None
    assert set(frames.energy.tolist()) <= energies


def output(path: Path) -> None:
    """Labels of a program: finite, and none that is beyond what a crystal has."""
    frames = outputs.reader("PBE", BUNDLED)(path).frames
    assert all(np.isfinite(values).all() for values in frames.arrays().values())


def vasprun(path: Path) -> None:
    found = read_vasprun(path)
    for name in ("energy", "forces", "cell", "fractional"):
        values = getattr(found, name)
        assert not (np.abs(values[np.isfinite(values)]) > 1e12).any()


def dump(path: Path) -> None:
    cell, positions = read_dump(path, 2, np.array([4, 5]), np.eye(3))
    assert np.isfinite(cell).all() and np.isfinite(positions).all()


def dump_text() -> bytes:
    head = (
        "ITEM: TIMESTEP\n{}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n-1 7\n0 8\n0 8\n"
        "ITEM: ATOMS id type x y z ix iy iz\n1 1 0.5 0.25 1.5 0 0 -1\n2 2 1.5 2.25 3.5 0 1 0\n"
    )
    return "".join(head.format(step) for step in (4, 5)).encode()


def silicon() -> bytes:
    file = ROOT / "tests" / "engines" / "data" / "vasp" / "static_silicon" / "vasprun.xml.gz"
    return gzip.decompress(file.read_bytes())


def npt() -> bytes:
    """The head and the first three steps of an OUTCAR."""
    file = ROOT / "tests" / "engines" / "data" / "vasp" / "npt" / "OUTCAR.gz"
    content = gzip.decompress(file.read_bytes())
    return content[: content.index(b"Iteration    4(")]


KINDS: dict[str, tuple[Callable[[], bytes], Callable[[Path], object]]] = {
    "a.cif": (lambda: (STRUCTURES / "q_hm.cif").read_bytes(), structure),
    "b.cif": (lambda: (ROOT / "studies/structures/Li2B12H12-C2m.cif").read_bytes(), structure),
    "POSCAR": (lambda: (STRUCTURES / "s4b_selective_labels.vasp").read_bytes(), structure),
    "a.xyz": (
        lambda: (STRUCTURES / "s15_pbcF.xyz").read_bytes().replace(b"F F F", b"T T T"),
        structure,
    ),
    "labels.extxyz": (lambda: labels().to_extxyz().encode(), labelled),
    "labels.cfg": (lambda: cfg.write(labels(), (3, 5, 1)).encode(), labelled),
    "vasprun.xml": (silicon, vasprun),
    "vasprun.label.xml": (silicon, output),
    "OUTCAR": (npt, output),
    "pw.out": (lambda: (ROOT / "tests/engines/data/qe/lih_pbe.pwo").read_bytes(), output),
    "dump.lammps": (dump_text, dump),
    "study.yaml": (lambda: (ROOT / "studies" / "quickstart.yaml").read_bytes(), load_study),
    "site.yaml": (lambda: (ROOT / "tests" / "golden" / "site.yaml").read_bytes(), load_site),
}
"""Name of a file -> a right one, and its reader."""


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    def hangs(_: int, __: FrameType | None) -> None:
        raise TimeoutError("hangs")

    before = signal.signal(signal.SIGALRM, hangs)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_with_random_changes_is_read_or_refused(name: str, tmp_path: Path) -> None:
    content, read = KINDS[name][0](), KINDS[name][1]
    folder = tmp_path / "folder"
    folder.mkdir()
    if name == "study.yaml":
        shutil.copytree(ROOT / "studies" / "structures", folder / "structures")
    path = folder / name
    path.write_bytes(content)
    read(path)
    refused = 0
    for seed in range(CHANGES):
        path.write_bytes(changed(content, random.Random(f"{name} {seed}")))
        signal.alarm(HANGS_S)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read(path)
            except BorarunError as error:
                refused += 1
                said = str(error)
                assert said.strip() and "Traceback" not in said and len(said) < 5000, seed
            except Exception as error:
                raise AssertionError(f"{name}, seed {seed}: {error!r}") from error
        signal.alarm(0)
    assert refused, "some changes are mistakes"
    assert [found.name for found in tmp_path.iterdir()] == ["folder"]
    assert {found.name for found in folder.iterdir()} <= {name, "structures"}


PACK = ROOT / "tests" / "sharing" / "data" / "format-1.borarun.zip"


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("fitting", [False, True], ids=["damaged", "forged"])
def test_a_pack_with_random_changes_is_unpacked_or_refused(fitting: bool, tmp_path: Path) -> None:
    """Forged: one member is changed, and the manifest fits it."""
    original = members(PACK)
    *names, last = original
    assert last == MANIFEST
    unpack(PACK, tmp_path / "right")
    shutil.rmtree(tmp_path / "right")
    pack, refused = tmp_path / "a.borarun.zip", 0
    for seed in range(CHANGES):
        chance = random.Random(f"pack {fitting} {seed}")
        if fitting:
            contents = Contents(
                [(name, original[name]) for name in names], json.loads(original[MANIFEST])
            )
            name = chance.choice(names)
            contents.change(name, changed(original[name], chance))
            contents.write(pack)
        else:
            pack.write_bytes(changed(PACK.read_bytes(), chance))
        signal.alarm(HANGS_S)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                unpack(pack, tmp_path / "there")
            except (StudyError, StoreError) as error:
                refused += 1
                said = str(error)
                assert said.strip() and "Traceback" not in said and len(said) < 5000, seed
                assert not (tmp_path / "there").exists()
            except Exception as error:
                raise AssertionError(f"pack, seed {seed}: {error!r}") from error
            else:
                there = {
                    str(file.relative_to(tmp_path / "there")): file.read_bytes()
                    for file in (tmp_path / "there").rglob("*")
                    if file.is_file()
                }
                assert there == (members(pack) if fitting else original), seed
                shutil.rmtree(tmp_path / "there")
        signal.alarm(0)
        assert [found.name for found in tmp_path.iterdir()] == [pack.name], seed
    assert refused, "some changes are mistakes"


ANSWERS = ROOT / "tests" / "site" / "data" / "schedulers"
SITE_KEYS = {"cores_per_node": 4, "walltime": "1:00:00"}
SLURM = Slurm.model_validate({"provider": "slurm", **SITE_KEYS})
PBS = PBSPro.model_validate({"provider": "pbspro", **SITE_KEYS})
TORQUE = Torque.model_validate({"provider": "torque", **SITE_KEYS})
QSTAT = (
    "Job Id: 39.vm\n    Job_Name = STDIN\n    job_state = R\n    server = vm\n"
    "    Variable_List = PBS_O_HOME=/home/user,\n\tPBS_O_QUEUE=workq\n"
    "    comment = Job run at Sun Nov 22 at 17:56 on (vm:ncpus=4)\n"
    "Job Id: 3.vm\n    Job_Name = STDIN\n    job_state = C\n    Exit_status = 0\n"
)
SQUEUE = "CLUSTER: lab\n38 RUNNING None\n39 RUNNING None\n390 COMPLETED None\n3 FAILED None\n"
SACCT = "JobID|State|ExitCode\n39|RUNNING|0:0\n39.batch|COMPLETED|0:0\n390|FAILED|1:0\n"

LOOKS: dict[str, tuple[Batch, str, str]] = {
    "squeue": (SLURM, "39", SQUEUE),
    "squeue of a cluster": (SLURM, "39;lab", SQUEUE),
    "sacct": (SLURM, "39", SACCT),
    "qstat -F json": (PBS, "39.vm", (ANSWERS / "qstat_R.json").read_text()),
    "qstat of PBS": (PBS, "39.vm", QSTAT),
    "qstat of Torque": (TORQUE, "39.vm", QSTAT),
    "table of qstat": (TORQUE, "39.vm", (ANSWERS / "qstat_x.txt").read_text()),
}
"""A batch system, a job that runs, and what is said of it, or what is no answer to the question."""

SAID = [
    b"39",
    b"39.vm",
    b"39.vm\n",
    b"3",
    b"COMPLETED",
    b"FAILED",
    b"RUNNING",
    b"F",
    b'"F",',
    b'"job_state":',
    b'"39.vm":',
    b"Exit_status",
    b"Infinity",
    b"= ",
    b"    Exit_status = 1e999\n",
    b'"job_state": "F", "Exit_status": Infinity,',
    b"CLUSTER: other\n",
    b"{",
    b"}",
]
ENDED: dict[type[Batch], str] = {
    Slurm: r"(?m)^\s*39\s+(COMPLETED|FAILED)\b",
    PBSPro: r"job_state(\"\s*:\s*\"| = )\W*[CFX]",
    Torque: r"job_state = \s*[CFX]",
}
FORGOTTEN = r"(?i)invalid job id|unknown job"


def _say(reply: Reply, command: list[str]) -> Reply:
    return reply


@pytest.mark.parametrize("name", LOOKS)
def test_a_job_that_runs_has_not_ended_by_an_answer_with_random_changes(name: str) -> None:
    system, job, text = LOOKS[name]
    phases = set[str]()
    for seed in range(4 * CHANGES):
        chance = random.Random(f"{name} {seed}")
        said = changed(text.encode(), chance, SAID).decode(errors="replace")
        reply = Reply(chance.choice([0, 0, 1]), said)
        try:
            found = system.look([job], partial(_say, reply))[job]
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {error!r}") from error
        phases.add(found.phase)
        if found.ended:
            assert re.search(ENDED[type(system)], said) and re.search(r"\b39\b", said), (seed, said)
        elif found.gone:
            bare = re.sub(r"\s*CLUSTER: \S+\s*", "", said)
            assert not bare.strip() or re.search(FORGOTTEN, said), (seed, said)
    assert "unknown" in phases


@pytest.mark.parametrize(
    ("system", "text"),
    [
        (SLURM, "39;lab\n"),
        (SLURM, "39\n"),
        (PBS, "39.vm\n"),
        (PBS, (ANSWERS / "qsub_badqueue.txt").read_text()),
        (TORQUE, "a notice of the day\n39.server.example.org\n"),
        (TORQUE, (ANSWERS / "qsub_misc.txt").read_text()),
    ],
    ids=["cluster", "sbatch", "qsub", "bad queue", "notice", "refusals"],
)
def test_a_job_is_the_last_word_of_a_submission_or_none(system: Batch, text: str) -> None:
    for seed in range(4 * CHANGES):
        chance = random.Random(f"{text} {seed}")
        said = changed(text.encode(), chance, SAID).decode(errors="replace")
        job = system.job_of(Reply(0, said))
        assert job == "" or (said.split()[-1] == job and job[0].isdigit()), (seed, said)
        assert system.job_of(Reply(1, said)) == ""
        assert system.refusal(Reply(1, said)) in ("passes", "stays", "unknown")
