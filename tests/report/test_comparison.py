"""Ours beside the published: deviations in combined intervals, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from synthetic import changed

from borarun.page import comparison as comparison_tables
from borarun.published import Number, Published, Source
from borarun.report.measured import Measured
from borarun.subjects.common.comparison import compare
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.heating.results import LatticePoint

SOURCES = {"a": Source(short="A 2020", citation="A, B 1 (2020)")}


def number(**changes: object) -> Number:
    base = {
        "quantity": "lattice_parameter",
        "value": 9.50,
        "unit": "A",
        "temperature_K": 300,
        "kind": "experiment",
        "source": "a",
        "place": "Table 1",
    }
    return Number.model_validate({**base, **changes})


def with_values(results: Results, *values: Number) -> Results:
    point = LatticePoint(
        "PBE-D3", 0, 300.0, Measured(9.54, 9.51, 9.57), Measured(217.1, 215.1, 219.1)
    )
    return changed(results, lattice=(point,), published=Published(SOURCES, values))


def test_the_deviation_is_in_units_of_both_intervals(results: Results) -> None:
    (found,) = compare(with_values(results, number(uncertainty=0.04)))
    assert found.deviation == pytest.approx(0.04)
    assert found.combined == pytest.approx(0.05)  # 0.03 and 0.04
    assert found.in_intervals == pytest.approx(0.8)
    assert (found.verdict, found.remark) == ("within", "")


def test_a_range_counts_from_its_middle_with_half_its_width(results: Results) -> None:
    (found,) = compare(with_values(results, number(value=None, low=9.42, high=9.50)))
    assert (found.deviation, found.combined, found.verdict) == (
        pytest.approx(0.08),
        pytest.approx(0.05),
        "outside",
    )


def test_without_a_published_interval_ours_alone_decides_and_the_table_says_so(
    results: Results,
) -> None:
    (found,) = compare(with_values(results, number()))
    assert (found.combined, found.verdict, found.remark) == (
        pytest.approx(0.03),
        "outside",
        "published without interval",
    )


def test_without_any_interval_nothing_is_judged(results: Results) -> None:
    value = number(
        quantity="largest_deflection",
        value=45,
        unit="deg",
        temperature_K=700,
        vacancies=0,
        kind="paper",
        functional="rev-vdW-DF2",
    )
    (found,) = compare(with_values(results, value))
    assert (found.combined, found.in_intervals, found.verdict) == (None, None, "no interval")
    assert "other functional: PBE-D3 against rev-vdW-DF2" in found.remark


def test_an_interval_wider_than_the_value_tells_nothing(results: Results) -> None:
    def verdict(lowest: float, highest: float, **published: object) -> str:
        point = LatticePoint(
            "PBE", 0, 300.0, Measured((lowest + highest) / 2, lowest, highest), Measured(1, 1, 1)
        )
        (found,) = compare(
            changed(results, lattice=(point,), published=Published(SOURCES, (number(**published),)))
        )
        return found.verdict

    assert verdict(4.0, 14.0) == "uninformative"  # 9.5 +- 5.0 of 9.50
    assert verdict(5.0, 14.0) == "within"
    assert verdict(14.0, 34.0) == "outside"  # which a wide interval can tell as well
    assert verdict(9.0, 10.0, uncertainty=6.0) == "uninformative"
    assert verdict(9.0, 10.0, value=None, low=1.0, high=18.0) == "within"  # a range is a statement


def test_an_activation_energy_is_set_beside_the_same_quantity(results: Results) -> None:
    def beside(definition: str | None) -> tuple[float, str]:
        value = number(
            quantity="activation_energy",
            value=340,
            unit="meV",
            temperature_K=None,
            mol_percent=25,
            phase="ordered",
            definition=definition,
        )
        (found,) = compare(with_values(results, value))
        return found.ours.number, found.remark

    (line,) = [line for line in results.of(DiffusionFound).arrhenius if line.activation_energy_meV]
    of_D, of_sigma = line.energy_of_D_meV, line.activation_energy_meV
    assert of_D is not None and of_sigma is not None
    assert beside("D")[0] == of_D.value
    assert beside("sigma")[0] == of_sigma.value < of_D.value
    assert beside(None)[0] == of_sigma.value
    assert "does not say which activation energy" in beside(None)[1]
    assert "does not say which activation energy" not in beside("D")[1]


def test_only_the_same_vacancy_content_is_compared(results: Results) -> None:
    def contents(**conditions: object) -> list[float | None]:
        value = number(
            quantity="conductivity", value=1e-3, unit="S/cm", temperature_K=500, **conditions
        )
        return [found.ours.mol_percent for found in compare(with_values(results, value))]

    assert contents(mol_percent=3.7) == []
    assert contents(mol_percent=22) == [25]
    assert contents() == [25]  # the only run there that is diffusive
    assert contents(vacancies=0) == []


def test_phases_are_compared_with_themselves_only(results: Results) -> None:
    def phases(phase: str | None) -> list[tuple[str | None, str]]:
        value = number(
            quantity="activation_energy",
            value=340,
            unit="meV",
            temperature_K=None,
            mol_percent=25,
            phase=phase,
        )
        return [(found.ours.phase, found.remark) for found in compare(with_values(results, value))]

    assert [phase for phase, _ in phases("ordered")] == [
        "ordered phase"
    ]  # the disordered one has too few temperatures for a line
    assert phases("disordered") == []
    assert [phase for phase, _ in phases(None)] == ["ordered phase"]
    unknown = changed(
        results,
        arrhenius=tuple(replace(line, phase="") for line in results.of(DiffusionFound).arrhenius),
    )
    value = number(
        quantity="activation_energy",
        value=340,
        unit="meV",
        temperature_K=None,
        mol_percent=25,
        phase="disordered",
    )
    (found,) = compare(with_values(unknown, value))
    assert "the phase of our value is unknown" in found.remark


def test_volumes_and_diffusivities_are_compared(results: Results) -> None:
    (volume,) = compare(
        with_values(results, number(quantity="volume", value=219.1, unit="A3", uncertainty=1.5))
    )
    assert (volume.deviation, volume.combined) == (pytest.approx(-2.0), pytest.approx(2.5))
    value = number(
        quantity="diffusivity", value=2e-6, unit="cm2/s", temperature_K=500, mol_percent=25
    )
    (moved,) = compare(with_values(results, value))
    assert moved.ours.phase == "ordered phase" and moved.ours.number == pytest.approx(2e-6, rel=0.6)


def test_what_we_have_not_computed_is_left_out_and_counted(results: Results) -> None:
    both = with_values(results, number(), number(temperature_K=411))
    assert len(compare(both)) == 1
    table = comparison_tables.comparison(both)
    assert table is not None and "1 published value without a counterpart" in table.caption
    assert comparison_tables.comparison(with_values(results)) is None


def test_the_whole_study_is_set_beside_what_ships(results: Results) -> None:
    quantities = {found.published.quantity for found in compare(results)}
    assert quantities >= {
        "lattice_parameter",
        "ordered_lattice_parameter",
        "transition_temperature",
        "activation_energy",
        "largest_deflection",
    }
