"""Labels of runs of VASP that a group has already: ``vasprun.xml``, or an OUTCAR, which tells less.

Source: VASP's wiki; the OUTCAR is read by ASE, Larsen et al., J. Phys. Condens. Matter 29, 273002
(2017).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from borarun.basics.errors import ParseError
from borarun.engines.reference.base import ReferenceSection
from borarun.engines.vasp.engine import Settings
from borarun.engines.vasp.inputs import FUNCTIONALS, kind_of_run
from borarun.engines.vasp.output import EXCHANGE, UNSET, converged, same, tags_in_force
from borarun.engines.vasp.output_xml import made_for, read_vasprun
from borarun.engines.vasp.section import VaspReference
from borarun.labels.sifted import Sifted, left_out_of, wrong
from borarun.records.frames import Frames

ONE_SETTING = ("ENCUT", "PREC", "ISPIN", "LASPH", "ISMEAR", "SIGMA", "LREAL")
"""Tags besides those of the functional that shift energies or forces."""

MUST_AGREE = ("ENCUT", "PREC", "ISPIN", "LASPH")
"""Of these, with the study's reference; smearing and projectors matter less."""

READ = (*EXCHANGE, *ONE_SETTING, "ALGO", "ML_LMLFF", "NELECT")
OUTCAR_TAGS = re.compile(rf"(?<![\w.])({'|'.join(READ)})\s*=\s*([^\s;]+)")
VALENCE = re.compile(r"\s+POMASS =\s*[\d.]+; ZVAL\s+=\s*([\d.]+)")
UNCONVERGED = re.compile(r"aborting loop .*EDIFF was not reached")
METAGGAS = tuple(str(tags["METAGGA"]) for tags in FUNCTIONALS.values() if "METAGGA" in tags)
CUT = 5
"""Letters of METAGGA that an OUTCAR has."""

DISPERSION = "Edisp (eV)"
"""What an OUTCAR has where a correction of Grimme's kind is added; it does not tell which."""
ANY = "of a kind that an OUTCAR does not tell"


@dataclass(frozen=True)
class Found:
    """What a file tells, whatever its kind; F steps.

    Attributes
    ----------
    tags : in force, by their names
    titels : element -> TITEL of its POTCAR
    valences : element -> valence electrons of its POTCAR, where they are told
    images : (F,) atoms with energy, forces and, where it was computed, stress
    converged : (F,)
    """

    tags: Mapping[str, Any]
    titels: Mapping[str, str]
    valences: Mapping[str, float]
    images: list[Atoms]
    converged: NDArray[np.bool_]

    @property
    def charge(self) -> float | None:
        """Charge of the cell, elementary charges, where the file tells it."""
        electrons = self.tags.get("NELECT")
        if not self.images or not isinstance(electrons, int | float):
            return None
        symbols = self.images[0].get_chemical_symbols()
        if not set(symbols) <= self.valences.keys():
            return None
        return round(sum(self.valences[symbol] for symbol in symbols) - electrons, 4)


def recognises(file: Path) -> bool:
    """Whether a file is called as VASP calls its output."""
    name = file.name.upper()
    return name.startswith("OUTCAR") or name.endswith(".XML")


def read_labels(file: Path, functional: str, reference: ReferenceSection) -> Sifted:
    """The labels of one run.

    Parameters
    ----------
    file : ``vasprun.xml`` or OUTCAR, unpacked; told by its name
    functional : that the study says they were computed with
    reference : of the study; where it is VASP, its settings are asked for, too

    Raises
    ------
    StudyError
        Where the file is damaged or holds no label of this functional and these settings.
    """
    try:
        found = _of_outcar(file) if file.name.upper().startswith("OUTCAR") else _of_xml(file)
    except ParseError as error:
        raise wrong(
            f"{str(error).removeprefix(f'{file.name}: ')}. Leave the file out, or run it again."
        ) from error
    except OSError as error:
        raise wrong(f"cannot be read ({error.strerror}). Check its permissions.") from error
    if kind := kind_of_run(found.tags):
        raise wrong(
            f"is {kind}, and labels are of static runs, relaxations and molecular dynamics."
        )
    for finding in _other(found, functional, reference):
        raise wrong(finding)
    whole = len(found.images)
    kept, left = [], {"did not converge": 0, "have no stress": 0, "hold no numbers": 0}
    for number, (image, settled) in enumerate(zip(found.images, found.converged, strict=True), 1):
        results = image.calc.results
        if not settled:
            left["did not converge"] += 1
        elif results.get("stress") is None:
            left["have no stress"] += 1
        elif not all(np.isfinite(results[name]).all() for name in ("energy", "forces", "stress")):
            left["hold no numbers"] += 1
        else:
            kept.append(number)
    if not whole:
        raise wrong("has no step. Leave the file out.")
    setting = {name: _shown(found.tags[name]) for name in ONE_SETTING if name in found.tags}
    if "SIGMA" in setting:  # two decimals are what an OUTCAR has
        setting["SIGMA"] = f"{float(setting['SIGMA']):.2f}"
    return Sifted(
        frames=Frames.of(found.images[number - 1] for number in kept),
        numbers=kept,
        remarks=left_out_of(left, whole),
        setting=setting | {f"POTCAR of {name}": titel for name, titel in found.titels.items()},
        charge=found.charge,
    )


