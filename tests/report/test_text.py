"""Numbers as a reader wants them."""

from __future__ import annotations

import pytest

from borarun.published import Number, shipped
from borarun.report import text
from borarun.report.measured import Measured


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
        (0.3636363636363637, 0.36363636363636365, 0.36363636363636376, "0.3636"),  # rounding
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


def test_published_numbers_read_as_they_were_published() -> None:
    known = shipped("Li2B12H12")
    assert (
        text.published(known.paper("lattice_parameter", "PBE-D3", temperature_K=300))
        == "9.53 ± 0.03"
    )
    assert text.published(known.paper("transition_temperature", "rev-vdW-DF2")) == "675 (625–725)"
    made = {
        "quantity": "transition_temperature",
        "low": 355.0,
        "high": 380.0,
        "unit": "K",
        "kind": "experiment",
        "source": "a",
        "place": "b",
    }
    assert text.published(Number.model_validate(made)) == "355–380"
    assert text.published(None) == text.NOTHING
