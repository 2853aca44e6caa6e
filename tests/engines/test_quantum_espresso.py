"""The Quantum ESPRESSO reference: its files, the socket with a stand-in for pw.x, and, marked
``dft``, the real program on LiH.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read
from pydantic import ValidationError

from borarun.basics.errors import EngineError, ParseError
from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines.quantum_espresso import engine
from borarun.engines.quantum_espresso.calculator import explain
from borarun.engines.quantum_espresso.output import read_output
from borarun.engines.reference import base as reference
from borarun.records.frames import Frames
from borarun.records.operations.reference import Labelled, Pseudopotential
from borarun.structures.structure import Cell

DATA = Path(__file__).parent / "data" / "qe"
PSEUDOPOTENTIALS = Path("/usr/share/espresso/pseudo")
FILES = {"Li": "Li.pbesol-s-kjpaw_psl.0.2.1.UPF", "H": "H.pbe-kjpaw.UPF"}
STAND_IN = shlex.join([sys.executable, str(Path(__file__).parent / "stand_in_pw.py")])

real = shutil.which("pw.x") and all((PSEUDOPOTENTIALS / name).exists() for name in FILES.values())
needs_pw = pytest.mark.skipif(
    not real, reason="needs pw.x: apt-get install quantum-espresso quantum-espresso-data"
)


def settings(**keys: Any) -> engine.Settings:
    return engine.Settings(
        **{"operation": "label", "functional": "PBE", "pseudopotentials": FILES, **keys}
    )


def stand_in(*arguments: str) -> engine.Program:
    return engine.Program(command=f"{STAND_IN} {shlex.join(arguments)}")


def program() -> engine.Program:
    return engine.Program(pseudopotential_directory=str(PSEUDOPOTENTIALS))


def run(task: engine.Settings, site: engine.Program, directory: Path, images: list[Atoms]) -> Path:
    """The directory of a task in which its program has ended."""
    directory.mkdir(exist_ok=True)
    for name, content in engine.render(task, {"frames": Frames.of(images)}, site).items():
        (directory / name).write_text(str(content))
    subprocess.run(engine.command(task, 1, site), cwd=directory, check=True, timeout=3600)
    return directory


def lih(edge: float = 4.08, move: float = 0.0) -> Atoms:
    atoms = bulk("LiH", "rocksalt", a=edge)
    atoms.positions[0] += (move, 0.5 * move, 0)
    return atoms


def text_of(task: engine.Settings, atoms: Atoms) -> str:
    return str(engine.render(task, {"frames": Frames.of([atoms])}, program())["pw-1.in"])


def test_atoms_that_are_alike_follow_each_other_and_the_largest_cell_is_first() -> None:
    """Else the cutoff of a larger cell would be lower than that of the settings."""
    small, large, other = lih(), lih(), lih()
    large.set_cell(large.cell.array * 1.02, scale_atoms=True)
    del other[0]
    files = engine.render(
        settings(operation="label"),
        {"frames": Frames.of([small, other, large, small])},
        program(),
    )
    frames = Frames.from_extxyz(str(files["frames.extxyz"]))
    assert [len(atoms) for atoms in frames] == [2, 2, 2, 1]
    volumes = [atoms.get_volume() for atoms in frames]
    assert volumes[0] > volumes[1] == pytest.approx(small.get_volume())
    assert {"pw-1.in", "pw-2.in"} <= files.keys() and "pw-3.in" not in files


def test_it_offers_what_pw_has_and_says_so() -> None:
    with pytest.raises(
        ValidationError, match=r"quantum-espresso has PBE and PBE-D3 .* \(got r2SCAN\+rVV10\)"
    ):
        settings(functional="r2SCAN+rVV10")


@pytest.mark.parametrize(
    ("functional", "lines"),
    [
        ("PBE", {"input_dft = 'PBE'"}),
        (
            "PBE-D3",
            {
                "input_dft = 'PBE'",
                "vdw_corr = 'dft-d3'",
                "dftd3_version = 4",
                "dftd3_threebody = .false.",
            },
        ),
        (
            "PBE-D3-zero",
            {
                "input_dft = 'PBE'",
                "vdw_corr = 'dft-d3'",
                "dftd3_version = 3",
                "dftd3_threebody = .false.",
            },
        ),
        ("rev-vdW-DF2", {"input_dft = 'vdw-df2-b86r'"}),
    ],
)
def test_functionals_are_named_in_full(functional: str, lines: set[str]) -> None:
    found = {
        " ".join(line.split())
        for line in text_of(settings(functional=functional), lih()).splitlines()
    }
    assert lines <= found
    assert not [line for line in found if line.startswith(("vdw", "dftd3")) and line not in lines]


def test_the_input_fits_the_socket() -> None:
    """Any cell and no symmetry: the frames that come later have neither the first one's cell nor
    its symmetry.
    """
    found = {" ".join(line.split()) for line in text_of(settings(), lih()).splitlines()}
    assert {
        "calculation = 'vc-relax'",
        "cell_factor = 2.0",
        "nosym = .true.",
        "occupations = 'fixed'",
        "K_POINTS gamma",
    } <= found


def test_the_mesh_is_that_of_the_study_s_cell_made_coarser_by_repeats() -> None:
    assert reference.mesh((5, 4, 1), None, (40.0, 4.0, 4.0)) == (5, 4, 1)
    assert reference.mesh((5, 4, 1), (4.0, 4.0, 4.0), (4.0, 8.0, 12.0)) == (5, 2, 1)
    assert reference.mesh((5, 5, 5), (4.0, 4.0, 4.0), (3.9, 8.2, 11.7)) == (5, 3, 2), (
        "a cell that breathes keeps its mesh"
    )
    task = settings(kpoints=(4, 4, 4), kpoints_cell_A=lih().cell.lengths().tolist())
    assert "4 4 4  0 0 0" in text_of(task, lih()) and "2 4 4  0 0 0" in text_of(
        task, lih().repeat((2, 1, 1))
    )


def test_keys_of_pw_can_be_added_and_borarun_s_own_not_overruled() -> None:
    text = text_of(
        settings(
            espresso={"mixing_beta": 0.3, "electron_maxstep": 200, "diagonalization": "cg"},
            degauss_Ry=0.01,
        ),
        lih(),
    )
    assert (
        "mixing_beta      = 0.3" in text
        and "electron_maxstep = 200" in text
        and "'cg'" in text
        and "'smearing'" in text
    )
    for espresso, message in [
        ({"ecutwfc": 30}, "is set by borarun"),
        ({"mixng_beta": 0.3}, "pw.x has no key mixng_beta"),
        ({"diagonalization": "cg'\n/"}, "characters"),
    ]:
        with pytest.raises(ValidationError, match=message):
            settings(espresso=espresso)


@pytest.mark.parametrize(
    "keys",
    [
        {"ecutrho_Ry": 100.0},
        {"pseudopotentials": {"Xx": "a.UPF"}},
        {"pseudopotentials": {"Li": "../a.UPF"}},
        {"pseudopotentials": {}},
        {"pseudopotential_md5": {"Li": "0"}},
    ],
)
def test_settings_that_cannot_run_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**keys)


def test_what_is_missing_comes_with_its_way_out(tmp_path: Path) -> None:
    task = settings(pseudopotentials={"Li": "Li.UPF"})

    def missing(
        task: engine.Settings = task,
        directory: str | None = str(tmp_path),
        command: str = sys.executable,
    ) -> str:
        return engine.missing(
            task, engine.Program(command=command, pseudopotential_directory=directory)
        )

    assert "apt-get install quantum-espresso" in missing(command="no-such-pw.x")
    assert "set programs.quantum-espresso.pseudopotential_directory" in missing(directory=None)
    assert "Li.UPF cannot be read" in missing()
    (tmp_path / "Li.UPF").write_text('<PP_HEADER element=" B" />')
    assert "Li.UPF is not for Li" in missing()
    (tmp_path / "Li.UPF").write_text('<PP_HEADER element="Li" />')
    assert missing() == ""
    (tmp_path / "Li.UPF").write_text(
        "<PP_HEADER>\n  Li                     Element\n"
    )  # as older files say it
    assert missing() == ""
    md5 = hashlib.md5((tmp_path / "Li.UPF").read_bytes(), usedforsecurity=False).hexdigest()
    assert (
        missing(settings(pseudopotentials={"Li": "Li.UPF"}, pseudopotential_md5={"Li": md5})) == ""
    )
    assert f"(MD5 {md5}, the study needs {'0' * 32})" in missing(
        settings(pseudopotentials={"Li": "Li.UPF"}, pseudopotential_md5={"Li": "0" * 32})
    )


class TestSocket:
    """The socket and its evidence, with a stand-in for pw.x."""

    def test_one_process_for_each_list_of_atoms(self, tmp_path: Path) -> None:
        images = [lih(), lih(4.2, 0.1), lih().repeat((2, 1, 1)), lih(4.0)]
        result = engine.parse(settings(), run(settings(), stand_in(), tmp_path, images))
        labels = result.frames["labels"]
        assert result.facts.n_labels == 4 and result.facts.program == "PWSCF 0.stand-in"
        assert result.facts.pseudopotentials["H"] == Pseudopotential(file="H.UPF", md5=f"{2:032x}")
        text = (tmp_path / "pw.out").read_text()
        assert text.count("Program PWSCF") == text.count("JOB DONE") == 2
        assert json.loads((tmp_path / "pw.json").read_text())["inputs"] == ["pw-1.in", "pw-2.in"]
        assert labels.energy is not None
        assert [len(atoms) for atoms in labels] == [2, 2, 4, 2], "in the order that was asked for"
        assert labels.energy[2] == pytest.approx(2 * labels.energy[0])
        # the plane waves are those of the first cell that a process has, which is the largest
        first = text.split("Program PWSCF")[1]
        assert [
            round(float(line.split()[3]) * np.sqrt(2), 4)
            for line in first.splitlines()
            if "the cell is" in line
        ] == [4.2, 4.08, 4.0]

    def test_labels_are_what_the_program_computed(self, tmp_path: Path) -> None:
        from ase.calculators.lj import LennardJones

        image = lih(4.1, 0.2)
        labels = engine.parse(settings(), run(settings(), stand_in(), tmp_path, [image])).frames[
            "labels"
        ]
        image.calc = LennardJones(sigma=1.6, epsilon=0.5, rc=4.0, smooth=True)
        np.testing.assert_allclose(labels[0].get_forces(), image.get_forces(), atol=1e-7)
        np.testing.assert_allclose(labels[0].get_stress(), image.get_stress(), atol=1e-8)
        assert labels[0].get_potential_energy() == pytest.approx(
            image.get_potential_energy(), abs=1e-7
        )

    def test_a_cycle_that_does_not_converge_is_an_error_with_pw_s_words_and_no_label(
        self, tmp_path: Path
    ) -> None:
        task, images = settings(), [lih(), lih(4.1), lih(4.2)]
        run(task, stand_in("--unconverged", "2"), tmp_path, images)
        assert not (tmp_path / "labels.extxyz").exists()
        with pytest.raises(EngineError, match="did not converge") as caught:
            engine.parse(task, tmp_path)
        assert (
            "convergence NOT achieved" in caught.value.evidence
            and "mixing_beta" in caught.value.remedy
        )

        run(
            task, stand_in(), tmp_path, images
        )  # tried again, it goes on from the label that it has
        assert engine.parse(task, tmp_path).facts.n_labels == 3
        assert (tmp_path / "pw.out").read_text().count("convergence has been achieved") == 1 + 3

    def test_a_program_that_is_no_pw_is_told_as_it_is(self, tmp_path: Path) -> None:
        run(settings(), engine.Program(command="false"), tmp_path, [lih()])
        with pytest.raises(EngineError, match=r"pw\.x ended before its result"):
            engine.parse(settings(), tmp_path)

    def test_nothing_to_label_starts_nothing(self, tmp_path: Path) -> None:
        assert engine.parse(
            settings(), run(settings(), engine.Program(command="false"), tmp_path, [])
        ).facts == Labelled(n_labels=0)

    @pytest.mark.parametrize("operation", ["relax", "aimd"])
    def test_other_operations(self, operation: str, tmp_path: Path) -> None:
        task = settings(
            operation=operation,
            cell=Cell(text=Frames.of([lih(4.1)]).to_extxyz()),
            time_ps=0.005,
            temperature_K=100,
            max_steps=100,
        )
        result = engine.parse(task, run(task, stand_in(), tmp_path, []))
        assert type(result.facts) is reference.OPERATIONS[operation]
        assert {"program", "pseudopotentials"} <= result.facts.model_fields_set
        assert (tmp_path / "pw.out").read_text().count("Program PWSCF") == 1

    def test_a_label_without_evidence_is_refused(self, tmp_path: Path) -> None:
        directory = run(settings(), stand_in(), tmp_path, [lih(), lih(4.2)])
        text = (directory / "pw.out").read_text()
        (directory / "pw.out").write_text(
            text.replace("convergence has been achieved", "convergence has been missed", 1)
        )
        with pytest.raises(
            ParseError, match=r"pw\.out: has no converged cycle of the energy of label 1"
        ):
            engine.parse(settings(), directory)
        (directory / "pw.out").write_text(text.replace("correlation= PBE", "correlation= PBESOL"))
        with pytest.raises(ParseError, match=r"is of another functional \(PBESOL\)"):
            engine.parse(settings(), directory)

    def test_a_version_that_the_study_asks_for_is_that_of_every_run(self, tmp_path: Path) -> None:
        directory = run(settings(), stand_in(), tmp_path, [lih()])
        assert engine.parse(settings(version="0"), directory).facts.program == "PWSCF 0.stand-in"
        text = (directory / "pw.out").read_text()
        (directory / "pw.out").write_text(text.replace("v.0.stand-in", "v.7.2") + text)
        assert engine.parse(settings(), directory).facts.program == "PWSCF 7.2, PWSCF 0.stand-in"
        with pytest.raises(EngineError, match=r"asks for PWSCF 7\.2 \(got 0\.stand-in\)") as caught:
            engine.parse(settings(version="7.2"), directory)
        assert str(directory) in caught.value.remedy and not caught.value.cause.may_pass


def test_pw_s_own_words_are_quoted() -> None:
    box = (
        " %%%%%%%%\n     Error in routine setup (1):\n     charge is wrong: smearing is needed\n "
        "%%%%%%%%\n"
    )
    error = explain(
        f"Program PWSCF v.6.7\n convergence NOT achieved\nProgram PWSCF v.6.7\n{box}     "
        "PWSCF        : 1s\n",
        128,
    )
    assert str(error) == "pw.x stopped in setup: charge is wrong: smearing is needed."
    assert error.evidence.endswith("smearing is needed")


@pytest.mark.parametrize("name", ["lih_pbe", "lih_d3bj", "lih_rev", "b12_pbe", "b12_rev"])
def test_recorded_outputs_are_read_as_ase_reads_them(name: str) -> None:
    """Outputs of Quantum ESPRESSO 6.7 without a socket."""
    found = read_output(DATA / f"{name}.pwo")
    recorded = read(DATA / f"{name}.pwo", format="espresso-out")
    assert isinstance(recorded, Atoms)
    assert found.energy == pytest.approx(
        [recorded.get_potential_energy()], rel=2e-7
    )  # older values of the Rydberg
    assert found.programs == ("PWSCF 6.7MaX",)
    assert found.functionals == {"VDW-DF2-B86R" if name.endswith("rev") else "PBE"}
    assert found.pseudopotentials["Li"] == Pseudopotential(
        file=FILES["Li"], md5="859015b7cfe8ffa064b4dbcc5a9071b6"
    )


@pytest.mark.dft
@needs_pw
class TestRealProgram:
    """LiH with Debian's Quantum ESPRESSO and pseudopotentials; about three minutes of one core, of
    which the kernel table takes more than one.
    """

    @pytest.mark.parametrize(
        ("functional", "name"),
        [("PBE", "lih_pbe"), ("PBE-D3", "lih_d3bj"), ("rev-vdW-DF2", "lih_rev")],
    )
    def test_the_socket_gives_what_a_run_of_its_own_gives(
        self, functional: str, name: str, tmp_path: Path
    ) -> None:
        recorded = read(DATA / f"{name}.pwo", format="espresso-out")
        assert isinstance(recorded, Atoms)
        task = settings(
            functional=functional,
            ecutwfc_Ry=45,
            ecutrho_Ry=360,
            kpoints=(2, 2, 2),
            degauss_Ry=0.2 / 13.605693,
            conv_thr_Ry=1e-8,
        )
        assert engine.missing(task, program()) == ""
        label = engine.parse(task, run(task, program(), tmp_path, [recorded])).frames["labels"][0]
        # the cycles end at 1e-8 Ry; ASE's units of output files and of sockets differ by 8e-8, of
        # 883 eV
        assert label.get_potential_energy() == pytest.approx(
            recorded.get_potential_energy(force_consistent=True), abs=2e-4
        )
        np.testing.assert_allclose(label.get_forces(), recorded.get_forces(), atol=2e-3)
        np.testing.assert_allclose(
            label.get_stress() * EV_PER_A3_IN_KBAR,
            recorded.get_stress() * EV_PER_A3_IN_KBAR,
            atol=0.05,
        )

    def test_labels_are_derivatives_of_the_energy_and_supercells_agree(
        self, tmp_path: Path
    ) -> None:
        rest, step = lih(4.08, 0.1), 0.02
        images = [rest]
        for sign in (1, -1):
            moved, strained = rest.copy(), rest.copy()
            moved.positions[0, 0] += sign * step
            strained.set_cell(rest.cell.array * (1 + sign * step / 3), scale_atoms=True)
            images += [moved, strained]
        task = settings(
            ecutwfc_Ry=45,
            ecutrho_Ry=360,
            kpoints=(2, 2, 2),
            kpoints_cell_A=rest.cell.lengths().tolist(),
            conv_thr_Ry=1e-10,
        )
        labels = engine.parse(task, run(task, program(), tmp_path / "one", images)).frames["labels"]
        assert labels.energy is not None
        slope = (labels.energy[1] - labels.energy[3]) / (2 * step)
        assert slope == pytest.approx(-labels[0].get_forces()[0, 0], rel=0.01)
        slope = (
            (labels.energy[2] - labels.energy[4]) / (2 * step) / rest.get_volume()
        )  # d ln V = 3 d ln a
        assert slope == pytest.approx(labels[0].get_stress()[:3].mean(), rel=0.03)
        # a task of its own, in which the plane waves of both are those of the cell at rest
        images = [rest, rest.repeat((2, 1, 1))]
        labels = engine.parse(task, run(task, program(), tmp_path / "two", images)).frames["labels"]
        assert labels.energy is not None
        assert labels.energy[1] == pytest.approx(2 * labels.energy[0], abs=2e-3)
        np.testing.assert_allclose(labels[1].get_forces()[:2], labels[0].get_forces(), atol=5e-3)

    def test_relaxation_finds_the_lattice_parameter(self, tmp_path: Path) -> None:
        """At 100/500 Ry it is 3.992 angstrom as well; measured at room temperature are 4.08,
        zero-point motion and heat included.
        """
        start = Cell(text=Frames.of([lih(4.08)]).to_extxyz())
        task = settings(
            operation="relax",
            cell=start,
            ecutwfc_Ry=80,
            ecutrho_Ry=360,
            kpoints=(3, 3, 3),
            max_stress_kbar=0.5,
        )
        facts = engine.parse(task, run(task, program(), tmp_path, [])).facts
        assert facts.lattice_A[0] * np.sqrt(2) == pytest.approx(3.992, abs=0.005)
        assert facts.space_group == "Fm-3m (225)"

    def test_a_cycle_that_is_stopped_early_is_an_error(self, tmp_path: Path) -> None:
        task = settings(ecutwfc_Ry=30, ecutrho_Ry=240, espresso={"electron_maxstep": 2})
        run(task, program(), tmp_path, [lih()])
        with pytest.raises(EngineError, match="did not converge") as caught:
            engine.parse(task, tmp_path)
        assert caught.value.evidence.endswith(
            "convergence NOT achieved after   2 iterations: stopping"
        )


def test_pw_tells_its_version_with_nothing_to_read() -> None:
    site = engine.Program(command="mpirun -np {cores} pw.x", pseudopotential_directory="/upf")
    (probe,) = engine.probes(site)
    assert (
        probe.read("\n     Program PWSCF v.6.7MaX starts on 23Nov2026 at  2:36:55 \n").version
        == "pw.x 6.7MaX"
    )
    assert engine.paths(site) == {"pseudopotential_directory": "/upf"}
