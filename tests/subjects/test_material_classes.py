"""Materials of every class: what is framework, what may rotate, where the ions sit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from synthetic import PROVENANCE, lammps, make_study

from borarun.analysis.conductivity import nernst_einstein
from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S
from borarun.page import Results, collect
from borarun.page.sections import sections
from borarun.records.frames import Frames
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.structures.files import read_structure
from borarun.structures.structure import find_anions, formula_units, unnamed_molecules
from borarun.study import checks
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.diffusion.stage import DiffusionRun
from borarun.subjects.reorientation.results import ReorientationFound

MATERIALS = Path(__file__).parents[1] / "data" / "materials"
N_FRAMES = 200


def structure(name: str) -> Atoms:
    return read_structure(MATERIALS / f"{name}.cif")


def shaken(atoms: Atoms, spread_A: float = 0.1) -> np.ndarray:
    """(N, 3, F) angstrom: every atom vibrates about its place."""
    rng = np.random.default_rng(5)
    return atoms.positions[:, :, None] + rng.normal(0, spread_A, (len(atoms), 3, N_FRAMES))


def results(
    tmp_path: Path, atoms: Atoms, positions: np.ndarray, material: dict[str, object]
) -> Results:
    """What a study finds in one run."""
    names = ("relax", "training_set", "potential", "active_learning", "heating")
    material = {"phases": {"start": "start.xyz"}, **material}
    plain = make_study(
        material=material,
        reorientation={} if "anions" in material else None,
        **dict.fromkeys(names),
    )
    units = formula_units(atoms, str(material["formula"]))
    text = Frames.of([atoms]).to_extxyz()
    study = plain.holding(
        texts={"start": text}, n_atoms=len(atoms), n_units=units, warnings=[], former=[]
    )
    about = DiffusionRun(functional="PBE-D3", temperature_K=500.0, vacancies=0, run=0)
    task = Task("lammps", {"timestep_fs": 1.0, "seed": 1}, {}, "1", "diffusion", "500 K", about)
    n_frames = positions.shape[2]
    cell = np.repeat(atoms.cell.array[None], n_frames, axis=0)
    store = Store(tmp_path)
    record = lammps(atoms, positions, cell, "produce", np.full(n_frames, 500.0))
    store.write(task, record, PROVENANCE)
    return collect(study, [task], store)


def test_a_network_has_no_rotation_and_its_framework_holds(tmp_path: Path) -> None:
    atoms = structure("Li3N").repeat((3, 3, 3))
    found = results(tmp_path, atoms, shaken(atoms), {"formula": "Li3N", "mobile": "Li"})
    (check,) = found.checks
    assert check.intact and not check.bonds_A
    (point,) = found.of(DiffusionFound).transport
    assert [part.name for part in point.framework] == ["N atoms"]
    assert not found.of(ReorientationFound).rotation
    text = " ".join(f"{section.title} {section.intro}" for section in sections(found))
    assert "anion" not in text.lower() and "rotation" not in text.lower()
    (local,) = found.of(DiffusionFound).local
    assert local.between in ("", "mean positions: N")


def test_a_halide_that_leaves_its_place_is_told(tmp_path: Path) -> None:
    atoms = structure("Li6PS5Cl")
    positions = shaken(atoms)
    material = {"formula": "Li6PS5Cl", "mobile": "Li", "anions": "PS4"}
    assert results(tmp_path / "still", atoms, positions, material).checks[0].intact
    chloride = int(np.flatnonzero(atoms.symbols == "Cl")[0])
    positions[chloride, 0, N_FRAMES // 2 :] += 3.5
    (check,) = results(tmp_path / "moved", atoms, positions, material).checks
    assert not check.intact
    assert "1 of 4 Cl atoms moved by more than 1.5 A, the farthest by 3." in check.verdict


def test_two_kinds_of_anion_have_their_own_rotation(tmp_path: Path) -> None:
    atoms = structure("LGPS")
    positions = shaken(atoms, 0.03)
    (germanate,) = find_anions(atoms, ["GeS4"], ["Li"])
    turn_about_z(positions, atoms, germanate)
    material = {"formula": "Li10GeP2S12", "mobile": "Li", "anions": ["PS4", "GeS4"]}
    found = results(tmp_path, atoms, positions, material)
    assert found.checks[0].intact
    turned = {each.anion: each for each in found.of(ReorientationFound).rotation}
    assert {name: each.n_anions for name, each in turned.items()} == {"PS4": 4, "GeS4": 2}
    assert turned["PS4"].deflection_deg < 15
    assert turned["GeS4"].deflection_deg > 60
    (section,) = (each for each in sections(found) if each.id == "reorientation")
    assert "PS₄ and GeS₄ anions" in section.intro


def turn_about_z(positions: np.ndarray, atoms: Atoms, anions: np.ndarray) -> None:
    """Turn anions by half a turn in the course of the run, onto themselves."""
    for anion in anions:
        centre = positions[anion[0]].mean(axis=1)
        apart = (atoms.positions[anion] - centre) @ np.linalg.inv(atoms.cell.array)
        arms = (apart - np.round(apart)) @ atoms.cell.array
        angle = np.linspace(0, np.pi, N_FRAMES)
        x, y, z = arms.T
        positions[anion, 0] = centre[0] + np.outer(x, np.cos(angle)) - np.outer(y, np.sin(angle))
        positions[anion, 1] = centre[1] + np.outer(x, np.sin(angle)) + np.outer(y, np.cos(angle))
        positions[anion, 2] = centre[2] + z[:, None]


def test_molecules_that_no_key_names_are_told() -> None:
    atoms = structure("LGPS")
    assert unnamed_molecules(atoms, ["PS4"], ["Li"]) == {"GeS4": 2}
    assert not unnamed_molecules(atoms, ["PS4", "GeS4"], ["Li"])
    assert not unnamed_molecules(structure("CaF2"), [], ["F"])
    study = make_study(
        material={
            "formula": "Li10GeP2S12", "phases": {"a": "LGPS.cif"}, "mobile": "Li", "anions": "PS4"
        },
        reorientation=None,
    )  # fmt: skip
    told = list(checks.warnings(study, {"a": atoms}))
    assert any("2 GeS4 count as framework" in each and "[PS4, GeS4]" in each for each in told)


@pytest.mark.parametrize(
    ("name", "material", "between", "kind"),
    [
        ("Na3PS4-I-43m", {"formula": "Na3PS4", "mobile": "Na", "anions": "PS4"}, "S", None),
        ("Li6PS5Cl", {"formula": "Li6PS5Cl", "mobile": "Li", "anions": "PS4"}, None, None),
        ("AgI", {"formula": "AgI", "mobile": "Ag"}, "mean positions: I", "tetrahedral"),
        ("CaF2", {"formula": "CaF2", "mobile": "F"}, "mean positions: Ca", "tetrahedral"),
    ],
)
def test_ions_sit_on_their_sites(
    tmp_path: Path, name: str, material: dict[str, object], between: str | None, kind: str | None
) -> None:
    atoms = structure(name).repeat((2, 2, 2))
    found = results(tmp_path, atoms, shaken(atoms), material)
    (local,) = found.of(DiffusionFound).local
    assert local.sites
    if between is not None:
        assert local.between.endswith(between)
    if kind is not None:
        assert local.share[kind].value > 0.95


def test_two_mobile_elements_have_their_own_diffusivity_and_share_the_conductivity(
    tmp_path: Path,
) -> None:
    atoms = structure("LiNaB12H12")
    rng = np.random.default_rng(8)
    n_frames = 2000
    positions = atoms.positions[:, :, None] + rng.normal(0, 0.03, (len(atoms), 3, n_frames))
    spread_A = {"Li": 0.2, "Na": 0.1}
    for element, spread in spread_A.items():
        which = np.flatnonzero(atoms.symbols == element)
        positions[which] += rng.normal(0, spread, (len(which), 3, n_frames)).cumsum(axis=2)
    material = {"formula": "LiNaB12H12", "mobile": ["Li", "Na"], "anions": "B12H12"}
    found = results(tmp_path, atoms, positions, material)
    assert found.checks[0].intact, found.checks[0].verdict
    (point,) = found.of(DiffusionFound).transport
    interval_fs = point.interval_fs
    sigma = []
    for each in point.species:
        true = spread_A[each.ion] ** 2 / (2 * interval_fs) * A2_PER_FS_IN_CM2_PER_S
        assert each.diffusivity_cm2_s is not None and each.conductivity_S_cm is not None
        assert each.diffusivity_cm2_s.low < true < each.diffusivity_cm2_s.high
        assert each.conductivity_S_cm.value == pytest.approx(
            nernst_einstein(each.diffusivity_cm2_s.value, each.n, point.volume_A3, 500.0)
        )
        sigma.append(each.conductivity_S_cm.value)
    assert point.conductivity_S_cm is not None
    assert point.conductivity_S_cm.value == pytest.approx(sum(sigma), rel=0.1)
    cross = {(each.one, each.other): each.conductivity_S_cm for each in point.matrix}
    assert set(cross) == {("Li", "Li"), ("Na", "Na"), ("Li", "Na")}
    between = cross["Li", "Na"]
    assert between is None or between.low < 0 < between.high
    names = {pair.name for pair in found.of(DiffusionFound).local[0].pairs}
    assert {"Li–Li", "Li–Na", "Na–Na", "Na–B12H12"} <= names
    (section,) = (each for each in sections(found) if each.id == "diffusion")
    assert "How fast Li and Na moves" not in section.intro
    assert any(getattr(block, "name", "") == "species" for block in section.blocks)


def test_a_divalent_ion_carries_four_times_the_charge(tmp_path: Path) -> None:
    """The same walk, of Mg and of an ion that is said to have one charge."""
    atoms = structure("CaF2").repeat((2, 2, 2))
    rng = np.random.default_rng(9)
    which = np.flatnonzero(atoms.symbols == "Ca")
    positions = atoms.positions[:, :, None] + rng.normal(0, 0.03, (len(atoms), 3, 2000))
    positions[which] += rng.normal(0, 0.2, (len(which), 3, 2000)).cumsum(axis=2)
    sigma = {}
    for element in ("Mg", "Na"):
        other = atoms.copy()
        other.symbols[which] = element
        found = results(
            tmp_path / element, other, positions, {"formula": f"{element}F2", "mobile": element}
        )
        (point,) = found.of(DiffusionFound).transport
        assert point.conductivity_S_cm is not None
        sigma[element] = point.conductivity_S_cm.value
    assert sigma["Mg"] == pytest.approx(4 * sigma["Na"], rel=1e-3)


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"mobile": ["Li", "Li"]}, ("material", "mobile")),
        ({"mobile": ["Li", "Na"], "mobile_charge": 1}, ("material", "mobile_charge")),
        ({"mobile": ["Li", "Na"], "vacancies_of": "B"}, ("material", "vacancies_of")),
        ({"mobile": {"Li": 2, "Na": 1}}, ("material", "mobile", "Li")),
        ({"mobile": ["Li", "Na", "B", "H"], "anions": []}, ("material", "mobile")),
        ({"mobile": "B", "anions": []}, ("material", "mobile")),
    ],
)
def test_what_is_impossible_of_mobile_ions(keys: dict[str, object], place: tuple[str, ...]) -> None:
    material = {"formula": "LiNaB12H12", "phases": {"a": "a.cif"}, "anions": "B12H12", **keys}
    study = make_study(material=material, reorientation=None)
    assert place in dict(checks.findings(study, {}))


def test_vacancies_are_of_the_first_mobile_element_or_of_the_one_that_is_named() -> None:
    material = {"formula": "LiNaB12H12", "phases": {"a": "a.cif"}, "anions": "B12H12"}
    first = make_study(material={**material, "mobile": ["Li", "Na"]}).material
    named = make_study(material={**material, "mobile": ["Li", "Na"], "vacancies_of": "Na"}).material
    assert (first.vacancy_ion, named.vacancy_ion) == ("Li", "Na")
    assert first.charge("Na") == 1
    charged = make_study(material={**material, "mobile": {"Cu": 2, "Mg": 2}}).material
    assert (charged.charge("Cu"), charged.ions) == (2, ("Cu", "Mg"))


@pytest.mark.parametrize(
    ("mobile", "says"),
    [
        ("Li", "Na counts as framework, which must not diffuse. .*`mobile: \\[Li, Na\\]`"),
        (["Li", "Na"], None),
    ],
)
def test_a_cation_that_usually_moves_is_not_passed_over(mobile: object, says: str | None) -> None:
    material = {"formula": "LiNaB12H12", "phases": {"a": "a.cif"}, "anions": "B12H12"}
    study = make_study(material={**material, "mobile": mobile}, reorientation=None)
    warnings = checks.warnings(study, {"a": structure("LiNaB12H12")})
    found = [text for text in warnings if text.startswith("material.mobile")]
    assert len(found) == (says is not None)
    assert says is None or re.search(says, found[0])
