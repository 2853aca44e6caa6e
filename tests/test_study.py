"""The study file: what is valid loads, what is not gets every mistake at once with its place and
way out.
"""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borarun.basics.errors import StudyError
from borarun.input.yaml_file import read_yaml
from borarun.records.frames import Frames
from borarun.records.places import Places
from borarun.sections.study import SHARED_FOLDERS
from borarun.study import init_study, load_study, study_schema
from borarun.study.model import StudyFile
from borarun.subjects.diffusion.section import Diffusion
from borarun.subjects.heating.section import Heating
from borarun.subjects.relax.section import Relax
from borarun.subjects.training_set.section import Aimd, TrainingSet

PROJECT = Path(__file__).parents[1]
BAD = Path(__file__).parent / "bad_input"

MINIMAL = """\
borarun: 1
name: test
material:
  formula: Li2B12H12
  phases: {Pa-3: structures/Li2B12H12-Pa-3.cif}
  mobile: Li
  anions: B12H12
functionals: [PBE-D3]
reference: {engine: bundled}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good and bad structures, and the working directory."""
    folder = tmp_path / "study"
    shutil.copytree(PROJECT / "borarun/study/new_study/structures", folder / "structures")
    shutil.copytree(BAD / "structures", folder / "structures", dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, text: str, name: str = "study.yaml") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return Path(name)


def messages(path: Path) -> list[str]:
    with pytest.raises(StudyError) as caught:
        load_study(path)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("case", sorted(path.stem for path in BAD.glob("*.yaml")))
def test_a_bad_study_gets_exactly_the_messages_recorded_beside_it(folder: Path, case: str) -> None:
    shutil.copy(BAD / f"{case}.yaml", folder)
    assert messages(Path(f"{case}.yaml")) == (BAD / f"{case}.txt").read_text().splitlines()


def test_a_study_may_stop_anywhere_and_takes_the_published_defaults(folder: Path) -> None:
    study = load_study(write(folder, MINIMAL + "relax: {}\n"))
    assert study.section(Relax) is not None and study.section(Relax).max_force_eV_per_A == 0.005
    assert study.section(TrainingSet) is None and study.supercell == (3, 3, 3) and study.seed == 1


def test_a_loaded_study_holds_its_structures_and_counts(folder: Path) -> None:
    study = load_study(write(folder, MINIMAL))
    atoms = Frames.from_extxyz(study.phase_text("Pa-3"))[0]
    assert study.phase == "Pa-3" and len(atoms) == 104
    assert atoms.cell.lengths() == pytest.approx([9.577] * 3, abs=0.05)
    assert (study.n_atoms(), study.n_atoms(study.supercell)) == (104, 2808)
    assert (study.formula_units(), study.formula_units((3, 3, 3))) == (4, 108)


def test_a_sweep_is_a_number_a_list_or_a_range_with_both_ends(folder: Path) -> None:
    text = (
        MINIMAL
        + "training_set: {}\npotential: {}\ndiffusion: {temperatures_K: {from: 200, to: 700, "
        "step: 25}, vacancies: [4, 0, 4]}\n"
    )
    study = load_study(write(folder, text + "heating: {vacancies: 3}\n"))
    assert study.section(Diffusion) is not None and study.section(Heating) is not None
    assert (
        study.section(Diffusion).temperatures_K
        == tuple(range(200, 701, 25))
        == Diffusion().temperatures_K
    )
    assert study.section(Diffusion).vacancies == (0, 4) and study.section(Heating).vacancies == (3,)
    assert all(type(count) is int for count in study.section(Diffusion).vacancies)


def test_a_range_of_fractions_meets_its_end(folder: Path) -> None:
    section = Diffusion.model_validate({"temperatures_K": {"from": 300, "to": 301, "step": 0.1}})
    assert len(section.temperatures_K) == 11 and section.temperatures_K[-1] == pytest.approx(301)


