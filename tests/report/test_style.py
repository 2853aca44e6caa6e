"""Drawings: labels that do not touch, colours that order, markers that tell their values."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes

from borarun.report import style


def test_labels_are_spread_and_keep_their_order() -> None:
    placed = style.spread(np.array([0.1, 0.5, 0.51, 0.52, 1.2]), 0.06)
    assert np.all(np.diff(placed) >= 0.06 - 1e-12)
    assert placed[0] == pytest.approx(0.1)
    assert placed.max() <= 1
    assert placed[1:4].mean() == pytest.approx(0.51)


def test_labels_at_the_bottom_stay_inside() -> None:
    assert style.spread(np.zeros(4), 0.05) == pytest.approx([0, 0.05, 0.1, 0.15])


def test_the_label_of_a_line_that_ends_far_outside_stands_at_the_edge() -> None:
    def paint(axes: Axes) -> None:
        axes.set_ylim(0, 1)
        style.label_ends(axes, [(-100.0, "below", "#000000"), (0.5, "within", "#000000")])
        leader, height = axes.lines[0], axes.texts[0].get_position()[1]
        assert axes.texts[0].get_text() == "below" and height == 0
        assert list(leader.get_ydata()) == [0, 0]

    style.draw(
        "edge", "A label.", paint
    )  # the layout has room for the axes: a warning is an error here


def test_colours_order_and_repeat() -> None:
    colors = style.by_temperature([300, 700, 500, 300])
    assert list(colors) == [300, 500, 700]
    assert len(set(colors.values())) == 3
    assert style.marker(0, [0, 1]) != style.marker(1, [0, 1])


def test_a_marker_tells_its_values_where_it_stands() -> None:
    def paint(axes: Axes) -> None:
        axes.plot([1.0, 10.0, 100.0, np.nan], [1.0, 2.0, 3.0, 4.0], "o-", label="a < b")
        axes.plot([1.0, 100.0], [1.0, 3.0], "-")  # without a name: a guide
        axes.axvline(5.0, marker="o")
        axes.errorbar([20.0], [2.0], yerr=[0.5], fmt="none", capsize=3)
        style.logarithmic(axes, "x")
        axes.set(xlabel="x, ps", ylabel="y, Å")

    panel = style.draw("name", "alt", paint)
    drawing = ElementTree.fromstring(
        panel.svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    )
    space = "{http://www.w3.org/2000/svg}"
    told = {
        circle.findtext(f"{space}title"): (float(circle.attrib["cx"]), float(circle.attrib["cy"]))
        for circle in drawing.iter(f"{space}circle")
    }
    assert list(told) == [
        "a < b: x, ps: 1; y, Å: 1",
        "a < b: x, ps: 10; y, Å: 2",
        "a < b: x, ps: 100; y, Å: 3",
    ]
    drawn = [
        (float(use.attrib["x"]), float(use.attrib["y"]))
        for use in drawing.iter(f"{space}use")
        if "y" in use.attrib
    ]
    for place in told.values():
        assert min(np.hypot(place[0] - x, place[1] - y) for x, y in drawn) < 0.2, (
            "no marker stands where its value is told"
        )
    assert b"circle" not in panel.file_svg, "files have what is drawn"


def test_a_line_with_a_name_tells_values_evenly_over_its_length() -> None:
    x = np.geomspace(0.01, 100, 400)

    def paint(axes: Axes) -> None:
        axes.plot(x, 3 * x, label="300 K")
        style.logarithmic(axes, "xy")
        axes.set(xlabel="x", ylabel="y")

    panel = style.draw("name", "alt", paint)
    told = [
        float(text.split("x: ")[1].split(";")[0])
        for text in re.findall("<title>(.*?)</title>", panel.svg)
    ]
    assert len(told) == style.TOLD_ON_LINE
    assert "300 K: x: " in panel.svg
    steps = np.diff(np.log(told))
    assert (
        told[0] == pytest.approx(0.01)
        and told[-1] == pytest.approx(100)
        and steps.max() < 1.2 * steps.min()
    )


def test_a_drawing_names_its_content_and_prefixes_its_ids() -> None:
    panel = style.draw("name", 'a "b" < c', lambda axes: axes.plot([0, 1], [0, 1]) and None)
    assert panel.svg.startswith("<svg ")
    assert 'aria-label="a &quot;b&quot; &lt; c"' in panel.svg
    assert "metadata" not in panel.svg
    assert 'id="figure_1"' not in panel.svg
    assert panel.png.startswith(b"\x89PNG")
