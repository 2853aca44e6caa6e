"""``borarun analyse``: known diffusivities, whatever the file; the same numbers as own runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trajectory_files as files
from ase.io import write
from ase.spacegroup import crystal
from synthetic import PROVENANCE, lammps, make_study
from synthetic import walk as anions_that_turn
from typer.testing import CliRunner

from borarun.basics.errors import StudyError
from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S
from borarun.cli import app
from borarun.given.analyse import analyse
from borarun.given.load import load_analysis, of_flags
from borarun.page import Results, collect
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.subjects.diffusion.results import DiffusionFound, Transport
from borarun.subjects.diffusion.stage import DiffusionRun
from borarun.subjects.reorientation.results import ReorientationFound

INTERVAL_FS, SPREAD_A = 50.0, 0.15
TRUE_CM2_S = SPREAD_A**2 / (2 * INTERVAL_FS) * A2_PER_FS_IN_CM2_PER_S


def run(folder: Path, names: list[str], **flags: object) -> Results:
    """An analysis of files of the made-up walk."""
    reading = {"interval_fs": INTERVAL_FS, **flags}
    analysis = of_flags(
        [Path(name) for name in names],
        [500.0],
        material={"mobile": "Li"},
        reading=reading,
    )
    return analyse(analysis, folder, Store(folder / "store"))


def point(results: Results) -> Transport:
    (found,) = results.of(DiffusionFound).transport
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same walk in a breathing, tilted cell, in several files."""
    folder = tmp_path_factory.mktemp("walks")
    atoms, positions, cell = files.walk(2000, SPREAD_A, tilt=1.0)
    files.dump(folder / "a.dump", atoms, positions, cell, "element id x y z", shuffled=True)
    files.dump(folder / "b.dump", atoms, positions, cell, "id element xsu ysu zsu")
    write(folder / "c.xyz", files.images(atoms, positions, cell), format="extxyz")
    return folder


@pytest.mark.parametrize("name", ["a.dump", "b.dump", "c.xyz"])
def test_a_walk_has_its_diffusivity_in_every_format(folder: Path, name: str) -> None:
    found = point(run(folder, [name]))
    assert found.diffusivity_cm2_s is not None
    assert found.diffusivity_cm2_s.low < TRUE_CM2_S < found.diffusivity_cm2_s.high
    assert found.interval_fs == INTERVAL_FS
    assert found.volume_A3 == pytest.approx(9.6**3, rel=1e-3)


def test_formats_agree(folder: Path) -> None:
    one, other = (point(run(folder, [name])) for name in ("a.dump", "c.xyz"))
    np.testing.assert_allclose(one.msd_A2, other.msd_A2, rtol=1e-3)


