"""The pages as a browser shows them, at the width of a desktop and of a phone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import MINI_STUDY, STUDIES
from filled import fill, result

from borarun.basics.causes import Cause
from borarun.live.server import Server
from borarun.page import collect, write_report
from borarun.records.attributes import Provenance
from borarun.records.places import Places
from borarun.records.store import Store
from borarun.records.task import Failure
from borarun.study import Study, load_study
from borarun.study.plan import expand

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

NASTY = "<img src=x onerror=document.title='broken'>"
SIZES = {"desktop": (1280, 900), "phone": (375, 740)}

OURS = ("file:", "data:", "blob:", "http://127.0.0.1:")
OF_SPEED = ("GL Driver Message", "willReadFrequently")
"""What the browser says of three dimensions on a machine without a graphics card."""

IS_WITHIN = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
OVERFLOWING_TABLES = """() => [...document.querySelectorAll('table')].filter((table) => {
  const around = table.closest('.scroll') || table.parentElement;
  return table.scrollWidth > around.clientWidth + 1 && getComputedStyle(around).overflowX !== 'auto';
}).length"""  # noqa: E501
BROKEN_PICTURES = (
    "() => [...document.images].filter((image) => !(image.complete && image.naturalWidth)).length"
)
EMPTY_DRAWINGS = (
    "() => [...document.querySelectorAll('figure svg')].filter((drawing) => "
    "!(drawing.getBoundingClientRect().width && drawing.children.length)).length"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install playwright"
    )
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    """An empty tab; in the end the test fails where the page complained."""
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    found = context.new_page()
    found.set_default_timeout(60_000)  # three dimensions take long without a graphics card
    complaints: list[str] = []

    def note(message: Any) -> None:
        if message.type in ("error", "warning") and not any(
            hint in message.text for hint in OF_SPEED
        ):
            complaints.append(f"{message.text}: {message.location['url']}")

    asked: list[str] = []
    found.on("console", note)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on("request", lambda request: asked.append(request.url))
    yield found
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(OURS)] == [], (
        "the page asks others for something"
    )


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the documentation is served, built as CONTRIBUTING.md says."""
    pytest.importorskip("sphinx", reason="no Sphinx: pip install -e '.[docs]'")
    built = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-nWq", "-c", "docs", ".", built],
        cwd=Path(__file__).parents[1],
        check=True,
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=built)) as found:
        thread = threading.Thread(
            target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


@pytest.fixture
def address(serving: Callable[[], Server]) -> str:
    """Where the live page is served."""
    return serving().address


def assert_fits(page: Any) -> None:
    assert page.evaluate(IS_WITHIN), "the page scrolls sideways"
    assert page.evaluate(OVERFLOWING_TABLES) == 0
    assert page.evaluate(BROKEN_PICTURES) == 0
    assert page.evaluate(EMPTY_DRAWINGS) == 0


def test_the_live_page_of_a_finished_study(
    page: Any, study: Study, places: Places, address: str
) -> None:
    tasks = fill(study, Store(places.store))
    page.goto(address)
    page.get_by_text("Finished: every task is done.").wait_for()
    page.get_by_text(f"{len(tasks)} of {len(tasks)}").wait_for()
    page.get_by_role("heading", name="Mean squared displacement").wait_for()
    figures = page.locator("figure.chart")
    assert figures.count() == 5
    assert_fits(page)
    drawing = figures.first.locator("svg").first
    drawing.hover()
    assert "training" in figures.first.locator("output").inner_text()
    page.get_by_text("diffusion").first.click()
    assert page.locator("details[open] li").count() == 4
    assert_fits(page)


def test_the_live_page_follows_a_study_from_its_beginning(
    page: Any, study: Study, places: Places, address: str
) -> None:
    page.goto(address)
    page.get_by_text("Nothing has run yet").wait_for()
    assert "borarun submit mini.yaml" in page.locator("#driver").inner_text()
    assert_fits(page)
    first = expand(study, {}).tasks[0]
    Store(places.store).write(first, result(study, first), Provenance())
    page.get_by_text("No driver is running this study.").wait_for()
    page.locator(".stage .count", has_text="1/2").first.wait_for()


def test_a_failure_is_shown_as_it_was_written(
    page: Any, study: Study, places: Places, address: str
) -> None:
    task = expand(study, {}).tasks[0]
    Store(places.store).write_failure(
        task, Failure(Cause.FAILED, NASTY, f"mend {NASTY}", "x" * 500 + NASTY)
    )
    page.goto(address)
    page.get_by_text(f"What to do: mend {NASTY}").wait_for()
    assert page.title() == "mini - borarun"
    assert page.locator("#failed img").count() == 0
    assert_fits(page)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study with a result for every task; beside it that of its cell."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(
        STUDIES / "structures", home / "structures", ignore=shutil.ignore_patterns("*.py")
    )
    (home / "mini.yaml").write_text(MINI_STUDY)
    study, store = load_study(home / "mini.yaml"), Store(home / "store")
    return write_report(collect(study, fill(study, store), store), home / "report")


def test_the_report(page: Any, report: Path) -> None:
    page.goto(report.as_uri())
    assert page.locator("figure svg").count() > 5
    assert_fits(page)
    page.locator("circle.told").last.hover()
    assert ": " in page.locator("circle.told:hover title").text_content()


def test_a_figure_of_the_report_is_enlarged_and_put_back(page: Any, report: Path) -> None:
    page.goto(report.as_uri())
    panel = page.locator(".panel:has(circle.told)").last
    before = panel.bounding_box()["width"]
    enlarge = panel.get_by_role("checkbox", name="Enlarge")
    enlarge.check()
    assert panel.bounding_box() == {"x": 0, "y": 0, **page.viewport_size}
    panel.locator("circle.told").last.hover()  # the one on top, where some lie on each other
    assert page.locator("circle.told:hover").count() == 1
    enlarge.press("Space")
    assert panel.bounding_box()["width"] == before
    assert_fits(page)


def test_the_cell_in_three_dimensions(page: Any, report: Path) -> None:
    page.goto(report.with_name("cell.html").as_uri())
    page.locator("#cell canvas").first.wait_for()
    assert page.evaluate(IS_WITHIN)
    assert page.locator(".legendtext").all_text_contents() == ["unit cell", "bonds", "Li", "B", "H"]
    page.locator(".updatemenu-header").click()
    page.locator(".updatemenu-dropdown-button").last.click()
    page.locator(".legendtext", has_text="Li, over 4 times the mean").wait_for()


def test_the_documentation(page: Any, site: str) -> None:
    page.goto(site)
    page.wait_for_url("**/docs/index.html")
    links = page.locator(".sidebar-tree a.internal").evaluate_all(
        "links => [...new Set(links.map((link) => link.href.split('#')[0]))]"
    )
    assert len(links) > 20
    for link in links:
        page.goto(link)
        assert page.locator("h1").count() == 1, link
        assert page.locator("article .math svg").count() == page.locator("article .math").count(), (
            link
        )
        assert page.evaluate(IS_WITHIN), f"{link} scrolls sideways"
        assert page.evaluate(BROKEN_PICTURES) == 0, link


def test_a_word_is_found_in_the_documentation(page: Any, site: str) -> None:
    page.goto(f"{site}/search.html?q=threshold_save")
    page.get_by_role("link", name="Active learning", exact=True).first.wait_for()
