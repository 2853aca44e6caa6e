"""Motion of the mobile ions at constant temperature."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from borarun.analysis.arrhenius import Arrhenius
from borarun.published import Definition
from borarun.report.measured import DRAWN_ONLY, Array, Measured
from borarun.subjects.diffusion.structure.results import LocalStructure
from borarun.subjects.reorientation.results import Rotation


@dataclass(frozen=True)
class OfModel:
    """Motion of the mobile ions in one ordered model of a disordered structure.

    Attributes
    ----------
    model : its phase
    diffusivity_cm2_s, conductivity_S_cm : tracer values, as in ``Transport``
    """

    model: str
    n_runs: int
    diffusivity_cm2_s: Measured | None
    conductivity_S_cm: Measured | None


@dataclass(frozen=True)
class OfSpecies:
    """Motion of one mobile element, where several move.

    Attributes
    ----------
    ion, charge, n : element, elementary charges of one, and how many there are
    diffusivity_cm2_s, conductivity_S_cm : tracer values of it alone, as in ``Transport``
    reason : why it does not diffuse; empty where it does
    """

    ion: str
    charge: int
    n: int
    diffusivity_cm2_s: Measured | None
    conductivity_S_cm: Measured | None
    reason: str


@dataclass(frozen=True)
class PartialConductivity:
    """What two mobile elements, or one, add to the collective conductivity: that of different
    elements counts twice.

    Attributes
    ----------
    one, other : the two elements; the same twice for what one does alone
    conductivity_S_cm : positive where they carry charge together; None where one does not diffuse
    """

    one: str
    other: str
    conductivity_S_cm: Measured | None


@dataclass(frozen=True)
class FrameworkMotion:
    """Mean squared displacement of one part of the framework.

    Attributes
    ----------
    name : ``anion centres``, with several kinds of anion ``PS4 centres``, or ``O atoms``
    lag_ps, msd_A2 : (m,) of centres over all frames; of atoms outside of anions over positions that
        are averaged over a hundredth of the run, so that vibration is left out
    """

    name: str
    lag_ps: Array
    msd_A2: Array


@dataclass(frozen=True)
class Transport:
    """Motion of the mobile ions at one temperature and vacancy count; independent runs are pooled,
    and ordered models of one structure after them, all with the same weight.

    Attributes
    ----------
    mol_percent, site_percent : vacancies per formula unit and per mobile-ion site
    freedom, relative_error : of the diffusivity; the freedom is that of its error
    lag_ps, msd_A2 : (n,) mean squared displacement of the mobile ions
    framework : that of each part of the framework
    diffusivity_cm2_s, conductivity_S_cm : tracer values (Haven ratio 1); None where none can be
        given. Where several elements move, the mean over all ions, by their squared charges
    species, matrix : each mobile element, and each pair, where several move
    regression_cm2_s : tracer value by generalised least squares, a second opinion
    part_ps, part_cm2_s : (p,) lengths of the first parts of the run, the last of them the whole,
        and the tracer value of each
    collective_S_cm : conductivity from the displacement of all mobile charge together
    haven : tracer / collective
    accepted : whether the point takes part in the Arrhenius fit; ``reason`` says why not
    counted_hops : of a point that was refused only because its hops are too few or its value too
        uncertain: the number of independent hops by which it joins the Arrhenius line
    phase : ``ordered phase``, ``disordered phase`` or ``mixed``; empty where no transition
        was found
    models : each ordered model, where the structure is disordered
    """

    functional: str
    temperature_K: float
    vacancies: int
    mol_percent: float
    site_percent: float
    n_runs: int
    n_atoms: int
    n_mobile: int
    time_ps: float
    interval_fs: float
    n_origins: int
    n_blocks: int
    freedom: float
    relative_error: float
    seeds: tuple[int, ...]
    volume_A3: float
    lag_ps: Array
    msd_A2: Array
    framework: tuple[FrameworkMotion, ...]
    fit_window_ps: tuple[float, float]
    diffusivity_cm2_s: Measured | None
    regression_cm2_s: Measured | None
    part_ps: Array
    part_cm2_s: tuple[Measured | None, ...]
    conductivity_S_cm: Measured | None
    collective_S_cm: Measured | None
    haven: Measured | None
    accepted: bool
    reason: str
    phase: str = ""
    counted_hops: float | None = None
    species: tuple[OfSpecies, ...] = ()
    matrix: tuple[PartialConductivity, ...] = ()
    models: tuple[OfModel, ...] = ()


@dataclass(frozen=True)
class ArrheniusLine:
    """Weighted fits over 1/T at one vacancy count. Without enough points there are no energies.

    ``activation_energy_meV`` is that of sigma, as in the published work (its eq. 3);
    ``energy_of_sigma_T_meV`` and ``energy_of_D_meV`` are those of sigma T and of the diffusivity,
    larger by about k_B T.

    ``line_T_K``, ``line_S_cm``, ``line_low_S_cm`` and ``line_high_S_cm`` are (n,): the fitted line
    over the range of the points, and its 95 % band. ``phase`` is that of the points. ``fit`` is the
    line at any temperature, None where there is none.
    """

    functional: str
    vacancies: int
    mol_percent: float
    site_percent: float
    activation_energy_meV: Measured | None
    energy_of_sigma_T_meV: Measured | None
    energy_of_D_meV: Measured | None
    n_points: int
    chi2_reduced: float | None
    line_T_K: Array
    line_S_cm: Array
    line_low_S_cm: Array
    line_high_S_cm: Array
    phase: str
    statement: str
    fit: Arrhenius | None = field(default=None, metadata=DRAWN_ONLY)

    def energy_meV(self, definition: Definition | None) -> Measured | None:
        """The activation energy of ``definition``; of sigma where that is not known."""
        return {
            "D": self.energy_of_D_meV,
            "sigma*T": self.energy_of_sigma_T_meV,
        }.get(definition or "sigma", self.activation_energy_meV)

    def conductivity_at(self, temperature_K: float) -> Measured | None:
        """Conductivity on the line, S/cm, also far from its points; None where there is no line."""
        if self.fit is None:
            return None
        (value,), (low,), (high,) = self.fit.at(np.array([temperature_K]))
        return Measured(float(value), float(low), float(high), positive=True)


@dataclass(frozen=True)
class JumpBarrier:
    """Barrier of the jumps along one path, from their rates at several temperatures.

    Attributes
    ----------
    path : e.g. ``tetrahedral → octahedral``
    barrier_meV : None where fewer than two temperatures have enough jumps
    n_temperatures, jumps : that it rests on
    """

    functional: str
    vacancies: int
    phase: str
    path: str
    barrier_meV: Measured | None
    n_temperatures: int
    jumps: int


@dataclass(frozen=True)
class DiffusionFound:
    """What the runs at constant temperature gave.

    Attributes
    ----------
    transport : each temperature and vacancy count
    arrhenius : lines through them
    local : what lies around what
    barriers : of jumps between sites
    rotation : read from the same runs, handed on to the subject that shows it
    """

    transport: tuple[Transport, ...] = ()
    arrhenius: tuple[ArrheniusLine, ...] = ()
    local: tuple[LocalStructure, ...] = ()
    rotation: tuple[Rotation, ...] = field(default=(), metadata=DRAWN_ONLY)
    barriers: tuple[JumpBarrier, ...] = ()
