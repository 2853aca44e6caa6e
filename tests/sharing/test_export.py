"""What an export holds, read back by others' programs where there are any."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from conftest import MINI_STUDY, STUDIES
from filled import HOST, POTENTIAL, fill, training
from pyarrow.parquet import read_table
from rocrate.rocrate import ROCrate
from synthetic import changed

from borarun.basics.errors import StoreError
from borarun.engines.potential.training import split
from borarun.engines.registry import ENGINES
from borarun.mtp import cfg
from borarun.mtp.potential import Potential
from borarun.page import collect
from borarun.records.attributes import Provenance
from borarun.records.operations.base import Quantity
from borarun.records.places import StoredRecords
from borarun.records.store import Store
from borarun.report import parquet
from borarun.report.provenance import Gap
from borarun.sharing.crate import NAME, Terms
from borarun.sharing.export import export
from borarun.structures.files import read_structure
from borarun.study import load_study
from borarun.study.plan import expand

TERMS = Terms.of(["Ada Lovelace 0000-0002-1825-0097", "Charles Babbage"], "CC-BY-4.0")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """An export of a study in which a task failed with words of its site, and its store."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(
        STUDIES / "structures", home / "structures", ignore=shutil.ignore_patterns("*.py", "*.md")
    )
    text = MINI_STUDY.split("heating:")[0].replace(
        "phases: {", "phases: {P2_1/n: structures/Li2B12H12-P21n.cif, "
    )
    (home / "mini.yaml").write_text(text + "relax: {}\n")
    study, store = load_study(home / "mini.yaml"), Store(home / "runs" / "store")
    tasks = fill(study, store)
    last = next(
        task
        for task in tasks
        if task.about.stored().get("operation") == "train" and task.about.round == 1
    )
    made = training()
    almtp = Quantity(np.frombuffer(b"almtp \xff", np.uint8), "1", ("byte",))
    store.write(last, replace(made, arrays={**made.arrays, "almtp": almtp}), Provenance(host=HOST))
    gap = Gap(
        "heating",
        "PBE-D3, heating",
        True,
        f"{home}/runs/work/x/log.lammps: is cut short",
        f"Its files are in {home}/runs/work/x.",
        f"on {HOST}",
    )
    results = changed(
        collect(study, tasks, store), learning=(), gaps=(gap,)
    )  # without figures, which take seconds
    export(home / "mini.yaml", study, tasks, results, store, home / "out", terms=TERMS)
    return home / "out", store


def content(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }


def test_everything_is_there_and_described(exported: tuple[Path, Store]) -> None:
    files = content(exported[0])
    assert files.keys() >= {
        "study/mini.yaml", "study/structures/Li2B12H12-P21n.cif", "report/report.html", "report/results.json", "report/tables/cells.csv",  # noqa: E501
        "report/tables/cells.parquet", "structures/P2-1-n_PBE-D3.cif", "structures/Pa-3_PBE-D3.cif", "potentials/PBE-D3.mtp", "potentials/PBE-D3.almtp",  # noqa: E501
        "training_sets/PBE-D3/train.extxyz", "training_sets/PBE-D3/train.cfg", "training_sets/PBE-D3/valid.extxyz", "training_sets/PBE-D3/valid.cfg", NAME,  # noqa: E501
    }  # fmt: skip
    described = {entity["@id"]: entity for entity in json.loads(files.pop(NAME))["@graph"]}
    assert {part["@id"] for part in described["./"]["hasPart"]} == files.keys()
    for name, written in files.items():
        assert described[name]["sha256"] == hashlib.sha256(written).hexdigest() and described[name][
            "contentSize"
        ] == str(len(written))
        assert described[name]["description"]


