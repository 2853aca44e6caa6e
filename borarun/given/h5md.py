"""H5MD: positions, cells, times and species of one group of particles.

h5py, which phonopy needs, reads it in place: no topology and no other package is needed.

Source: de Buyl, Colberg, Höfling, Comput. Phys. Commun. 185, 1546 (2014); nongnu.org/h5md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from borarun.given.frame import Array, Frame, Opened, Tick, Told, wrong
from borarun.structures.files.text import element

FORMAT = "H5MD"
LENGTHS_A = {"angstrom": 1.0, "a": 1.0, "å": 1.0, "nm": 10.0, "pm": 0.01, "bohr": 0.529177210903}
TIMES_FS = {"fs": 1.0, "ps": 1e3, "ns": 1e6}
TOGETHER = 64
"""Frames that are read at once."""


def open_h5md(file: Path, told: Told) -> Opened:
    """An H5MD file.

    Raises
    ------
    StudyError
        Where it has no positions, cell or species, or several groups of particles.
    """
    import h5py

    try:
        root = h5py.File(file, "r")
    except OSError as error:
        raise wrong(
            file, f"is unreadable ({str(error)[:100]}). If its run still writes it, wait."
        ) from error
    groups = [name for name in root.get("particles", {}) if "position" in root["particles"][name]]
    if len(groups) != 1:
        raise wrong(
            file,
            f"has {len(groups)} groups of particles with positions ({', '.join(groups)[:80]}). One "
            "is read.",
        )
    group = root["particles"][groups[0]]
    position = group["position"]
    if "value" not in position:
        raise wrong(file, "has positions that do not change with time.")
    if "box" not in group or "edges" not in group["box"]:
        raise wrong(file, "has no cell (box/edges), and volume and unwrapping need one.")
    numbers = _numbers(file, group, told)
    length = _unit(file, position["value"], LENGTHS_A, "positions")
    tick: Tick = "frame"
    time_fs = None
    if "time" in position and "unit" in position["time"].attrs:
        time_fs = _unit(file, position["time"], TIMES_FS, "times")
        tick = "fs"
    elif "step" in position:
        tick = "step"
    unwrapped = "image" in group
    return Opened(FORMAT, tick, unwrapped, _frames(file, group, numbers, length, tick, time_fs))


def _unit(file: Path, data: Any, known: dict[str, float], what: str) -> float:
    """Factor of the unit of a dataset; angstrom where none is told."""
    said = data.attrs.get("unit", "Angstrom")
    word = said.decode() if isinstance(said, bytes) else str(said)
    if word.lower() not in known:
        raise wrong(
            file, f"its {what} have the unit {word!r}, which is not read ({', '.join(known)} are)."
        )
    return known[word.lower()]


def _numbers(file: Path, group: Any, told: Told) -> Array:
    """(N,) atomic numbers."""
    if "species" not in group:
        raise wrong(file, "has no species, so that it does not say which element an atom is.")
    data = group["species"]
    if "value" in data:
        data = data["value"]
    values = np.asarray(data[-1] if data.ndim == 2 else data[...])
    if values.dtype.kind in "SO":
        words = [word.decode() if isinstance(word, bytes) else str(word) for word in values]
        kinds: dict[Any, str] = {word: word for word in set(words)}
    else:
        import h5py

        names = h5py.check_enum_dtype(data.dtype) or {}
        words = values.tolist()
        kinds = {number: name for name, number in names.items()}
        if not kinds and told.elements:
            low = int(values.min())
            kinds = {low + place: symbol for place, symbol in enumerate(told.elements)}
        elif not kinds:
            kinds = {
                number: chemical_symbols[number]
                for number in set(words)
                if 0 < number < len(chemical_symbols)
            }
    try:
        of = {kind: chemical_symbols.index(element(name)) for kind, name in kinds.items()}
        return np.array([of[word] for word in words], np.int32)
    except (KeyError, ValueError) as error:
        raise wrong(
            file,
            f"has species that name no element ({error}). Give --elements in the order of their "
            "numbers (key: elements).",
        ) from error


def _frames(
    file: Path, group: Any, numbers: Array, length: float, tick: Tick, time_fs: float | None
) -> Iterator[Frame]:
    position, edges = group["position"], group["box"]["edges"]
    places, moving = position["value"], hasattr(edges, "keys")
    n_frames = len(places)
    if moving and len(edges["value"]) != n_frames:
        raise wrong(
            file,
            f"has {len(edges['value'])} cells and {n_frames} frames of positions. Write both at "
            "the same steps.",
        )
    counted = position["time"] if tick == "fs" else position["step"] if tick == "step" else None
    if counted is not None and counted.ndim == 0:  # a fixed step is given as one number
        spacing = float(counted[()])
        ticks: Array = np.arange(n_frames) * spacing
    else:
        ticks = np.arange(n_frames) if counted is None else np.asarray(counted[...], float)
    ticks = ticks * (time_fs or 1.0)
    if places.ndim != 3 or places.shape[1:] != (len(numbers), 3):
        raise wrong(file, f"has positions of the shape {places.shape}, and {len(numbers)} species.")
    images = group.get("image")
    fixed = np.zeros((3, 3)) if moving else _cell(np.asarray(edges[...], float))
    for begin in range(0, n_frames, TOGETHER):
        part = slice(begin, min(begin + TOGETHER, n_frames))
        read = np.asarray(places[part], float) * length
        boxes = np.asarray(edges["value"][part], float) if moving else None
        crossed = None if images is None else np.asarray(_value(images)[part], float)
        for index in range(len(read)):
            cell = (_cell(boxes[index]) if boxes is not None else fixed) * length
            scaled = read[index] @ np.linalg.inv(cell)
            if crossed is not None:
                scaled = scaled + crossed[index]
            number = begin + index
            yield Frame(number + 1, float(ticks[number]), numbers, cell, scaled)


def _value(group: Any) -> Any:
    return group["value"] if hasattr(group, "keys") else group


def _cell(edges: Array) -> Array:
    """(3, 3) rows are vectors, of three lengths or three vectors."""
    return np.diag(edges) if edges.ndim == 1 else edges
