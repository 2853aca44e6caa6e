"""Measured conductivities of OBELiX: known rows, every measurement of a composition, and ours
beside them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import changed

from borarun.analysis import arrhenius
from borarun.published import Number, obelix
from borarun.report import text
from borarun.study import load_study
from borarun.subjects.common.comparison import compare
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion import figures
from borarun.subjects.diffusion.results import DiffusionFound

STUDY = """\
borarun: 1
name: test
material: {{formula: Li3N, phases: {{P6mmm: Li3N.vasp}}, mobile: Li}}
functionals: [PBE]
reference: {{engine: sevennet}}
relax: {{}}
compare: {{obelix: {wanted}}}
"""
STRUCTURE = """\
Li3N
1.0
3.648 0 0
-1.824 3.15926 0
0 0 3.875
Li N
3 1
Direct
0.333333 0.666667 0
0.666667 0.333333 0
0 0 0.5
0 0 0
"""


def test_every_measurement_of_a_composition_is_there_with_its_doi() -> None:
    found = obelix.measured("Li3N")
    assert {
        (number.value, found.sources[number.source].doi, number.place.split(",")[0])
        for number in found.values
    } == {
        (0.0005767, "10.1039/c0ee00052c", "P6/mmm"),
        (0.0002085, "10.1016/0167-2738(83)90045-0", "P63/mmc"),
    }
    assert all("CC BY 4.0" in source.citation for source in found.sources.values())


@pytest.mark.parametrize(
    ("formula", "rows"),
    [
        ("Li10GeP2S12", 5),
        ("Li7La3Zr2O12", 5),
        ("Li14La6Zr4O24", 5),  # two formula units
        ("Li13Al3Ti17P30O120", 5),  # Li1.3Al0.3Ti1.7(PO4)3
        ("Li2CdCl4", 1),
        ("NaCl", 0),
        ("Li7La3Zr2O13", 0),
        ("Li2B12H12", 0),
    ],
)
def test_compositions_are_found_in_any_multiple(formula: str, rows: int) -> None:
    assert len(obelix.measured(formula).values) == rows


def test_the_bulk_conductivity_of_a_sample_goes_before_its_total_one() -> None:
    # Li1.2Sc0.2Ti1.8(PO4)3: another source gives one number only
    first, *_ = (n for n in obelix.measured("Li12Ti18Sc2P30O120").values if "bulk" in n.place)
    assert first.value == 0.00251
    assert "total 9.98e-05 S/cm" in first.place


def test_what_was_not_detected_is_an_upper_bound(results: Results) -> None:
    (number,) = obelix.measured("Li3Nd3Te2O12").values
    assert number.at_most and text.published(number) == f"≤ {text.published(at(1e-10))}"
    low, high = at(1e-9, at_most=True), at(10.0, at_most=True)
    assert verdict(results, low) == "outside"
    assert verdict(results, high) == "within"


def at(value: float, temperature_K: float = 500, **changes: object) -> Number:
    (number, *_) = obelix.measured("Li3N").values
    return number.model_copy(
        update={"value": value, "temperature_K": temperature_K, "source": "a", **changes}
    )


def verdict(results: Results, number: Number) -> str:
    published = replace(obelix.measured("NaCl"), values=(number,))
    (found,) = compare(changed(results, published=published))
    return found.verdict


@pytest.mark.parametrize(("wanted", "rows"), [("true", 2), ("false", 0)])
def test_a_study_says_whether_it_is_compared(tmp_path: Path, wanted: str, rows: int) -> None:
    (tmp_path / "Li3N.vasp").write_text(STRUCTURE)
    (tmp_path / "study.yaml").write_text(STUDY.format(wanted=wanted))
    assert len(load_study(tmp_path / "study.yaml").published.values) == rows


def test_far_from_our_temperatures_the_line_is_extrapolated_with_its_interval(
    results: Results,
) -> None:
    temperatures_K = np.array([500.0, 600.0, 700.0])
    energy_eV, prefactor = 0.30, 20.0
    sigma = prefactor * np.exp(-energy_eV / (8.617333262e-5 * temperatures_K))
    fit = arrhenius.fit(temperatures_K, sigma, 0.05 * sigma)
    line = replace(
        results.of(DiffusionFound).arrhenius[0],
        line_T_K=temperatures_K,
        line_S_cm=sigma,
        line_low_S_cm=0.9 * sigma,
        line_high_S_cm=1.1 * sigma,
        fit=fit,
        phase="",
    )
    published = replace(obelix.measured("NaCl"), values=(at(3e-4, 298.0),))
    beside = changed(results, arrhenius=(line,), published=published)
    (found,) = compare(beside)
    assert found.ours.number == pytest.approx(
        prefactor * np.exp(-energy_eV / (8.617333262e-5 * 298.0))
    )
    assert "Arrhenius line of 500 to 700 K, extrapolated" in found.remark
    # upward, as the measured value lies: the interval is not symmetric
    (_,), _, (high,) = fit.at(np.array([298.0]))
    assert found.combined == pytest.approx(high - found.ours.number)
    drawn = figures.conductivity(beside)
    assert drawn is not None and "extrapolated to the coldest" in drawn.caption
    (near,) = compare(
        changed(beside, published=replace(published, values=(at(1e-4, 500.0),))),
    )
    assert "extrapolated" not in near.remark