def test_a_library_of_the_format_reads_the_description(exported: tuple[Path, Store]) -> None:
    crate = ROCrate(exported[0])
    assert crate.version == "1.2"
    assert [(author.id, author["name"]) for author in crate.root_dataset["author"]] == [
        ("https://orcid.org/0000-0002-1825-0097", "Ada Lovelace"),
        ("#Charles%20Babbage", "Charles Babbage"),
    ]
    assert crate.root_dataset["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    assert {file.id for file in crate.get_by_type("File")} == content(exported[0]).keys() - {NAME}
    (action,) = crate.get_by_type("CreateAction")
    assert {program["name"] for program in action["instrument"]} == {
        "borarun",
        "bundled",
        "borarun-mtp",
        "lammps",
    }


def test_training_sets_are_those_of_the_fit_with_every_digit(exported: tuple[Path, Store]) -> None:
    out, store = exported
    study = load_study(out / "study" / "mini.yaml")
    fit = [
        task
        for task in expand(study, StoredRecords(store)).tasks
        if task.about.stored().get("operation") == "train"
    ][-1]
    expected = split(store.inputs(fit), ENGINES["borarun-mtp"].Settings(**fit.settings))
    species = Potential.read(POTENTIAL).species
    for name, frames in zip(("train", "valid"), expected, strict=True):
        found = ase.io.read(out / "training_sets" / "PBE-D3" / f"{name}.extxyz", ":")
        assert len(found) == len(frames) > 0
        np.testing.assert_array_equal(
            np.concatenate([atoms.positions for atoms in found]), frames.positions
        )
        np.testing.assert_array_equal(
            np.concatenate([atoms.get_forces() for atoms in found]), frames.forces
        )
        np.testing.assert_array_equal(
            [atoms.get_potential_energy() for atoms in found], frames.energy
        )
        text = (out / "training_sets" / "PBE-D3" / f"{name}.cfg").read_text()
        np.testing.assert_array_equal(cfg.read(text, species).forces, frames.forces)
    assert len(expected[0]) + len(expected[1]) == 22, "two runs of ten, and two that were selected"


def test_potentials_and_cells_come_back(exported: tuple[Path, Store]) -> None:
    out, store = exported
    assert (out / "potentials" / "PBE-D3.mtp").read_text() == POTENTIAL
    assert (out / "potentials" / "PBE-D3.almtp").read_bytes() == b"almtp \xff"
    relaxed = {store.attributes(key).task.about.get("phase"): key for key in sorted(store.keys())}
    for phase, name in (("Pa-3", "Pa-3"), ("P2_1/n", "P2-1-n")):
        atoms, expected = (
            read_structure(out / "structures" / f"{name}_PBE-D3.cif"),
            store.frames(relaxed[phase], "structure")[0],
        )
        np.testing.assert_allclose(atoms.cell.cellpar(), expected.cell.cellpar(), rtol=1e-9)
        np.testing.assert_array_equal(atoms.numbers, expected.numbers)
        away = np.abs(
            (atoms.get_scaled_positions() - expected.get_scaled_positions() + 0.5) % 1 - 0.5
        )
        thirds = (
            np.abs(
                3 * expected.get_scaled_positions() - np.rint(3 * expected.get_scaled_positions())
            )
            < 3e-4
        )
        assert (
            away[~thirds].max() < 1e-9 and away.max() < 1e-4
        )  # pymatgen takes 0.3333 for a third, which CIFs mean by it


def test_tables_say_the_same_in_both_forms(exported: tuple[Path, Store]) -> None:
    tables = exported[0] / "report" / "tables"
    for path in sorted(tables.glob("*.csv")):
        table = read_table(path.with_suffix(".parquet"))
        names, *rows = csv.reader(path.read_text().splitlines())
        assert table.column_names == names and len(set(names)) == len(names)
        for values, texts in zip(table.to_pydict().values(), zip(*rows, strict=True), strict=True):
            expected = [
                "" if value is None else f"{value:.8g}" if isinstance(value, float) else str(value)
                for value in values
            ]
            assert expected == list(texts)
    assert read_table(tables / "cells.parquet").schema.metadata[b"title"] == b"Relaxed cells"


def test_nothing_of_the_site_is_in_it(exported: tuple[Path, Store]) -> None:
    out, _ = exported
    everything = b"\n".join(content(out).values())
    assert b"log.lammps: is cut short" in everything
    assert HOST.encode() not in everything and str(out.parent).encode() not in everything


def test_nothing_is_overwritten(exported: tuple[Path, Store]) -> None:
    out, store = exported
    before = content(out)
    study = load_study(out / "study" / "mini.yaml")
    with pytest.raises(StoreError, match="out: already exists"):
        export(
            out / "study" / "mini.yaml",
            study,
            [],
            collect(study, [], store),
            store,
            out,
            terms=Terms(),
        )
    assert content(out) == before


def test_parquet_is_known_to_be_there_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    assert not parquet.available()
