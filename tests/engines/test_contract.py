"""What every engine owes to those who use it: one line in ``CASES``, and it is asked for here.

A case says which task is asked for and how its directory comes to hold what a run leaves: a
recorded output, or one that is made in a moment.
"""

from __future__ import annotations

import gzip
import importlib.util
import inspect
import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read

from borarun.basics.errors import EngineError
from borarun.engines.moment_tensor.results import TrainedMomentTensor
from borarun.engines.networks.families import FAMILIES
from borarun.engines.reference import base as reference
from borarun.engines.registry import ENGINES
from borarun.records.frames import Frames
from borarun.records.operations.base import Facts
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.operations.examination import Examined
from borarun.records.operations.phonons import Displaced
from borarun.records.operations.potential import Trained
from borarun.records.operations.reference import Labelled
from borarun.sharing.disclosure import licensed, without_paths

DATA = Path(__file__).parent / "data"
RECORDED = Path(__file__).parents[1] / "data"
PLACES = 20


def lih() -> Frames:
    """A cell of lithium hydride, its atoms displaced."""
    atoms = bulk("LiH", "rocksalt", a=4.08, cubic=True)
    atoms.rattle(0.05, seed=1)
    return Frames.of([atoms])


def labelled_lih() -> Frames:
    """The same with labels of nothing."""
    atoms = lih()[0]
    atoms.calc = SinglePointCalculator(
        atoms, energy=-1.0, forces=np.zeros((len(atoms), 3)), stress=np.zeros(6)
    )
    return Frames.of([atoms])


def settings_of(directory: Path) -> dict[str, Any]:
    """The settings that were recorded with a run."""
    found: dict[str, Any] = json.loads((directory / "settings.json").read_text())
    return found


