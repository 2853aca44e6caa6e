"""What the documentation says holds: its links lead somewhere, its examples validate, its commands
parse, its reference is that of the models.
"""

from __future__ import annotations

import ast
import gzip
import importlib.util
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import typer
import zarr
from conftest import MINI_STUDY, STUDIES
from filled import POTENTIAL, fill, labelled, result
from markdown_it import MarkdownIt
from markdown_it.token import Token
from records import anything
from ruamel.yaml import YAML

from borarun.analysis import diffusion, functionals, rotation, transition
from borarun.basics import errors
from borarun.basics.units import FS_PER_PS
from borarun.cli import app
from borarun.cli.kinds import kind_of
from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps import md_watch
from borarun.engines.moment_tensor.cost import MICROSECONDS_PER_ATOM
from borarun.given.load import load_analysis
from borarun.mtp import active_set
from borarun.mtp.potential import Potential
from borarun.mtp.residuals import HARD_FORCE
from borarun.mtp.templates import SCALARS
from borarun.published import read_published
from borarun.records.attributes import Provenance
from borarun.records.operations.base import TRAJECTORY, Quantity
from borarun.records.store import Store
from borarun.sharing.crate import Terms
from borarun.sharing.pack import pack
from borarun.site import Retries, Site, load_site
from borarun.structures.structure import BOND_TOLERANCE
from borarun.study import load_study
from borarun.subjects.common.stage import PRODUCTION_GRADE_EVERY

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("benchmarks/results/*.md"),
        ROOT / "borarun/potentials/README.md",
        ROOT / "studies/structures/README.md",
    ]
)
ON_PAGES = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
GROUP: Any = typer.main.get_command(app)


@dataclass(frozen=True)
class Block:
    """A block of code: the page and line that it begins at, the language that its fence names, its
    text.
    """

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())


def inline(page: Path) -> Iterator[Token]:
    for token in tokens(page):
        yield from token.children or []


def blocks(page: Path) -> Iterator[Block]:
    for token in tokens(page):
        if token.type in ("fence", "code_block") and token.map:
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = tokens(page)
    titles = [
        after.children or [] for token, after in pairwise(found) if token.type == "heading_open"
    ]
    texts = ["".join(part.content for part in title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs/reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EXAMPLES = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]
SNIPPETS = {
    page: found
    for page in PAGES
    if (found := [block for block in blocks(page) if block.language == "python"])
}
COMMANDS = [
    block
    for page in PAGES
    for block in blocks(page)
    if block.language in ("", "bash", "sh") and "borarun" in block.text
]


def test_the_reference_is_that_of_the_models_and_the_parser() -> None:
    pages = reference().pages()
    assert {name: (ROOT / "docs/reference" / name).read_text() for name in pages} == pages, (
        "run: python docs/reference.py"
    )


def test_the_table_of_records_is_that_of_the_operations() -> None:
    assert (ROOT / "DESIGN.md").read_text() == reference().design(), "run: python docs/reference.py"


def test_the_reference_has_every_key_once() -> None:
    page = reference().pages()["study-file.md"]
    tables = re.split(r"^## ", page, flags=re.MULTILINE)
    diffusion = next(table for table in tables if table.startswith("`diffusion`"))
    keys = re.findall(r"^\| `(\w+)` \|", diffusion, re.MULTILINE)
    assert {"temperatures_K", "vacancies", "time_ns"} < set(keys)
    assert len(keys) == len(set(keys))
    plain = diffusion.replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "| `time_ns` | number, ns, > 0, ≤ 1e9 | `1` | Length of the production run, used for "
        "results, ns. |"
    ) in plain
    assert (
        "| `temperatures_K` | number, K, > 0, < 3000, or list or range | `200` to `700`, 21 "
        "values |" in plain
    )


