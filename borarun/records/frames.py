"""Frames: a sequence of configurations, with or without labels, of equal or different size.

The one representation in which training data travel: between engines, in the store, in extended
XYZ.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Frames:
    """F configurations with A atoms in all, laid one after the other.

    Attributes
    ----------
    offsets : (F + 1,) int; atoms of frame f are ``offsets[f]:offsets[f + 1]``
    numbers : (A,) int, atomic numbers
    positions : (A, 3) angstrom
    cell : (F, 3, 3) angstrom, rows are vectors
    energy : (F,) eV, or None where there are no labels
    forces : (A, 3) eV/angstrom, or None
    stress : (F, 6) eV/angstrom^3, ASE sign and Voigt order, or None
    grade : (F,) extrapolation grade, or None
    """

    offsets: Array
    numbers: Array
    positions: Array
    cell: Array
    energy: Array | None = None
    forces: Array | None = None
    stress: Array | None = None
    grade: Array | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def labelled(self) -> bool:
        """Whether energies, forces and stresses are all there."""
        return self.energy is not None and self.forces is not None and self.stress is not None

    def arrays(self) -> dict[str, Array]:
        """The fields that are set, by name."""
        return {
            f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None
        }

    def __getitem__(self, index: int) -> Atoms:
        """Frame ``index`` as ASE atoms, its labels in a single-point calculator."""
        index = range(len(self))[index]
        part = slice(self.offsets[index], self.offsets[index + 1])
        atoms = Atoms(self.numbers[part], self.positions[part], cell=self.cell[index], pbc=True)
        results: dict[str, Any] = {}
        if self.energy is not None:
            results["energy"] = float(self.energy[index])
        if self.forces is not None:
            results["forces"] = self.forces[part]
        if self.stress is not None:
            results["stress"] = self.stress[index]
        if results:
            atoms.calc = SinglePointCalculator(atoms, **results)
        if self.grade is not None:
            atoms.info["grade"] = float(self.grade[index])
        return atoms

    def __iter__(self) -> Iterator[Atoms]:
        return (self[index] for index in range(len(self)))

    def take(self, indices: Iterable[int]) -> Frames:
        """The frames at ``indices``, in that order."""
        return Frames.of([self[index] for index in indices])

    @classmethod
    def of(cls, images: Iterable[Atoms]) -> Frames:
        """Frames of ASE atoms, taken as periodic; a label is kept only where every image has it,
        for its present positions and cell.
        """
        images = list(images)

        def gather(name: str) -> list[Any] | None:
            values = [
                image.calc.results.get(name)
                if image.calc and not image.calc.check_state(image)
                else None
                for image in images
            ]
            return None if not images or any(value is None for value in values) else values

        energy, forces, stress = gather("energy"), gather("forces"), gather("stress")
        graded = bool(images) and all("grade" in image.info for image in images)
        return cls(
            offsets=np.concatenate([[0], np.cumsum([len(image) for image in images])]).astype(
                np.int64
            ),
            numbers=np.concatenate([image.numbers for image in images]).astype(np.int32)
            if images
            else np.zeros(0, np.int32),
            positions=np.concatenate([image.positions for image in images])
            if images
            else np.zeros((0, 3)),
            cell=np.array([image.cell.array for image in images]).reshape(-1, 3, 3),
            energy=None if energy is None else np.array(energy, float),
            forces=None if forces is None else np.concatenate(forces).astype(float),
            stress=None if stress is None else np.array(stress, float).reshape(-1, 6),
            grade=np.array([image.info["grade"] for image in images], float) if graded else None,
        )

    @classmethod
    def join(cls, parts: Iterable[Frames]) -> Frames:
        """All frames of ``parts``, one after the other."""
        return cls.of([image for part in parts for image in part])

    def to_extxyz(self) -> str:
        """Extended XYZ text that loses nothing: every number has the digits that bring back the
        same float.
        """
        # ASE's own writer cuts coordinates and forces to eight decimals.
        columns = [self.positions] if self.forces is None else [self.positions, self.forces]
        rows = np.concatenate(columns, axis=1).tolist()
        properties = "species:S:1:pos:R:3" + ("" if self.forces is None else ":forces:R:3")
        lines = []
        for index in range(len(self)):
            comment = [
                f'Lattice="{_numbers(self.cell[index].ravel())}"',
                f"Properties={properties}",
            ]
            if self.energy is not None:
                comment.append(f"energy={_numbers([self.energy[index]])}")
            if self.stress is not None:
                comment.append(
                    f'stress="{_numbers(voigt_6_to_full_3x3_stress(self.stress[index]).ravel())}"'
                )
            if self.grade is not None:
                comment.append(f"grade={_numbers([self.grade[index]])}")
            atoms = range(self.offsets[index], self.offsets[index + 1])
            lines += [str(len(atoms)), " ".join([*comment, 'pbc="T T T"'])]
            lines += [
                f"{chemical_symbols[self.numbers[atom]]} {_numbers(rows[atom])}" for atom in atoms
            ]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def from_extxyz(cls, text: str) -> Frames:
        """Frames from extended XYZ text.

        Raises
        ------
        Whatever ASE raises on text that is no extended XYZ; callers that read a program's output
        map it to ParseError.
        """
        from ase.io import read  # loads scipy whole: a plan need not wait for it

        images = read(io.StringIO(text), index=":", format="extxyz") if text.strip() else []
        assert isinstance(images, list)
        return cls.of(images)


def _numbers(values: Iterable[float]) -> str:
    return " ".join(repr(float(value)) for value in values)
