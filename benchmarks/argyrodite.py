"""Published mean squared displacements of six argyrodites, computed again by ``borarun analyse``.

B. J. Morgan, Chem. Mater. 33, 2004 (2021), doi 10.1021/acs.chemmater.0c03738: ab initio molecular
dynamics of Li6PS5Cl and Li6PS5I, 416 atoms, 70 ps at 500 K, with 0, 50 and 100 % of sulfide and
halide exchanged. Trajectories and figures are public (MIT licence).

    git clone https://github.com/bjmorgan/data_argyrodite_disorder
    python benchmarks/argyrodite.py data_argyrodite_disorder

A run is stored in five to seven consecutive files, which are joined. The published curves are read
from the vector drawing ``figures/msd.pdf``. Writes ``benchmarks/results/argyrodite.md``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from math import hypot
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results" / "argyrodite.md"
SYSTEMS = tuple((x, f"{percent}p") for percent in (0, 50, 100) for x in ("Li6PS5I", "Li6PS5Cl"))
"""In the order of the drawing: rows by disorder, columns by halide."""
INTERVAL_FS, TEMPERATURE_K = 100, 500
PANEL_PS, PANEL_A2 = 70.0, 55.0
"""Ranges of the axes of each panel."""
COMPARED_PS = (1.0, 5.0, 10.0, 20.0, 30.0)
FIT_FROM_PS = 10.0
A2_PER_PS_IN_CM2_PER_S = 1e-4


@dataclass(frozen=True)
class Curve:
    """A published curve: lag (n,) ps, mean squared displacement (n,) A^2, and half of the 95 %
    interval at its end, A^2.
    """

    lag_ps: NDArray[np.float64]
    msd_A2: NDArray[np.float64]
    half_A2: float

    def at(self, lag_ps: float) -> float:
        """Between the points of the drawing."""
        return float(np.interp(lag_ps, self.lag_ps, self.msd_A2))

    def diffusivity(self) -> tuple[float, float]:
        """A sixth of the slope of the later part, and half its interval, cm^2/s."""
        late = self.lag_ps >= FIT_FROM_PS
        slope = np.polyfit(self.lag_ps[late], self.msd_A2[late], 1)[0]
        half = self.half_A2 / self.lag_ps[-1]
        return slope / 6 * A2_PER_PS_IN_CM2_PER_S, half / 6 * A2_PER_PS_IN_CM2_PER_S


def published(pdf: Path) -> list[Curve]:
    """The six curves of the drawing: in each panel a frame, a band and a line."""
    data = pdf.read_bytes()
    drawing = next(
        text
        for match in re.finditer(rb"stream\r?\n", data)
        if (text := _inflated(data[match.end() : data.index(b"endstream", match.end())])).count(
            b" l\n"
        )
        > 100
    )
    paths: list[tuple[str, NDArray[np.float64]]] = []
    points: list[list[float]] = []
    for words in map(str.split, drawing.decode("latin-1").splitlines()):
        if len(words) == 3 and words[2] in ("m", "l"):
            points = points if words[2] == "l" else []
            points.append([float(words[0]), float(words[1])])
        elif words and words[-1] in ("S", "f"):
            if len(points) > 3:
                paths.append((words[-1], np.array(points)))
            points = []
    curves = []
    for (_, frame), (_, band), (_, line) in zip(paths[::3], paths[1::3], paths[2::3], strict=True):
        low, high = frame.min(axis=0), frame.max(axis=0)
        scale = np.array([PANEL_PS, PANEL_A2]) / (high - low)
        lag_ps, msd_A2 = ((line - low) * scale).T
        end = ((band - low) * scale)[np.isclose(band[:, 0], line[-1, 0], atol=0.01), 1]
        curves.append(Curve(lag_ps, msd_A2, float(np.ptp(end)) / 2))
    return curves


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def analysed(folder: Path, system: str, disorder: str, work: Path) -> Path:
    """The report's folder of one run."""
    name = f"{system}-{disorder}"
    joined = work / f"{name}.XDATCAR"
    with joined.open("wb") as file:
        for part in sorted((folder / "data" / system / disorder).glob("run*/actual_XDATCAR.gz")):
            file.write(gzip.decompress(part.read_bytes()))
    command = [sys.executable, "-m", "borarun", "analyse", str(joined), "--mobile", "Li"]
    command += ["--anion", "PS4", "--formula", system, "--supercell", "2,2,2", "--method", "PBEsol"]
    command += ["--temperature", str(TEMPERATURE_K), "--interval-fs", str(INTERVAL_FS)]
    subprocess.run([*command, "--name", name, "--runs", str(work)], check=True)
    return work / name / "report"