def test_files_of_one_temperature_are_independent_runs(folder: Path, tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(2000, SPREAD_A, seed=9)
    files.dump(tmp_path / "d.dump", atoms, positions, cell, "element id xu yu zu")
    (tmp_path / "a.dump").symlink_to(folder / "a.dump")
    one, other, both = (
        point(run(tmp_path, names)) for names in (["a.dump"], ["d.dump"], ["a.dump", "d.dump"])
    )
    assert (one.n_runs, both.n_runs) == (1, 2)
    values = [each.diffusivity_cm2_s for each in (one, other, both)]
    assert values[0] and values[1] and values[2]
    assert values[2].value == pytest.approx((values[0].value + values[1].value) / 2, rel=1e-6)
    assert values[2].low < TRUE_CM2_S < values[2].high


def test_the_formula_holds_whole_anions(tmp_path: Path) -> None:
    """Not LiB6H6."""
    atoms, positions, cell = anions_that_turn(200, 0, 600, True, 3)
    files.dump(tmp_path / "d", atoms, positions, cell, "element id x y z")
    material = {"mobile": "Li", "anions": "B12H12"}
    analysis = of_flags([Path("d")], [600.0], material=material, reading={"timestep_fs": 0.5})
    found = analyse(analysis, tmp_path, Store(tmp_path / "store"))
    assert found.formula == "Li2B12H12"


def test_an_own_run_as_a_dump_gives_the_numbers_of_its_report(tmp_path: Path) -> None:
    """With a vacancy, anions that turn, and atoms in another order."""
    atoms, positions, cell = anions_that_turn(600, 1, 600, True, 3)
    names = ("relax", "training_set", "potential", "active_learning", "heating")
    study, store = make_study(**dict.fromkeys(names)), Store(tmp_path / "own")
    about = DiffusionRun(functional="given", temperature_K=600.0, vacancies=1, run=0)
    task = Task(
        "lammps", {"timestep_fs": 1.0, "seed": 1}, {}, "1", "diffusion", "of our own", about
    )
    store.write(task, lammps(atoms, positions, cell, "produce", np.full(600, 600.0)), PROVENANCE)
    own = collect(study, [task], store)

    files.dump(tmp_path / "d", atoms, positions, cell, "element id x y z", shuffled=True)
    analysis = of_flags(
        [Path("d")],
        [600.0],
        material={"mobile": "Li", "anions": "B12H12", "formula": "Li2B12H12"},
        reading={"timestep_fs": 0.5},
    )
    given = analyse(analysis, tmp_path, Store(tmp_path / "store"))
    one, other = point(own), point(given)
    for name in ("diffusivity_cm2_s", "conductivity_S_cm", "regression_cm2_s", "collective_S_cm"):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert theirs.value == pytest.approx(ours.value, rel=1e-3), name
        assert theirs.half_width == pytest.approx(ours.half_width, rel=1e-2), name
    assert (other.vacancies, other.mol_percent) == (1, one.mol_percent)
    assert other.volume_A3 == pytest.approx(one.volume_A3)
    (turned,), (as_turned) = (results.of(ReorientationFound).rotation for results in (own, given))
    np.testing.assert_allclose(as_turned[0].xi, turned.xi, atol=1e-3)
    assert as_turned[0].deflection_deg == pytest.approx(turned.deflection_deg, abs=0.1)
    assert [check.intact for check in given.checks] == [check.intact for check in own.checks]


def test_a_file_instead_of_flags(folder: Path, tmp_path: Path) -> None:
    text = f"""\
borarun: 1
name: walks
material: {{mobile: Li}}
interval_fs: 50
trajectories:
  - {{file: {folder / "a.dump"}, temperature_K: 500, skip_ps: 20}}
  - {{file: {folder / "c.xyz"}, temperature_K: 600, stride: 2}}
"""
    file = tmp_path / "walks.yaml"
    file.write_text(text)
    done = CliRunner().invoke(app, ["analyse", str(file), "--runs", str(tmp_path)])
    assert done.exit_code == 0, done.output
    values = json.loads((tmp_path / "walks" / "report" / "results.json").read_text())
    found = [(point["temperature_K"], point["interval_fs"]) for point in values["transport"]]
    assert found == [(500.0, 50.0), (600.0, 100.0)]
    file.write_text(text.replace("mobile: Li", "mobil: Li").replace("500", "-500"))
    with pytest.raises(StudyError) as wrong:
        load_analysis(file)
    assert {problem.line for problem in wrong.value.problems} == {3, 6}


def test_flags_beside_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("borarun: 1\n")
    with pytest.raises(StudyError, match="--mobile"):
        CliRunner().invoke(
            app, ["analyse", str(tmp_path / "a.yaml"), "--mobile", "Li"], catch_exceptions=False
        )


@pytest.mark.parametrize(
    ("flags", "temperatures", "said"),
    [
        ({"mobile": None}, [500.0], "--mobile: is missing"),
        ({}, [], "--temperature: is missing"),
        ({}, [1.0, 2.0, 3.0], "--temperature: is given 3 times"),
        ({"supercell": [3, 3]}, [500.0], "--supercell"),
        ({}, [-5.0], "--temperature"),
    ],
)
def test_flags_that_are_missing_or_wrong(
    flags: dict[str, object], temperatures: list[float], said: str
) -> None:
    material = {"mobile": "Li", **flags}
    with pytest.raises(StudyError, match=said):
        of_flags([Path("a"), Path("b")], temperatures, material=material, reading={})


def test_skip_and_stride(folder: Path) -> None:
    found = point(run(folder, ["a.dump"], stride=2, skip_ps=20.0))
    assert found.interval_fs == 2 * INTERVAL_FS
    assert found.n_origins == 800


def test_the_same_file_twice_is_no_second_run(folder: Path) -> None:
    with pytest.raises(StudyError, match="given twice"):
        run(folder, ["a.dump", "a.dump"])


def test_the_command_writes_a_report(folder: Path, tmp_path: Path) -> None:
    words = [
        "analyse", str(folder / "a.dump"), "--mobile", "Li", "--temperature", "500",
        "--timestep-fs", "0.5", "--method", "MACE-MP-0", "--runs", str(tmp_path),
    ]  # fmt: skip
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "500 K" in done.stdout
    values = json.loads((tmp_path / "a" / "report" / "results.json").read_text())
    assert values["transport"][0]["functional"] == "MACE-MP-0"
    page = (tmp_path / "a" / "report" / "report.html").read_text()
    assert "come from trajectories of other programs" in page
    assert "sha256" in page


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"anions": "B12H12"}, "its anions are not B12H12"),
        ({"anions": "O"}, "--anion: .*is a single atom, not a molecule"),
        ({"mobile": "Na"}, "has no Na"),
        ({"mobile": "B", "anions": "B12H12"}, "--mobile"),
        ({"formula": "Li3O"}, "is no Li3O"),
        ({"supercell": [3, 1, 1]}, "--supercell"),
    ],
)
def test_atoms_that_are_not_what_they_are_said_to_be(
    folder: Path, tmp_path: Path, flags: dict[str, object], said: str
) -> None:
    material = {"mobile": "Li", **flags}
    analysis = of_flags(
        [folder / "a.dump"], [500.0], material=material, reading={"timestep_fs": 0.5}
    )
    if flags == {"formula": "Li3O"}:
        results = analyse(analysis, folder, Store(tmp_path))
        assert point(results).vacancies == 16
        return
    with pytest.raises(StudyError, match=said):
        analyse(analysis, folder, Store(tmp_path))


