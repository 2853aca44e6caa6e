"""Trajectories with known answers, written as programs write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

TYPES = ["Li", "B", "H", "O"]


def dump(
    path: Path,
    atoms: Atoms,
    positions: np.ndarray,
    cell: np.ndarray,
    columns: str,
    *,
    every: int = 100,
    steps: Sequence[int] | None = None,
    shuffled: bool = False,
    units: str = "",
    origin: float = 0.0,
) -> Path:
    """A text dump of unwrapped positions (N, 3, F) in cells (F, 3, 3), lower triangular."""
    rng = np.random.default_rng(3)
    lines = []
    ids = np.arange(1, len(atoms) + 1)
    for index, box in enumerate(cell):
        scaled = positions[:, :, index] @ np.linalg.inv(box)
        image = np.floor(scaled).astype(int)
        values = {"id": ids, "type": [TYPES.index(symbol) + 1 for symbol in atoms.symbols]}
        values["element"] = list(atoms.symbols)
        values["mass"] = [f"{mass:.3f}" for mass in atoms.get_masses()]
        for axis, name in enumerate("xyz"):
            values[f"{name}u"] = [f"{x:.5f}" for x in positions[:, axis, index] + origin]
            inside = (scaled - image) @ box
            values[name] = [f"{x:.5f}" for x in inside[:, axis] + origin]
            values[f"{name}s"] = [f"{x:.8f}" for x in (scaled - image)[:, axis]]
            values[f"{name}su"] = [f"{x:.8f}" for x in scaled[:, axis]]
            values[f"i{name}"] = image[:, axis]
            values[f"v{name}"] = [f"{x:.3e}" for x in rng.normal(size=len(atoms))]
        if units and not index:
            lines += ["ITEM: UNITS", units]
        if units:
            lines += ["ITEM: TIME", f"{index * every * 0.0005:.6g}"]
        step = steps[index] if steps is not None else index * every
        lines += ["ITEM: TIMESTEP", str(step), "ITEM: NUMBER OF ATOMS", str(len(atoms))]
        lines += bounds(box, origin)
        lines.append(f"ITEM: ATOMS {columns}")
        order = rng.permutation(len(atoms)) if shuffled else np.arange(len(atoms))
        names = columns.split()
        lines += [" ".join(str(values[name][atom]) for name in names) for atom in order]
    path.write_text("\n".join(lines) + "\n")
    return path


def bounds(box: np.ndarray, origin: float) -> list[str]:
    """The lines of a cell."""
    (x, _, _), (xy, y, _), (xz, yz, z) = box
    if xy == xz == yz == 0:
        return [
            "ITEM: BOX BOUNDS pp pp pp",
            *(f"{origin:.10f} {origin + e:.10f}" for e in (x, y, z)),
        ]
    low = (min(0, xy, xz, xy + xz), min(0, yz), 0.0)
    high = (max(0, xy, xz, xy + xz) + x, max(0, yz) + y, z)
    return [
        "ITEM: BOX BOUNDS xy xz yz pp pp pp",
        *(
            f"{origin + a:.10f} {origin + b:.10f} {tilt:.10f}"
            for a, b, tilt in zip(low, high, (xy, xz, yz), strict=True)
        ),
    ]


def images(atoms: Atoms, positions: np.ndarray, cell: np.ndarray) -> list[Atoms]:
    """The frames as ASE atoms, wrapped into their cells."""
    found = []
    for index, box in enumerate(cell):
        one = Atoms(atoms.numbers, positions[:, :, index], cell=box, pbc=True)
        one.wrap()
        found.append(one)
    return found


def walk(
    n_frames: int = 400, spread_A: float = 0.15, seed: int = 0, tilt: float = 0.0
) -> tuple[Atoms, np.ndarray, np.ndarray]:
    """Eight lithium ions that walk, and a still framework of single oxygen atoms, in a cell that
    breathes: atoms, positions (N, 3, F) unwrapped, cell (F, 3, 3).

    In each direction an ion goes by steps of ``spread_A`` on average, in the mean cell.
    """
    rng = np.random.default_rng(seed)
    a = 9.6
    box = np.array([[a, 0, 0], [tilt, a, 0], [0.5 * tilt, -tilt, a]])
    corners = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]) / 2
    scaled = np.concatenate([corners + 0.25, corners])
    atoms = Atoms("Li8O8", scaled @ box, cell=box, pbc=True)
    mean = np.repeat(atoms.positions[:, :, None], n_frames, axis=2)
    mean[:8, :, 1:] += np.cumsum(rng.normal(0, spread_A, (8, 3, n_frames - 1)), axis=2)
    mean[8:] += rng.normal(0, 0.05, (8, 3, n_frames))
    scale = 1 + 0.01 * np.sin(np.arange(n_frames) / 7.0) + 0.002 * rng.normal(size=n_frames)
    scale /= scale.mean()
    return atoms, mean * scale, box[None] * scale[:, None, None]


def symbols(numbers: np.ndarray) -> list[str]:
    """Symbols of atomic numbers."""
    return [chemical_symbols[number] for number in numbers]


def xdatcar(path: Path, atoms: Atoms, positions: np.ndarray, cell: np.ndarray) -> Path:
    """An XDATCAR with the cell before each frame, as VASP writes it where the cell changes."""
    kinds = list(dict.fromkeys(atoms.symbols))
    head = [" ".join(kinds), " ".join(str(list(atoms.symbols).count(kind)) for kind in kinds)]
    lines = []
    for index, box in enumerate(cell):
        lines += [
            "made up",
            "           1",
            *(" ".join(f"{x:11.8f}" for x in v) for v in box),
            *head,
        ]
        lines.append(f"Direct configuration= {index + 1:5d}")
        scaled = positions[:, :, index] @ np.linalg.inv(box)
        lines += [" ".join(f"{x:11.8f}" for x in row) for row in scaled % 1.0]
    path.write_text("\n".join(lines) + "\n")
    return path


def vasprun(
    path: Path, atoms: Atoms, positions: np.ndarray, cell: np.ndarray, potim: float, ibrion: int = 0
) -> Path:
    """A vasprun.xml with what a reader of trajectories needs."""

    def varray(name: str, rows: np.ndarray) -> str:
        inside = "".join(f"<v>{' '.join(f'{x:.8f}' for x in row)}</v>\n" for row in rows)
        return f'<varray name="{name}">{inside}</varray>'

    tags = f'<i type="int" name="IBRION">{ibrion}</i><i name="POTIM">{potim}</i>'
    of_atoms = "".join(f"<rc><c>{symbol}</c><c>1</c></rc>" for symbol in atoms.symbols)
    parts = [
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<generator></generator>',
        f"<incar>{tags}</incar><parameters>{tags}</parameters>",
        f'<atominfo><array name="atoms"><set>{of_atoms}</set></array></atominfo>',
    ]
    for index, box in enumerate(cell):
        scaled = (positions[:, :, index] @ np.linalg.inv(box)) % 1.0
        parts.append(
            f"<calculation><structure><crystal>{varray('basis', box)}</crystal>"
            f"{varray('positions', scaled)}</structure></calculation>"
        )
    path.write_text("\n".join([*parts, "</modeling>\n"]))
    return path


def h5md(
    path: Path, atoms: Atoms, positions: np.ndarray, cell: np.ndarray, interval_ps: float
) -> Path:
    """An H5MD file in nanometres, its cell changing and its species an enumeration."""
    import h5py

    wrapped = np.array([one.positions for one in images(atoms, positions, cell)])
    names = dict(zip(dict.fromkeys(atoms.symbols), range(5), strict=False))
    with h5py.File(path, "w") as file:
        group = file.create_group("particles/all")
        group["position/value"] = wrapped / 10
        group["position/value"].attrs["unit"] = "nm"
        group["position/step"] = 100
        group["position/time"] = interval_ps
        group["position/time"].attrs["unit"] = "ps"
        group["box/edges/value"] = cell / 10
        of = h5py.enum_dtype(names, basetype="i4")
        group.create_dataset("species", data=[names[symbol] for symbol in atoms.symbols], dtype=of)
    return path