@ON_PAGES
def test_links_lead_somewhere(page: Path) -> None:
    targets = [
        str(token.attrGet("href") or token.attrGet("src"))
        for token in inline(page)
        if token.type in ("link_open", "image")
    ]
    for target in targets:
        if "://" not in target and not target.startswith("mailto:"):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), f"{target}: there is no such file"
            assert file.is_relative_to(ROOT), f"{target}: leads out of the repository"
            assert not anchor or anchor in anchors(file), (
                f"{target}: {file.name} has no such heading"
            )


@ON_PAGES
def test_addresses_and_dois_are_whole(page: Path) -> None:
    targets = [
        urlsplit(str(token.attrGet("href"))) for token in inline(page) if token.type == "link_open"
    ]
    for target in targets:
        if target.scheme:
            assert target.scheme in ("https", "http") and re.fullmatch(
                r"[\w-]+(\.[\w-]+)+", target.netloc
            ), target.geturl()
    for doi in re.findall(r"\bdoi(?:\.org/|:? )(\S+)", page.read_text()):
        assert re.fullmatch(r"10\.\d{4,9}/[\w.()/:;-]*\w\W*", doi), doi


def test_every_page_is_in_the_contents() -> None:
    index = ROOT / "docs/index.md"
    listed = {
        (index.parent / str(token.attrGet("href"))).resolve()
        for token in inline(index)
        if token.type == "link_open"
    }
    assert set(PAGES) - {index} <= listed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what examples name: structures, a study to extend, a file of published values,
    labels.
    """
    made = tmp_path_factory.mktemp("examples")
    shutil.copytree(ROOT / "studies/structures", made / "structures")
    for name in ("study.yaml", "quickstart.yaml"):
        shutil.copy(ROOT / "studies/quickstart.yaml", made / name)
    labels = labelled(load_study(made / "study.yaml"), 4, seed=1)
    for name in ("labels", "configurations"):
        (made / f"{name}.extxyz").write_text(labels.to_extxyz())
    published = next(
        block
        for block in EXAMPLES
        if block.page.name == "comparison.md" and "sources:" in block.text
    )
    (made / "published.yaml").write_text(published.text)
    return made


def whole(text: str) -> str:
    """An example that shows some sections, with those of the quickstart that it lacks, or with the
    head of a site.
    """
    keys = YAML(typ="safe").load(text).keys()
    if "borarun" in keys:
        return text
    if keys <= Site.model_fields.keys():
        return f"borarun: 1\nname: example\n{text}"
    sections = re.split(
        r"^(?=\w+:)", (ROOT / "studies/quickstart.yaml").read_text(), flags=re.MULTILINE
    )
    return "".join(section for section in sections if section.partition(":")[0] not in keys) + text


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_examples_validate(block: Block, folder: Path) -> None:
    file = folder / "example.yaml"
    file.write_text(whole(block.text))
    kind = kind_of(file)
    if kind == "published":
        assert read_published(file)[1] == []
    elif kind == "analysis":
        load_analysis(file)
    else:
        load_site(file) if kind == "site" else load_study(file)


def test_an_example_that_is_wrong_is_found(folder: Path) -> None:
    with pytest.raises(errors.StudyError, match="temperature_K"):
        test_examples_validate(
            Block(ROOT / "README.md", 1, "yaml", "diffusion: {temperature_K: 300}"), folder
        )


@pytest.fixture(scope="module")
def with_store(folder: Path) -> tuple[Path, str]:
    """A folder with a store, a pack of it and an OUTCAR; the key of a record that has all that
    examples read.
    """
    home = folder / "home"
    shutil.copytree(STUDIES / "structures", home / "structures")
    (home / "study.yaml").write_text(MINI_STUDY.split("active_learning:")[0])
    study, store = load_study(home / "study.yaml"), Store(home / "runs/store")
    training = fill(study, store)[-1]
    made, potential = result(study, training), Potential.read(POTENTIAL)
    n_parameters = potential.n_parameters
    arrays = {
        "active_set": Quantity(np.eye(n_parameters), "1", ("neighbourhood", "parameter")),
        "almtp": Quantity(np.frombuffer(b"almtp", np.uint8), "1", ("byte",)),
        "positions": Quantity(np.zeros((2, 3, 4)), "angstrom", TRAJECTORY),
    }
    frames = {"structure": labelled(study, 1, seed=1)}
    whole = anything(made.facts.stored(), made.texts, {**made.arrays, **arrays}, frames)
    store.write(training, whole, Provenance())
    pack(home / "study.yaml", study, store, home / "NAME.borarun.zip", terms=Terms())
    with gzip.open(ROOT / "tests/engines/data/vasp/npt/OUTCAR.gz") as outcar:
        (home / "OUTCAR").write_bytes(outcar.read())
    return home, training.key


@pytest.mark.parametrize("page", SNIPPETS, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_examples_run(
    page: Path, with_store: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, key = with_store
    monkeypatch.chdir(home)
    known: dict[str, Any] = {}
    for block in SNIPPETS[page]:  # a page's examples go on from one another
        exec(compile(block.text.replace("KEY", key), str(block), "exec"), known)


@ON_PAGES
def test_python_in_the_text_reads_a_record(
    page: Path, with_store: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, key = with_store
    monkeypatch.chdir(home)
    for token in inline(page):
        if token.type == "code_inline" and token.content.startswith("zarr."):
            assert (
                eval(token.content.replace("KEY", key), {"zarr": zarr}).attrs["task"]["stage"]
                == "potential"
            )


def commands(text: str) -> Iterator[list[str]]:
    """The words after ``borarun`` of every call of it."""
    for line in text.splitlines():
        for part in re.split(r"&&|;", line.partition(" #")[0]):
            program, _, rest = part.strip().partition(" ")
            if program.rpartition("/")[2] == "borarun":
                yield shlex.split(rest)


def parse(words: list[str]) -> None:
    """Parse a call as the command line does; a mistake in it is an exception."""
    name, *rest = words
    GROUP.commands[name].make_context(name, rest)


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_commands_parse(block: Block) -> None:
    for words in commands(block.text):
        parse(words)


@ON_PAGES
def test_commands_in_the_text_exist(page: Path) -> None:
    for token in inline(page):
        if token.type == "code_inline" and (
            found := re.fullmatch(r"borarun ([a-z][\w-]*)(.*)", token.content)
        ):
            name, rest = found.groups()
            assert name in GROUP.commands, token.content
            options = {option for param in GROUP.commands[name].params for option in param.opts}
            assert set(re.findall(r"(?<!\S)--[\w-]+", rest)) <= options, token.content


def test_a_command_that_is_wrong_is_found() -> None:
    assert list(commands("cd x && .venv/bin/borarun plan study.yaml  # borarun nothing")) == [
        ["plan", "study.yaml"]
    ]
    parse(["plan", "study.yaml"])
    with pytest.raises(Exception, match="--fast"):
        parse(["plan", "study.yaml", "--fast"])
    with pytest.raises(KeyError):
        parse(["simulate", "study.yaml"])


@pytest.mark.parametrize("name", ["failures.md", "active-learning.md"])
def test_messages_that_pages_explain_are_borarun_s(name: str) -> None:
    source = "".join(
        part.value
        for path in (ROOT / "borarun").rglob("*.py")
        for part in ast.walk(ast.parse(path.read_text()))
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )
    quoted = re.findall(r"^\| `([^`]+ [^`]+)` \|", (ROOT / "docs" / name).read_text(), re.MULTILINE)
    assert quoted
    for message in quoted:
        for part in re.split(r"\.\.\.|\d+", message):
            assert part.strip(" ,") in source, (
                f"{name} explains {message!r}, which borarun does not say"
            )


def test_errors_are_those_that_there_are() -> None:
    def below(error: type[Exception]) -> set[str]:
        return {name for each in error.__subclasses__() for name in {each.__name__, *below(each)}}

    rows = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
    listed = rows.findall((ROOT / "docs/reference/exit-codes.md").read_text())
    assert sorted(listed) == sorted(
        name for name in below(errors.BorarunError) if hasattr(errors, name)
    )


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (
            "methods/dynamics.md",
            f"more than {transition.LEAST_BIC:g} in the Bayesian information criterion",
        ),
        ("methods/dynamics.md", f"at least {100 * transition.LEAST_STEP:g} % of the value"),
        ("methods/transport.md", f"fewer than {diffusion.FEWEST_HOPS:g} hops"),
        ("methods/transport.md", f"more than {diffusion.WIDEST_INTERVAL:g} times the lower"),
        ("methods/anions.md", f"averaged over {rotation.SETTLE_FS / FS_PER_PS:g} ps"),
        ("methods/anions.md", f"memory of {rotation.MEMORY_FS / FS_PER_PS:g} ps"),
        ("methods/anions.md", f"more than {rotation.REORIENTED_DEG:g}° away"),
        (
            "methods/vibrations.md",
            f"rise at least {100 * functionals.PROMINENCE:g} % of the tallest one",
        ),
        ("methods/learning.md", f"F_{{max}}/{HARD_FORCE:g}\\ \\mathrm{{eV/Å}})^4)$"),
        (
            "methods/learning.md",
            f"enlarges the volume by more than {100 * active_set.TOLERANCE:g} %",
        ),
        (
            "methods/learning.md",
            f"a force passes {md_watch.MAX_FORCE:g} eV/Å, the energy changes by more than "
            f"{md_watch.MAX_ENERGY_CHANGE:g} eV per atom",
        ),
        (
            "methods/learning.md",
            f"or the cell grows to {({2: 'twice'})[lammps.MAX_EXPANSION]} its first volume",
        ),
        ("methods/learning.md", f"watch its grade every {PRODUCTION_GRADE_EVERY} steps"),
        ("own-material.md", f"({BOND_TOLERANCE:g} times the sum of covalent radii)"),
        ("failures.md", f"retries: {{limit: {Retries().limit}, pause_s: {Retries().pause_s:g}}}"),
        *(
            ("active-learning.md", f"| {level} | {SCALARS[level]} | {cost:g} |")
            for level, cost in MICROSECONDS_PER_ATOM.items()
        ),
    ],
)
def test_numbers_are_those_of_the_code(page: str, says: str) -> None:
    assert says in " ".join((ROOT / "docs" / page).read_text().split())


def test_the_tutorial_shows_the_quickstart() -> None:
    quickstart = YAML(typ="safe").load(ROOT / "studies/quickstart.yaml")
    shown = [
        YAML(typ="safe").load(block.text) for block in EXAMPLES if block.page.name == "tutorial.md"
    ]
    sections = {
        key: value for block in shown if "borarun" not in block for key, value in block.items()
    }
    assert sections == {
        key: value for key, value in quickstart.items() if key not in ("borarun", "name", "seed")
    }


def test_the_tests_that_accidents_names_exist() -> None:
    sources = {
        str(path.relative_to(ROOT / "tests")): path.read_text()
        for path in (ROOT / "tests").rglob("test_*.py")
    }
    rows = re.findall(r"^\|.*\| (.*) \|$", (ROOT / "docs/accidents.md").read_text(), re.MULTILINE)
    named = [span for row in rows for span in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 90
    for span in named:
        file, _, function = re.sub(r"\[\w+\]$", "", span).rpartition("::")
        if function.endswith(".py"):
            file, function = function, ""
        assert not file or file in sources, span
        places = [file] if file else list(sources)
        assert any(f"def {function}" in sources[place] for place in places), span
        for case in re.findall(r"\[(\w+)\]$", span):
            assert any(case in sources[place] for place in places), span
