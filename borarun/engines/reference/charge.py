"""The charge of a cell: what a study says of it, and what it is with some vacancies.

A neutral vacancy of a cation leaves its electron's place empty: a hole on the anions. With
``charge_per_vacancy`` the charge of every cell follows its own vacancies, -1 e for each Li+ that is
missing, and every anion keeps its electrons. A uniform background makes the cell neutral.

Energies of cells with different numbers of vacancies then differ by an offset for each vacancy
beside their physical difference. Each number of vacancies has its own number of ions, so that the
energy of an atom of the ion, which a potential fits anyway, holds the offset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Self

from ase.data import chemical_symbols
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError
from borarun.structures.structure import composition

Charge = Annotated[float, Field(ge=-100, le=100)]


class ChargeKeys(BaseModel):
    """What a study says of the charge of cells, and what is part of the settings of its tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    charge: Charge = Field(
        default=0.0,
        description="Charge of every cell in elementary charges, with a uniform compensating "
        "background.",
    )
    charge_per_vacancy: Annotated[Charge, Field(exclude_if=lambda value: not value)] = Field(
        default=0.0,
        description="Charge that each vacancy adds to its cell, elementary charges: -1 where Li+ "
        "leaves and the anions keep their electrons. Default: neutral vacancies, which leave "
        "a hole on the anions.",
    )


class ChargeSettings(ChargeKeys):
    """Settings of an engine whose cells may have a charge.

    Attributes
    ----------
    formula, vacancy_ion : of the study, to count the vacancies of a cell by; only with
        ``charge_per_vacancy``
    """

    formula: Annotated[str, Field(exclude_if=lambda value: not value)] = ""
    vacancy_ion: Annotated[str, Field(exclude_if=lambda value: not value)] = ""

    @model_validator(mode="after")
    def _vacancies_can_be_counted(self) -> Self:
        if self.charge_per_vacancy and self.formula:
            others = composition(self.formula)
            if not others.pop(self.vacancy_ion, 0) or not others:
                raise ValueError(
                    f"{self.formula} has no {self.vacancy_ion} beside other elements, whose "
                    "vacancies could be counted"
                )
        return self

    def charge_of(self, numbers: NDArray[Any]) -> float:
        """The charge of a cell with these atoms, elementary charges.

        Parameters
        ----------
        numbers : (N,) atomic numbers

        Raises
        ------
        EngineError
            Where vacancies cannot be counted.
        """
        return charge_of(self, numbers, self.formula, self.vacancy_ion)


def charge_of(keys: ChargeKeys, numbers: NDArray[Any], formula: str, ion: str) -> float:
    """The charge of a cell, elementary charges.

    Parameters
    ----------
    keys : what the study says of charges
    numbers : (N,) atomic numbers of the cell
    formula : of the whole crystal
    ion : element of the vacancies

    Raises
    ------
    EngineError
        Where vacancies cannot be counted.
    """
    if not keys.charge_per_vacancy:
        return keys.charge
    atoms = Counter(chemical_symbols[number] for number in numbers.tolist())
    missing = vacancies(atoms, formula, ion)
    if missing is None:
        found = "".join(f"{element}{count}" for element, count in atoms.items())
        raise EngineError(
            f"reference.charge_per_vacancy: the vacancies of {ion} in {found} cannot be counted, "
            f"since it is not {formula} with some {ion} missing.",
            remedy="Remove such configurations, or set reference.charge_per_vacancy to 0.",
            cause=Cause.BAD_INPUT,
        )
    return keys.charge + keys.charge_per_vacancy * missing


def vacancies(atoms: Mapping[str, int], formula: str, ion: str) -> int | None:
    """How many of an ion a cell lacks; None where its other elements are no whole number of formula
    units, or it has too many ions.

    Parameters
    ----------
    atoms : elements of the cell and how many atoms of each
    formula : of the whole crystal
    ion : element of the vacancies
    """
    unit = composition(formula)
    others = {element: count for element, count in unit.items() if element != ion}
    held = {element: count for element, count in atoms.items() if element != ion}
    units = {held.get(element, 0) / count for element, count in others.items()}
    missing = next(iter(units)) * unit[ion] - atoms.get(ion, 0)
    if len(units) > 1 or set(held) - set(others) or missing < 0 or missing % 1:
        return None
    return int(missing)


def odd(keys: ChargeKeys, cells: Iterable[Mapping[int, int]]) -> Iterator[list[int]]:
    """Numbers of vacancies that leave a cell an odd number of electrons.

    Parameters
    ----------
    keys : what the study says of charges
    cells : for each kind of cell, the electrons of all its neutral atoms, by its vacancies
    """
    for cell in cells:
        found = [
            count
            for count, electrons in cell.items()
            if (electrons - keys.charge - keys.charge_per_vacancy * count) % 2
        ]
        if found:
            yield found
