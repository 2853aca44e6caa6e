"""Which reader a file has."""

from __future__ import annotations

from pathlib import Path

from borarun.given.ase_files import MARK as ASE_MARK
from borarun.given.ase_files import open_ase
from borarun.given.extended_xyz import open_extended_xyz
from borarun.given.frame import Opened, Told, wrong
from borarun.given.gathered import Gathered, Wanted, gather
from borarun.given.h5md import open_h5md
from borarun.given.lammps_dump import open_dump, own_dump
from borarun.given.mdanalysis import SUFFIXES, open_with_mdanalysis
from borarun.given.vasprun import open_vasprun
from borarun.given.xdatcar import MARK as XDATCAR_MARK
from borarun.given.xdatcar import open_xdatcar

PACKED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7zXZ": "unxz",
    b"\x28\xb5\x2f\xfd": "unzstd",
}
"""First bytes of packed files, and what unpacks them."""

HDF5 = b"\x89HDF"
"""First bytes of an HDF5 file."""

READ = (
    "LAMMPS text dumps, extended XYZ, XDATCAR, vasprun.xml, H5MD, ASE's .traj, and .xtc, .trr, "
    ".dcd and .nc"
)


def read_trajectory(file: Path, told: Told, wanted: Wanted) -> Gathered:
    """The frames of a file, whichever format it has.

    Raises
    ------
    StudyError
        Where it has none that is read, is damaged, or does not say what is needed.
    """
    start = _start(file)
    if start.lstrip().startswith(b"ITEM:"):
        own = own_dump(file, told, wanted)
        return own or gather(file, open_dump(file, told), wanted)
    return gather(file, _open(file, start, told), wanted)


def _open(file: Path, start: bytes, told: Told) -> Opened:
    if start.startswith(HDF5):
        return open_h5md(file, told)
    if start.startswith(ASE_MARK):
        return open_ase(file, told)
    if file.suffix.lower() in SUFFIXES:
        return open_with_mdanalysis(file, told)
    if b"<modeling>" in start:
        return open_vasprun(file, told)
    if XDATCAR_MARK in start:
        return open_xdatcar(file, told)
    lines = start.split(b"\n", 2)
    if len(lines) > 1 and lines[0].strip().isdigit():
        return open_extended_xyz(file, told)
    raise wrong(file, f"has a format that is not read. {READ} are.")


def _start(file: Path) -> bytes:
    """The first bytes of a file.

    Raises
    ------
    StudyError
        Where it cannot be read, is empty or packed.
    """
    try:
        with file.open("rb") as handle:
            start = handle.read(4096)
    except OSError as error:
        raise wrong(
            file, f"is unreadable ({error.strerror}). Check the path and its permissions."
        ) from error
    if not start.strip():
        raise wrong(file, "is empty. Check that the run wrote it.")
    for mark, command in PACKED.items():
        if start.startswith(mark):
            raise wrong(file, f"is packed. Unpack it first: {command} {file.name}")
    return start