def test_a_study_survives_its_own_dump(folder: Path) -> None:
    study = load_study(
        write(folder, MINIMAL + "training_set: {}\npotential: {}\nheating: {vacancies: [0, 2]}\n")
    )
    assert StudyFile.model_validate_json(study.model_dump_json()).section(Heating) == study.section(
        Heating
    )


def test_numbers_are_read_by_yaml_1_2(folder: Path) -> None:
    study = load_study(
        write(
            folder,
            MINIMAL.replace("name: test", "name: no")
            + "seed: 010\nrelax: {max_force_eV_per_A: 1e-2}\n",
        )
    )
    assert (
        study.name == "no"
        and study.seed == 10
        and study.section(Relax) is not None
        and study.section(Relax).max_force_eV_per_A == 0.01
    )


def test_half_the_cell_is_a_warning_for_the_cutoff_of_production(folder: Path) -> None:
    text = MINIMAL + "training_set: {}\npotential: {cutoff_A: 5}\nheating: {}\n"
    assert load_study(write(folder, text)).warnings == []
    (warning,) = load_study(write(folder, text + "supercell: [1, 3, 3]\n")).warnings
    assert "cutoff_A" in warning and "9.5" in warning


def test_exploring_colder_than_what_is_to_be_known_is_a_warning(folder: Path) -> None:
    text = MINIMAL + "training_set: {}\npotential: {}\nactive_learning: {to_K: 900}\n"
    assert load_study(write(folder, text + "heating: {to_K: 900}\n")).warnings == []
    (warning,) = load_study(
        write(folder, text + "heating: {to_K: 950}\nvibrations: {temperatures_K: [300, 1000]}\n")
    ).warnings
    assert warning.startswith(
        "active_learning.to_K: 900 K is colder than heating and vibrations, up to 1000 K,"
    )


def test_a_single_temperature_is_a_warning(folder: Path) -> None:
    text = MINIMAL + "training_set: {}\npotential: {}\n"
    assert (
        load_study(write(folder, text + "diffusion: {temperatures_K: [300, 400]}\n")).warnings == []
    )
    (warning,) = load_study(
        write(
            folder, text + "diffusion: {temperatures_K: [300, 400], vacancy_temperatures_K: 500}\n"
        )
    ).warnings
    assert warning.startswith(
        "diffusion.temperatures_K: one temperature gives no activation energy."
    )


def test_no_study_takes_a_folder_that_all_share(tmp_path: Path) -> None:
    shared = Places.of(tmp_path, "mini")
    assert {shared.store, shared.work} == {tmp_path / name for name in SHARED_FOLDERS}


def test_tags_that_overrule_the_study_are_a_warning(folder: Path) -> None:
    potcar = "{Li: PAW_PBE Li_sv 10Sep2004, B: PAW_PBE B 06Sep2000, H: PAW_PBE H 15Jun2001}"
    text = MINIMAL.replace("reference: {engine: bundled}\n", "")
    assert text != MINIMAL
    found = load_study(
        write(
            folder,
            text + f"reference: {{engine: vasp, potcar: {potcar}, incar: {{NCORE: 4, ENCUT: 500, "
            f"ISIF: 2}}}}\n",
        )
    ).warnings
    assert found == [
        "reference.incar.ENCUT: 500 overrides reference.encut_eV.",
        "reference.incar.ISIF: 2 applies to relaxations, labels and molecular dynamics "
        "alike, although each needs its own value.",
    ]


