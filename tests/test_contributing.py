"""The examples of CONTRIBUTING.md, done in a copy of the package: each is one folder or file, one
line, and this test of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import STUDIES

ROOT = Path(__file__).parent.parent
Run = Callable[..., str]

STUDY = """\
borarun: 1
name: copied
material:
  formula: Li2B12H12
  phases: {P21n: structures/Li2B12H12-P21n.cif}
  mobile: Li
  anions: B12H12
functionals: [PBE-D3]
reference: {engine: bundled}
"""

SQUEEZE = {
    "__init__.py": "",
    "section.py": '''"""The study's section on squeezing."""

from pydantic import Field

from borarun.input.messages import Section
from borarun.sections.values import Positive


class Squeeze(Section):
    """Hold the crystal at a temperature for a moment."""

    temperature_K: Positive = Field(default=300.0, description="Temperature, K.")
''',
    "stage.py": '''"""Squeezing: a short run with the reference."""

from borarun.subjects.common.stage import Expansion, Products, Records, reference_task
from borarun.structures.structure import Cell
from borarun.study import Study
from borarun.subjects.squeeze.section import Squeeze
from borarun.records.task import About

NAME = "squeeze"


class Squeezing(About):
    """A functional."""


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """One run a functional."""
    section = study.section(Squeeze)
    if section is None:
        return Expansion()
    return Expansion(
        tuple(
            reference_task(
                study,
                {
                    "operation": "aimd",
                    "functional": functional,
                    "cell": Cell(text=study.phase_text(study.phase)),
                    "temperature_K": section.temperature_K,
                    "time_ps": 0.005,
                    "timestep_fs": 0.5,
                    "sample_every_fs": 0.5,
                    "friction_per_ps": 10.0,
                    "seed": 1,
                },
                stage=NAME,
                label=functional,
                about=Squeezing(functional=functional),
                n_atoms=study.n_atoms(),
            )
            for functional in study.functionals
        )
    )
''',
    "results.py": '''"""What squeezing gave."""

from dataclasses import dataclass

from borarun.report.measured import Array


@dataclass(frozen=True)
class SqueezeFound:
    """Energies, eV, of the frames of each functional, and their spread."""

    squeezed: tuple[tuple[str, Array], ...] = ()
    spread_eV: tuple[float, ...] = ()
''',
    "collect.py": '''"""Energies, from the records."""

import numpy as np

from borarun.analysis.spread import spread
from borarun.records.operations.reference import Sampled
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Source
from borarun.study import Study
from borarun.subjects.squeeze.results import SqueezeFound
from borarun.subjects.squeeze.stage import Squeezing


def collect(study: Study, source: Source, results: Results) -> SqueezeFound:
    """Of every run."""
    found = tuple(
        (done.about.functional, np.array(source.store.frames(done.key, Sampled.LABELS).energy))
        for done in source.of(Squeezing)
    )
    return SqueezeFound(found, tuple(spread(energy) for _, energy in found))
''',
    "show.py": '''"""Squeezing on the page."""

from borarun.report.blocks import Column, Figure, PageSection, Table
from borarun.report.parts import present
from borarun.subjects.common.results import Results
from borarun.report.style import draw
from borarun.subjects.squeeze.results import SqueezeFound


def sections(results: Results) -> list[PageSection]:
    """A figure of the energies."""
    gaps = results.missing("squeeze")
    blocks = present(gaps, ("Energies", energies(results)))
    return [PageSection("squeeze", "Squeezed", "Energies on the way.", blocks, gaps)]


def energies(results: Results) -> Figure | None:
    """Energy against frame."""
    found = results.of(SqueezeFound).squeezed
    if not found:
        return None

    def paint(axes):
        for functional, energy in found:
            axes.plot(energy, label=functional)

    rows = [
        [functional, index, float(each)]
        for functional, energy in found
        for index, each in enumerate(energy)
    ]
    columns = (Column("functional"), Column("frame"), Column("energy", "eV"))
    table = Table("squeezed", "Energies", columns, rows)
    return Figure("Energies", "Of each frame.", (draw("squeezed", "Energies.", paint),), table)
