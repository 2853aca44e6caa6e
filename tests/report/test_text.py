"""Numbers as a reader wants them."""

from __future__ import annotations

import pytest

from borarun.report import published, text
from borarun.report.results import Measured


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (9.57712, "9.577"),
        (0.0, "0"),
        (-0.01234, "−0.01234"),
        (1.2345e-5, "1.234 × 10⁻⁵"),
        (180.0, "180"),
        (3, "3"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_number(value: float | None, shown: str) -> None:
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (9.5771, 9.5741, 9.5801, "9.5771 ± 0.0030"),
        (315.0, 270.0, 360.0, "315 ± 45"),
        (2e-6, 1e-6, 3e-6, "(2.0 ± 1.0) × 10⁻⁶"),
        (2e-6, 1e-6, 6e-6, "2.0 (1.0–6.0) × 10⁻⁶"),
        (1e-6, -1e-6, 3e-6, "below 3.0 × 10⁻⁶"),
        (-3e-6, -4e-6, -2e-6, "not above 0"),
    ],
)
def test_measured(value: float, low: float, high: float, shown: str) -> None:
    assert text.measured(Measured(value, low, high, positive=True)) == shown


def test_small_things() -> None:
    assert text.formula("Li2B12H12") == "Li₂B₁₂H₁₂"
    assert text.count(0, "vacancy") == "no vacancies"
    assert text.count(1, "vacancy") == "1 vacancy"
    assert text.duration(60) == "60 ps"
    assert text.duration(1000) == "1 ns"
    assert text.listed(["a", "b", "c"]) == "a, b and c"
    assert text.decade(0.001) == "10⁻³"


def test_published_numbers_have_a_source_and_a_place() -> None:
    for material in ("Li2B12H12", "LiCB11H12"):
        assert published.numbers(material)
        for number in published.numbers(material):
            assert number.source in published.sources()
            assert number.kind in {"paper", "experiment"}
            assert number.place
            assert number.unit or number.quantity == "training"


def test_the_paper_s_number_is_that_of_our_functional_where_it_has_one() -> None:
    own = published.paper("Li2B12H12", "transition_temperature", "PBE-D3")
    other = published.paper("Li2B12H12", "lattice_parameter", "PBE-D3", temperature_K=300)
    assert own is not None
    assert other is not None
    assert (own.value, other.value, other.functional) == (950, 9.53, "rev-vdW-DF2")
    assert text.published(other) == "9.53 ± 0.03"
    assert published.paper("NaCl", "lattice_parameter", "PBE") is None