def _other(found: Found, functional: str, reference: ReferenceSection) -> Iterator[str]:
    """In what the labels are of another functional or setting than the study says."""
    potential = next(iter(found.titels.values()), "PAW_PBE")
    tags = {
        **UNSET,
        **{name: value for name, value in found.tags.items() if value not in (None, "--")},
    }
    tags.setdefault("GGA", "PE" if "PBE" in potential else "CA")
    asked = FUNCTIONALS.get(functional)
    if asked is None:
        yield (
            f"{functional} is none of the functionals that borarun knows of VASP "
            f"({', '.join(FUNCTIONALS)}). Give its labels as extended XYZ."
        )
        return
    for name in EXCHANGE:
        value = asked.get(name, UNSET.get(name))
        if name == "IVDW" and value and tags.get(name) == ANY:
            continue
        if value is not None and not same(value, tags.get(name)):
            yield (
                f"is of another functional than {functional}: {name} = {tags.get(name)} instead of "
                f"{value}. Name it under its own functional."
            )
            return
    if not isinstance(reference, VaspReference):
        return
    for element, titel in reference.potcar.items():
        if (was := found.titels.get(element)) is not None and was != titel:
            yield (
                f"is of another POTCAR than reference.potcar says: {was} instead of {titel}. "
                "Compute them again, or change the reference."
            )
            return
    settings = reference.settings(Settings, {"operation": "label", "functional": functional})
    for name, value in settings.tags(len(found.titels)).items():
        if name in MUST_AGREE and name in found.tags and not same(value, found.tags[name]):
            yield (
                f"is of another setting than reference: {name} = {found.tags[name]} instead of "
                f"{value}. Compute them again, or change the reference."
            )
            return


def _shown(value: Any) -> str:
    """A tag in words that are equal where it is, whichever file it is from."""
    if isinstance(value, bool):
        return str(value)
    try:
        return f"{float(value):g}"
    except ValueError:
        return str(value).strip().capitalize()[:6]  # the XML cuts PREC to six letters


def _of_xml(file: Path) -> Found:
    xml = read_vasprun(file)
    tags = tags_in_force(xml)
    images = []
    for step in range(len(xml.energy)):
        image = Atoms(
            xml.symbols, scaled_positions=xml.fractional[step], cell=xml.cell[step], pbc=True
        )
        labels: dict[str, Any] = {"energy": float(xml.energy[step]), "forces": xml.forces[step]}
        if xml.stress is not None:
            labels["stress"] = xml.stress[step]
        image.calc = SinglePointCalculator(image, **labels)
        images.append(image)
    settled = converged(xml, {"NELM": 60, **tags})
    return Found({**xml.incar, **xml.parameters, **tags}, xml.titels, xml.valences, images, settled)


def _of_outcar(file: Path) -> Found:
    from ase.io.vasp_parsers.vasp_outcar_parsers import outcarchunks

    tags, titels, valences = _head(file)
    images: list[Atoms] = []
    settled: list[bool] = []
    try:
        with file.open(errors="replace") as lines:
            for chunk in outcarchunks(lines):
                image = chunk.build()
                results = image.calc.results
                labels = {name: results[name] for name in ("forces", "stress") if name in results}
                image.calc = SinglePointCalculator(image, energy=results["free_energy"], **labels)
                images.append(image)
                settled.append(not any(map(UNCONVERGED.search, chunk.lines)))
                if any(DISPERSION in line for line in chunk.lines):
                    tags.setdefault("IVDW", ANY)
    except OSError:
        raise
    except Exception as error:  # ASE raises whatever its parser stumbles over
        raise ParseError(
            file, f"is cut short or damaged after step {len(images)} ({error})"
        ) from error
    return Found(tags, titels, valences, images, np.array(settled, bool))


def _value(word: str) -> bool | float | str:
    """What a word of an OUTCAR means."""
    if word in {"T", "F"}:
        return word == "T"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return word


def _head(file: Path) -> tuple[dict[str, Any], dict[str, str], dict[str, float]]:
    """Tags, element -> TITEL and element -> valence electrons of the lines of an OUTCAR before its
    first step.
    """
    tags: dict[str, Any] = {}
    titels: dict[str, str] = {}
    valences: dict[str, float] = {}
    element = ""
    with file.open(errors="replace") as lines:
        for line in lines:
            if "Iteration" in line:
                break
            if line.startswith("   TITEL  ="):
                titel = " ".join(line.split("=", 1)[1].split())
                element = made_for(titel)
                titels[element] = titel
            if element and (valence := VALENCE.match(line)):
                valences[element] = float(valence[1])
            if line.startswith("|"):  # a warning, which names tags as well
                continue
            for name, value in OUTCAR_TAGS.findall(line):
                if (name, value) != ("METAGGA", "F"):  # a switch of another thing
                    tags[name] = _value(value)  # the last is the one in force
    if (cut := str(tags.get("METAGGA", ""))) and len(cut) == CUT:
        tags["METAGGA"] = next((name for name in METAGGAS if name.startswith(cut.upper())), cut)
    return tags, titels, valences