''',
    "live.py": '''"""Energies in watch."""

import numpy as np

from borarun.subjects.common.curves import Look, curve_of
from borarun.records.operations.reference import Sampled

FIGURES = {"squeezed": Look("Squeezed energies", "frame", "eV")}


def is_drawn(task):
    return True


def of_record(study, source, done):
    energy = np.array(source.store.frames(done.key, Sampled.LABELS).energy)
    return curve_of("squeezed", done.task, np.arange(len(energy)), energy)


def of_directory(study, task, directory):
    return None
''',
    "export.py": '''"""Squeezed frames as a file."""

from borarun.report.blocks import File
from borarun.subjects.squeeze.stage import NAME


def export(done, store):
    return {
        f"squeezed/{task.key}.extxyz": File(
            store.frames(task.key, "labels").to_extxyz().encode(), task.label
        )
        for task in done
        if task.stage == NAME
    }
''',
}
"""A subject with a figure: one folder."""


SPREAD = '''"""Spread of a series."""

import numpy as np
from numpy.typing import NDArray


def spread(values: NDArray[np.float64]) -> float:
    """Largest less smallest of (F,) values, in their unit."""
    return float(np.ptp(values))
'''
"""An analysis: one file."""

SPRINGS_SECTION = '''
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.reference import base as reference


class Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    length_A: float = Field(default=1.5, description="Length at rest of every bond, angstrom.")


class SpringsReference(Keys, reference.ReferenceSection):
    """Springs between close atoms: no physics."""

    engine: Literal["springs"] = Field(description="Springs between close atoms.")
    labels_per_task: int = Field(default=50, description="Configurations of one task.")
