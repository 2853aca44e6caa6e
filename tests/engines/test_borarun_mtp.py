"""The engine of moment tensor potentials: what it writes, and what it reads from runs that end well
and that do not.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from borarun.basics.errors import ParseError
from borarun.basics.file import write_files
from borarun.engines.borarun_mtp import engine as borarun_mtp
from borarun.engines.borarun_mtp import fit, select
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames
from borarun.records.operations.potential import Trained
from borarun.records.task import Result

DATA = Path(__file__).parent.parent.parent / "benchmarks" / "data"
TRAIN = borarun_mtp.Settings(
    operation="train", level=6, max_evaluations=4, starts=2, validation_fraction=0.3
)
SELECT = borarun_mtp.Settings(operation="select", max_selected=2)


@pytest.fixture(scope="module")
def labels() -> Frames:
    return Frames.from_extxyz((DATA / "li2b12h12_sevennet0_d3_valid.extxyz").read_text())


@pytest.fixture(scope="module")
def trained(labels: Frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which a potential was trained."""
    directory = write_files(
        tmp_path_factory.mktemp("train"),
        borarun_mtp.render(
            TRAIN,
            {"labels": [labels.take(range(4)), labels.take(range(4, 10))]},
            borarun_mtp.Program(),
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setattr(sys, "argv", ["fit"])
        fit.main()
    return directory


@pytest.fixture(scope="module")
def result(trained: Path) -> Result:
    return borarun_mtp.parse(TRAIN, trained)


@pytest.fixture(scope="module")
def selected(result: Result, labels: Frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which two of four candidates are squeezed and were selected."""
    images = [labels[k] for k in (0, 1, 2, 3)]
    for k in (1, 3):
        images[k].set_cell(images[k].cell.array * 0.93, scale_atoms=True)
    inputs = {
        "potential": result.texts["potential"],
        "active_set": result.arrays["active_set"].values,
        "candidates": [Frames.of(images)],
    }
    directory = write_files(
        tmp_path_factory.mktemp("select"), borarun_mtp.render(SELECT, inputs, borarun_mtp.Program())
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        select.main()
    return directory


def test_every_label_is_either_trained_on_or_held_out(labels: Frames) -> None:
    files = borarun_mtp.render(TRAIN, {"labels": [labels]}, borarun_mtp.Program())
    train, valid = (Frames.from_extxyz(str(files[f"{name}.extxyz"])) for name in ("train", "valid"))
    assert len(train) and len(valid) and len(train) + len(valid) == len(labels)
    assert train.labelled and valid.labelled
    energies = np.concatenate([train.energy, valid.energy])  # type: ignore[arg-type]
    np.testing.assert_allclose(np.sort(energies), np.sort(labels.energy))  # type: ignore[arg-type]


def test_new_labels_move_no_old_one_between_the_sets(labels: Frames) -> None:
    def held_out(*parts: Frames) -> set[float]:
        files = borarun_mtp.render(TRAIN, {"labels": list(parts)}, borarun_mtp.Program())
        return set(Frames.from_extxyz(str(files["valid.extxyz"])).energy.tolist())  # type: ignore[union-attr]

    old, new = labels.take(range(6)), labels.take(range(6, 10))
    assert held_out(old) == {energy for energy in held_out(new, old) if energy in old.energy}  # type: ignore[operator]


def test_what_active_learning_selected_is_learnt_whole(labels: Frames) -> None:
    first, selected = labels.take(range(6)), labels.take(range(6, 10))
    files = borarun_mtp.render(
        TRAIN, {"labels": [first], "selected": [selected]}, borarun_mtp.Program()
    )
    train, valid = (Frames.from_extxyz(str(files[f"{name}.extxyz"])) for name in ("train", "valid"))
    assert len(train) + len(valid) == len(labels)
    assert set(selected.energy.tolist()) <= set(train.energy.tolist())  # type: ignore[union-attr]


def test_another_seed_holds_others_out(labels: Frames) -> None:
    texts = {
        borarun_mtp.render(
            TRAIN.model_copy(update={"seed": seed}), {"labels": [labels]}, borarun_mtp.Program()
        )["valid.extxyz"]
        for seed in range(5)
    }
    assert len(texts) > 1


def test_an_earlier_potential_is_written_to_start_from(labels: Frames) -> None:
    assert (
        borarun_mtp.render(
            TRAIN, {"labels": [labels], "potential": "MTP\n"}, borarun_mtp.Program()
        )["start.mtp"]
        == "MTP\n"
    )
    assert "start.mtp" not in borarun_mtp.render(TRAIN, {"labels": [labels]}, borarun_mtp.Program())


def test_the_command_starts_the_program_with_its_cores() -> None:
    assert borarun_mtp.command(TRAIN, 4, borarun_mtp.Program()) == [
        sys.executable,
        "-m",
        "borarun.engines.borarun_mtp.fit",
        "--processes",
        "4",
    ]
    assert borarun_mtp.command(SELECT, 4, borarun_mtp.Program()) == [
        sys.executable,
        "-m",
        "borarun.engines.borarun_mtp.select",
    ]


def test_training_leaves_what_the_contract_names(result: Result, labels: Frames) -> None:
    facts = result.facts
    p = facts.n_parameters
    potential = Potential.read(result.texts["potential"])
    assert (facts.level, potential.level, potential.n_parameters) == (6, 6, p)
    assert facts.n_train + facts.n_valid == len(labels)
    assert isinstance(facts, Trained) and result.misfits() == []
    assert result.arrays["active_set"].values.shape == (p, p)
    assert (np.diff(result.arrays["loss"].values) < 0.0).all()


def test_errors_and_ranges_are_those_of_the_parity_data(result: Result, labels: Frames) -> None:
    for name, fact, factor in (
        ("energy", "energy_meV_per_atom", 1e3),
        ("forces", "forces_eV_per_A", 1.0),
        ("stress", "stress_kbar", 1602.1766),
    ):
        reference, ours = result.arrays[f"parity/{name}"].values
        assert getattr(result.facts.errors.valid, fact) == pytest.approx(
            factor * np.sqrt(np.mean((ours - reference) ** 2)), rel=1e-5
        )
    assert labels.energy is not None and labels.forces is not None
    np.testing.assert_allclose(
        result.facts.ranges.energy_eV_per_atom,
        [labels.energy.min() / 104, labels.energy.max() / 104],
    )
    np.testing.assert_allclose(
        result.facts.ranges.forces_eV_per_A, [labels.forces.min(), labels.forces.max()]
    )


def test_training_goes_on_from_an_earlier_potential(
    result: Result, labels: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TRAIN.model_copy(update={"max_evaluations": 1})
    write_files(
        tmp_path,
        borarun_mtp.render(
            settings,
            {"labels": [labels], "potential": result.texts["potential"]},
            borarun_mtp.Program(),
        ),
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fit"])
    fit.main()
    again = borarun_mtp.parse(settings, tmp_path)
    assert again.arrays["loss"].values[0] <= result.arrays["loss"].values[-1] * 1.5
    assert again.facts.level == 6


def test_selection_takes_what_is_new(selected: Path, labels: Frames) -> None:
    found = borarun_mtp.parse(SELECT, selected)
    assert found.facts.n_candidates == len(found.facts.grades) == 4
    assert found.facts.n_selected == len(found.frames["selected"]) == 2
    assert found.frames["selected"].grade == pytest.approx(
        [found.facts.grades[1], found.facts.grades[3]]
    )
    volumes = np.abs(np.linalg.det(found.frames["selected"].cell))
    assert volumes.max() < np.abs(np.linalg.det(labels.cell)).min() * 0.93**3 * 1.3


@pytest.mark.parametrize(
    "name",
    [
        "potential.mtp",
        "active_set.npy",
        "loss.npy",
        "parity_energy.npy",
        "parity_forces.npy",
        "ending.json",
    ],
)
@pytest.mark.parametrize("keep", [None, 0.0, 0.6])
def test_a_file_missing_empty_or_cut_short_is_named(
    trained: Path, tmp_path: Path, name: str, keep: float | None
) -> None:
    check_damage(
        borarun_mtp.Settings.model_validate(TRAIN.model_dump()),
        trained,
        tmp_path / "copy",
        name,
        keep,
    )


@pytest.mark.parametrize("name", ["selected.extxyz", "ending.json"])
@pytest.mark.parametrize("keep", [None, 0.0, 0.6])
def test_a_selection_missing_empty_or_cut_short_is_named(
    selected: Path, tmp_path: Path, name: str, keep: float | None
) -> None:
    check_damage(SELECT, selected, tmp_path / "copy", name, keep)


def check_damage(
    settings: borarun_mtp.Settings, whole: Path, copy: Path, name: str, keep: float | None
) -> None:
    shutil.copytree(whole, copy)
    content = (copy / name).read_bytes()
    (copy / name).unlink()
    if keep is not None:
        (copy / name).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ParseError, match=name.replace(".", r"\.")):
        borarun_mtp.parse(settings, copy)


def test_a_potential_of_nan_is_refused(trained: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    values = np.load(copy / "parity_energy.npy")
    values[1, 0] = np.nan
    np.save(copy / "parity_energy.npy", values)
    with pytest.raises(ParseError, match="not numbers"):
        borarun_mtp.parse(TRAIN, copy)


@pytest.mark.parametrize(
    "wrong",
    [{"level": 7}, {"validation_fraction": 0.0}, {"cutoff_A": -1.0}, {"starts": 0}, {"unknown": 1}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        borarun_mtp.Settings(operation="train", **wrong)  # type: ignore[arg-type]


def test_settings_are_json(labels: Frames) -> None:
    assert borarun_mtp.Settings.model_validate(json.loads(json.dumps(TRAIN.model_dump()))) == TRAIN
