"""The look of every figure: fonts, colours that order well and survive colour blindness, labels at
the ends of lines.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import ArrayLike, NDArray

from borarun.report.text import decade

INK = "#1c2430"
MUTED = "#6b7684"
GRID = "#e6e9ed"
PAPER = "#7a4a9e"
EXPERIMENT = "#111111"
HEATING = "#b2341f"
COOLING = "#2068a8"
OURS = "#2068a8"

MOST_TOLD = 200
"""Points of a line whose values are told where they stand."""

TOLD_ON_LINE = 24
"""Places on a line without markers where its values are told."""

_NO_VALUES = ("None", None, "", " ", "|", "_")
"""Markers of none, and of the ends of error bars."""

_FUNCTIONALS = {
    "PBE": "#d55e00",
    "PBE-D3": "#0072b2",
    "rev-vdW-DF2": "#009e73",
    "PBE-D3-zero": "#56b4e9",
    "PBEsol": "#e69f00",
    "vdW-DF2": "#8a6d1d",
    "optB86b-vdW": "#7a4a9e",
    "optB88-vdW": "#cc79a7",
    "optPBE-vdW": "#b2341f",
    "SCAN+rVV10": "#4b5563",
    "r2SCAN": "#6b8e23",
    "r2SCAN+rVV10": "#111827",
}
_MARKERS = "osD^vPX<>"

_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=["#2068a8", "#d55e00", "#009e73", "#7a4a9e", "#8a6d1d"]),
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "borarun",
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@dataclass(frozen=True)
class Panel:
    """One drawing.

    Attributes
    ----------
    name : file name without suffix
    svg : the drawing, to stand in a page
    file_svg, png : the drawing as files
    alt : what it shows, for those who cannot see it
    """

    name: str
    svg: str
    file_svg: bytes
    png: bytes
    alt: str


def draw(
    name: str, alt: str, paint: Callable[[Axes], None], *, width: float = 5.2, height: float = 3.9
) -> Panel:
    """Let ``paint`` draw on fresh axes, and render them. The size is in inches."""
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        paint(axes)
        file_svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(file_svg, format="svg", metadata={"Date": None, "Creator": "borarun"})
        figure.set_layout_engine(
            "none"
        )  # found once, kept: the layout takes as long as the drawing
        figure.savefig(png, format="png", dpi=160, metadata={"Software": "borarun"})
        told = _told(axes)
    return Panel(
        name,
        _inline(file_svg.getvalue().decode(), name, alt, 6.4 * width, told),
        file_svg.getvalue(),
        png.getvalue(),
        alt,
    )


def _told(axes: Axes) -> str:
    """SVG that says the values of a point when the pointer rests on it: titles of empty circles,
    which need no script.

    Every marker has them, and a line without markers, where it has a name, at places spread evenly
    over its length; a line without a name is a guide.
    """
    figure, found = axes.get_figure(root=True), []
    assert figure is not None
    height, scale = 72 * figure.get_figheight(), 72 / figure.dpi
    for line in axes.lines:
        points = np.asarray(line.get_xydata(), float)
        name = str(line.get_label())
        before = "" if name.startswith("_") else f"{name}: "
        if line.get_transform() is not axes.transData or not len(points):
            continue
        drawn = axes.transData.transform(points)
        if line.get_marker() in _NO_VALUES:
            if not before:
                continue
            places = _spread_over(drawn)
            points, drawn = points[places], drawn[places]
        elif len(points) > MOST_TOLD:
            continue
        for (x, y), (across, up) in zip(points, drawn, strict=True):
            if np.isfinite([across, up]).all() and axes.bbox.contains(across, up):
                says = _attribute(
                    f"{before}{axes.get_xlabel()}: {x:.4g}; {axes.get_ylabel()}: {y:.4g}"
                )
                place = f'cx="{scale * across:.1f}" cy="{height - scale * up:.1f}"'
                found.append(f'<circle class="told" {place} r="5"><title>{says}</title></circle>')
    return "\n".join(found)


def _spread_over(drawn: NDArray[np.float64]) -> NDArray[np.intp]:
    """At most `TOLD_ON_LINE` indices of (n, 2) points that lie evenly along the line through them,
    as it is drawn.
    """
    known = np.flatnonzero(np.isfinite(drawn).all(axis=1))
    if len(known) < 2:
        return known
    along = np.concatenate(
        [[0.0], np.cumsum(np.linalg.norm(np.diff(drawn[known], axis=0), axis=1))]
    )
    wanted = np.linspace(0.0, along[-1], TOLD_ON_LINE)
    places: NDArray[np.intp] = known[
        np.unique(np.searchsorted(along, wanted).clip(0, len(known) - 1))
    ]
    return places


def _inline(svg: str, name: str, alt: str, most_rem: float, told: str) -> str:
    """An SVG document made fit to stand in HTML: no prologue or metadata, and ids that no other
    figure has.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" style="max-width:{most_rem:.1f}rem" role="img" '
        rf'aria-label="{_attribute(alt)}">',
        svg,
        count=1,
    )
    svg = re.sub(r"\n\s*", "\n", svg)
    svg = svg.replace("xlink:href", "href")
    end = svg.rindex("</svg>")
    return f"{svg[:end]}{told}\n{svg[end:]}"


