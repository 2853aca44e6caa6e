"""Labels of runs of pw.x that a group has already.

Source: the output is read by ASE, Larsen et al., J. Phys. Condens. Matter 29, 273002 (2017).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator

from borarun.engines.quantum_espresso.engine import XC
from borarun.engines.quantum_espresso.output import PSEUDOPOTENTIAL
from borarun.engines.quantum_espresso.section import EspressoReference
from borarun.engines.reference.base import ReferenceSection
from borarun.labels.sifted import Sifted, left_out_of, wrong
from borarun.records.frames import Frames

ELECTRONS = re.compile(r"number of electrons\s+=\s*([\d.]+)")
VALENCE = re.compile(
    r"^\s+atomic species\s+valence.*\n((?:\s+[A-Z]\w*\s+[\d.]+\s.*\n)+)", re.MULTILINE
)

BEGINS = "Program PWSCF"
HEAD = 10_000
"""Characters in which it says so."""

DISPERSION = "DFT-D3 Dispersion Correction"
UNTOLD = (
    "pw.x does not print the damping of DFT-D3: make sure that dftd3_version was 4 for PBE-D3, 3 "
    "for PBE-D3-zero, without the three-body term"
)

SETTING = {
    "ecutwfc": re.compile(r"kinetic-energy cutoff\s+=\s*(\S+)\s+Ry"),
    "ecutrho": re.compile(r"charge density cutoff\s+=\s*(\S+)\s+Ry"),
    "smearing": re.compile(r"number of k points=\s*\d+\s+(\S.*width.*\S)\s*$", re.MULTILINE),
    "spin": re.compile(r"^\s*(Starting magnetic structure)", re.MULTILINE),
}
"""What an output tells of its settings, by the names that messages call them."""


def recognises(file: Path) -> bool:
    """Whether a file begins as the output of pw.x does."""
    with file.open(errors="replace") as lines:
        return BEGINS in lines.read(HEAD)


def read_labels(file: Path, functional: str, reference: ReferenceSection) -> Sifted:
    """The labels of one output of pw.x, static, of a relaxation or of molecular dynamics.

    Parameters
    ----------
    file : output, unpacked
    functional : that the study says they were computed with
    reference : of the study; where it is Quantum ESPRESSO, its settings are asked for, too

    Raises
    ------
    StudyError
        Where the file is damaged or holds no label of this functional and these settings.
    """
    from ase.io import read  # loads much of ASE, which a study without outputs does not need

    text = file.read_text(errors="replace")
    setting = {
        name: " ".join(found[1].split())
        for name, what in SETTING.items()
        if (found := what.search(text))
    }
    setting |= {
        f"pseudopotential of {element}": f"{Path(path).name}, MD5 {md5}"
        for element, path, md5 in PSEUDOPOTENTIAL.findall(text)
    }
    _check(text, functional, reference)
    remarks = [UNTOLD] if DISPERSION in text else []
    try:
        images = read(file, index=":", format="espresso-out")
    except Exception as error:  # ASE raises whatever its parser stumbles over
        raise wrong(
            f"is unreadable ({type(error).__name__}: {error}). Leave it out, or run it again."
        ) from error
    left = {"did not converge": text.count("convergence NOT achieved"), "have no stress": 0}
    whole = len(images) + left["did not converge"]
    if not whole:
        raise wrong("holds no energy with forces. Run it with tprnfor and tstress = .true.")
    kept, numbers = [], []
    for number, image in enumerate(images, 1):
        results = image.calc.results if image.calc else {}
        if any(results.get(name) is None for name in ("energy", "forces", "stress")):
            left["have no stress"] += 1
            continue
        labels = {name: results[name] for name in ("energy", "forces", "stress")}
        image.calc = SinglePointCalculator(image, **labels)
        kept.append(image)
        numbers.append(number)
    remarks = [*left_out_of(left, whole), *remarks]  # there is a label after this
    charge = _charge(text, kept[0].get_chemical_symbols())
    return Sifted(Frames.of(kept), numbers, remarks, setting, charge)


def _charge(text: str, symbols: Sequence[str]) -> float | None:
    """The charge of the cell, elementary charges: valence electrons of its atoms without those
    that pw.x counted.
    """
    electrons, table = ELECTRONS.search(text), VALENCE.search(text)
    if electrons is None or table is None:
        return None
    valence = {row.split()[0]: float(row.split()[1]) for row in table[1].splitlines()}
    if not set(symbols) <= valence.keys():
        return None
    return round(sum(valence[symbol] for symbol in symbols) - float(electrons[1]), 4)


def _check(text: str, functional: str, reference: ReferenceSection) -> None:
    """Refuse what is of another functional or setting than the study says."""
    asked = XC.get(functional)
    if asked is None:
        raise wrong(
            f"{functional} is none of the functionals that borarun knows of pw.x "
            f"({', '.join(XC)}). Give its labels as extended XYZ."
        )
    printed = {name.upper() for name in re.findall(r"Exchange-correlation\s*=\s*(\S+)", text)}
    corrected = DISPERSION in text
    if printed != {str(asked["input_dft"]).upper()} or corrected != ("vdw_corr" in asked):
        shown = f"{' and '.join(sorted(printed)) or 'none'}{' with DFT-D3' if corrected else ''}"
        raise wrong(
            f"is of another functional than {functional}: {shown}. Name it under its own "
            "functional."
        )
    if not isinstance(reference, EspressoReference):
        return
    md5 = reference.pseudopotential_md5
    for element, path, found in PSEUDOPOTENTIAL.findall(text):
        if element in md5 and md5[element] != found:
            raise wrong(
                f"is of another pseudopotential than reference says: {Path(path).name} of "
                f"{element}, MD5 {found} instead of {md5[element]}. Compute them again, or change "
                "the reference."
            )
    for name, wanted in (("ecutwfc", reference.ecutwfc_Ry), ("ecutrho", reference.ecutrho_Ry)):
        was = SETTING[name].search(text)
        if was and not np.isclose(float(was[1]), wanted, rtol=1e-6):
            raise wrong(
                f"is of another setting than reference: {name} = {was[1]} Ry instead of "
                f"{wanted:g} Ry. Compute them again, or change the reference."
            )
