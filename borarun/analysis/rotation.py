"""Reorientation of the anions: autocorrelation of their vertices, angles, deflection, full
rotations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial.transform import Rotation

from borarun.analysis.estimate import student
from borarun.analysis.trajectory import anion_centres, whole_images
from borarun.basics.units import FS_PER_NS, FS_PER_PS

Array = NDArray[Any]

REORIENTED_DEG = 60.0
"""An anion has reoriented when it is farther than this from its place: less than 72 degrees, the
smallest rotation that brings an icosahedron onto itself, and more than the widest libration of a
settled anion (45 degrees in the published work).
"""

SETTLE_FS = 300.0
"""Orientations are averaged over about one libration before reorientations are counted."""

MEMORY_FS = 3000.0
"""How long the place of a settled anion remembers earlier orientations: ten librations."""

DEFLECTION_BINS_DEG = np.linspace(0.0, 180.0, 73)
"""Edges of the bins of the distribution of deflections, degrees."""

_CHUNK_FRAMES = 4096


@dataclass(frozen=True)
class Relaxation:
    """Decay of an autocorrelation.

    Attributes
    ----------
    time_fs : lag at which it falls to 1/e, fs; nan where it does not
    low_fs, high_fs : 95 % interval; nan where the anions are too few or too unlike for one
    decayed : whether it does within half the run
    reason : why not; empty where it does
    """

    time_fs: float
    low_fs: float
    high_fs: float
    decayed: bool
    reason: str


@dataclass(frozen=True)
class Deflection:
    """How far vertices turn away from their mean direction.

    Attributes
    ----------
    largest_deg : (A,) largest angle of any vertex of each anion, degrees
    overall_deg : largest of all, degrees
    rms_deg : root mean square over anions, vertices and frames, degrees
    density : (72,) share of vertices and frames per degree, in bins of `DEFLECTION_BINS_DEG`
    """

    largest_deg: Array
    overall_deg: float
    rms_deg: float
    density: Array


@dataclass(frozen=True)
class Rotations:
    """Turns counted.

    Attributes
    ----------
    full : (A,) int, full rotations: times that an anion turned by a net 360 degrees
    reorientations : (A,) int, times that an anion left its place by more than `REORIENTED_DEG`
    time_fs, so_far : (w,) end of each time over which orientations were averaged, and full
        rotations of all anions up to there
    per_anion_ns : full rotations an anion and ns
    """

    full: Array
    reorientations: Array
    time_fs: Array
    so_far: Array
    per_anion_ns: float

    @property
    def total(self) -> int:
        """Full rotations of all anions."""
        return int(self.full.sum())


def vertex_vectors(
    positions: Array, anions: Array, vertices: Array, masses: Array, mean_cell: Array
) -> Array:
    """Unit vectors from each anion's centre of mass to its vertices.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, from `trajectory.unwrap`
    anions : (A, k) int, all atoms of each anion
    vertices : (A, V) int, the atoms of each anion that are its vertices
    masses : (N,) any unit
    mean_cell : (3, 3) angstrom, mean of the cell over the run

    Returns
    -------
    (A, V, 3, F) float32, dimensionless
    """
    centres = anion_centres(positions, anions, masses, mean_cell)
    shift = whole_images(positions[:, :, 0], anions, mean_cell) @ mean_cell
    out = np.empty((*vertices.shape, *positions.shape[1:]), np.float32)
    for index, atoms in enumerate(vertices):
        arms = positions[atoms] + shift[atoms][:, :, None] - centres[index]
        out[index] = arms / np.linalg.norm(arms, axis=1, keepdims=True)
    return out


def autocorrelation(vectors: Array) -> Array:
    """Angular autocorrelation xi(t) = <r(t) . r(0)> of each anion, over its vertices and all time
    origins.

    Parameters
    ----------
    vectors : (A, V, 3, F) unit vectors

    Returns
    -------
    (A, F) dimensionless, at lags of 0, 1, ... F - 1 frames; 1 at lag 0
    """
    n_frames = vectors.shape[3]
    length = fft.next_fast_len(2 * n_frames - 1, real=True)
    out = np.empty((len(vectors), n_frames))
    weights = 1.0 / (n_frames - np.arange(n_frames))
    for anion, xi in zip(vectors, out, strict=True):
        # The transform keeps the type of the vectors; single precision costs 1e-7 of xi, and more
        # only at the last lags.
        spectrum = fft.rfft(anion, length, axis=2)
        parts = spectrum.view(spectrum.real.dtype)  # real and imaginary parts in turn
        power = np.einsum("vif,vif->f", parts, parts)
        np.multiply(fft.irfft(power[::2] + power[1::2], length)[:n_frames], weights, out=xi)
        xi /= xi[0]
    return out


def relaxation_time(xi: Array, interval_fs: float) -> Relaxation:
    """Lag at which the mean xi of all anions falls to 1/e, its interval by the jackknife over
    anions; only lags up to half the run are trusted.

    Anions are taken to turn each for itself. Where xi of all but one anion does not fall to 1/e,
    one anion makes the difference, and there is no interval.

    Parameters
    ----------
    xi : (A, F) from `autocorrelation`, of the anions of one run or of several
    interval_fs : time between frames, fs
    """
    n_anions, n_frames = xi.shape
    half = max(n_frames // 2, 1)
    mean = xi[:, : half + 1].mean(axis=0)
    time = _decay(mean)
    if math.isnan(time):
        reason = (
            f"longer than the run: xi stays at {mean.min():.2f} or more up to "
            f"{half * interval_fs / FS_PER_PS:.3g} ps"
        )
        return Relaxation(math.nan, math.nan, math.nan, decayed=False, reason=reason)
    # Of its logarithm, because times of decay scatter by factors.
    without = (
        np.log([_decay((n_anions * mean - own) / (n_anions - 1)) for own in xi[:, : half + 1]])
        if n_anions > 1
        else np.array([math.nan])
    )
    error = math.sqrt((n_anions - 1) / n_anions * np.sum((without - without.mean()) ** 2))
    factor = math.exp(error * student(n_anions - 1))
    return Relaxation(
        time * interval_fs,
        time / factor * interval_fs,
        time * factor * interval_fs,
        decayed=True,
        reason="",
    )


def _decay(xi: Array) -> float:
    """Lag, in frames, at which xi falls to 1/e; nan where it does not."""
    below = np.flatnonzero(xi < 1 / math.e)
    if not len(below):
        return math.nan
    end = int(below[0])
    return end - 1 + float((xi[end - 1] - 1 / math.e) / (xi[end - 1] - xi[end]))


def angles(vectors: Array) -> tuple[Array, Array]:
    """Spherical angles.

    Parameters
    ----------
    vectors : (..., 3, F)

    Returns
    -------
    theta : (..., F) degrees from the z axis, 0 to 180
    phi : (..., F) degrees from the x axis in the xy plane, -180 to 180
    """
    x, y, z = np.moveaxis(vectors, -2, 0)
    return np.degrees(np.arctan2(np.hypot(x, y), z)), np.degrees(np.arctan2(y, x))


def deflection(vectors: Array) -> Deflection:
    """Angles between vertices and their mean directions over the run.

    Parameters
    ----------
    vectors : (A, V, 3, F) unit vectors
    """
    largest = np.zeros(len(vectors))
    square = 0.0
    counts = np.zeros(len(DEFLECTION_BINS_DEG) - 1)
    for index, anion in enumerate(vectors):
        mean = anion.mean(axis=2, dtype=float)
        mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), np.finfo(float).tiny)
        degrees = np.degrees(np.arccos(np.clip(np.einsum("vif,vi->vf", anion, mean), -1, 1)))
        largest[index] = degrees.max()
        square += float(np.mean(degrees**2))
        counts += np.histogram(degrees, DEFLECTION_BINS_DEG)[0]
    density = counts / counts.sum() / np.diff(DEFLECTION_BINS_DEG)
    return Deflection(
        largest_deg=largest,
        overall_deg=float(largest.max()),
        rms_deg=math.sqrt(square / len(vectors)),
        density=density,
    )


def quantile_deg(density: Array, share: float) -> float:
    """Angle that ``share`` of all deflections stay below, degrees.

    Parameters
    ----------
    density : (72,) from `Deflection.density`, per degree
    share : between 0 and 1
    """
    below = np.concatenate([[0.0], np.cumsum(density * np.diff(DEFLECTION_BINS_DEG))])
    return float(np.interp(share * below[-1], below, DEFLECTION_BINS_DEG))


def rotation_matrices(vectors: Array) -> Array:
    """Rotation of each anion since the first frame, as a rigid body.

    Parameters
    ----------
    vectors : (A, V, 3, F) unit vectors, V at least 3

    Returns
    -------
    (A, 3, 3, F) float32; the unit matrix in the first frame

    Source
    ------
    Kabsch, Acta Cryst. A 32, 922 (1976).
    """
    n_anions, _, _, n_frames = vectors.shape
    out = np.empty((n_anions, 3, 3, n_frames), np.float32)
    for index, anion in enumerate(vectors):
        for start in range(0, n_frames, _CHUNK_FRAMES):
            part = slice(start, start + _CHUNK_FRAMES)
            out[index, :, :, part] = np.moveaxis(
                _nearest_rotation(np.einsum("vif,vj->fij", anion[:, :, part], anion[:, :, 0])), 0, 2
            )
    return out


def full_rotations(
    matrices: Array, interval_fs: float, *, reoriented_deg: float = REORIENTED_DEG
) -> Rotations:
    """Count full rotations and reorientations so that libration and noise cannot pass for them.

    Orientations are averaged over `SETTLE_FS`. An anion has a place: the mean of its orientations
    since it came there, with a memory of `MEMORY_FS`. When it is more than ``reoriented_deg``
    away, it has left, and its place is where it is now. Every rotation of the place, a vector, is
    added to an account; each time the account has moved by 360 degrees since the last full
    rotation, one more is counted. Going there and back again therefore counts as two
    reorientations and no rotation, tumbling about ever new axes counts only by its net turn, and a
    slow steady turn counts as rotation without reorientations.

    Parameters
    ----------
    matrices : (A, 3, 3, F), from `rotation_matrices`
    interval_fs : time between frames, fs; an anion may turn by less than 180 degrees in the larger
        of this and `SETTLE_FS`
    reoriented_deg : angle that is a reorientation, degrees

    Source
    ------
    Kämmerer, Kob, Schilling, Phys. Rev. E 56, 5450 (1997), on unbounded rotation vectors.
    """
    n_anions, _, _, n_frames = matrices.shape
    window = max(1, round(SETTLE_FS / interval_fs))
    n_windows = max(1, n_frames // window)
    coarse = (
        matrices[..., : n_windows * window]
        .reshape(n_anions, 3, 3, n_windows, -1)
        .mean(axis=4, dtype=float)
    )
    orientation = _nearest_rotation(np.moveaxis(coarse, 3, 0))
    least_share = min(window * interval_fs / MEMORY_FS, 1.0)
    account, counted = np.zeros((n_anions, 3)), np.zeros((n_anions, 3))
    full, reorientations, dwell = (np.zeros(n_anions, int) for _ in range(3))
    so_far = np.zeros(n_windows, int)
    place = Rotation.from_matrix(orientation[0])
    for number, matrix in enumerate(orientation):
        now = Rotation.from_matrix(matrix)
        away = (now * place.inv()).as_rotvec(degrees=True)
        left = np.linalg.norm(away, axis=1) > reoriented_deg
        reorientations += left
        dwell = np.where(left, 0, dwell) + 1
        move = away * np.maximum(1 / dwell, least_share)[:, None]
        place = Rotation.from_rotvec(move, degrees=True) * place
        account += move
        # What is left over beyond 360 degrees stays in the account.
        net = account - counted
        angle = np.linalg.norm(net, axis=1)
        done = np.floor(angle / 360).astype(int)
        full += done
        so_far[number] = full.sum()
        counted += np.where(done > 0, 360 * done / np.maximum(angle, 1), 0)[:, None] * net
    return Rotations(
        full=full,
        reorientations=reorientations,
        time_fs=window * interval_fs * np.arange(1, n_windows + 1),
        so_far=so_far,
        per_anion_ns=float(full.mean() / (n_frames * interval_fs) * FS_PER_NS),
    )


def _nearest_rotation(matrices: Array) -> Array:
    """The proper rotations nearest to (..., 3, 3) matrices."""
    left, _, right = np.linalg.svd(matrices)
    left[..., :, 2] *= np.linalg.det(left @ right)[..., None]
    return np.asarray(left @ right)
