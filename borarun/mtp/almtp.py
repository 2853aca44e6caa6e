"""MLIP-3's potential with its selection state (``.almtp``): the text of the potential, a line that
marks its end, and a block that is partly binary.

The block holds the weights of the selection (which say whether whole configurations or
neighbourhoods are graded), the active set row by row and its inverse column by column as float64,
for each row the configuration it came from (-1: none) and its number there, and these
configurations. MLIP-3 numbers parameters in another order than borarun: radial functions, species,
moments.

Source: files of the program, and grades that both give (tests/engines/test_mlip_3.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from borarun.mtp import cfg
from borarun.mtp.potential import ACTIVE_SET_MARK, Potential

Array = NDArray[Any]

Mode = Literal["cfg", "nbh"]
MODES: dict[Mode, tuple[float, ...]] = {"cfg": (1.0, 0.0, 0.0, 0.0), "nbh": (0.0, 0.0, 0.0, 1.0)}
"""Weights of energy, force, stress and local energies in the selection."""

WEIGHTS = ("energy_weight", "force_weight", "stress_weight", "site_en_weight")
_TAG = re.compile(r"^potential_tag =.*$", re.MULTILINE)


@dataclass(frozen=True)
class Selection:
    """What a potential was selected on.

    Attributes
    ----------
    mode : ``cfg`` grades the mean over the atoms of a configuration, ``nbh`` each neighbourhood
    active_set : (P, P) derivatives of (mean) local energies with respect to the parameters, which
        are in the order of ``Potential.parameters``
    """

    mode: Mode
    active_set: Array


def split(content: bytes) -> tuple[str, bytes]:
    """The text of the potential, and the block that follows it; that is empty where there is no
    selection state.
    """
    head, mark, block = content.partition(f"\n{ACTIVE_SET_MARK}\n".encode())
    return head.decode() + ("\n" if mark else ""), mark[1:] + block


def tagged(content: bytes, tag: str) -> bytes:
    """The same with a ``potential_tag``, which MLIP-3 empties when it writes; borarun keeps the
    chemical elements there.
    """
    text, block = split(content)
    return _TAG.sub(f"potential_tag = {tag}", text, count=1).encode() + block


def read(content: bytes, potential: Potential) -> Selection:
    """The selection state.

    Parameters
    ----------
    content : of a .almtp file
    potential : the potential in it, which says how many parameters there are

    Raises
    ------
    ValueError
        Where there is none, it is cut short, or of other weights than either mode has.
    """
    block = split(content)[1]
    head, _, matrices = block[len(ACTIVE_SET_MARK) :].partition(b"#")
    words = head.decode("ascii", errors="replace").split()
    weights = dict(zip(words[::2], words[1::2], strict=False))
    try:
        found = tuple(float(weights[name]) for name in WEIGHTS)
    except (KeyError, ValueError) as error:
        raise ValueError("the potential has no selection state, or it is cut short") from error
    mode = next((mode for mode, expected in MODES.items() if expected == found), None)
    if mode is None:
        raise ValueError(
            f"the selection state is of neither configurations nor neighbourhoods (weights {found})"
        )
    p = potential.n_parameters
    _, links, configurations = (
        *matrices[2 * p * p * 8 :].decode("ascii", errors="replace").split("#\n", 2),
        "",
        "",
    )[:3]
    origins = (
        [int(line.split()[0]) for line in links.splitlines()]
        if re.fullmatch(r"(-?\d+ -?\d+\n)+", links)
        else []
    )
    if len(origins) != p or len(cfg.features(configurations)) != max(origins) + 1:
        raise ValueError(
            f"the selection state is cut short ({len(matrices)} bytes after its weights, {p} "
            "parameters)"
        )
    rows = np.frombuffer(matrices, "<f8", p * p).reshape(p, p)
    if not np.isfinite(rows).all():
        raise ValueError("the selection state contains values that are not numbers")
    active = np.empty((p, p))
    active[:, _order(potential)] = rows
    return Selection(mode, active)


def write(potential: Potential, active_set: Array) -> bytes:
    """A potential with the selection state of its neighbourhoods, for the extrapolation control of
    MLIP-3; it was trained by whatever program.

    The rows are of unknown origin for MLIP-3, so that it can grade by them and select candidates
    beside them.

    Parameters
    ----------
    potential : Potential
    active_set : (P, P) as ``active_set.build`` gives it
    """
    weights = [f"{name} {value:.16e}" for name, value in zip(WEIGHTS, MODES["nbh"], strict=True)]
    head = "\n".join([ACTIVE_SET_MARK, *weights, "weight_scaling 2", "#"])
    rows = np.asarray(active_set[:, _order(potential)], "<f8")
    links = "\n#\n" + "-1 -1\n" * len(rows) + "#\n"
    return b"".join(
        [
            potential.write().encode(),
            head.encode(),
            rows.tobytes(),
            np.linalg.inv(rows).T.tobytes(),
            links.encode(),
        ]
    )


def _order(potential: Potential) -> NDArray[np.intp]:
    """(P,) place among borarun's parameters of each of MLIP-3's."""
    moments, species = len(potential.data.moment_coeffs), len(potential.species)
    places = np.arange(potential.n_parameters)
    return np.concatenate(
        [places[moments + species :], places[moments : moments + species], places[:moments]]
    )