def test_extends_merges_mappings_replaces_the_rest_and_drops_what_is_null(folder: Path) -> None:
    base = (
        MINIMAL
        + "training_set: {aimd: {time_ps: 2, temperatures_K: [300, 600]}}\npotential: {level: "
        "8}\nheating: {}\n"
    )
    write(folder, base, "base.yaml")
    text = (
        "extends: base.yaml\nname: child\ntraining_set: {aimd: {temperatures_K: 900}}\nheating: "
        "null\nreference: {engine: sevennet}\n"
    )
    study = load_study(write(folder, text))
    assert (
        study.name == "child"
        and study.section(Heating) is None
        and study.section(TrainingSet) is not None
    )
    assert study.section(TrainingSet).aimd.time_ps == 2 and study.section(
        TrainingSet
    ).aimd.temperatures_K == (900,)
    assert study.reference.engine == "sevennet"


def test_another_engine_takes_nothing_from_the_one_it_replaces(folder: Path) -> None:
    write(
        folder,
        MINIMAL.replace("{engine: bundled}", "{engine: sevennet, labels_per_task: 3}"),
        "base.yaml",
    )
    assert (
        load_study(
            write(folder, "extends: base.yaml\nreference: {engine: bundled}\n")
        ).reference.engine
        == "bundled"
    )


def test_a_mistake_is_placed_in_the_file_that_holds_it(folder: Path) -> None:
    write(
        folder,
        MINIMAL + "training_set: {}\npotential: {level: 7}\nheating: {to_K: 5}\n",
        "base.yaml",
    )
    found = messages(
        write(folder, "extends: base.yaml\nheating: {from_K: 300}\ndiffusion: {vacancies: 900}\n")
    )
    assert [message.split(" ")[0] for message in found] == [
        "base.yaml:11:",
        "base.yaml:12:",
        "study.yaml:3:",
    ]


def test_structures_of_a_base_in_a_subfolder_are_found_beside_it(folder: Path) -> None:
    write(folder, MINIMAL, "base/base.yaml")
    shutil.move(folder / "structures", folder / "base/structures")
    assert load_study(write(folder, "extends: base/base.yaml\n")).n_atoms() == 104


def test_studies_that_extend_each_other_are_refused(folder: Path) -> None:
    write(folder, "extends: b.yaml\n", "a.yaml")
    write(folder, "extends: a.yaml\n", "b.yaml")
    assert messages(Path("a.yaml")) == [
        "b.yaml:1: extends: is a circle: these studies extend each other (got 'a.yaml'). "
        "Remove one `extends`."
    ]


@pytest.mark.parametrize("key", ["structures/link.cif", "linked/Li2B12H12-Pa-3.cif"])
def test_a_link_that_leads_out_of_the_folder_is_refused(folder: Path, key: str) -> None:
    outside = folder.parent / "outside"
    shutil.copytree(folder / "structures", outside)
    (folder / "structures/link.cif").symlink_to(outside / "Li2B12H12-Pa-3.cif")
    (folder / "linked").symlink_to(outside)
    (found,) = messages(write(folder, MINIMAL.replace("structures/Li2B12H12-Pa-3.cif", key)))
    assert "must be a file in the study's own folder" in found


def test_a_link_to_itself_is_refused(folder: Path) -> None:
    (folder / "loop.cif").symlink_to("loop.cif")
    (found,) = messages(write(folder, MINIMAL.replace("structures/Li2B12H12-Pa-3.cif", "loop.cif")))
    assert found.startswith("study.yaml:5: material.phases.Pa-3: ")


