"""Files of published values: those that ship are whole, a study's own is checked at the door and
goes before them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from borarun.basics.errors import StudyError
from borarun.published import Published, read_published, shipped
from borarun.study import load_study, study_files
from borarun.study.plan import expand

PROJECT = Path(__file__).parents[1]

STUDY = """\
borarun: 1
name: test
material: {formula: Li2B12H12, phases: {Pa-3: structures/Li2B12H12-Pa-3.cif}, mobile: Li, anions: B12H12}
functionals: [PBE-D3]
reference: {engine: bundled}
relax: {}
training_set: {}
"""  # noqa: E501

OWN = """\
borarun: 1
material: Li2B12H12
sources:
  ours2024: {short: Ours 2024, citation: "A. Author, A Journal 1, 2 (2024)", doi: 10.1000/xyz}
values:
  - {quantity: transition_temperature, low: 600, high: 640, unit: K, kind: experiment, source: ours2024, place: Figure 3}
"""  # noqa: E501


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(PROJECT / "borarun/study/new_study/structures", tmp_path / "structures")
    (tmp_path / "own.yaml").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(folder: Path, compare: str = "") -> Path:
    (folder / "study.yaml").write_text(STUDY + compare)
    return Path("study.yaml")


def problems(folder: Path, own: str) -> list[str]:
    (folder / "own.yaml").write_text(own)
    with pytest.raises(StudyError) as caught:
        load_study(study(folder, "compare: {file: own.yaml}\n"))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "borarun/published").glob("*.yaml")), ids=lambda path: path.stem
)
def test_what_ships_is_valid_and_every_source_is_cited(path: Path) -> None:
    found, wrong = read_published(path, path.stem)
    assert wrong == []
    assert found.values
    assert {n.source for n in found.values} | {t.source for t in found.training} == set(
        found.sources
    )
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=../../schemas/published.schema.json\n"
    )


def test_the_paper_s_number_is_that_of_our_functional_where_it_has_one() -> None:
    known = shipped("Li2B12H12")
    own, other = (
        known.paper("transition_temperature", "PBE-D3"),
        known.paper("lattice_parameter", "PBE-D3", temperature_K=300),
    )
    assert own is not None and other is not None
    assert (own.number, own.half_width, other.number, other.half_width, other.functional) == (
        950,
        None,
        9.53,
        0.03,
        "rev-vdW-DF2",
    )
    assert shipped("NaCl").paper("lattice_parameter", "PBE") is None


def test_a_study_s_own_values_stand_before_those_that_ship_or_alone(folder: Path) -> None:
    without = load_study(study(folder)).published
    assert without == shipped("Li2B12H12")
    both = load_study(study(folder, "compare: {file: own.yaml}\n")).published
    first = both.experiment("transition_temperature")
    assert first is not None and (first.number, first.half_width) == (620, 20)
    assert len(both.values) == len(without.values) + 1 and both.cell_atoms == 2808
    alone = load_study(study(folder, "compare: {file: own.yaml, shipped: false}\n")).published
    assert len(alone.values) == 1 and set(alone.sources) == {"ours2024"}
    assert load_study(study(folder, "compare: {shipped: false}\n")).published == Published({})


def test_the_same_number_from_the_same_source_is_replaced(folder: Path) -> None:
    old = shipped("Li2B12H12").experiment("transition_temperature")
    assert old is not None
    new = Published({}, (old.model_copy(update={"value": 630.0}),)).over(shipped("Li2B12H12"))
    assert [n.number for n in new.find("transition_temperature", kind="experiment")] == [630.0]


def test_a_file_of_values_goes_where_its_study_goes(folder: Path) -> None:
    assert "own.yaml" in study_files(study(folder, "compare: {file: own.yaml}\n"))
    assert "own.yaml" not in study_files(study(folder, "compare: {shipped: false}\n"))


def test_what_is_compared_changes_no_task(folder: Path) -> None:
    keys = [
        [task.key for task in expand(load_study(study(folder, text)), {}, forecast=True).tasks]
        for text in ("", "compare: {file: own.yaml}\n", "compare: {shipped: false}\n")
    ]
    assert keys[0] and keys[0] == keys[1] == keys[2]


NUMBER = (
    "  - {quantity: transition_temperature, low: 600, high: 640, unit: K, kind: experiment, "
    "source: ours2024, place: Figure 3}\n"
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("transition_temperature", "transition_temp"),
            "own.yaml:6: values.0.quantity: must be one of ",
        ),
        (
            ("unit: K", "unit: C"),
            "own.yaml:6: values.0: the unit of transition_temperature must be K (got C).",
        ),
        (
            ("source: ours2024", "source: our2024"),
            "must be a key under sources, which has ours2024 (got our2024). Did you mean ours2024?",
        ),
        (("low: 600, high: 640, ", ""), "a value or a range, low and high, must be given"),
        (("low: 600", "low: 700"), "low must be below high (got 700 and 640)."),
        (("low: 600, ", ""), "low and high must be given together, the two ends of one range"),
        (
            ("low: 600", "value: 500, low: 600"),
            "value must lie between low and high (got 500, 600 and 640).",
        ),
        (
            ("low: 600, high: 640", "uncertainty: 3, low: 600, high: 640"),
            "uncertainty needs a value",
        ),
        (
            ("kind: experiment", "kind: paper"),
            "a number of kind paper needs the functional of its simulation",
        ),
        (
            (
                "quantity: transition_temperature, low: 600, high: 640, unit: K",
                "quantity: conductivity, value: 1, unit: S/cm",
            ),
            "needs a temperature_K",
        ),
        (
            ("place: Figure 3", "plase: Figure 3"),
            "values.0.plase: unknown key. Did you mean place?",
        ),
        (
            ("material: Li2B12H12", "material: LiCB11H12"),
            "own.yaml:2: material: must be the study's, Li2B12H12 (got LiCB11H12).",
        ),
        (
            ("doi: 10.1000/xyz", "doi: https://doi.org/10.1000/xyz"),
            "sources.ours2024.doi: contains characters that are not allowed",
        ),
        ((NUMBER, NUMBER + NUMBER), "own.yaml:7: values.1: the same number as values.0"),
        ((OWN, "a: [\n"), "own.yaml:2: is not valid YAML"),
    ],
)
def test_every_mistake_is_told_with_its_place(
    folder: Path, change: tuple[str, str], said: str
) -> None:
    assert any(said in message for message in problems(folder, OWN.replace(*change)))


def test_a_file_that_is_not_there_or_elsewhere_is_refused(folder: Path) -> None:
    for name, said in (
        ("no.yaml", "no such file"),
        ("../own.yaml", "must be a file in the study's own folder"),
        ("structures", "is a folder"),
    ):
        with pytest.raises(StudyError, match=said):
            load_study(study(folder, f"compare: {{file: {name}}}\n"))