@cache
def mlip_3_recording() -> Any:
    """The module that recorded MLIP-3's runs: their settings and inputs."""
    spec = importlib.util.spec_from_file_location("record", DATA / "mlip-3" / "record.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Case:
    """A task of an engine, and what its run left.

    Attributes
    ----------
    recorded : directory of the output; files that end in .gz are unpacked
    settings : of the task
    inputs : results of earlier tasks that it reads
    facts : the operation
    files : every file whose damage must be noticed
    """

    recorded: Path
    settings: dict[str, Any]
    inputs: Callable[[], dict[str, Any]]
    facts: type[Facts]
    files: tuple[str, ...]


REFERENCE = ("ending.json", "labels.extxyz")
LABEL = {"operation": "label", "functional": "PBE-D3"}
MODEL = {"model": "a.model", "model_sha256": "0" * 64, "approximates": "PBE"}

CASES = {
    "bundled": Case(DATA / "bundled", LABEL, lambda: {"frames": lih()}, Labelled, REFERENCE),
    # One program and one reader for all of them: what SevenNet left stands for the others.
    **{
        family.name: Case(
            DATA / "sevennet",
            LABEL if family.name == "sevennet" else {**LABEL, **MODEL},
            lambda: {"frames": lih()},
            Labelled,
            REFERENCE,
        )
        for family in FAMILIES
    },
    "quantum-espresso": Case(
        DATA / "qe" / "label",
        settings_of(DATA / "qe" / "label"),
        lambda: {
            "frames": Frames.from_extxyz((DATA / "qe" / "label" / "frames.extxyz").read_text())
        },
        Labelled,
        (*REFERENCE, "pw.json", "pw.out"),
    ),
    "vasp": Case(
        DATA / "vasp" / "label",
        settings_of(DATA / "vasp" / "label"),
        lambda: {"frames": lih()},
        Labelled,
        ("ending.json", "run-1/OUTCAR", "run-1/vasprun.xml"),
    ),
    "borarun-mtp": Case(
        DATA / "borarun-mtp",
        settings_of(DATA / "borarun-mtp"),
        lambda: mlip_3_recording().inputs(),
        TrainedMomentTensor,
        (
            "ending.json",
            "potential.mtp",
            "active_set.npy",
            "loss.npy",
            "parity_energy.npy",
            "parity_forces.npy",
            "parity_stress.npy",
        ),
    ),
    "mlip-3": Case(
        DATA / "mlip-3" / "train",
        mlip_3_recording().TRAIN.model_dump(mode="json"),
        lambda: mlip_3_recording().inputs(),
        TrainedMomentTensor,
        (
            "train.log",
            "trained.almtp",
            "active_set.npy",
            "efs_train.cfg",
            "efs_valid.cfg",
            "errors_train.txt",
            "errors_valid.txt",
        ),
    ),
    "pretrained": Case(
        DATA / "pretrained-potential",
        settings_of(DATA / "pretrained-potential"),
        lambda: {"labels": [labelled_lih()]},
        Trained,
        ("ending.json", "network.json", "parity.npz"),
    ),
    "examination": Case(
        DATA / "examination",
        settings_of(DATA / "examination"),
        lambda: {
            "labels": [labelled_lih()],
            "potentials": [(RECORDED / "li2b12h12_level8.mtp").read_text()],
        },
        Examined,
        ("ending.json", "examined.npz"),
    ),
    "lammps": Case(
        RECORDED / "lammps_run",
        settings_of(RECORDED / "lammps_run"),
        lambda: {
            "potential": (RECORDED / "li2b12h12_level8.mtp").read_text(),
            "structure": lih(),
            "active_set": np.eye(2),
        },
        MolecularDynamics,
        ("frames.bin", "thermo.txt", "watch.txt", "candidates.extxyz", "ending.json", "md.json"),
    ),
    "phonopy": Case(
        DATA / "phonopy" / "displace",
        settings_of(DATA / "phonopy" / "displace"),
        lambda: {
            "structure": Frames.of([read(DATA / "phonopy" / "POSCAR-unitcell", format="vasp")])
        },
        Displaced,
        ("ending.json", "displaced.extxyz"),
    ),
}


@pytest.fixture(params=sorted(ENGINES))
def name(request: pytest.FixtureRequest) -> str:
    assert request.param in CASES, f"give {request.param} a line in CASES of {__file__}"
    return str(request.param)


def test_a_new_format_of_an_engine_s_files_makes_new_keys(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, settings = ENGINES[name], ENGINES[name].Settings(**CASES[name].settings)
    before = engine.version(settings)
    if hasattr(engine, "FORMATS"):
        monkeypatch.setattr(engine, "FORMATS", dict.fromkeys(engine.FORMATS, "another"))
    else:
        monkeypatch.setattr(engine if hasattr(engine, "FORMAT") else reference, "FORMAT", "another")
    assert engine.version(settings) != before


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_asked_of_an_installed_program(name: str) -> None:
    """Each probe is a command of the site; whatever it prints is read, never an error; what is not
    the program is not taken for it, but for VASP.
    """
    engine = ENGINES[name]
    program = engine.Program()
    assert engine.paths(program) == {}
    for probe in engine.probes(program):
        assert shlex.split(probe.command) and probe.key in {*type(program).model_fields, "python"}
        for text in ("", "hello\n", "\x00\xff", "command not found"):
            told = probe.read(text)
            assert told.version == "" and (name == "vasp" or (told.trouble and told.remedy))


@pytest.fixture
def directory(name: str, tmp_path: Path) -> Path:
    """A copy of what the run left."""
    target = Path(shutil.copytree(CASES[name].recorded, tmp_path / "run"))
    for packed in target.rglob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    return target


def test_the_module_is_what_the_registry_calls_it(name: str) -> None:
    assert name == ENGINES[name].NAME


def test_the_same_task_gives_the_same_files(name: str) -> None:
    """Twice in a row, and from settings that have been through a store; and it names no file
    outside the directory.
    """
    engine, case = ENGINES[name], CASES[name]
    settings = engine.Settings(**case.settings)
    again = engine.Settings(**json.loads(settings.model_dump_json()))
    first = engine.render(settings, case.inputs(), engine.Program())
    assert first and first == engine.render(again, case.inputs(), engine.Program())
    assert all(file == Path(file).name for file in first)


def test_the_command_is_a_list_of_words(name: str) -> None:
    engine = ENGINES[name]
    command = engine.command(engine.Settings(**CASES[name].settings), 2, engine.Program())
    assert command and all(isinstance(word, str) and word for word in command)


def test_the_version_is_a_matter_of_the_settings_alone(name: str) -> None:
    engine = ENGINES[name]
    assert list(inspect.signature(engine.version).parameters) == ["settings"]
    assert engine.version(engine.Settings(**CASES[name].settings))


def test_the_cost_is_positive_and_grows_with_the_atoms(name: str) -> None:
    engine = ENGINES[name]
    small, large = (
        engine.cost(engine.Settings(**CASES[name].settings), n_atoms) for n_atoms in (10, 1000)
    )
    assert 0 < small.core_seconds <= large.core_seconds
    assert 0 < small.bytes <= large.bytes


def test_what_a_run_left_is_read_to_the_agreed_names_and_finite_numbers(
    name: str, directory: Path
) -> None:
    engine, case = ENGINES[name], CASES[name]
    result = engine.parse(engine.Settings(**case.settings), directory)
    assert type(result.facts) is case.facts and result.misfits() == []
    stored = json.loads(json.dumps(result.facts.stored(), allow_nan=False))
    assert case.facts.model_validate(stored) == result.facts
    for frames in result.frames.values():
        assert all(np.isfinite(values).all() for values in frames.arrays().values())
    for quantity in result.arrays.values():
        assert np.isfinite(quantity.values).all()


def test_a_result_can_leave_its_site(name: str, directory: Path) -> None:
    """It names no folder, and has no text but a potential: nothing through which a file under
    licence could go.
    """
    engine = ENGINES[name]
    result = engine.parse(engine.Settings(**CASES[name].settings), directory)
    assert set(result.texts) <= {"potential"}
    told = json.dumps([result.facts.stored(), *result.texts.values()])
    assert (
        str(directory) not in told and without_paths(told) == told and not licensed(told.encode())
    )


def test_output_cut_short_is_an_error_and_never_a_number(name: str, directory: Path) -> None:
    engine, case = ENGINES[name], CASES[name]
    settings = engine.Settings(**case.settings)
    for file in case.files:
        whole = (directory / file).read_bytes()
        for part in range(PLACES):
            (directory / file).write_bytes(whole[: len(whole) * part // PLACES])
            with pytest.raises(EngineError) as caught:
                engine.parse(settings, directory)
            assert Path(file).name in str(caught.value), (
                f"{file} cut at {part}/{PLACES} is not the file that is named"
            )
        (directory / file).unlink()
        with pytest.raises(EngineError, match=Path(file).name):
            engine.parse(settings, directory)
        (directory / file).write_bytes(whole)