def test_files_that_are_no_study_are_named(folder: Path) -> None:
    (folder / "large.yaml").write_text("# " + "x" * 1_000_001)
    os.mkfifo(folder / "pipe")
    assert messages(Path("absent.yaml")) == [
        "absent.yaml: no such file. Check the path, or write a new study with `borarun init`."
    ]
    assert messages(Path("structures")) == [
        "structures: is a folder. Give the path of a YAML file."
    ]
    assert messages(Path("pipe")) == ["pipe: is not a regular file. Give the path of a YAML file."]
    assert messages(Path("large.yaml"))[0].startswith(
        "large.yaml: is larger than 1 MB (got 1000003 bytes)."
    )
    assert messages(Path("a" * 5000))[0].endswith(
        "cannot be read (File name too long). Check the path and its permissions."
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(folder: Path) -> None:
    path = write(folder, MINIMAL)
    path.chmod(0)
    assert messages(path) == [
        "study.yaml: cannot be read (Permission denied). Check the path and its permissions."
    ]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("old/*/vasprun.xml", "no file in the study's folder matches (got 'old/*/vasprun.xml')."),
        ("[]", ""),
        ("[../*.extxyz]", "no file in the study's folder matches (got '../*.extxyz')."),
        ("[/etc/*]", "no file in the study's folder matches (got '/etc/*')."),
        ("[/etc/passwd]", "must be a file in the study's own folder (got '/etc/passwd')."),
        ("study.yaml", "study.yaml: unknown kind of file. Use .extxyz (extended XYZ), .cfg (MLIP)"),
        ("structures", "structures: no such file in the study's folder."),
    ],
)
def test_labels_that_cannot_be_had(folder: Path, names: str, says: str) -> None:
    (said,) = messages(write(folder, f"{MINIMAL}training_set: {{labels: {{PBE-D3: {names}}}}}\n"))
    assert f"training_set.labels.PBE-D3: {says}" in said


def test_no_study_reaches_a_python_object(folder: Path) -> None:
    text = MINIMAL + f"relax: !!python/object/apply:os.mkdir ['{folder}/owned']\n"
    messages(write(folder, text))
    assert not (folder / "owned").exists()


def test_the_new_study_is_valid_and_states_the_defaults(tmp_path: Path) -> None:
    study = load_study(init_study(tmp_path / "new"))
    assert study.name == "li2b12h12" and study.n_atoms() == 104
    assert study.section(Relax) == Relax()
    for name in ("training_set", "potential", "active_learning", "heating", "reorientation"):
        section = getattr(study, name)
        assert section == type(section)(**({"aimd": Aimd()} if name == "training_set" else {})), (
            name
        )
        untold = {
            "potential": {"engine"},
            "training_set": {"labels", "cfg_elements", "configurations"},
            "heating": {"holds"},
        }.get(name, set())
        stated = section.model_fields_set | untold
        assert stated == set(type(section).model_fields), name
    assert study.section(Diffusion) == Diffusion(functional="PBE-D3")
    assert study.supercell == StudyFile.model_fields["supercell"].default


def test_the_first_line_of_a_new_study_names_the_schema_beside_it(tmp_path: Path) -> None:
    path = init_study(tmp_path)
    name = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert json.loads((tmp_path / name).read_text()) == study_schema()


@pytest.mark.parametrize("name", ["study.schema.json", "structures/Li2B12H12-Pa-3.cif"])
def test_init_writes_all_or_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(StudyError, match="already exists"):
        init_study(tmp_path)
    assert (tmp_path / name).read_text() == "mine" and not (tmp_path / "study.yaml").exists()


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    init_study(tmp_path)
    (tmp_path / "study.yaml").write_text("mine")
    with pytest.raises(StudyError, match="already exists"):
        init_study(tmp_path)
    assert (tmp_path / "study.yaml").read_text() == "mine"


def test_the_new_structure_is_the_one_of_the_examples() -> None:
    name = "structures/Li2B12H12-Pa-3.cif"
    assert (PROJECT / "borarun/study/new_study" / name).read_bytes() == (
        PROJECT / "studies" / name
    ).read_bytes()


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "studies").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_example_is_valid_and_points_editors_to_the_schema(path: Path) -> None:
    assert load_study(path).n_atoms() in (100, 104)
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=../schemas/study.schema.json\n"
    )


GALLERY = PROJECT / "studies" / "gallery"


