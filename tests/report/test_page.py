"""The page stands alone, escapes what a stranger wrote, is the same twice, and exists however
little there is.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from synthetic import changed

from borarun.page import Results, collect, summary, write_report
from borarun.page.cell_page import cell_page
from borarun.records.store import Store
from borarun.records.task import Failure, Task
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.heating.results import HeatingFound


@pytest.fixture(scope="module")
def directory(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(results, tmp_path_factory.mktemp("report")).parent


@pytest.fixture(scope="module")
def page(directory: Path) -> str:
    return (directory / "report.html").read_text(encoding="utf-8")


def test_the_page_loads_nothing_from_elsewhere(page: str) -> None:
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?:https?:)?//""", page)
    assert "url(http" not in page
    assert "@import" not in page
    assert "<script" not in page
    assert "<link" not in page


def test_links_to_files_beside_the_page_lead_somewhere(page: str, directory: Path) -> None:
    links = re.findall(r'href="((?:figures|tables)/[^"]+|results\.json|cell\.html)"', page)
    assert len(links) > 30
    assert all((directory / link).is_file() for link in links)


def test_the_cell_in_three_dimensions_shows_every_density_and_loads_nothing(
    results: Results, directory: Path
) -> None:
    page = (directory / "cell.html").read_text(encoding="utf-8")
    assert page == cell_page(results)  # the same to the last byte
    assert not re.findall(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=""", page)
    drawn = json.loads(re.search(r'"cell",\s*(\[.*?\]),\s*\{"template"', page, re.DOTALL)[1])  # type: ignore[index]
    names = Counter(trace["name"] for trace in drawn)
    assert names["Li"] == names["B"] == names["H"] == names["bonds"] == 1
    assert (
        names["Li, over 4 times the mean"]
        == names["tetrahedral sites"]
        == len(results.of(DiffusionFound).local)
        > 1
    )
    assert [trace["visible"] for trace in drawn[:5]] == [True] * 5 and not any(
        trace["visible"] for trace in drawn[5:]
    )
    assert results.unit_cell.bonds.shape == (
        4 * (30 + 12),
        2,
    )  # an icosahedron's edges, and a hydrogen at each corner


def test_a_transition_of_one_branch_is_a_bound(results: Results) -> None:
    both = next(t for t in results.of(HeatingFound).transitions if t.heated_K and t.cooled_K)
    assert both.heated_K is not None and both.cooled_K is not None
    told = {}
    for seen, one in {
        "heating": replace(both, temperature_K=None, cooled_K=None),
        "cooling": replace(both, temperature_K=None, heated_K=None),
    }.items():
        (card,) = (
            card
            for card in summary.cards(changed(results, transitions=(one,)))
            if card.title == "Transition temperature"
        )
        told[seen] = card.value
        assert card.note.startswith(f"a bound: only {seen} shows the step")
    assert told == {
        "heating": f"below {both.heated_K.high:.0f} K",
        "cooling": f"above {both.cooled_K.low:.0f} K",
    }


def test_ids_are_unique_and_references_within_the_page_lead_somewhere(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    assert used <= set(ids)


def test_every_figure_has_svg_png_and_csv(directory: Path) -> None:
    drawings = {path.stem for path in (directory / "figures").glob("*.svg")}
    assert drawings == {path.stem for path in (directory / "figures").glob("*.png")}
    for name in (
        "lattice-PBE-D3-0",
        "msd-PBE-D3-1",
        "conductivity-PBE-D3",
        "autocorrelation-PBE-D3-1",
        "theta-PBE-D3-1",
        "learning-energy",
        "grades-PBE-D3",
    ):
        assert name in drawings
    for name in (
        "lattice",
        "msd",
        "conductivity",
        "autocorrelation",
        "angles",
        "learning_curve",
        "grades",
        "parity",
        "ledger",
        "activation_energy",
    ):
        assert (
            len((directory / "tables" / f"{name}.csv").read_text(encoding="utf-8").splitlines()) > 1
        )


def test_the_page_is_small(page: str) -> None:
    assert len(page.encode()) < 3e6


def test_numbers_stand_beside_the_published_ones(page: str) -> None:
    for published in ("9.53 ± 0.03", "628", "353", "0.101", "Maltsev"):
        assert published in page


def test_the_page_shows_the_structure(page: str) -> None:
    for name in ("structure", "order", "sites", "site_shares", "density", "rdf"):
        assert f'id="{name}"' in page


def test_the_page_says_which_engine_computed_it(page: str) -> None:
    assert "These numbers are not DFT" in page
    assert "SevenNet-0" in page


def test_results_json_holds_the_numbers(directory: Path, results: Results) -> None:
    content = json.loads((directory / "results.json").read_text(encoding="utf-8"))
    assert content["lattice"][0]["lattice_A"]["value"] == pytest.approx(
        results.of(HeatingFound).lattice[0].lattice_A.value
    )


def test_the_same_results_make_the_same_files(
    results: Results, directory: Path, tmp_path: Path
) -> None:
    again = write_report(
        changed(
            bare(results),
            branches=results.of(HeatingFound).branches,
            transitions=results.of(HeatingFound).transitions,
        ),
        tmp_path,
    ).parent
    drawn = [
        path.relative_to(again)
        for folder in ("figures", "tables")
        for path in (again / folder).iterdir()
    ]
    same = [
        file for file in drawn if file.stem.startswith("lattice-") or file.stem == "transitions"
    ]
    assert len(same) == 3
    assert all((again / file).read_bytes() == (directory / file).read_bytes() for file in same)


def test_what_a_stranger_wrote_is_escaped(
    results: Results, tmp_path: Path, failure: Failure
) -> None:
    nasty = "<script>alert('x')</script>&\"{{ 7*7 }}"
    gaps = [replace(gap, label=nasty) for gap in collect_gaps(tmp_path / "store", failure)]
    bad = changed(
        bare(results), name=nasty, phase=nasty, anions=(nasty,), mobile=nasty, gaps=tuple(gaps), warnings=(nasty,),  # noqa: E501
        provenance=replace(results.provenance, study=nasty, versions={nasty: nasty}),
    )  # fmt: skip
    page = write_report(bad, tmp_path / "report").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page


def collect_gaps(root: Path, failure: Failure) -> list[Any]:
    """The gap of one failed task."""
    from borarun.subjects.common.source import Source

    store, task = Store(root), Task("lammps", {}, stage="heating", label="x")
    store.write_failure(task, failure)
    return Source([task], store).gaps


def bare(results: Results) -> Results:
    """The same study with nothing done."""
    return changed(
        results,
        cells=(),
        learning=(),
        branches=(),
        transitions=(),
        lattice=(),
        transport=(),
        arrhenius=(),
        rotation=(),
        checks=(),
        gaps=(),
    )


def test_a_study_with_nothing_done_has_a_page(results: Results, tmp_path: Path) -> None:
    page = write_report(bare(results), tmp_path).read_text(encoding="utf-8")
    assert "not computed yet" in page
    assert "no results yet" in page


def test_every_partial_store_has_a_page_that_says_what_is_missing(
    made: Any, failure: Failure, tmp_path: Path
) -> None:
    stages = ["relax", "training_set", "potential", "active_learning", "heating", "diffusion"]
    for done in range(len(stages)):
        store = Store(tmp_path / f"store{done}")
        store.root.mkdir()
        for task in made.tasks:
            if task.stage in stages[:done]:
                name = f"{task.key}.zarr.zip"
                (store.root / name).hardlink_to(made.store.root / name)
        broken = next(task for task in made.tasks if task.stage == stages[done])
        store.write_failure(broken, failure)
        results = collect(made.study, made.tasks, store)
        kept = changed(
            results, transport=(), rotation=(), branches=(), learning=()
        )  # figures are drawn in other tests
        page = write_report(kept, tmp_path / f"page{done}").read_text(encoding="utf-8")
        assert failure.message in page
        assert "This study is not finished" in page or done == len(stages) - 1
        assert "Lost atoms &lt;script&gt;" in page


def test_a_study_that_only_trains_shows_only_that(results: Results, tmp_path: Path) -> None:
    few = changed(bare(results), sections=frozenset({"training_set", "potential"}))
    page = write_report(few, tmp_path).read_text(encoding="utf-8")
    assert 'id="potential"' in page
    assert 'id="heating"' not in page
    assert "Activation energy" not in page
