"""The unit cell in three dimensions, with the density of the mobile ions: a page of its own, for
turning and zooming without a network.

It carries plotly's script, which makes it some megabytes larger than the report that links to it.
"""

from __future__ import annotations

from html import escape
from itertools import product
from typing import Any

import numpy as np
import plotly.graph_objects as go
from ase.data import atomic_numbers, covalent_radii
from ase.data.colors import jmol_colors
from numpy.typing import NDArray

from borarun.report import text
from borarun.subjects import SUBJECTS
from borarun.subjects.common.results import Results
from borarun.subjects.common.unit_cell import DensityMap, UnitCell

Array = NDArray[Any]

NAME = "cell.html"
DENSEST, TIMES_MEAN = 6000, 4.0
"""Of a density are drawn the voxels, at most so many, that hold more than so many times the mean.
"""

KINDS = {
    "tetrahedral": ("diamond", "#20568a"),
    "window": ("x", "#8a5a00"),
    "octahedral": ("square", "#1d6b3c"),
}


def cell_page(results: Results) -> str:
    """The page: one view of the structure, and one of the density for each run that has one."""
    densities: dict[str, DensityMap] = {
        name: density
        for subject in SUBJECTS
        for name, density in getattr(subject.part("show"), "densities", lambda results: {})(
            results
        ).items()
    }
    views = {
        f"{results.phase} as it starts": [
            _edges(results.unit_cell.vectors),
            *_atoms(results.unit_cell),
        ]
    }
    for name, density in densities.items():
        views[name] = [
            _edges(density.cell),
            *_sites(density),
            _cloud(density, results.mobile),
        ]
    figure = go.Figure(data=[trace for traces in views.values() for trace in traces])
    owner = [name for name, traces in views.items() for _ in traces]
    buttons = [
        {
            "label": name,
            "method": "update",
            "args": [{"visible": [name == other for other in owner]}],
        }
        for name in views
    ]
    for trace, name in zip(figure.data, owner, strict=True):
        trace.visible = name == owner[0]
    figure.update_layout(
        title={"text": f"{text.formula(results.formula)}: unit cell", "x": 0.02},
        scene={
            "aspectmode": "data",
            **{f"{axis}axis": {"visible": False} for axis in "xyz"},
            "camera": {
                "projection": {"type": "orthographic"},
                "eye": {"x": 1.3, "y": 0.75, "z": 0.5},
            },
        },
        updatemenus=[
            {"buttons": buttons, "x": 0.02, "y": 0.99, "xanchor": "left", "yanchor": "top"}
        ]
        if len(views) > 1
        else [],
        legend={"x": 0.02, "y": 0.02, "itemsizing": "constant"},
        margin={"l": 0, "r": 0, "t": 50, "b": 0},
    )
    page: str = figure.to_html(
        full_html=True,
        include_plotlyjs=True,
        div_id="cell",
        default_height="100vh",
        config={"displaylogo": False, "responsive": True},
    )
    head = (
        '<meta name="viewport" content="width=device-width, '
        f'initial-scale=1"><title>{escape(results.name)}: unit cell</title>'
    )
    return page.replace("<html>", '<html lang="en">', 1).replace("<head>", f"<head>{head}", 1)


def _atoms(cell: UnitCell) -> list[Any]:
    """Spheres by element, and the bonds of the anions."""
    symbols = np.array(cell.symbols)
    ends = np.full((len(cell.bonds), 3, 3), np.nan)  # from, to, and a gap
    ends[:, :2] = cell.positions[cell.bonds]
    made = [_line(ends.reshape(-1, 3), "bonds", "#b9c0c9", 4)]
    for element in dict.fromkeys(cell.symbols):
        number = atomic_numbers[element]
        red, green, blue = (round(255 * part) for part in jmol_colors[number])
        marker = {
            "size": 12 * covalent_radii[number] ** 0.5,
            "color": f"rgb({red},{green},{blue})",
            "line": {"color": "#5b6674", "width": 1},
        }
        made.append(_points(cell.positions[symbols == element], element, marker))
    return made


def _sites(density: DensityMap) -> list[Any]:
    """Centres of the anions, or what else the sites lie between, and the sites."""
    made = []
    for kind, scaled in density.sites.items():
        symbol, color = KINDS.get(kind, ("circle", "#c9a58f"))
        points = kind == density.mark
        size = 26 if points else 4
        marker = {
            "size": size,
            "symbol": symbol,
            "color": color,
            "opacity": 0.35 if points else 0.9,
        }
        made.append(
            _points(
                scaled @ density.cell,
                (f"{kind} centres" if kind == "anion" else kind) if points else f"{kind} sites",
                marker,
            )
        )
    return made


def _cloud(density: DensityMap, mobile: str) -> Any:
    """The voxels where ions are often, coloured by how often."""
    mean = density.total / abs(np.linalg.det(density.cell))
    values = density.values.ravel()
    chosen = np.argsort(values)[::-1][:DENSEST]
    chosen = chosen[values[chosen] > TIMES_MEAN * mean]
    scaled = (
        np.stack(np.unravel_index(chosen, density.values.shape), axis=1) + 0.5
    ) / density.values.shape
    marker = {
        "size": 3,
        "opacity": 0.25,
        "color": np.round(values[chosen] / mean, 2),
        "colorscale": "Viridis",
        "symbol": "square",
        "colorbar": {"title": {"text": "times the mean"}, "len": 0.6},
    }
    return _points(scaled @ density.cell, f"{mobile}, over {TIMES_MEAN:g} times the mean", marker)


def _edges(vectors: Array) -> Any:
    corners = [
        (np.array(start), axis)
        for start in product((0, 1), repeat=3)
        for axis in range(3)
        if not start[axis]
    ]
    ends = np.full((len(corners), 3, 3), np.nan)
    for edge, (start, axis) in zip(ends, corners, strict=True):
        edge[0], edge[1] = start @ vectors, (start + np.eye(3)[axis]) @ vectors
    return _line(ends.reshape(-1, 3), "unit cell", "#1c2430", 2)


def _points(places: Array, name: str, marker: dict[str, Any]) -> Any:
    x, y, z = np.round(places, 3).T
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="markers",
        name=name,
        marker=marker,
        hovertemplate=f"{name}<br>%{{x:.2f}}, %{{y:.2f}}, %{{z:.2f}} Å<extra></extra>",
    )


def _line(places: Array, name: str, color: str, width: int) -> Any:
    x, y, z = places.T
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="lines",
        name=name,
        line={"color": color, "width": width},
        hoverinfo="skip",
    )
