"""A moment tensor potential: what it consists of, and its text form.

The text is MLIP-3's format (``MTP``, ``version = 1.1.0``), which MLIP-3 and motep both read. It has
no place for chemical elements, so they stand in ``potential_tag``, which both programs skip.

Source: Novikov, Gubaev, Podryabinkin, Shapeev, Mach. Learn.: Sci. Technol. 2, 025002 (2021);
Podryabinkin et al., J. Chem. Phys. 159, 084112 (2023).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from borarun.mtp.templates import SCALARS, template

if TYPE_CHECKING:
    # motep loads all of ase.io and scipy: who plans a study need not wait for it
    from motep.potentials.mtp.data import MTPData

    from borarun.mtp.tables import Tables

ACTIVE_SET_MARK = "#MVS_v1.1"
"""MLIP-3 appends its active set to the text, as bytes, after this line."""


@dataclass(frozen=True, eq=False)
class Potential:
    """A moment tensor potential.

    Attributes
    ----------
    data : motep's form of it
    species : atomic number of each type, in the order of the file
    """

    data: MTPData
    species: tuple[int, ...]

    @property
    def cutoff_A(self) -> float:
        """Distance at which the interaction ends, angstrom."""
        return float(self.data.radial_basis.max)

    @cached_property
    def level(self) -> int:
        """Level of the set of basis functions, from their number; 0 where it is none of the known
        ones.
        """
        return {count: level for level, count in SCALARS.items()}.get(
            int(self.data.alpha_scalar_moments), 0
        )

    @property
    def n_parameters(self) -> int:
        """P, the number of parameters that a fit adjusts: coefficients of moments, species and
        radial functions, in this order.
        """
        return int(self.data.number_of_parameters_optimized)

    @cached_property
    def tables(self) -> Tables:
        """Shape and parameters as the compiled kernels need them."""
        from borarun.mtp.tables import (
            tables_of,
        )  # loads numba: whoever reads or writes files need not wait for it

        return tables_of(self.data)

    @property
    def parameters(self) -> NDArray[np.float64]:
        """(P,) values of the parameters; energies in eV are linear in the first ones (moments,
        species).
        """
        return np.array(self.data.parameters, float)

    def with_parameters(self, parameters: NDArray[np.float64]) -> Potential:
        """The same potential with other parameters, (P,)."""
        data = copy(self.data)
        data.parameters = np.array(parameters, float)
        return Potential(data, self.species)

    def types(self, numbers: Sequence[int] | NDArray[Any]) -> NDArray[np.int32]:
        """Index of each atom's species.

        Parameters
        ----------
        numbers : (N,) int, atomic numbers

        Returns
        -------
        (N,) int32

        Raises
        ------
        ValueError
            Where an element is not one of the potential's.
        """
        numbers = np.asarray(numbers)
        unknown = sorted(set(numbers.tolist()) - set(self.species))
        if unknown:
            names = " ".join(chemical_symbols[z] for z in unknown)
            raise ValueError(
                f"the potential knows {' '.join(chemical_symbols[z] for z in self.species)} "
                f"only (got {names})"
            )
        table = np.full(max(self.species) + 1, -1, np.int32)
        table[list(self.species)] = np.arange(len(self.species))
        return np.asarray(table[numbers], np.int32)

    @classmethod
    def untrained(
        cls,
        level: int,
        species: Sequence[int],
        cutoff_A: float = 5.0,
        min_distance_A: float = 0.9,
        radial_basis_size: int = 8,
        seed: int = 1,
    ) -> Potential:
        """A potential of all basis functions up to ``level``: random smooth radial functions,
        everything else zero.

        Parameters
        ----------
        level : even, 6..28
        species : atomic numbers, in the order that the file shall have
        cutoff_A, min_distance_A : range of the radial basis, angstrom
        radial_basis_size : number of Chebyshev polynomials
        seed : of the random radial coefficients
        """
        from motep.potentials.mtp.data import BasisData, MTPData

        shape = template(level)
        n = len(species)
        random = np.random.default_rng(seed)
        data = MTPData(
            version="1.1.0",
            potential_name=f"MTP{level}",
            scaling=1.0,
            potential_tag=" ".join(chemical_symbols[z] for z in species),
            radial_basis=BasisData(
                type="RBChebyshev",
                min=np.float64(min_distance_A),
                max=np.float64(cutoff_A),
                size=np.int32(radial_basis_size),
            ),
            radial_funcs_count=shape.n_radial,
            radial_coeffs=random.normal(0.0, 0.3, (n, n, shape.n_radial, radial_basis_size))
            / np.arange(1, radial_basis_size + 1),
            alpha_moments_count=shape.n_moments,
            alpha_index_basic_count=len(shape.basic),
            alpha_index_basic=shape.basic,
            alpha_index_times_count=len(shape.times),
            alpha_index_times=shape.times,
            alpha_scalar_moments=len(shape.scalars),
            alpha_moment_mapping=shape.scalars,
            species_coeffs=np.zeros(n),
            moment_coeffs=np.zeros(len(shape.scalars)),
        )
        data.species = np.array(species, np.int32)
        return cls(data, tuple(int(z) for z in species))

    @classmethod
    def read(cls, text: str, species: Sequence[int] | None = None) -> Potential:
        """A potential from its text; an appended active set of MLIP-3 is left out.

        Parameters
        ----------
        text : content of a .mtp or .almtp file
        species : atomic numbers in the file's order, where its ``potential_tag`` does not name them

        Raises
        ------
        ValueError
            Where the text is no trained MTP, or its elements are not known.
        """
        from motep.io.mlip.mtp import read_mtp
        from motep.potentials.mtp.data import MTPData

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "potential.mtp"
            file.write_text(text.split(ACTIVE_SET_MARK)[0])
            try:
                data = read_mtp(file)
            except (KeyError, IndexError, StopIteration, TypeError) as error:
                raise ValueError(
                    f"this is no moment tensor potential in MLIP-3's format ({error!r})"
                ) from error
        if (
            not isinstance(data, MTPData)
            or data.moment_coeffs is None
            or data.radial_coeffs is None
        ):
            raise ValueError("this moment tensor potential has no coefficients")
        if species is None:
            names = str(data.potential_tag).split()
            if len(names) != data.species_count or not all(
                name in atomic_numbers for name in names
            ):
                raise ValueError(
                    f"potential_tag does not name the {data.species_count} elements (got "
                    f"{data.potential_tag!r})"
                )
            species = [atomic_numbers[name] for name in names]
        data.potential_tag = " ".join(chemical_symbols[z] for z in species)
        data.species = np.array(species, np.int32)
        return cls(data, tuple(int(z) for z in species))

    def write(self) -> str:
        """The text of the potential, in MLIP-3's format."""
        from motep.io.mlip.mtp import write_mtp

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "potential.mtp"
            write_mtp(
                file, self.data, legacy=True
            )  # MLIP-3 does not read the newer section of the radial basis
            return file.read_text()
