"""XDATCAR, vasprun.xml, H5MD, ASE's trajectories, xtc: the same walk in each."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import trajectory_files as files
from ase.io import write

from borarun.basics.errors import StudyError
from borarun.given.formats import read_trajectory
from borarun.given.frame import Told
from borarun.given.gathered import Gathered, Wanted

FRAMES = Wanted(interval_fs=50.0)


def read(file: Path, wanted: Wanted = FRAMES, told: Told | None = None) -> Gathered:
    return read_trajectory(file, told or Told(), wanted)


def follows(
    run: Gathered, positions: np.ndarray, cell: np.ndarray, *, digits: float = 1e-6
) -> None:
    """Whether a run goes the same way, in the same cells."""
    ways = [
        np.einsum("nif,fij->njf", place.astype(float), np.linalg.inv(box))
        for place, box in ((run.positions, run.cell), (positions, cell))
    ]
    ours, theirs = (way - way[:, :, :1] for way in ways)
    np.testing.assert_allclose(ours, theirs, atol=digits)
    np.testing.assert_allclose(run.cell, cell, atol=100 * digits)


def test_xdatcar(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(40, tilt=2.0)
    run = read(files.xdatcar(tmp_path / "XDATCAR", atoms, positions, cell))
    follows(run, positions, cell)
    assert (run.numbers == atoms.numbers).all()


def test_xdatcar_of_a_fixed_cell_that_ase_writes(tmp_path: Path) -> None:
    atoms, positions, _ = files.walk(40)
    cell = np.repeat(atoms.cell.array[None], 40, axis=0)
    write(tmp_path / "XDATCAR", files.images(atoms, positions, cell), format="vasp-xdatcar")
    follows(read(tmp_path / "XDATCAR"), positions, cell)


def test_xdatcars_of_parts_of_a_run_that_are_joined(tmp_path: Path) -> None:
    atoms, positions, _ = files.walk(40)
    cell = np.repeat(atoms.cell.array[None], 40, axis=0)
    images = list(files.images(atoms, positions, cell))
    for name, part in (("a", images[:25]), ("b", images[25:])):
        write(tmp_path / name, part, format="vasp-xdatcar")
    (tmp_path / "XDATCAR").write_bytes(
        (tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes()
    )
    follows(read(tmp_path / "XDATCAR"), positions, cell)


def test_xdatcar_that_is_cut_short_or_damaged(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(40)
    file = files.xdatcar(tmp_path / "XDATCAR", atoms, positions, cell)
    text = file.read_text()
    file.write_text(text[:-20])
    run = read(file)
    follows(run, positions[:, :, :39], cell[:39])
    assert run.remarks == ("the last frame is cut short and left out",)
    lines = text.splitlines(keepends=True)
    lines[10] = "0.1 **** 0.3\n"
    file.write_text("".join(lines))
    with pytest.raises(StudyError, match="frame 1, atom line 3: is not three numbers"):
        read(file)
    with pytest.raises(StudyError, match="--interval-fs"):
        read(file, Wanted())


def test_xdatcar_without_elements(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(40)
    file = files.xdatcar(tmp_path / "XDATCAR", atoms, positions, cell)
    file.write_text(file.read_text().replace("Li O\n", ""))
    with pytest.raises(StudyError, match="--elements"):
        read(file)
    assert (read(file, told=Told(("Li", "O"))).numbers == atoms.numbers).all()


def test_vasprun_says_its_time_step(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(30, tilt=1.0)
    file = files.vasprun(tmp_path / "vasprun.xml", atoms, positions, cell, 2.0)
    run = read(file, Wanted())
    follows(run, positions, cell)
    assert run.interval_fs == 2.0
    file.write_text(file.read_text()[:-300])
    cut = read(file, Wanted())
    follows(cut, positions[:, :, :29], cell[:29])
    assert "cut short or damaged after step 29" in cut.remarks[0]


def test_vasprun_of_a_relaxation_is_refused(tmp_path: Path) -> None:
    file = files.vasprun(tmp_path / "vasprun.xml", *files.walk(3), 0.5, ibrion=2)
    with pytest.raises(StudyError, match="no molecular dynamics"):
        read(file)


def test_h5md(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(40, tilt=2.0)
    file = files.h5md(tmp_path / "a.h5", atoms, positions, cell, 0.05)
    run = read(file, Wanted())
    follows(run, positions, cell)
    assert run.interval_fs == pytest.approx(50.0)
    assert (run.numbers == atoms.numbers).all()
    with h5py.File(file, "a") as opened:
        del opened["particles/all/box/edges"]
    with pytest.raises(StudyError, match="has no cell"):
        read(file, Wanted())


def test_trajectories_of_ase(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(30, tilt=2.0)
    write(tmp_path / "a.traj", files.images(atoms, positions, cell))
    follows(read(tmp_path / "a.traj"), positions, cell)


def test_xtc(tmp_path: Path) -> None:
    mda = pytest.importorskip("MDAnalysis")
    atoms, positions, cell = files.walk(40, tilt=2.0)
    frames = files.images(atoms, positions, cell)
    write(tmp_path / "a.xyz", frames[0], format="xyz")
    universe = mda.Universe(str(tmp_path / "a.xyz"))
    with mda.Writer(str(tmp_path / "a.xtc"), len(atoms)) as writer:
        for index, frame in enumerate(frames):
            universe.atoms.positions = frame.positions
            universe.trajectory.ts.dimensions = frame.cell.cellpar()
            universe.trajectory.ts.time = 0.05 * index
            writer.write(universe.atoms)
    with pytest.raises(StudyError, match="--topology"):
        read(tmp_path / "a.xtc", Wanted())
    run = read(tmp_path / "a.xtc", Wanted(), Told(topology=tmp_path / "a.xyz"))
    assert run.interval_fs == pytest.approx(50.0, rel=1e-4)
    follows(run, positions, cell, digits=2e-3)  # xtc has hundredths of an angstrom


def test_without_mdanalysis_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "MDAnalysis", None)
    (tmp_path / "a.xtc").write_bytes(b"\x00\x00\x07\xcb")
    with pytest.raises(StudyError, match=r"pip install 'borarun\[analyse\]'"):
        read(tmp_path / "a.xtc")
