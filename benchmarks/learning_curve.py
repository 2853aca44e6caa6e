"""How many labels of density functional theory a moment tensor potential needs: from nothing, and
from a potential that has learnt a pretrained network.

    nice python benchmarks/learning_curve.py

The labels are those of `studies/li2b12h12-rev-vdW-DF2.md`; a quarter of them is held out, each
quarter in turn. The start is the bundled potential of level 12, fitted to 234 labels of SevenNet-0
with D3. Three ways from it, and one without it:

* *nothing*: the best of four untrained potentials, as borarun fits;
* *rescaled*: the start, with one factor for its energies and the energy of each element fitted;
* *start*: the fit goes on from there;
* *kept near*: the same with one more term in the loss, the change that a step away from the start
  makes to what it says of 40 configurations of its own training set, which together count as one
  configuration (a Gaussian prior of the parameters; Bishop, Pattern Recognition and Machine
  Learning, section 3.3).
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from borarun.mtp.fit import FIRST_DAMPING, State, best_start, fit
from borarun.mtp.potential import Potential
from borarun.mtp.residuals import Bend, Normal, Weights, compare
from borarun.mtp.team import Team
from borarun.records.frames import Frames

ROOT = Path(__file__).parent.parent
LABELS = ROOT / "studies" / "li2b12h12-rev-vdW-DF2.extxyz.xz"
START = ROOT / "borarun" / "potentials" / "Li2B12H12-PBE-D3.mtp"
START_LABELS = ROOT / "studies" / "bundled-reference-PBE-D3.extxyz.xz"
SIZES = (5, 10, 17, 24, 40, 60, 90)
FOLDS = 4
N_KNOWN = 40
WEIGHTS = Weights()
WAYS = ("nothing", "rescaled", "start", "kept near")

Array = NDArray[Any]


class KeptNear:
    """Labelled configurations, and a start that a fit to them stays near; of a ``Team``, what
    ``fit`` asks for.
    """

    def __init__(self, team: Team, start: Array, information: Array) -> None:
        self.size = team.size
        self._team, self._start, self._information = team, start, information

    def normal(self, parameters: Array) -> Normal:
        found, away = self._team.normal(parameters), parameters - self._start
        slope = self._information @ away
        return Normal(
            found.matrix + self._information, found.vector + slope, found.loss + float(away @ slope)
        )

    def bend(self, parameters: Array, step: Array) -> Bend:
        found = self._team.bend(parameters, step)
        half, end = (self._term(parameters + part * step) for part in (0.5, 1.0))
        return Bend(found.vector, found.half + half, found.end + end)

    def loss(self, parameters: Array) -> float:
        return self._team.loss(parameters) + self._term(parameters)

    def _term(self, parameters: Array) -> float:
        away = parameters - self._start
        return float(away @ self._information @ away)


def main() -> None:
    """Print the table."""
    labels, start = read(LABELS), Potential.read(START.read_text())
    learnt = read(START_LABELS)
    some = learnt.take(np.linspace(0, len(learnt) - 1, N_KNOWN).round().astype(int))
    with Team(start, some, WEIGHTS) as team:
        information = team.normal(start.parameters).matrix / team.size
    order = np.random.default_rng(0).permutation(len(labels))
    print("| labels | " + " | ".join(f"{way}: eV/A, meV/atom" for way in WAYS) + " |")
    print("|---|" + "---|" * len(WAYS))
    for size in SIZES:
        if size > len(labels) - -(-len(labels) // FOLDS):
            break
        errors: dict[str, list[tuple[Array, Array]]] = {way: [] for way in WAYS}
        for fold in range(FOLDS):
            held_out = order[fold::FOLDS]
            fitted = [index for index in order if index not in held_out][:size]
            for way, found in fits(labels.take(fitted), start, information):
                errors[way].append(judged(found, labels.take(held_out)))
        print(f"| {size} | " + " | ".join(text(errors[way]) for way in WAYS) + " |", flush=True)


def read(file: Path) -> Frames:
    """The configurations of a compressed file."""
    return Frames.from_extxyz(lzma.decompress(file.read_bytes()).decode())


def fits(train: Frames, start: Potential, information: Array) -> Iterator[tuple[str, Potential]]:
    """The potential that each way leads to."""
    untrained = [
        Potential.untrained(start.level, start.species, start.cutoff_A, seed=seed)
        for seed in range(4)
    ]
    best = best_start(untrained, train, WEIGHTS, 15)
    with Team(best, train, WEIGHTS) as team:
        yield "nothing", fit(best, team, team).potential
    with Team(start, train, WEIGHTS) as team:
        parameters = rescaled(start, team)
        yield "rescaled", start.with_parameters(parameters)
        near = cast(Team, KeptNear(team, parameters, information))
        for way, ours in (("start", team), ("kept near", near)):
            loss = np.array([ours.loss(parameters) / team.size])
            state = State(parameters, FIRST_DAMPING, loss, loss, 0)
            yield way, fit(start, ours, ours, state=state).potential


def rescaled(start: Potential, team: Team) -> Array:
    """(P,) parameters after a least-squares fit of one factor of all energies, and of the energy of
    each element.
    """
    parameters, n_moments = start.parameters, len(start.data.moment_coeffs)
    directions = np.zeros((len(parameters), 1 + len(start.species)))
    directions[:n_moments, 0] = parameters[:n_moments]
    for number in range(len(start.species)):
        directions[n_moments + number, 1 + number] = 1.0
    normal = team.normal(parameters)
    matrix, vector = directions.T @ normal.matrix @ directions, directions.T @ normal.vector
    return np.asarray(parameters - directions @ np.linalg.lstsq(matrix, vector, rcond=1e-12)[0])


def judged(potential: Potential, held_out: Frames) -> tuple[Array, Array]:
    """Errors of force components, eV/angstrom, and of energies, eV/atom."""
    with Team(potential, held_out, WEIGHTS) as team:
        found = compare(held_out, team.predict(potential.parameters))
    return (found.forces[1] - found.forces[0]).ravel(), found.energy[1] - found.energy[0]


def text(errors: list[tuple[Array, Array]]) -> str:
    """Root mean squares over all that was held out."""
    forces, energies = (np.concatenate(each) for each in zip(*errors, strict=True))
    return f"{np.sqrt(np.mean(forces**2)):.3f}, {1000 * np.sqrt(np.mean(energies**2)):.1f}"


if __name__ == "__main__":
    main()
