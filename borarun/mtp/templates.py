"""The tables of basis functions of each level: ``alpha_*`` in an MTP file.

They were made by ``contractions.py`` and lie beside this file: level 28 takes a minute and a half.
``python -m borarun.mtp.templates`` makes them anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from borarun.mtp.contractions import Template, construct

FILE = Path(__file__).with_name("templates.npz")

SCALARS = {
    6: 5,
    8: 9,
    10: 16,
    12: 29,
    14: 52,
    16: 92,
    18: 163,
    20: 288,
    22: 500,
    24: 864,
    26: 1464,
    28: 2445,
}
"""Number of basis functions of each level, as in MLIP-3."""


@cache
def template(level: int) -> Template:
    """The tables of a level.

    Raises
    ------
    ValueError
        Where the level is not even or not within 6..28.
    """
    if level not in SCALARS:
        raise ValueError(f"an untrained potential has an even level from 6 to 28 (got {level})")
    with np.load(FILE) as file:
        basic, times, scalars = (file[f"{name}_{level}"] for name in ("basic", "times", "scalars"))
    return Template(basic, times, scalars)


if __name__ == "__main__":
    made = {level: construct(level) for level in SCALARS}
    np.savez_compressed(
        FILE,
        **{
            f"{name}_{level}": getattr(tables, name)
            for level, tables in made.items()
            for name in ("basic", "times", "scalars")
        },
    )
