"""Figures that only some studies have: they hold what the others hold, beside each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import changed

from borarun.page.sections import sections
from borarun.report.blocks import Note
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion import figures as diffusion_figures
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.heating import figures as heating_figures
from borarun.subjects.heating.results import HeatingFound
from borarun.subjects.reorientation import figures as reorientation_figures
from borarun.subjects.reorientation.results import ReorientationFound


@pytest.fixture(scope="module")
def two(results: Results) -> Results:
    """The same study with a second functional, whose ions move ten times as fast and whose cell is
    larger.
    """

    def faster(value):
        return value and replace(
            value, value=10 * value.value, low=10 * value.low, high=10 * value.high
        )

    branches = tuple(
        replace(
            b, functional="PBE", lattice_A=b.lattice_A + 0.3, fit_lattice_A=b.fit_lattice_A + 0.3
        )
        for b in results.of(HeatingFound).branches
    )
    transitions = tuple(replace(t, functional="PBE") for t in results.of(HeatingFound).transitions)
    transport = tuple(
        replace(p, functional="PBE", diffusivity_cm2_s=faster(p.diffusivity_cm2_s))
        for p in results.of(DiffusionFound).transport
    )
    return changed(
        results,
        functionals=("PBE-D3", "PBE"),
        branches=results.of(HeatingFound).branches + branches,
        transitions=results.of(HeatingFound).transitions + transitions,
        transport=results.of(DiffusionFound).transport + transport,
    )


def test_all_functionals_stand_in_one_panel_where_there_are_several(
    results: Results, two: Results
) -> None:
    assert heating_figures.functionals(results) is None
    figure = heating_figures.functionals(two)
    assert figure is not None and len(figure.panels) == 1
    assert [row[0] for row in figure.data.rows] == ["PBE-D3", "PBE"]
    for functional in ("PBE", "PBE-D3"):
        assert f"{functional}, heating: temperature, K" in figure.panels[0].svg  # what a point says


def test_the_fitted_step_is_drawn_through_the_points(results: Results) -> None:
    for branch in results.of(HeatingFound).branches:
        fitted = np.interp(branch.temperature_K, branch.fit_temperature_K, branch.fit_lattice_A)
        away = np.abs(branch.temperature_K - branch.half_height_K.value) > 30
        assert np.abs(fitted - branch.lattice_A)[away].max() < 0.01
        np.testing.assert_allclose(branch.volume_A3, branch.lattice_A**3 / 4, rtol=2e-3)
        np.testing.assert_allclose(
            branch.edges_A, np.repeat(branch.lattice_A[:, None], 3, axis=1), rtol=1e-6
        )


def test_diffusivities_without_vacancies_are_drawn_for_all_functionals(
    results: Results, two: Results
) -> None:
    assert {row[0] for row in diffusion_figures.pristine(two).data.rows} == {"PBE-D3", "PBE"}
    figure = diffusion_figures.pristine(two)
    assert figure is not None and "PBE (AIMD)" in {
        n.functional for n in two.published.find("diffusivity", vacancies=0)
    }
    assert diffusion_figures.pristine(changed(two, transport=())) is None
    assert diffusion_figures.pristine(results) is None  # nothing is published of its one functional


def test_activation_energies_are_drawn_where_several_contents_have_one(results: Results) -> None:
    assert diffusion_figures.activation(results) is None
    lines = tuple(
        replace(line, vacancies=n, mol_percent=25.0 * n)
        for line in results.of(DiffusionFound).arrhenius
        if line.activation_energy_meV
        for n in (1, 2)
    )
    figure = diffusion_figures.activation(changed(results, arrhenius=lines))
    assert figure is not None
    assert [row[3] for row in figure.data.rows] == [25, 50]


def test_rotation_is_drawn_against_vacancies_at_the_highest_temperature_that_all_have(
    results: Results,
) -> None:
    (kind,) = reorientation_figures.shown(results)
    figure = reorientation_figures.by_vacancies(kind)
    assert figure is not None
    assert [(row[1], row[2]) for row in figure.data.rows] == [(700, 0), (700, 1)]
    turning = next(
        p
        for p in results.of(ReorientationFound).rotation
        if p.vacancies == 1 and p.temperature_K == 700
    )
    assert turning.turns[-1] == turning.full_rotations > 0
    assert (np.diff(turning.turns) >= 0).all() and (np.diff(turning.turns_ps) > 0).all()


def test_captions_state_origins_fit_range_and_seeds(results: Results) -> None:
    caption = diffusion_figures.displacement(results).caption
    assert "1200 frames every 50 fs" in caption and "seed 7" in caption
    low, high = results.of(DiffusionFound).transport[0].fit_window_ps
    assert 0 < low < high < 60
    assert f"{low:.3g} to {high:.3g} ps" in caption
    assert "seed 7" in heating_figures.lattice(results).caption


def test_a_study_of_one_rate_misses_no_hysteresis_against_rate(results: Results) -> None:
    (heating,) = [section for section in sections(results) if section.id == "heating"]
    assert not any(
        isinstance(block, Note) and "no results yet" in block.text for block in heating.blocks
    )