'''
SPRINGS_ENGINE = """
from typing import ClassVar

from borarun.engines.base import Program as Program
from borarun.engines.base import paths as paths
from borarun.engines.base import probes as probes
from borarun.engines.reference import base as reference
from borarun.engines.springs.section import Keys, SpringsReference

NAME = "springs"
Section = SpringsReference
RESUMABLE = True


class Settings(Keys, reference.ReferenceSettings):
    ENGINE: ClassVar[str] = NAME
    FUNCTIONALS: ClassVar[tuple[str, ...]] = ("PBE",)


def version(settings):
    return "1"


def missing(settings, program):
    return ""


def render(settings, inputs, program):
    frames = reference.configurations(settings, inputs)
    return {**reference.render(settings, frames), "length": str(settings.length_A)}


def command(settings, cores, program):
    return reference.command(settings, cores)


def parse(settings, directory):
    return reference.parse(settings, directory)


def cost(settings, n_atoms):
    return reference.cost(settings, n_atoms, 1e-5, start_s=1.0)
"""
SPRINGS_CALCULATOR = """
from contextlib import contextmanager

from ase.calculators.morse import MorsePotential


@contextmanager
def opened(directory, functional, cores, command):
    length = float((directory / "length").read_text())
    yield MorsePotential(r0=length, epsilon=0.1, rho0=3.0, rcut1=2.5 * length, rcut2=3 * length)
"""
ENGINE_LINES = {
    '    "bundled": bundled,\n': '    "springs": springs,\n',
    "from borarun.engines.reference.base import ReferenceSection\n": (
        "from borarun.engines.springs import engine as springs\n"
    ),
}
SPRINGS_STUDY = """
borarun: 1
name: springs
material:
  formula: LiH
  phases: {rocksalt: LiH.xyz}
  mobile: Li
functionals: [PBE]
reference: {engine: springs, length_A: 2.0}
relax: {max_force_eV_per_A: 0.01}
"""
SPRINGS_CELL = """8
Lattice="4.1 0 0 0 4.1 0 0 0 4.1" Properties=species:S:1:pos:R:3 pbc="T T T"
Li 0 0 0
Li 0 2.05 2.05
Li 2.05 0 2.05
Li 2.05 2.05 0
H 2.05 2.05 2.05
H 2.05 0 0
H 0 2.05 0
H 0 0 2.05
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package, in which anything may be changed."""
    shutil.copytree(ROOT / "borarun", tmp_path / "borarun")
    shutil.copytree(STUDIES / "structures", tmp_path / "structures")
    return tmp_path


@pytest.fixture
def run(copy: Path) -> Run:
    """Python with arguments, on the copy; what it prints."""

    def called(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return called


def add_line(file: Path, before: str, line: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, line + before))


def test_a_section_with_its_figure_and_an_analysis(copy: Path, run: Run) -> None:
    (copy / "borarun" / "analysis" / "spread.py").write_text(SPREAD)
    folder = copy / "borarun" / "subjects" / "squeeze"
    folder.mkdir()
    for name, text in SQUEEZE.items():
        (folder / name).write_text(text)
    registry = folder.parent / "__init__.py"
    add_line(
        registry,
        "SUBJECTS: tuple[Subject, ...] = (",
        "from borarun.subjects.squeeze.section import Squeeze\n\n",
    )
    add_line(
        registry,
        '    Subject("relax", Relax',
        '    Subject("squeeze", Squeeze, "Squeeze the crystal.", is_trajectory=True),\n',
    )
    study = copy / "study.yaml"
    study.write_text(STUDY + "squeeze: {temperature_K: 200}\n")
    borarun = ("-m", "borarun")
    run(*borarun, "validate", "study.yaml")
    assert "squeeze" in run(*borarun, "plan", "study.yaml")
    run(*borarun, "submit", "study.yaml")
    report = next((copy / "runs").rglob("report.html"))
    assert "Squeezed" in report.read_text()
    (spread_eV,) = json.loads((report.parent / "results.json").read_text())["spread_eV"]
    rows = (report.parent / "tables" / "squeezed.csv").read_text().splitlines()[1:]
    energies = [float(row.split(",")[2]) for row in rows]
    assert spread_eV == pytest.approx(max(energies) - min(energies), abs=1e-5) and spread_eV > 0
    assert (report.parent / "tables" / "squeezed.csv").read_text().startswith("functional,frame")

    run(*borarun, "pack", "study.yaml", "--output", "whole.zip")
    run(*borarun, "pack", "study.yaml", "--output", "light.zip", "--without", "trajectories")
    records = [
        sum(name.endswith(".zarr.zip") for name in zipfile.ZipFile(copy / name).namelist())
        for name in ("whole.zip", "light.zip")
    ]
    assert records == [1, 0]
    run(*borarun, "export", "study.yaml", "--output", "out")
    (frames,) = (copy / "out" / "squeezed").iterdir()
    assert "Lattice" in frames.read_text()
    watched = run(*borarun, "watch", "study.yaml")
    assert "Squeezed energies" in watched and "squeeze" in watched


def test_a_reference_engine(copy: Path, run: Run) -> None:
    """It validates, plans with its own keys, runs, and stands in the report."""
    folder = copy / "borarun" / "engines" / "springs"
    folder.mkdir()
    for name, text in {
        "__init__": "",
        "section": SPRINGS_SECTION,
        "engine": SPRINGS_ENGINE,
        "calculator": SPRINGS_CALCULATOR,
    }.items():
        (folder / f"{name}.py").write_text(text)
    for before, line in ENGINE_LINES.items():
        add_line(copy / "borarun" / "engines" / "registry.py", before, line)
    (copy / "study.yaml").write_text(SPRINGS_STUDY)
    (copy / "LiH.xyz").write_text(SPRINGS_CELL)
    run("-m", "borarun", "validate", "study.yaml")
    planned = run(
        "-c",
        "from pathlib import Path; from borarun.study import load_study; "
        "from borarun.study.plan import expand; "
        "[task] = expand(load_study(Path('study.yaml')), {}).tasks; "
        "print(task.engine, task.settings['length_A'])",
    )
    assert planned.split() == ["springs", "2.0"]
    run("-m", "borarun", "submit", "study.yaml")
    run("-m", "borarun", "report", "study.yaml")
    [report] = copy.glob("runs/**/report.html")
    assert "the engine springs" in report.read_text()
    [cells] = copy.glob("runs/**/tables/cells.csv")
    assert "rocksalt" in cells.read_text()
