"""Results of the examination, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from borarun.analysis.deviations import Deviations
from borarun.report.measured import DRAWN_ONLY, Array, Measured


@dataclass(frozen=True)
class GroupErrors:
    """Errors of one quantity on a group of configurations.

    Attributes
    ----------
    group : e.g. ``all``, ``ordered phase``, ``2 vacancies``, ``300 to 600 K``
    quantity : ``energy`` (meV/atom), ``forces`` (eV/angstrom) or ``stress`` (kbar)
    rmse : root mean square of components, with its interval where there are enough configurations
    mean : mean error, potential less reference: of the energy, and of the stress's trace over 3;
        None of forces, whose mean is no quantity
    spread : of the committee; None without one
    """

    functional: str
    group: str
    n_frames: int
    quantity: str
    deviations: Deviations
    rmse: Measured | None
    mean: float | None
    spread: float | None


@dataclass(frozen=True)
class Examined:
    """The examination of one functional's potential.

    Attributes
    ----------
    n_frames, n_members : configurations, and members of the committee
    temperature_K, phase, vacancies : (C,) of the configurations
    energy_eV_per_atom, forces_eV_per_A, stress_kbar : (2, n) reference, potential, component by
        component
    force_frame, stress_frame : (n,) configuration of each component
    """

    functional: str
    n_frames: int
    n_members: int
    temperature_K: Array
    vacancies: Array
    phase: tuple[str, ...]
    energy_eV_per_atom: Array
    forces_eV_per_A: Array = field(metadata=DRAWN_ONLY)
    stress_kbar: Array = field(metadata=DRAWN_ONLY)
    force_frame: Array = field(metadata=DRAWN_ONLY)


@dataclass(frozen=True)
class TransitionError:
    """What errors of the energy do to the transition temperature.

    Attributes
    ----------
    transition_K : as the potential has it
    shift_K : by how much that is too high, to first order
    committee_K : standard deviation of the same over the potential and its committee; None without
    """

    functional: str
    vacancies: int
    transition_K: float
    n_frames: int
    shift_K: Measured
    committee_K: float | None


@dataclass(frozen=True)
class ExaminationFound:
    """What the examination found.

    Attributes
    ----------
    examined : of each functional
    errors : by functional, group and quantity
    transitions : of each functional whose transition and latent heat are known
    """

    examined: tuple[Examined, ...] = ()
    errors: tuple[GroupErrors, ...] = ()
    transitions: tuple[TransitionError, ...] = ()
