"""How fast a vasprun.xml becomes arrays: borarun's reader against pymatgen and ASE.

All read one file of molecular dynamics of 104 atoms, laid out as VASP lays it out, into cells,
positions, energies, forces and stresses of all steps. borarun and pymatgen also read the settings
in force and count electronic cycles, which the gate of labels needs. CPU times of one thread, in
turn, the median of three. Memory is the peak of a process of its own that reads the file, over that
of one that reads a single step.

    python benchmarks/vasprun.py

writes ``benchmarks/results/vasprun.md``.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # before they load

import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results" / "vasprun.md"
RECORDED = (
    Path(__file__).parent.parent
    / "tests"
    / "engines"
    / "data"
    / "vasp"
    / "label"
    / "run-1"
    / "vasprun.xml"
)
ATOMS, STEPS, CYCLES, REPEATS = 104, 500, 12, 3


def _vectors(name: str, rows: NDArray[np.float64]) -> str:
    lines = "".join(
        f"   <v>{''.join(f' {value:15.8f}' for value in row)} </v>\n" for row in rows.tolist()
    )
    return f'  <varray name="{name}" >\n{lines}  </varray>\n'


def write(file: Path) -> None:
    """Steps of atoms at random behind the head of a recorded file, its list of atoms made
    longer.
    """
    chance = np.random.default_rng(1)
    head = RECORDED.read_text().split(" <calculation>")[0]
    atom = "<rc><c>H </c><c>   1</c></rc>"
    before, after = (
        head.split('<array name="atoms" >')[0],
        head.split('<array name="atomtypes" >')[1],
    )
    head = (
        f'{before}<array name="atoms" >\n<set>{atom * ATOMS}</set></array><array '
        f'name="atomtypes" >{after}'
    )
    before, after = head.split(' <structure name="initialpos" >')[0], head.split("</structure>")[-1]
    energies = "".join(
        f'    <i name="{name}">{-650.0:16.8f} </i>\n'
        for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    )
    cycle = (
        f'  <scstep>\n   <time name="total">    9.00    9.00</time>\n   <energy>\n{energies}   '
        "</energy>\n  </scstep>\n"
    )

    def structure(name: str) -> str:
        crystal = (
            _vectors("basis", 9.6 * np.eye(3))
            + '  <i name="volume">    884.73600000 </i>\n'
            + _vectors("rec_basis", np.eye(3) / 9.6)
        )
        return (
            f" <structure{name}>\n <crystal>\n{crystal} "
            f"</crystal>\n{_vectors('positions', chance.random((ATOMS, 3)))} </structure>\n"
        )

    with file.open("w") as text:
        text.write(before + structure(' name="initialpos" ') + after)
        for _ in range(STEPS):
            arrays = _vectors("forces", chance.normal(size=(ATOMS, 3))) + _vectors(
                "stress", chance.normal(size=(3, 3))
            )
            text.write(
                f" <calculation>\n{cycle * CYCLES}{structure('')}{arrays}  "
                f"<energy>\n{energies}  </energy>\n </calculation>\n"
            )
        text.write(structure(' name="finalpos" ') + "</modeling>\n")


def borarun(file: Path) -> NDArray[np.float64]:
    from borarun.engines.vasp.output_xml import read_vasprun

    return read_vasprun(file).forces


def pymatgen(file: Path) -> NDArray[np.float64]:
    from pymatgen.io.vasp.outputs import Vasprun

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = Vasprun(file, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
    return np.array([step["forces"] for step in run.ionic_steps])


def ase(file: Path) -> NDArray[np.float64]:
    from ase.io import iread

    return np.array(
        [
            image.get_forces(apply_constraint=False)
            for image in iread(file, index=":", format="vasp-xml")
        ]
    )


READERS: dict[str, Callable[[Path], NDArray[np.float64]]] = {
    "borarun": borarun,
    "pymatgen": pymatgen,
    "ase": ase,
}


def memory(name: str, file: Path) -> float:
    """Peak of a process that reads the file, MB."""
    return float(
        subprocess.run(
            [sys.executable, __file__, name, str(file)], check=True, capture_output=True, text=True
        ).stdout
    )


def main() -> None:
    """Time all readers and write the table."""
    times: dict[str, list[float]] = {name: [] for name in READERS}
    with tempfile.TemporaryDirectory() as folder:
        file, small = Path(folder) / "vasprun.xml", Path(folder) / "small.xml"
        write(file)
        small.write_text(RECORDED.read_text())
        read = {}
        for repeat in range(REPEATS + 1):
            for name, reader in READERS.items():
                begun = time.process_time()
                read[name] = reader(file if repeat else small)
                if repeat:  # the first imports
                    times[name].append(time.process_time() - begun)
        assert all(np.array_equal(found, read["borarun"]) for found in read.values()) and read[
            "borarun"
        ].shape == (STEPS, ATOMS, 3)
        peaks = {name: memory(name, file) - memory(name, small) for name in READERS}
        megabytes = file.stat().st_size / 1e6
    lines = [
        "# vasprun.xml to arrays",
        "",
        f"`python benchmarks/vasprun.py`: {ATOMS} atoms x {STEPS} steps, {CYCLES} electronic "
        f"cycles each, {megabytes:.0f} MB, CPU time of one thread, median of {REPEATS}.",
        "Memory: peak of a process that reads the file, over that of one that reads a single "
        f"step. Python {platform.python_version()} on {platform.machine()}, {os.cpu_count()} "
        "cores.",
        "",
        "| reader | version | CPU time, s | over borarun's | memory, MB | settings, cycles |",
        "|---|---|---|---|---|---|",
    ]
    for name, taken in times.items():
        cells = [
            metadata.version(name),
            f"{median(taken):.2f}",
            f"{median(taken) / median(times['borarun']):.1f}",
            f"{peaks[name]:.0f}",
        ]
        lines.append(f"| {' | '.join([name, *cells, 'no' if name == 'ase' else 'yes'])} |")
    RESULTS.write_text("\n".join(lines) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    if len(sys.argv) == 3:
        READERS[sys.argv[1]](Path(sys.argv[2]))
        print(
            int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1e3
        )  # ru_maxrss would be the parent's
    else:
        main()
