"""What becomes of the structures of measured solid electrolytes: the CIFs of OBELiX.

Each CIF is read as a study reads it. Where its sites are partly occupied or shared, ordered models
are made: in its own cell, else in the smallest supercell that holds the composition in whole atoms,
else with the nearest composition. What is refused is told with the message. Then a study is
validated that has the structure, lithium as the mobile ion, and the first molecular anion of a list
that is found in it. The search for models is short here.

    python benchmarks/obelix.py FOLDER

FOLDER has the 321 CIFs of OBELiX (https://github.com/NRC-Mila/OBELiX, ``data/randomized_cifs``).
Writes ``benchmarks/results/obelix.md``.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from ase.formula import Formula

from borarun.basics.errors import StudyError
from borarun.records.frames import Frames
from borarun.structures.files import Average, read_average, read_structure
from borarun.structures.ordering import Ordered, Request, arrangements, ordered_models
from borarun.structures.ordering.models import MOST_SITES, supercells_for
from borarun.structures.structure import find_anions
from borarun.study import load_study

RESULTS = Path(__file__).parent / "results" / "obelix.md"
LITHIUM = frozenset({"Li"})
MODELS = 3

ANIONS = (
    *("PS4", "P2S7", "P2S6", "GeS4", "SnS4", "SiS4", "SbS4", "AsS4", "PO4", "P2O7", "SiO4", "GeO4"),
    *("B12H12", "B10H10", "CB11H12", "CB9H10", "BH4", "NH2", "NH", "OH", "BO3", "CO3", "NO3"),
    *("SO4", "ClO4", "VO4", "AlH4", "AlCl4", "GaCl4", "BF4", "PF6", "YCl6", "YBr6", "ErCl6"),
    *("InCl6", "ScCl6", "ZrCl6", "HoCl6", "TiF6", "ZrF6", "AlF6", "NbO6", "TaO6", "BiO6", "SbO6"),
)
"""Tried in this order."""

AS_IT_IS, OWN, LARGER, NEAREST, REFUSED = (
    "ordered: valid as it is",
    "ordered models in its own cell",
    "ordered models in a supercell",
    "ordered models of the nearest composition",
    "refused",
)

STUDY = """borarun: 1
name: obelix
material:
  formula: {formula}
  phases: {{phase: structure.xyz}}
  mobile: Li
{anion}functionals: [PBE]
reference: {{engine: sevennet}}
relax: {{}}
"""


@dataclass(frozen=True)
class Fate:
    """What became of a structure."""

    name: str
    kind: str
    formula: str
    told: str
    study: str


def fate(file: Path) -> Fate:
    """What becomes of a CIF."""
    try:
        average = read_average(file)
        if average is None:
            atoms = read_structure(file)
            formula = atoms.symbols.formula.format("metal")
            return Fate(file.stem, AS_IT_IS, formula, "", study(atoms))
    except StudyError as error:
        return Fate(file.stem, REFUSED, "", _message(error), "")
    kind, request, found = ordered(average)
    if not isinstance(found, Ordered):
        return Fate(file.stem, REFUSED, average.formula, found, "")
    size = "x".join(map(str, request.supercell))
    made = f"{len(found.models)} in {size}, {len(found.models[0].atoms)} atoms"
    return Fate(file.stem, kind, average.formula, made, study(found.models[0].atoms))


def ordered(average: Average) -> tuple[str, Request, Ordered | str]:
    """The first kind of model that can be made, or why none can."""
    own = Request(models=MODELS, mobile=LITHIUM)
    larger = []
    with suppress(StudyError):  # charges that cannot be guessed, which the first request tells
        larger = [
            Request(supercell, models=MODELS, mobile=LITHIUM)
            for supercell in supercells_for(average)[:1]
            if supercell != (1, 1, 1)
        ]
    near = [
        Request(supercell, models=MODELS, mobile=LITHIUM, nearest=True)
        for supercell in ((1, 1, 1), (2, 2, 1), (3, 1, 1), (2, 2, 2))
    ]
    told = ""
    for kind, request in (
        (OWN, own),
        *((LARGER, each) for each in larger),
        *((NEAREST, each) for each in near),
    ):
        try:
            return kind, request, ordered_models(average, request)
        except StudyError as error:
            told = told if "sites (at most" in _message(error) else _message(error)
    return REFUSED, own, told


def study(atoms: Atoms) -> str:
    """The anion with which a study of a structure is valid, or why none is."""
    formula = atoms.symbols.formula.format("metal")
    elements = set(atoms.symbols) - {"Li"}
    anion = ""
    for each in ANIONS:
        if set(Formula(each).count()) <= elements:
            with suppress(StudyError):
                find_anions(atoms, (each,), ("Li",))
                anion = each
                break
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "structure.xyz").write_text(Frames.of([atoms]).to_extxyz())
        text = STUDY.format(formula=formula, anion=f"  anions: {anion}\n" if anion else "")
        (Path(folder) / "study.yaml").write_text(text)
        try:
            load_study(Path(folder) / "study.yaml")
        except StudyError as error:
            return _message(error)
    return f"valid, {anion or 'no molecular anion'}"


def _message(error: StudyError) -> str:
    """Without the file."""
    message = error.problems[0].message
    return re.sub(r"^\S*\.cif: ", "", message)


def table(fates: list[Fate]) -> str:
    """The results as Markdown."""
    kinds = Counter(each.kind for each in fates)
    valid = sum(each.study.startswith("valid") for each in fates)
    networks = sum(each.study.endswith("no molecular anion") for each in fates)
    lines = [
        "# The structures of OBELiX",
        "",
        "`python benchmarks/obelix.py data/randomized_cifs`: the 321 CIFs of measured lithium "
        "electrolytes of",
        'OBELiX (F. Therrien et al., "OBELiX: a curated dataset of crystal structures and '
        "experimentally measured",
        'ionic conductivities for lithium solid-state electrolytes" (2025), '
        "https://github.com/NRC-Mila/OBELiX,",
        "commit 4eaac88, CC-BY 4.0). Names and compositions below are theirs.",
        "",
        "| what became of it | structures |",
        "|---|---|",
        *(f"| {kind} | {kinds[kind]} |" for kind in (AS_IT_IS, OWN, LARGER, NEAREST, REFUSED)),
        f"| all | {len(fates)} |",
        "",
        f"A study with lithium as the mobile ion is valid for {valid}, {networks} of them without "
        "a molecular anion of",
        "the script's list.",
        "",
        '"Nearest composition" needs `nearest: true` in the study; without it, the study is '
        "refused with a message that",
        "names the composition that is taken. Reasons are that occupancies are not neutral, or not "
        "whole in any",
        f"supercell of up to {MOST_SITES} sites.",
        "",
        "The search for models is short here, 4 starts instead of 20 to 100: a study may order "
        "what is refused here",
        "for atoms that overlap.",
        "",
        "| structure | composition of the cell | what became of it | models | study |",
        "|---|---|---|---|---|",
        *(
            f"| {each.name} | {each.formula} | {each.kind} | {each.told} | {each.study} |"
            for each in fates
        ),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    # whether models can be made does not depend on how long the search for the best is
    arrangements.FEWEST_STARTS = arrangements.MOST_STARTS = 4
    fates = []
    for file in sorted(folder.glob("*.cif")):
        fates.append(fate(file))
        print(fates[-1].name, fates[-1].kind, fates[-1].study, flush=True)
    RESULTS.write_text(table(fates))


if __name__ == "__main__":
    main()