def _row(system: str, disorder: str, curve: Curve, report: Path) -> str:
    with (report / "tables" / "msd.csv").open(newline="") as file:
        ours = np.array([[float(row[3]), float(row[4])] for row in list(csv.reader(file))[1:]]).T
    (found,) = json.loads((report / "results.json").read_text())["transport"]
    D = found["diffusivity_cm2_s"]
    theirs, half = curve.diffusivity()
    beside = " | ".join(f"{np.interp(lag, *ours):.1f} / {curve.at(lag):.1f}" for lag in COMPARED_PS)
    if not found["accepted"]:
        said, verdict = f"below {D['high']:.1e}", "no value: sub-diffusive"
    else:
        said = f"{D['value']:.1e} ({D['low']:.1e} to {D['high']:.1e})"
        towards = D["high"] - D["value"] if theirs > D["value"] else D["value"] - D["low"]
        within = abs(theirs - D["value"]) <= hypot(towards, half)
        verdict = "within" if within else "outside"
    return (
        f"| {system}, {disorder[:-1]} % | {beside} | {said} | {theirs:.1e} ± {half:.1e} | "
        f"{verdict} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    curves = published(folder / "figures" / "msd.pdf")
    with tempfile.TemporaryDirectory() as work:
        rows = [
            _row(system, disorder, curve, analysed(folder, system, disorder, Path(work)))
            for (system, disorder), curve in zip(SYSTEMS, curves, strict=True)
        ]
    lags = " | ".join(f"{lag:g} ps" for lag in COMPARED_PS)
    RESULTS.write_text(
        TEXT.format(lags=lags, ruler="|---" * (len(COMPARED_PS) + 4) + "|", rows="\n".join(rows))
    )


TEXT = """\
# Published trajectories of argyrodites

`python benchmarks/argyrodite.py data_argyrodite_disorder`: ab initio molecular dynamics of Li6PS5Cl
and Li6PS5I of B. J. Morgan, Chem. Mater. 33, 2004 (2021), doi 10.1021/acs.chemmater.0c03738 (416
atoms, 70 ps at 500 K, an XDATCAR frame every 100 fs; MIT licence,
https://github.com/bjmorgan/data_argyrodite_disorder), through `borarun analyse`. The percentage is
that of sulfide and halide exchanged.

Mean squared displacement of Li, A^2, ours / published (read from the vector drawing of the
published figure), and diffusivity, cm^2/s. Published D: a sixth of the slope of the published curve
from 10 ps; its interval is that of the curve's end.

| system | {lags} | D, ours | D, published curve | |
{ruler}
{rows}

The curves agree within 0.1 A^2. With half of the anions exchanged, ions diffuse, and D is within
the combined interval. Ions of the others move in cages: borarun gives an upper bound, and the
publication calls the motion in ordered systems "restricted to local orbits". The exception is
Li6PS5I with 0 %: borarun accepts its run, and D is higher than the late slope of its curve. A run
of 70 ps is too short there.

Sites of Li are the 136 tetrahedra of a cubic cell that the publication describes; in Li6PS5Cl with
50 % exchanged, jumps between them are 2.4 A long.
"""

if __name__ == "__main__":
    main()
