"""Files with random changes are read, or refused by a message: no traceback, no hang, no number
that the file does not say, nothing written.

Every file is changed ``CHANGES`` times, with a fixed seed each; BORARUN_RANDOM_CHANGES sets how
often, and is 250 by hand: 2,000 changes of eight kinds of file.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import ase.io
import numpy as np
import pytest
from ase import Atoms

from borarun.engines.lammps.output import read_dump
from borarun.engines.vasp.output_xml import read_vasprun
from borarun.errors import BorarunError
from borarun.frames import Frames
from borarun.labels import read_labels
from borarun.mtp import cfg
from borarun.site import load_site
from borarun.structure_files import read_structure
from borarun.study import load_study

ROOT = Path(__file__).parent.parent
STRUCTURES = ROOT / "tests" / "structure_files" / "data"
CHANGES = int(os.environ.get("BORARUN_RANDOM_CHANGES", "25"))

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


def changed(content: bytes, chance: random.Random) -> bytes:
    """Words replaced, lines doubled, left out or exchanged, bytes changed, the end cut off."""
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        lines = content.splitlines(keepends=True)
        if not lines:
            return content
        place = chance.randrange(len(lines))
        if kind < 0.5:
            words = re.split(rb"(\s+)", lines[place])
            words[chance.randrange(len(words))] = chance.choice(WORDS)
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
    frames = read_labels(path, ["B", "H", "Li"], ["Li", "B", "H"]).frames
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