@pytest.mark.parametrize("path", sorted(GALLERY.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_of_the_gallery_is_valid_and_on_its_page(path: Path) -> None:
    study = load_study(path)
    assert study.name == f"gallery-{path.stem}" and study.material.formula == path.stem
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=../../schemas/study.schema.json\n"
    )
    assert f"studies/gallery/{path.name}" in (PROJECT / "docs/gallery.md").read_text()
    attributed = (GALLERY / "structures/README.md").read_text()
    for structure in read_yaml(path)[0].plain()["material"]["phases"].values():
        assert Path(structure).name in attributed


KEYS = sorted(
    {
        *StudyFile.model_fields,
        *Diffusion.model_fields,
        "from",
        "to",
        "step",
        "aimd",
        "engine",
        "Pa-3",
        "formula",
        "phases",
        "<<",
    }
)
NAMES = st.sampled_from(KEYS) | st.text(max_size=3)
WORDS = st.sampled_from(["PBE", "Li", "B12H12", "bundled", "..", "."])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6)
)


def flow(value: object) -> str:
    """A tree as YAML in flow style."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key)}: {flow(item)}" for key, item in value.items()) + "}"
        )
    return "[" + ", ".join(map(flow, value)) + "]" if isinstance(value, list) else json.dumps(value)


def only_study_errors(path: Path) -> None:
    try:
        load_study(path)
    except StudyError as error:
        assert error.problems and all(str(problem).isprintable() for problem in error.problems)


HARD = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@HARD
@given(content=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_study_error(folder: Path, content: bytes) -> None:
    (folder / "study.yaml").write_bytes(content)
    only_study_errors(Path("study.yaml"))


@HARD
@given(
    text=st.text(alphabet=st.sampled_from("ab:- \n\t[]{}&*!<>|#%@'\"\\,?~01.e\u2028"), max_size=60)
)
def test_no_yaml_like_text_raises_anything_but_a_study_error(folder: Path, text: str) -> None:
    only_study_errors(write(folder, text))


@HARD
@given(sections=st.dictionaries(NAMES, TREES, max_size=5))
def test_no_values_raise_anything_but_a_study_error(
    folder: Path, sections: dict[str, object]
) -> None:
    head = [line for line in MINIMAL.splitlines() if line.split(":")[0] not in sections]
    lines = [f"{json.dumps(key)}: {flow(value)}" for key, value in sections.items()]
    only_study_errors(write(folder, "\n".join(head + lines)))


JUNK = [
    None,
    [],
    {},
    -1,
    0,
    "x",
    "2,5",
    "10 K",
    1e300,
    True,
    [1, "a"],
    {"a": 1},
    [[]],
    {"engine": "vasp"},
    {"from": 1, "to": 2, "step": 0.3},
    ["Pa-3"],
]


def _places(content: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for step, value in (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    ):
        yield (*above, step)
        yield from _places(value, (*above, step))


@pytest.mark.parametrize("seed", range(6))
def test_no_change_of_a_study_raises_anything_but_a_study_error(seed: int, tmp_path: Path) -> None:
    """Values replaced by others, keys left out or renamed, several at once: whatever is judged
    beside a mistake.
    """
    chance = random.Random(seed)
    shutil.copytree(PROJECT / "studies/structures", tmp_path / "structures")
    whole = [
        read_yaml(PROJECT / "studies" / name)[0].plain()
        for name in ("quickstart.yaml", "li2b12h12.yaml")
    ]
    for _ in range(25):
        content = copy.deepcopy(chance.choice(whole))
        for _ in range(chance.randint(1, 5)):
            *above, last = chance.choice(list(_places(content)) or [("borarun",)])
            owner: Any = content
            for step in above:
                owner = owner[step]
            if isinstance(owner, list) or chance.random() < 0.6:
                owner[last] = copy.deepcopy(chance.choice(JUNK))
            elif chance.random() < 0.5:
                owner.pop(last, None)
            else:
                owner[f"{last}s"] = owner.pop(last, None)
        write(tmp_path, json.dumps(content))
        only_study_errors(tmp_path / "study.yaml")