def _attribute(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    )


def by_temperature(temperatures: Iterable[float]) -> dict[float, str]:
    """A colour for each temperature: dark and cold to bright and hot."""
    return _ordered(sorted(set(temperatures)), "plasma", 0.05, 0.78)


def by_vacancies(counts: Iterable[int]) -> dict[int, str]:
    """A colour for each vacancy count."""
    return _ordered(sorted(set(counts)), "viridis", 0.08, 0.76)


def _ordered(values: list[Any], name: str, low: float, high: float) -> dict[Any, str]:
    places = np.linspace(low, high, len(values)) if len(values) > 1 else [(low + high) / 2]
    return {
        value: to_hex(colormaps[name](place)) for value, place in zip(values, places, strict=True)
    }


def marker(vacancies: int, counts: Iterable[int]) -> str:
    """A marker for each vacancy count, so that colour is never the only sign."""
    return _MARKERS[sorted(set(counts)).index(vacancies) % len(_MARKERS)]


def by_functional(functional: str) -> str:
    """The colour of a functional."""
    return _FUNCTIONALS.get(functional, OURS)


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], *, gap: float = 0.062) -> None:
    """Write a label to the right of the axes at the height where each line ends, moved apart where
    they would touch.

    The label of a line that ends beyond the axes stands at their nearest edge.

    Parameters
    ----------
    ends : (y in data units, text, colour)
    gap : least distance of two labels, in heights of the axes
    """
    transform = axes.transScale + axes.transLimits
    x_left = axes.get_xlim()[0]
    heights = [float(transform.transform((x_left, y))[1]) for y, _, _ in ends]
    order = np.argsort(heights)
    if not len(heights):  # every line lies outside of the figure
        return
    placed = spread(np.array(heights)[order], gap)
    for index, height in zip(order, placed, strict=True):
        _, text, color = ends[index]
        axes.plot(
            [1.0, 1.03],
            [np.clip(heights[index], 0.0, 1.0), height],
            color=color,
            lw=0.7,
            transform=axes.transAxes,
            clip_on=False,
        )
        axes.text(
            1.04,
            height,
            text,
            color=color,
            transform=axes.transAxes,
            va="center",
            ha="left",
            fontsize=9,
        )


def spread(heights: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Rising ``heights`` moved as little as possible so that neighbours are ``gap`` apart and stay
    within 0..1 where they can.

    Pools of labels that touch are centred on their mean (the pool-adjacent-violators idea).
    """
    pools: list[tuple[float, int]] = []  # (mean of wanted heights minus own offset, members)
    for index, height in enumerate(np.clip(heights, 0.0, 1.0)):
        mean, members = float(height) - index * gap, 1
        while pools and pools[-1][0] > mean:
            before, count = pools.pop()
            mean, members = (before * count + mean * members) / (count + members), count + members
        pools.append((mean, members))
    flat = np.repeat([mean for mean, _ in pools], [members for _, members in pools])
    steps = gap * np.arange(len(heights))
    return np.asarray(
        np.minimum(np.maximum(flat, 0.0) + steps, 1.0 - steps[-1] + steps), dtype=np.float64
    )


def logarithmic(axes: Axes, which: str) -> None:
    """Logarithmic axes, ``x``, ``y`` or ``xy``, with decades as plain text: matplotlib's own labels
    take a third of a figure's time.
    """
    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axes.set(**{f"{name}scale": "log"})
        axis.set_major_formatter(FuncFormatter(lambda value, _: decade(value)))
        axis.set_minor_locator(LogLocator(subs=(2, 5)))
        axis.set_minor_formatter(FuncFormatter(partial(_between_decades, axis)))


def _between_decades(axis: Axis, value: float, _: int) -> str:
    """A label between decades, where a narrow axis has hardly any decade to label."""
    low, high = sorted(axis.get_view_interval())
    return f"{value:.3g}" if low > 0 and high < 20 * low and value >= 1e-3 else ""


def limits(values: ArrayLike, pad: float = 0.08) -> tuple[float, float]:
    """Lowest and highest finite value, with some room."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    room = (high - low or abs(high) or 1.0) * pad
    return low - room, high + room
