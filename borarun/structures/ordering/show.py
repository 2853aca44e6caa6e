"""What `borarun order` shows and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast, get_args

from ase.data import atomic_numbers

from borarun.basics.errors import StudyError
from borarun.basics.file import must_be_new, write_files
from borarun.structures.files import read_average, read_structure
from borarun.structures.files.text import wrong
from borarun.structures.ordering.models import Ordered, Request, ordered_models
from borarun.structures.ordering.written import SUFFIX, Format, structure_text


@dataclass(frozen=True)
class Shown:
    """The models of a structure, in words.

    Attributes
    ----------
    ordered : the models
    names : of the models
    files : that were written
    request : what was asked for
    """

    COLUMNS: ClassVar = ("model", "atoms", "multiplicity", "energy (eV/atom)", "space group")
    WORDS: ClassVar = ("model", "space group")

    ordered: Ordered
    names: tuple[str, ...]
    files: tuple[Path, ...]
    request: Request

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """A row for each model."""
        return [
            (
                name,
                str(len(model.atoms)),
                str(model.multiplicity),
                f"{model.energy_eV_per_atom:.4f}",
                model.space_group,
            )
            for name, model in zip(self.names, self.ordered.models, strict=True)
        ]

    @property
    def lines(self) -> list[str]:
        """What is told below the table."""
        found = self.ordered
        size = "x".join(map(str, self.request.supercell))
        ions = ", ".join(f"{symbol} {charge:+.3g}" for symbol, charge in found.charges.items())
        many = (
            f"{found.arrangements:,}" if found.arrangements < 10**9 else f"{found.arrangements:.1e}"
        )
        how = (
            f"all {found.distinct:,} that symmetry tells apart were compared"
            if found.complete
            else f"a search found {found.distinct:,} of low energy that symmetry tells apart"
        )
        return [
            f"{found.formula} in a {size} supercell, with the charges {ions}.",
            f"Of {many} arrangements, {how}.",
            *found.remarks,
            *(f"{file} written." for file in self.files),
        ]

    def as_plain(self) -> dict[str, Any]:
        """The same for scripts."""
        return {
            "formula": self.ordered.formula,
            "charges": self.ordered.charges,
            "arrangements": self.ordered.arrangements,
            "distinct": self.ordered.distinct,
            "complete": self.ordered.complete,
            "remarks": list(self.ordered.remarks),
            "models": [
                {
                    "name": name,
                    "atoms": len(model.atoms),
                    "multiplicity": model.multiplicity,
                    "energy_eV_per_atom": model.energy_eV_per_atom,
                    "space_group": model.space_group,
                }
                for name, model in zip(self.names, self.ordered.models, strict=True)
            ],
            "files": [str(file) for file in self.files],
        }


def show_models(
    path: Path,
    asked: dict[str, Any],
    charges: Sequence[str],
    directory: Path | None,
    written_as: str,
) -> Shown:
    """The models of a structure file, written into a folder where one is given.

    Parameters
    ----------
    path : a CIF
    asked : values of ``Request``, but for charges
    charges : as in ``Fe=3``
    directory : where the models are written, or None
    written_as : ``cif`` or ``poscar``

    Raises
    ------
    StudyError
        Where an option is wrong, the file cannot be read or ordered, or a file is there already.
    """
    if written_as not in get_args(Format):
        raise wrong(f"must be cif or poscar (got {written_as[:40]}).", "--format")
    for symbol in sorted(asked["mobile"]):
        if atomic_numbers.get(symbol, 0) < 1:
            raise wrong(f"is not a chemical element (got {symbol[:40]}).", "--mobile")
    request = replace(Request(**asked), charges=dict(map(_charge, charges)))
    average = read_average(path)
    if average is None:
        read_structure(path)
        raise wrong("has no partly occupied sites. A study takes it as it is.", str(path))
    try:
        found = ordered_models(average, request)
    except StudyError as error:
        raise wrong(error.problems[0].message, str(path)) from error
    names = tuple(f"{path.stem}-{rank + 1}" for rank in range(len(found.models)))
    files: tuple[Path, ...] = ()
    if directory is not None:
        kind = cast(Format, written_as)
        files = tuple(directory / f"{name}{SUFFIX[kind]}" for name in names)
        for file in files:
            must_be_new(file)
        write_files(
            directory,
            {
                file.name: structure_text(model.atoms, kind)
                for file, model in zip(files, found.models, strict=True)
            },
        )
    return Shown(found, names, files, request)


def _charge(text: str) -> tuple[str, float]:
    symbol, _, value = text.partition("=")
    try:
        charge = float(value)
    except ValueError:
        charge = float("nan")
    if atomic_numbers.get(symbol, 0) < 1 or not -8 <= charge <= 8:
        raise wrong(f"must be an element and its charge, e.g. Fe=3 (got {text[:40]}).", "--charge")
    return symbol, charge
