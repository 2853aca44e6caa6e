"""Reorientation of the anions."""

from __future__ import annotations

from dataclasses import dataclass

from borarun.report.measured import Array, Measured


@dataclass(frozen=True)
class AngleSeries:
    """Direction of one vertex of one anion: ``time_ps``, ``theta_deg`` and ``phi_deg`` are (n,)."""

    anion: int
    time_ps: Array
    theta_deg: Array
    phi_deg: Array


@dataclass(frozen=True)
class Rotation:
    """Reorientation of one kind of anion at one temperature and vacancy count.

    Attributes
    ----------
    anion : its formula
    lag_ps, xi : (n,) angular autocorrelation <r(t).r(0)> over all anions, vertices and time origins
    relaxation_ps : lag at which xi has fallen to 1/e; None where it did not within the run, and
        ``relaxation`` says so
    nmr_ps : the same lag of <P_2(r(t).r(0))>, the correlation time of nuclear magnetic resonance
    quasi_elastic_meV : half width at half maximum of the quasi-elastic line, hbar / relaxation
    deflection_deg, rms_deflection_deg : largest and rms angle of a vertex from its own mean
        direction
    deflection_99_deg : angle that 99 % of all stay below; unlike the largest it does not grow with
        the cell and the length of the run
    deflection_deg_edges, deflection_density : (b + 1,) and (b,) its distribution, per degree
    order : mean orientational order, against the relaxed crystal
    polar_order : the same of the one vertex unlike the others, heads against tails; None where all
        are alike
    reorientations : new places that an anion took in a run, on average
    disorder : what follows from these two, and from how alike anions point
    turns_ps, turns : (w,) time, and full rotations of all anions up to it, in the first run
    full_rotations : whole turns of all anions together, in all runs
    full_rotations_per_anion_ns : whole turns an anion and ns
    """

    anion: str
    functional: str
    temperature_K: float
    vacancies: int
    n_anions: int
    n_vertices: int
    n_runs: int
    time_ps: float
    lag_ps: Array
    xi: Array
    series: tuple[AngleSeries, ...]
    relaxation_ps: Measured | None
    relaxation: str
    nmr_ps: Measured | None
    quasi_elastic_meV: float | None
    deflection_deg: float
    deflection_deg_edges: Array
    deflection_density: Array
    order: Measured
    polar_order: Measured | None
    reorientations: float
    disorder: str
    rms_deflection_deg: float
    deflection_99_deg: float
    turns_ps: Array
    turns: Array
    full_rotations: int
    full_rotations_per_anion_ns: float


@dataclass(frozen=True)
class ReorientationFound:
    """How the anions turn.

    Attributes
    ----------
    rotation : each kind of anion, temperature and vacancy count
    """

    rotation: tuple[Rotation, ...] = ()