def test_sites_of_an_argyrodite_are_the_tetrahedra_of_its_anions(tmp_path: Path) -> None:
    # 136 in a cubic cell: B. J. Morgan, Chem. Mater. 33, 2004 (2021). PS4 centres, S and Cl alone
    # leave no holes that surround lithium.
    cell = crystal(
        ("P", "S", "S", "Cl", "Li"),
        [(0, 0, 0.5), (0.118, 0.382, 0.118), (0.25, 0.25, 0.75), (0, 0, 0), (0.023, 0.25, 0.25)],
        spacegroup=216,
        cellpar=[9.9, 9.9, 9.9, 90, 90, 90],
    )
    rng = np.random.default_rng(3)
    images = [cell.copy() for _ in range(300)]
    for image in images:
        image.positions += rng.normal(scale=0.08, size=image.positions.shape)
    write(tmp_path / "a.xyz", images, format="extxyz")
    results = analyse(
        of_flags(
            [tmp_path / "a.xyz"],
            [500.0],
            material={"mobile": "Li", "anions": ["PS4"], "formula": "Li6PS5Cl"},
            reading={"interval_fs": INTERVAL_FS},
        ),
        tmp_path,
        Store(tmp_path / "store"),
    )
    (local,) = results.of(DiffusionFound).local
    assert local.between == "mean positions: S, Cl"
    assert local.sites["tetrahedral"] == 136
    measured = {number.value for number in results.published.find("conductivity")}
    assert measured == {0.00205, 0.0013, 3.3e-05}
