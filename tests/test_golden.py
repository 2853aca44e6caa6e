"""What the published studies render, kept as text, so that a change of any input file shows in
review.

``python tests/test_golden.py`` writes the files anew. Inputs that would come from earlier tasks are
stood in for by the structure file, an untrained potential and made-up labels; of data files that
are long and depend on those nothing is kept.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from borarun.engines.registry import ENGINES
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames
from borarun.records.task import Task, items_of
from borarun.site import load_site
from borarun.study import Study, load_study
from borarun.study.plan import expand

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
STUDIES = ("li2b12h12", "licb11h12")
KEPT = ("INCAR", "KPOINTS", "in.lammps", "job.json")
WANTED = {
    "relax": lambda about: about["phase"] in ("Pa-3", "Pca2_1"),
    "training_set": lambda about: "part" not in about,
    "potential": lambda about: about["functional"] == "rev-vdW-DF2",
    "active_learning": lambda about: (
        about["functional"] == "rev-vdW-DF2"
        and about["round"] == 0
        and about.get("vacancies", 0) == 0
    ),
    "heating": lambda about: about["functional"] == "rev-vdW-DF2",
    "diffusion": lambda about: (
        about["functional"] == "rev-vdW-DF2"
        and about["temperature_K"] == 700
        and about["vacancies"] in (0, 12)
    ),
}
"""Stage -> which of its tasks are kept."""


def stand_ins(study: Study) -> dict[str, Any]:
    """Made-up results by the names that engines know them by."""
    structure = Frames.from_extxyz(study.phase_text(study.phase))
    images = []
    for shift in (0.0, 0.01):
        image = structure[0].copy()
        image.positions[0] += shift
        image.info["grade"] = 3.0
        image.calc = SinglePointCalculator(
            image, energy=-500.0, forces=np.zeros((len(image), 3)), stress=np.zeros(6)
        )
        images.append(image)
    frames = Frames.of(images)
    species = list(dict.fromkeys(structure.numbers.tolist()))
    potential = Potential.untrained(20, species, 5.0, seed=1)
    labels = [frames]
    return {
        "structure": structure,
        "frames": frames,
        "labels": labels,
        "candidates": labels,
        "potential": potential.write(),
        "active_set": np.eye(potential.n_parameters),
    }


def rendered(study: Study) -> dict[str, str]:
    """Text of every file that is kept, by its place."""
    site, results, found = load_site(GOLDEN / "site.yaml"), stand_ins(study), {}
    for task in expand(study, {}, forecast=True).tasks:
        if task.stage in WANTED and WANTED[task.stage](task.about.stored()):
            engine, program, settings = (
                ENGINES[task.engine],
                site.program(task.engine),
                ENGINES[task.engine].Settings(**task.settings),
            )
            inputs = {name: results[name] for name in task.inputs}
            if task.settings.get("operation") == "train":
                inputs["labels"] = results["labels"] * len(items_of(task.inputs["labels"]))
            files = engine.render(settings, inputs, program)
            command = shlex.join(engine.command(settings, site.on(task).cores, program)).replace(
                sys.executable, "python"
            )
            for name, content in {**files, "command": command + "\n"}.items():
                if name in (*KEPT, "command"):
                    found[f"{study.name}/{place(task)}/{name}"] = (
                        content if isinstance(content, str) else content.decode()
                    )
    return found


def place(task: Task) -> str:
    """A folder for a task that people can read."""
    return f"{task.stage}/{task.label}".replace(" ", "_").replace(",", "")


@pytest.mark.parametrize("name", STUDIES)
def test_the_published_studies_render_as_recorded(name: str) -> None:
    found = rendered(load_study(ROOT / "studies" / f"{name}.yaml"))
    recorded = {
        str(path.relative_to(GOLDEN)): path.read_text()
        for path in (GOLDEN / name).rglob("*")
        if path.is_file()
    }
    assert {place.split("/")[1] for place in found} == {*WANTED}
    assert found.keys() == recorded.keys()
    for file in found:
        assert found[file] == recorded[file], file


if __name__ == "__main__":
    for name in STUDIES:
        shutil.rmtree(GOLDEN / name, ignore_errors=True)
        for file, text in rendered(load_study(ROOT / "studies" / f"{name}.yaml")).items():
            (GOLDEN / file).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / file).write_text(text)
