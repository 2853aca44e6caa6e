"""VASP's inputs, its recorded outputs and the gate; the program around it, with the stand-in at the
other end of VASP's own files.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.vasp.create_input import GenerateVaspInput
from ase.io import read
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.testing import assert_allclose
from phonopy.interface.vasp import parse_set_of_forces
from potcars import TITELS, made_up_potcar, write_potcars
from pydantic import ValidationError
from pymatgen.io.vasp.inputs import Incar, Poscar
from pymatgen.io.vasp.outputs import Oszicar, Outcar, Vasprun, Xdatcar

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError, ParseError, TimeUpError
from borarun.basics.job_time import JOB_ENDS
from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines.base import Told
from borarun.engines.registry import ENGINES
from borarun.engines.vasp import engine, program
from borarun.engines.vasp import inputs as vasp_inputs
from borarun.engines.vasp import output as vasp_output
from borarun.engines.vasp.inputs import known_tags
from borarun.engines.vasp.job import Noted
from borarun.engines.vasp.output_xml import last_structure, read_vasprun
from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames
from borarun.records.operations.reference import Potcar, Relaxed, Sampled
from borarun.records.store import Store
from borarun.records.task import About, Ref, Result
from borarun.run.claim import Holder
from borarun.run.work import perform
from borarun.sharing.records import share
from borarun.structures.files import read_structure
from borarun.structures.structure import Cell
from borarun.subjects.common.stage import make_task

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data" / "vasp"
STANDIN = ROOT / "tests" / "standins" / "vasp.py"
COMMAND = [sys.executable, str(STANDIN)]
SHIPPED = (ROOT / "borarun" / "potentials" / "Li2B12H12-PBE-D3.mtp").read_text()
MLP = shutil.which("mlp")

# folder: energy TOTEN of the last step, eV, and its external pressure, kbar, as the OUTCAR prints
# them
RECORDED = {
    "relaxation": (-1.924600, -1.15),
    "scan_relaxation": (-6.82078391, -1.75),
    "static_silicon": (-10.645278, -15.23),
    "relaxation_6.4.2": (-10.84147289, -0.48),
}


@pytest.fixture(scope="session")
def potcars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of POTCARs as VASP ships it."""
    return write_potcars(tmp_path_factory.mktemp("potpaw"))


def pa3() -> Atoms:
    """Li2B12H12 with its elements mixed, as a POSCAR cannot have them."""
    atoms = read_structure(ROOT / "studies" / "structures" / "Li2B12H12-Pa-3.cif")
    return atoms[np.random.default_rng(1).permutation(len(atoms))]


def text_of(atoms: Atoms) -> str:
    return Frames.of([atoms]).to_extxyz()


def settings(**keys: Any) -> engine.Settings:
    start = keys.pop("atoms", None)
    cell = {} if start is None else {"cell": Cell(text=text_of(start))}
    return engine.Settings(
        **{"operation": "label", "functional": "PBE", "potcar": TITELS, **cell, **keys}
    )


def site(potcars: Path, **keys: Any) -> engine.Program:
    return engine.Program(
        **{"command": shlex.join(COMMAND), "potcar_directory": str(potcars), **keys}
    )


def incar_of(task: engine.Settings, atoms: Atoms | None = None) -> dict[str, Any]:
    inputs = {"frames": Frames.of([atoms or pa3()])} if task.operation == "label" else {}
    return dict(Incar.from_str(str(engine.render(task, inputs, engine.Program())["INCAR"])))


# -- inputs
# ---------------------------------------------------------------------------------------------------------------------------------  # noqa: E501


@pytest.mark.parametrize(
    ("functional", "tags"),
    [
        ("PBE", {"GGA": "Pe"}),
        ("PBE-D3", {"GGA": "Pe", "IVDW": 12}),
        ("PBE-D3-zero", {"GGA": "Pe", "IVDW": 11}),
        (
            "rev-vdW-DF2",
            {
                "GGA": "Mk",
                "PARAM1": 0.1234568,
                "PARAM2": 0.711357,
                "LUSE_VDW": True,
                "ZAB_VDW": -1.8867,
                "AGGAC": 0.0,
            },
        ),
        (
            "r2SCAN+rVV10",
            {"METAGGA": "R2scan", "LUSE_VDW": True, "BPARAM": 11.95, "CPARAM": 0.0093},
        ),
    ],
)
def test_functionals_are_named_in_full(functional: str, tags: dict[str, Any]) -> None:
    found = incar_of(settings(functional=functional))
    says_functional = {
        "GGA",
        "METAGGA",
        "IVDW",
        "PARAM1",
        "PARAM2",
        "LUSE_VDW",
        "ZAB_VDW",
        "AGGAC",
        "BPARAM",
        "CPARAM",
    }
    assert {tag: value for tag, value in found.items() if tag in says_functional} == tags
    assert (
        found["LASPH"] is True
        and found["ENCUT"] == 600
        and found["ISMEAR"] == 0
        and found["SIGMA"] == 0.2
        and found["EDIFF"] == 1e-6
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("rev-vdW-DF2", "rev-vdw-df2"),
        ("vdW-DF2", "vdw-df2"),
        ("optB86b-vdW", "optb86b-vdw"),
        ("optB88-vdW", "optb88-vdw"),
        ("optPBE-vdW", "optpbe-vdw"),
    ],
)
def test_functionals_are_those_of_ase(ours: str, theirs: str) -> None:
    """ASE keeps a table of its own; it has 10/81 with four digits."""
    found = {tag.lower(): value for tag, value in engine.FUNCTIONALS[ours].items()}
    expected = GenerateVaspInput.xc_defaults[theirs]
    for tag in {"gga", "param1", "param2", "zab_vdw", "luse_vdw", "aggac"} & expected.keys():
        assert found[tag] == (
            pytest.approx(expected[tag], abs=1e-4)
            if isinstance(expected[tag], float)
            else expected[tag]
        )


def test_each_operation_has_its_tags() -> None:
    label, relax = (
        incar_of(settings()),
        incar_of(settings(operation="relax", atoms=pa3(), fmax_eV_per_A=0.005)),
    )
    assert (label["IBRION"], label["NSW"]) == (-1, 0)
    assert (relax["IBRION"], relax["ISIF"], relax["NSW"], relax["EDIFFG"]) == (2, 3, 500, -0.005)
    assert (
        incar_of(settings(operation="relax", atoms=pa3(), ionic_tolerance_eV=1e-5))["EDIFFG"]
        == 1e-5
    )
    fixed = incar_of(
        settings(operation="relax", atoms=pa3(), relax_cell=False, keep_symmetry=False)
    )
    assert (fixed["ISIF"], fixed["ISYM"]) == (2, 0)
    aimd = incar_of(
        settings(
            operation="aimd",
            atoms=pa3(),
            time_ps=0.1,
            timestep_fs=0.5,
            sample_every_fs=5,
            temperature_K=700,
            friction_per_ps=8,
            seed=7,
        )
    )
    expected = {
        "IBRION": 0,
        "MDALGO": 3,
        "ISIF": 3,
        "NSW": 201,
        "POTIM": 0.5,
        "TEBEG": 700,
        "TEEND": 700,
        "LANGEVIN_GAMMA": [8, 8, 8],
        "NBLOCK": 1,
        "ISYM": 0,
    }
    assert {tag: aimd[tag] for tag in expected} == expected
    assert (
        [int(seed) for seed in aimd["RANDOM_SEED"]] == [7, 0, 0]
        and aimd["LANGEVIN_GAMMA_L"] == 10
        and aimd["PMASS"] == 100
    )


def test_tags_of_vasp_can_be_added_and_overruled() -> None:
    found = incar_of(
        settings(
            incar={
                "NCORE": 4,
                "PREC": "Normal",
                "LREAL": "Auto",
                "ROPT": [1e-3, 1e-3, 1e-3],
                "ENCUT": 450,
                "ISIF": 4,
            }
        )
    )
    assert found["ENCUT"] == 450 and found["ISIF"] == 4  # also those that the settings say
    assert found["NCORE"] == 4 and found["PREC"] == "Normal" and found["LREAL"] == "Auto"
    assert settings(incar={"NCORE": 4}).model_dump() != settings().model_dump()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"incar": {"NCOER": 4}}, "VASP has no tag NCOER"),
        ({"incar": {"ncore": 4}}, "VASP has no tag ncore"),
        ({"incar": {"ML_LMLFF": True}}, "ML_LMLFF switches on VASP's machine-learned force"),
        ({"incar": {"ML_MODE": "run"}}, "ML_MODE switches on VASP's machine-learned force"),
        ({"incar": {"NWRITE": 0}}, "NWRITE = 0 writes no TITEL of the POTCARs"),
        ({"incar": {"LEPSILON": True}}, r"LEPSILON makes a run of linear response \(LEPSILON\)"),
        ({"incar": {"IBRION": 8}}, "IBRION makes a run of phonons by VASP itself"),
        ({"incar": {"ICHARG": 11}}, "ICHARG makes a run at a fixed density, as of bands"),
        ({"incar": {"ALGO": "G0W0R"}}, "ALGO makes a run of many-body theory"),
        ({"incar": {"LSORBIT": True}}, "LSORBIT makes a run with spin-orbit coupling"),
        (
            {"incar": {"ALGO": "Fast\nNSW = 5"}},
            "characters that are not allowed in a value of VASP",
        ),
        ({"incar": {"ZAB_VDW": 1.8867}}, "ZAB_VDW is negative"),
        ({"incar": {"LUSE_VDW": True}}, "would turn PBE into another functional"),
        ({"potcar": {"Li": "PAW_PBE B 06Sep2000"}}, "TITEL of a PBE POTCAR of Li"),
        ({"potcar": {"Li": "PAW Li 10Sep2004"}}, "TITEL of a PBE POTCAR of Li"),
        ({"potcar": {"Li": "PAW_PBE Li/../../x 10Sep2004"}}, "TITEL of a PBE POTCAR of Li"),
        ({"potcar": {"Xx": "PAW_PBE Xx 10Sep2004"}}, "must name chemical elements"),
        ({"functional": "B3LYP"}, "vasp has PBE and PBE-D3"),
    ],
)
def test_settings_that_cannot_run_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**keys)


def test_atoms_are_grouped_by_element_and_found_again() -> None:
    atoms = Atoms("HLiHBLi", positions=np.arange(15).reshape(5, 3) * 0.4, cell=[9, 8, 7], pbc=True)
    assert vasp_inputs.order(atoms.numbers).tolist() == [0, 2, 1, 4, 3]
    poscar = Poscar.from_str(vasp_inputs.poscar(atoms))
    assert (
        poscar.site_symbols == ["H", "Li", "B"]
        and poscar.natoms == [2, 2, 1]
        and vasp_inputs.elements(atoms) == ["H", "Li", "B"]
    )
    assert_allclose(poscar.structure.cart_coords, atoms.positions[[0, 2, 1, 4, 3]], atol=1e-14)


def test_the_mesh_is_that_of_the_study_s_cell_made_coarser_by_repeats() -> None:
    edges = pa3().cell.lengths().tolist()

    def mesh(atoms: Atoms, **keys: Any) -> str:
        task = settings(kpoints_cell_A=edges, **keys)
        return str(
            engine.render(task, {"frames": Frames.of([atoms])}, engine.Program())["KPOINTS"]
        ).splitlines()[3]

    assert mesh(pa3()) == "5 5 5" and mesh(pa3().repeat((2, 1, 3))) == "3 5 2"
    aimd = settings(operation="aimd", atoms=pa3())
    assert str(engine.render(aimd, {}, engine.Program())["KPOINTS"]).splitlines()[2:4] == [
        "Gamma",
        "1 1 1",
    ]


def test_the_gamma_version_runs_where_the_gamma_point_is_all() -> None:
    def command(**keys: Any) -> list[str]:
        program = engine.Program(
            command="srun -n {cores} vasp_std", gamma_command="srun -n {cores} vasp_gam"
        )
        return engine.command(settings(operation="aimd", **keys), 8, program)[3:]

    assert command() == ["srun", "-n", "8", "vasp_gam"] and command(kpoints_aimd=(2, 2, 2)) == [
        "srun",
        "-n",
        "8",
        "vasp_std",
    ]


def test_what_is_missing_comes_with_its_way_out(potcars: Path, tmp_path: Path) -> None:
    task = settings(functional="rev-vdW-DF2")
    assert "no-such-vasp is not found" in engine.missing(
        task, site(potcars, command="no-such-vasp")
    )
    assert "set programs.vasp.potcar_directory" in engine.missing(
        task, engine.Program(command=sys.executable)
    )
    assert "Li_sv/POTCAR cannot be read" in engine.missing(task, site(tmp_path))
    newer = settings(potcar={**TITELS, "H": "PAW_PBE H 01Jan2030"})
    assert "is PAW_PBE H 15Jun2001, not the study's PAW_PBE H 01Jan2030" in engine.missing(
        newer, site(potcars)
    )
    assert "no_kernel is missing" in engine.missing(task, site(potcars, vdw_kernel="/no_kernel"))
    assert (
        engine.missing(task, site(potcars))
        == ""
        == engine.missing(
            settings(functional="r2SCAN+rVV10"), site(potcars, vdw_kernel="/no_kernel")
        )
    )


# -- recorded outputs
# -----------------------------------------------------------------------------------------------------------------------  # noqa: E501


def recorded(name: str, directory: Path) -> Path:
    for file in (DATA / name).glob("*.gz"):
        (directory / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    return directory


def as_asked(run: vasp_output.Run, file: Path) -> vasp_output.Asked:
    """That which a recorded run did, as if it had been asked for."""
    start = Atoms(run.symbols, scaled_positions=run.fractional[0], cell=run.cell[0], pbc=True)
    titels = dict(zip(dict.fromkeys(run.symbols), run.titels, strict=True))
    mesh = (run.mesh[0], run.mesh[1], run.mesh[2])
    return vasp_output.Asked(
        {**run.tags, "NSW": Vasprun(file, parse_potcar_file=False).parameters["NSW"]},
        titels,
        0.0,
        mesh,
        start,
        np.arange(len(start)),
    )


def potcar(zval: float) -> Potcar:
    """A POTCAR of which only the number of electrons counts."""
    return Potcar(titel="", sha256="", zval=zval)


NOTED = Noted(
    steps=1,
    stopped=False,
    potcars={"Li": potcar(3.0), "H": potcar(1.0), "Si": potcar(4.0)},
    corrections=(),
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_outputs_are_read_and_pass_the_gate(name: str, tmp_path: Path) -> None:
    directory = recorded(name, tmp_path)
    run = vasp_output.read_run(directory, NOTED)
    asked = as_asked(run, directory / "vasprun.xml")
    vasp_output.gate(run, asked)
    atoms = run.frames(asked, [len(run.energy) - 1])[0]
    peer = read(directory / "OUTCAR", format="vasp-out")
    assert isinstance(peer, Atoms) and peer.calc is not None
    assert_allclose(run.energy[-1], peer.calc.results["free_energy"], atol=1e-6)
    assert_allclose(atoms.get_forces(), peer.get_forces(), atol=2e-6)
    assert_allclose(atoms.get_stress(), peer.get_stress(), atol=1e-5)
    assert_allclose(atoms.cell.array, peer.cell.array, atol=1e-6)
    energy, pressure = RECORDED[name]
    assert run.energy[-1] == pytest.approx(energy, abs=1e-6)
    assert -atoms.get_stress()[:3].mean() * 1602.1766 == pytest.approx(pressure, abs=0.006), (
        "external pressure of the OUTCAR, kbar"
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [*RECORDED, "label/run-1"])
def test_the_stream_has_the_values_of_pymatgen(name: str, tmp_path: Path) -> None:
    file = DATA / name / "vasprun.xml"
    file = file if file.exists() else recorded(name, tmp_path) / "vasprun.xml"
    ours, theirs = (
        read_vasprun(file),
        Vasprun(file, parse_dos=False, parse_eigen=False, parse_potcar_file=False),
    )
    steps = theirs.ionic_steps
    for found, expected in {
        "energy": [step["e_fr_energy"] for step in steps],
        "forces": [step["forces"] for step in steps],
        "fractional": [step["structure"].frac_coords for step in steps],
        "cell": [step["structure"].lattice.matrix for step in steps],
        "cycles": [len(step["electronic_steps"]) for step in steps],
    }.items():
        assert np.array_equal(getattr(ours, found), expected), found
    assert ours.stress is not None
    assert_allclose(
        voigt_6_to_full_3x3_stress(ours.stress) * -EV_PER_A3_IN_KBAR,
        [step["stress"] for step in steps],
        atol=1e-10,
    )
    assert (ours.version, list(ours.symbols), ours.mesh) == (
        theirs.vasp_version,
        theirs.atomic_symbols,
        theirs.kpoints.kpts[0],
    )
    for tags, expected_tags in ((ours.incar, theirs.incar), (ours.parameters, theirs.parameters)):
        assert {tag: str(value).upper() for tag, value in tags.items()} == {
            tag.upper(): str(value).upper() for tag, value in expected_tags.items()
        }


def test_what_fortran_could_not_print_is_no_number(silicon: Path) -> None:
    text = (silicon / "vasprun.xml").read_text()
    before, after = text.split('<varray name="forces" >')
    rows = after.split("</v>", 1)
    stars = "<v>" + " ".join(["********", *rows[0].split()[2:]])
    (silicon / "vasprun.xml").write_text(f'{before}<varray name="forces" >{stars}</v>{rows[1]}')
    run = vasp_output.read_run(silicon, NOTED)
    assert np.isnan(run.forces).sum() == 1
    with pytest.raises(ParseError, match="finite numbers: forces that is not a number"):
        vasp_output.gate(run, as_asked(run, silicon / "vasprun.xml"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '<varray name="forces"',
            '<varray name="former"',
            "has no forces in step 1",
        ),
        ('<i name="e_fr_energy">', '<i name="e_fr_energy">1 2', r"damaged after step 0 \("),
        (
            "<rc><c>Si</c>",
            "<rd><c>Si</c>",
            r"damaged after step 0 \(mismatched tag: line \d+, column \d+",
        ),
        (
            '<i name="e_fr_energy">',
            '<i name="e_fr_energy">1_000.0</i><i>',
            "'1_000.0' is not a num",
        ),
        (
            '<i name="e_fr_energy">',
            '<i name="e_fr_energy">-1.0E+308</i><i>',
            r"1e\+308 is impossible as an energy",
        ),
        ("<rc><c>", "<row><c>", "damaged after step 0"),
        ('name="NELM"', 'name="MLEN"', "does not contain NELM"),
        ("<kpoints>", "<kpoints/><other>", "damaged after step 0"),
    ],
)
def test_damage_is_told_with_its_place(old: str, new: str, message: str, silicon: Path) -> None:
    text = (silicon / "vasprun.xml").read_text()
    assert old in text
    (silicon / "vasprun.xml").write_text(text.replace(old, new))
    with pytest.raises(ParseError, match=f"^vasprun.xml: .*{message}"):
        vasp_output.read_run(silicon, NOTED)


def test_memory_holds_one_step(silicon: Path) -> None:
    """Forty copies of the step, each with its levels and cycles, take little more than four."""
    head, rest = (silicon / "vasprun.xml").read_text().split(" <calculation>\n")
    step, tail = rest.split(" </calculation>\n")
    cycle = "  <scstep><energy>" + '<i name="e_fr_energy"> 1.0 </i>' * 50 + "</energy></scstep>\n"

    def peak(steps: int) -> int:
        (silicon / "vasprun.xml").write_text(
            head + f" <calculation>\n{cycle}{step} </calculation>\n" * steps + tail
        )
        tracemalloc.start()
        assert len(read_vasprun(silicon / "vasprun.xml").energy) == steps
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(40) < 1.5 * peak(4)


def test_a_recorded_outcar_of_npt_tells_its_steps_and_that_the_cell_moved(tmp_path: Path) -> None:
    outcar = vasp_output.read_outcar(recorded("npt", tmp_path) / "OUTCAR")
    assert (
        outcar.mdalgo == 3
        and len(outcar.energy) == 10
        and outcar.energy[[0, -1]].tolist() == [-369.40258132, -369.08286247]
    )
    assert outcar.titels == ["PAW_PBE Li 17Jan2003", "PAW_PBE P 17Jan2003", "PAW_PBE S 17Jan2003"]


@pytest.fixture
def silicon(tmp_path: Path) -> Path:
    return recorded("static_silicon", tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["vasprun.xml", "OUTCAR"])
def test_an_output_cut_short_is_an_error_and_never_a_number(name: str, silicon: Path) -> None:
    whole = (silicon / name).read_bytes()
    for part in range(20):
        (silicon / name).write_bytes(whole[: len(whole) * part // 20])
        with pytest.raises(ParseError, match=f"^{name}: "):
            vasp_output.read_run(silicon, NOTED)
    (silicon / name).unlink()
    with pytest.raises(ParseError, match=f"^{name}: cannot be read"):
        vasp_output.read_run(silicon, NOTED)


def test_tags_of_new_versions_are_known() -> None:
    new = ("NCSHMEM", "LH5", "LIBXC1", "NHC_NCHAINS", "CSVR_PERIOD", "KERNEL_TRUNCATION", "EFERMI")
    assert set(new) <= known_tags()
    assert settings(incar={"NWRITE": 2, "NHC_NCHAINS": 3, "ALGO": "Normal", "ICHARG": 1}).incar


def test_energies_of_two_runs_are_both_named(silicon: Path) -> None:
    text = (silicon / "OUTCAR").read_text()
    (energy,) = re.findall(r"free  energy   TOTEN  = +(-\d+\.\d+)", text)
    (silicon / "OUTCAR").write_text(text.replace(energy, f"{float(energy) + 0.01:.8f}"))
    with pytest.raises(ParseError) as caught:
        vasp_output.read_run(silicon, NOTED)
    said = str(caught.value)
    assert f"{float(energy) + 0.01:.8f}" in said and "e_fr_energy = -10.64527774 eV" in said
    (silicon / "OUTCAR").write_text(text.replace(energy, f"{float(energy) + 4e-6:.6f}"))
    vasp_output.read_run(silicon, NOTED)


def test_an_energy_that_still_changed_has_not_converged(silicon: Path) -> None:
    """Of a cycle that ended before NELM: JVASP-39, with 113 of 400 cycles, changed by 1.2 meV."""
    text = (silicon / "vasprun.xml").read_text()
    assert vasp_output.read_run(silicon, NOTED).converged.all()
    cycles = text.split("</scstep>")
    last = re.sub(
        r'(e_fr_energy"> *)(-?[\d.]+)',
        lambda match: f"{match[1]}{float(match[2]) + 0.0012:.8f}",
        cycles[-3],
    )
    (silicon / "vasprun.xml").write_text("</scstep>".join([*cycles[:-3], last, *cycles[-2:]]))
    assert not vasp_output.read_run(silicon, NOTED).converged.any()


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ('<i type="logical" name="LEPSILON"> T  </i>', "a run of linear response (LEPSILON)"),
        ('<i type="logical" name="LCHIMAG"> T  </i>', "a run of NMR shieldings (LCHIMAG)"),
        (
            '<i type="int" name="ICHARG">    11</i>',
            "a run at a fixed density, as of bands (ICHARG)",
        ),
    ],
)
def test_runs_of_another_kind_are_told(tag: str, kind: str, silicon: Path) -> None:
    text = (silicon / "vasprun.xml").read_text()
    name = re.search('name="([A-Z]+)"', tag)
    assert name is not None
    text = re.sub(rf'<i [^>]*name="{name[1]}">[^<]*</i>', "", text)
    (silicon / "vasprun.xml").write_text(text.replace("<incar>", f"<incar>{tag}"))
    assert vasp_output.read_run(silicon, NOTED).kind == kind


def test_symbols_are_those_of_the_potcars(silicon: Path) -> None:
    """The POTCAR of F_h_GW has the VRHFIN of another element."""
    text = (silicon / "vasprun.xml").read_text().replace("<c>Si</c>", "<c>Xx</c>")
    text = re.sub("PAW_PBE Si 05Jan2001", "PAW_PBE F_h_GW 20Mar2012", text)
    (silicon / "vasprun.xml").write_text(text)
    assert vasp_output.read_run(silicon, NOTED).symbols == ("F", "F")


POSCAR = """LiH
1.0
4.0 0.0 0.0
0.0 4.0 0.0
0.0 0.0 4.0
Li_sv/f474ac0d1 H/5e6b7a8c9d0
1 1
Direct
0.00000000 0.00000000 0.00000000
0.50000000 0.50000000 0.50000000
"""


def test_a_contcar_that_the_wall_cut_short_is_passed_over(silicon: Path) -> None:
    start = POSCAR.replace("Li_sv/f474ac0d1 H/5e6b7a8c9d0", "Si").replace("1 1", "2")
    (silicon / "POSCAR").write_text(start)
    moved = start.replace("0.50000000", "0.51000000")
    (silicon / "CONTCAR").write_text(moved)
    assert program._last_geometry(silicon) == moved
    last = last_structure(silicon / "vasprun.xml")
    assert last is not None
    for cut in ["", *(moved[: len(moved) * part // 10] for part in range(10)), moved[:-3]]:
        (silicon / "CONTCAR").write_text(cut)
        found = read(io.StringIO(program._last_geometry(silicon)), format="vasp")
        np.testing.assert_allclose(found.cell.array, last[0], atol=1e-10)
        np.testing.assert_allclose(found.get_scaled_positions(wrap=False), last[1], atol=1e-10)
    (silicon / "vasprun.xml").write_text("<modeling>")
    assert program._last_geometry(silicon) == start


def test_electrons_are_counted_by_species_with_a_hash(tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text(POSCAR)
    dumped = {
        name: Potcar(titel=f"PAW_PBE {name}", sha256="", zval=zval)
        for name, zval in (("Li", 3.0), ("H", 1.0))
    }
    assert program._electrons(tmp_path / "POSCAR", dumped) == 4.0


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("found", "asked", "message"),
    [
        ({"symbols": ["Si"]}, {}, "atoms: 1 atoms"),
        (
            {"titels": ["PAW_PBE Si_d_GW 23Mar2010"]},
            {},
            "POTCAR: VASP read PAW_PBE Si_d_GW 23Mar2010 instead of PAW_PBE Si 05Jan2001",
        ),
        ({}, {"tags": {"ENCUT": 600.0}}, r"settings: ENCUT = 100.0 instead of 600.0"),
        ({}, {"tags": {"GGA": "MK", "LUSE_VDW": True}}, "settings: GGA = None instead of MK"),
        ({}, {"tags": {"GGA": None, "IVDW": 12}}, "settings: IVDW = 0 instead of 12"),
        ({"tags": {"IVDW": 11}}, {}, "settings: IVDW = 11 instead of 0"),
        ({"tags": {"SIGMA": 0.05}}, {}, "settings: SIGMA = 0.05 instead of 0.2"),
        ({"mesh": (1, 1, 1)}, {}, r"settings: a mesh of \(1, 1, 1\)"),
        ({}, {"charge": -1.0}, "charge: 8 electrons instead of 9"),
        ({"stress": None}, {}, "finite numbers: there is no stress"),
        ({"forces": np.full((1, 2, 3), np.nan)}, {}, "finite numbers: forces"),
        ({"converged": np.array([False])}, {}, "electronic convergence: the last electronic step"),
        ({"kind": "a run of NMR shieldings"}, {}, "kind of run: is a run of NMR shieldings, and"),
        ({"fractional": np.full((1, 2, 3), 0.1)}, {}, "configuration"),
    ],
)
def test_the_gate_names_the_check_that_fails(
    found: dict[str, Any], asked: dict[str, Any], message: str, silicon: Path
) -> None:
    run = vasp_output.read_run(silicon, NOTED)
    wanted = as_asked(run, silicon / "vasprun.xml")
    if "tags" in asked:
        asked = {**asked, "tags": {**wanted.tags, **asked["tags"]}}
    if "tags" in found:
        found = {**found, "tags": {**run.tags, **found["tags"]}}
    with pytest.raises(ParseError, match=f"^vasprun.xml: {message}"):
        vasp_output.gate(replace(run, **found), replace(wanted, **asked))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_cell_that_did_not_move_is_told(silicon: Path) -> None:
    run = vasp_output.read_run(silicon, NOTED)
    with pytest.raises(ParseError, match=r"moving cell: VASP did not run MDALGO = 3 \(got None\)"):
        vasp_output.check_moving_cell(run)
    with pytest.raises(ParseError, match="moving cell: the cell of every step is the same"):
        vasp_output.check_moving_cell(replace(run, mdalgo=3, cell=np.repeat(run.cell, 2, axis=0)))


# -- the program, with the stand-in
# ---------------------------------------------------------------------------------------------------------  # noqa: E501


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(program, "POLL_S", 0.05)
    monkeypatch.setattr(program, "CHECK_EVERY_S", 0.2)
    monkeypatch.delenv("CUSTODIAN_WALLTIME_START", raising=False)
    with warnings.catch_warnings():  # as the program does: pymatgen knows no made-up POTCAR
        warnings.simplefilter("ignore")
        yield


def prepare(
    directory: Path, task: engine.Settings, potcars: Path, atoms: Atoms | None = None, **keys: Any
) -> Path:
    directory.mkdir(exist_ok=True)
    inputs = {"frames": Frames.of([atoms])} if atoms is not None else {}
    for name, content in engine.render(task, inputs, site(potcars, **keys)).items():
        (directory / name).write_text(str(content))
    return directory


def finished(
    directory: Path, task: engine.Settings, potcars: Path, atoms: Atoms | None = None, **keys: Any
) -> Result:
    program.run(prepare(directory, task, potcars, atoms, **keys), COMMAND)
    return engine.parse(task, directory)


def own(atoms: Atoms) -> Atoms:
    """The same configuration, computed here."""
    copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    copy.calc = MTPCalculator(Potential.read(SHIPPED))
    return copy


def lih() -> Atoms:
    atoms = bulk("LiH", "rocksalt", a=4.08, cubic=True)
    atoms.rattle(0.05, seed=1)
    return atoms


LIH = {"potcar": {name: TITELS[name] for name in ("Li", "H")}, "kpoints": (1, 1, 1)}


class TestLabel:
    def test_labels_are_what_the_program_computed_in_the_study_s_order_of_atoms(
        self, potcars: Path, tmp_path: Path
    ) -> None:
        atoms = pa3()
        result = finished(
            tmp_path / "label", settings(functional="PBE-D3", kpoints=(2, 2, 2)), potcars, atoms
        )
        (label,) = result.frames["labels"]
        assert label.numbers.tolist() == atoms.numbers.tolist()
        assert_allclose(label.positions, atoms.positions, atol=1e-6)
        assert_allclose(label.get_potential_energy(), own(atoms).get_potential_energy(), atol=1e-6)
        assert_allclose(label.get_forces(), own(atoms).get_forces(), atol=1e-6)
        assert_allclose(label.get_stress(), own(atoms).get_stress(), atol=1e-9)
        assert result.facts.vdw_kernel_sha256 is None
        assert (
            result.facts.n_labels == 1
            and result.facts.corrections == ()
            and result.facts.program == "VASP 5.4.4-standin"
        )
        assert {element: noted.titel for element, noted in result.facts.potcars.items()} == TITELS
        assert all(len(noted.sha256) == 64 for noted in result.facts.potcars.values())

    def test_a_version_that_the_study_asks_for_is_the_one_that_ran(
        self, potcars: Path, tmp_path: Path
    ) -> None:
        finished(tmp_path / "label", settings(version="5.4", **LIH), potcars, lih())
        with pytest.raises(EngineError, match=r"asks for VASP 6\.4 \(got 5\.4\.4-standin\)"):
            engine.parse(settings(version="6.4", **LIH), tmp_path / "label")

    def test_a_version_is_in_the_key_where_the_study_asks_for_one(self) -> None:
        def key(**keys: Any) -> str:
            return make_task(
                "vasp",
                engine.Settings(**LIH, operation="label", functional="PBE", **keys),
                stage="",
                label="",
                about=About(),
                n_atoms=8,
            ).key

        assert len({key(), key(version="6.4"), key(version="6.5")}) == 3
        assert "version" not in settings(**LIH).model_dump(
            mode="json"
        )  # a study without it keeps its keys

    def test_potcars_are_gone_when_vasp_has_ended_however_it_ended(
        self, potcars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task = settings(functional="rev-vdW-DF2", **LIH)
        result = finished(
            tmp_path / "good", task, potcars, lih(), vdw_kernel=str(potcars / "vdw_kernel.bindat")
        )
        assert result.facts.vdw_kernel_sha256 == hashlib.sha256(b"made up\n").hexdigest()
        monkeypatch.setenv("STANDIN_KILL", "1")
        with pytest.raises(EngineError):
            finished(tmp_path / "bad", settings(operation="relax", atoms=lih(), **LIH), potcars)
        left = {path.name for path in tmp_path.rglob("*")}
        assert "OUTCAR" in left and not left & {"POTCAR", "vdw_kernel.bindat", "POTCAR.orig"}
        assert not [
            path
            for path in tmp_path.rglob("*")
            if path.is_file() and b"PSCTR-controll" in path.read_bytes()
        ]

    def test_without_the_kernel_vasp_s_words_are_quoted(
        self, potcars: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(EngineError, match="custodian could not correct it") as caught:
            finished(tmp_path / "label", settings(functional="rev-vdW-DF2", **LIH), potcars, lih())
        assert (
            "vdw_kernel.bindat is missing" in caught.value.evidence
            and not caught.value.cause.may_pass
        )

    def test_a_charged_cell_says_its_electrons(self, potcars: Path, tmp_path: Path) -> None:
        result = finished(tmp_path / "label", settings(charge=-1.0, **LIH), potcars, lih())
        assert result.facts.n_labels == 1
        assert Incar.from_file(tmp_path / "label" / "run-1" / "INCAR")["NELECT"] == 4 * (3 + 1) + 1

    def test_an_error_that_custodian_knows_is_mended_and_noted(
        self, potcars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STANDIN_FAIL", "WARNING in EDDRMM: call to ZHEGV failed")
        result = finished(tmp_path / "label", settings(**LIH), potcars, lih())
        (correction,) = result.facts.corrections
        assert (
            correction.handler == "VaspErrorHandler"
            and correction.errors == ("eddrmm",)
            and correction.actions
        )

    def test_a_correction_that_changes_what_the_label_means_fails_the_gate(
        self, potcars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STANDIN_FAIL", "Tetrahedron method fails")
        with pytest.raises(ParseError, match=r"settings: SIGMA = 0.05 instead of 0.2") as caught:
            finished(tmp_path / "label", settings(**LIH), potcars, lih())
        assert "VaspErrorHandler" in caught.value.evidence

    def test_a_cycle_that_does_not_converge_gives_no_label(
        self, potcars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STANDIN_SCF", "never")
        with pytest.raises(EngineError, match="custodian could not correct it"):
            finished(tmp_path / "label", settings(incar={"NELM": 6}, **LIH), potcars, lih())

    def test_several_configurations_are_refused(self) -> None:
        with pytest.raises(EngineError, match=r"one configuration per task \(got 2\)"):
            engine.render(settings(**LIH), {"frames": Frames.of([lih(), lih()])}, engine.Program())


class TestRelax:
    def test_it_runs_again_until_one_step_suffices(self, potcars: Path, tmp_path: Path) -> None:
        task = settings(operation="relax", atoms=lih(), fmax_eV_per_A=0.02, **LIH)
        result = finished(tmp_path / "relax", task, potcars)
        relaxed = result.frames["structure"][0]
        runs = sorted((tmp_path / "relax").glob("run-*"))
        steps = [len(Oszicar(run / "OSZICAR").ionic_steps) for run in runs]
        assert steps[0] > 1 and steps[-1] == 1 and result.facts.steps == sum(steps)
        assert result.facts.max_force_eV_per_A <= 0.02
        assert_allclose(
            own(relaxed).get_potential_energy() / 8, result.facts.energy_eV_per_atom, atol=1e-7
        )
        assert result.facts.volume_A3 == pytest.approx(relaxed.get_volume())
        assert result.facts.lattice_A == pytest.approx(tuple(relaxed.cell.lengths()))
        assert relaxed.numbers.tolist() == lih().numbers.tolist()

    def test_what_never_settles_is_told(
        self, potcars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(program, "MAX_RUNS", 1)
        with pytest.raises(
            EngineError,
            match=r"not relaxed: VASP still moved the atoms when it was started for the 1th time",
        ):
            finished(
                tmp_path / "relax",
                settings(operation="relax", atoms=lih(), fmax_eV_per_A=0.02, **LIH),
                potcars,
            )


AIMD: dict[str, Any] = {
    "operation": "aimd",
    "time_ps": 0.012,
    "timestep_fs": 1.0,
    "sample_every_fs": 3.0,
    "temperature_K": 1000,
    "functional": "PBE-D3",
}


@pytest.fixture(scope="module")
def npt(potcars: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[engine.Settings, Path]:
    """12 fs of Li2B12H12."""
    task = settings(atoms=pa3(), **AIMD)
    directory = prepare(tmp_path_factory.mktemp("npt") / "aimd", task, potcars)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program.run(directory, COMMAND)
    return task, directory


class TestMolecularDynamics:
    def test_samples_are_labels_of_the_moving_cell(self, npt: tuple[engine.Settings, Path]) -> None:
        task, directory = npt
        result = engine.parse(task, directory)
        labels = result.frames["labels"]
        assert (
            len(labels) == result.facts.n_labels == 4
            and result.facts.steps == 12
            and result.facts.unconverged == 0
        )
        assert np.ptp(labels.cell, axis=0).max() > 1e-4 and 300 < result.facts.temperature_K < 1200
        for label in labels:
            assert label.numbers.tolist() == pa3().numbers.tolist()
            assert_allclose(
                label.get_potential_energy(), own(label).get_potential_energy(), atol=2e-5
            )
            assert_allclose(label.get_forces(), own(label).get_forces(), atol=2e-5)
            assert np.abs(label.positions - pa3().positions).max() < 1.0, (
                "each atom stands beside where it began, not in the next cell"
            )

    def test_pieces_that_the_wall_cut_are_one_run(
        self,
        npt: tuple[engine.Settings, Path],
        potcars: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        task, directory = npt
        monkeypatch.setenv("STANDIN_WALL", "5")
        pieces = finished(tmp_path / "pieces", task, potcars).frames["labels"]
        assert sorted(path.name for path in (tmp_path / "pieces").glob("run-*")) == [
            "run-1",
            "run-2",
            "run-3",
        ]
        whole = engine.parse(task, directory).frames["labels"]
        assert_allclose(pieces.positions, whole.positions, atol=1e-5)
        assert_allclose(pieces.energy, whole.energy, atol=1e-4)

    @pytest.mark.parametrize("told_by", ["SLURM_JOB_END_TIME", JOB_ENDS])
    def test_near_the_wall_vasp_is_asked_to_stop_and_goes_on_later(
        self, potcars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_by: str
    ) -> None:
        task = settings(atoms=pa3(), **{**AIMD, "time_ps": 0.3})
        monkeypatch.setenv(told_by, str(time.time() + 60))
        monkeypatch.setenv("STANDIN_PAUSE", "0.05")  # else it may be done before custodian looks
        directory = prepare(tmp_path / "aimd", task, potcars, walltime_margin_s=3600.0)
        program.run(directory, COMMAND)
        with pytest.raises(TimeUpError, match="the wall of the batch job was reached") as caught:
            engine.parse(task, directory)
        assert "Submit again" in caught.value.remedy
        (noted,) = [json.loads(file.read_text()) for file in directory.glob("run-*/run.json")]
        assert noted["stopped"] and 0 < noted["steps"] < 301 and noted["corrections"] == []

    def test_a_run_that_was_killed_is_begun_again(
        self, potcars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task = settings(atoms=lih(), **{**AIMD, **LIH})
        monkeypatch.setenv("STANDIN_KILL", "6")
        with pytest.raises(EngineError) as caught:
            finished(tmp_path / "aimd", task, potcars)
        assert caught.value.cause is Cause.KILLED
        monkeypatch.delenv("STANDIN_KILL")
        assert finished(tmp_path / "aimd", task, potcars).facts.n_labels == 4

    def test_a_vasp_without_a_moving_cell_is_found_out(
        self, potcars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STANDIN_TBDYN", "no")
        with pytest.raises(EngineError, match="VaspNpTMDValidator"):
            finished(tmp_path / "aimd", settings(atoms=lih(), **{**AIMD, **LIH}), potcars)

    def test_steps_that_did_not_converge_are_left_out(
        self, npt: tuple[engine.Settings, Path], tmp_path: Path
    ) -> None:
        task, directory = npt
        shutil.copytree(directory, tmp_path / "aimd")
        xml = tmp_path / "aimd" / "run-1" / "vasprun.xml"
        text = xml.read_text()
        one = text[text.index("  <scstep>") : text.index("  </scstep>") + len("  </scstep>\n")]
        steps = text.split(" <calculation>\n")
        steps[4] = one * 100 + steps[4]  # step 4 is the sample at 3 fs
        xml.write_text(" <calculation>\n".join(steps))
        result = engine.parse(task, tmp_path / "aimd")
        assert result.facts.unconverged == 1 and result.facts.n_labels == 3

    @pytest.mark.parametrize("name", ["vasprun.xml", "OUTCAR", "OSZICAR"])
    def test_an_output_cut_short_is_an_error_and_never_a_number(
        self, name: str, npt: tuple[engine.Settings, Path], tmp_path: Path
    ) -> None:
        task, directory = npt
        shutil.copytree(directory, tmp_path / "aimd")
        file = tmp_path / "aimd" / "run-1" / name
        whole = file.read_bytes()
        for part in range(20):
            file.write_bytes(whole[: len(whole) * part // 20])
            with pytest.raises(ParseError, match=f"{name}"):
                engine.parse(task, tmp_path / "aimd")


# -- the stand-in, against the true program
# -------------------------------------------------------------------------------------------------


class TestStandIn:
    @pytest.fixture
    def folders(self, npt: tuple[engine.Settings, Path], tmp_path: Path) -> tuple[Path, Path]:
        """The recorded NPT run and that of the stand-in."""
        return recorded("npt", tmp_path), npt[1] / "run-1"

    def test_pymatgen_reads_both(self, folders: tuple[Path, Path]) -> None:
        true, ours = (Outcar(folder / "OUTCAR") for folder in folders)
        for name in (
            "is_stopped",
            "final_energy",
            "final_fr_energy",
            "efermi",
            "nelect",
            "run_stats",
            "drift",
            "spin",
        ):
            assert type(getattr(true, name)) is type(getattr(ours, name)), name
        assert (
            true.run_stats.keys() - {"cores"} == ours.run_stats.keys() - {"cores"}
            and np.shape(true.drift) == (10, 3)
            and np.shape(ours.drift) == (13, 3)
        )
        for outcar in (true, ours):
            outcar.read_pattern(
                {"mdalgo": r"MDALGO\s+=\s+([\d]+)", "loop": r"LOOP\+.+real time(.+)"}
            )
            assert outcar.data["mdalgo"] == [["3"]] and outcar.data["loop"]
        assert (
            len(Xdatcar(folders[1] / "XDATCAR").structures)
            == 13
            == len(Oszicar(folders[1] / "OSZICAR").ionic_steps)
        )
        run = Vasprun(folders[1] / "vasprun.xml", parse_potcar_file=False)
        assert (
            run.converged
            and run.nionic_steps == 13
            and run.potcar_symbols == [TITELS[name] for name in dict.fromkeys(pa3().symbols)]
        )
        velocities = Poscar.from_file(folders[1] / "CONTCAR")
        assert np.shape(velocities.velocities) == (104, 3) and np.shape(
            velocities.lattice_velocities
        ) == (6, 3)

    def test_ase_reads_both(self, folders: tuple[Path, Path]) -> None:
        true, ours = (read(folder / "OUTCAR", index=":") for folder in folders)
        assert (
            len(true) == 10
            and len(ours) == 13
            and true[0].calc.results.keys() == ours[0].calc.results.keys()
        )
        xml = read(folders[1] / "vasprun.xml", index=":")
        for one, other in zip(ours, xml, strict=True):
            assert_allclose(one.get_forces(), other.get_forces(), atol=1e-6)
            assert_allclose(one.get_stress(), other.get_stress(), atol=1e-7)
            assert_allclose(one.cell.array, other.cell.array, atol=1e-7)

    def test_phonopy_reads_forces(
        self, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert np.shape(
            parse_set_of_forces(104, [str(folders[1] / "vasprun.xml")])["forces"][0]
        ) == (104, 3)

    @pytest.mark.skipif(MLP is None, reason="mlp, the program of MLIP-3, is not on the PATH")
    def test_mlip_3_converts_both(self, folders: tuple[Path, Path], tmp_path: Path) -> None:
        for folder, count in zip(folders, (10, 13), strict=True):
            out = tmp_path / "converted.cfg"
            subprocess.run(
                [str(MLP), "convert", "--input_format=outcar", str(folder / "OUTCAR"), str(out)],
                check=True,
                capture_output=True,
            )
            text = out.read_text()
            assert (
                text.count("BEGIN_CFG") == text.count("PlusStress") == text.count("Energy") == count
            )

    def test_its_dynamics_keep_the_energy_without_friction(
        self, potcars: Path, tmp_path: Path
    ) -> None:
        """Forces, stress, cell and velocities fit together: a wrong sign or factor of the cell's
        motion shows within a few steps.
        """
        task = settings(
            atoms=lih(),
            **{**AIMD, **LIH, "time_ps": 0.05, "timestep_fs": 0.5, "temperature_K": 300},
            friction_per_ps=1e-9,
            incar={"LANGEVIN_GAMMA_L": 0.0},
        )
        finished(tmp_path / "aimd", task, potcars)
        outcar = Outcar(tmp_path / "aimd" / "run-1" / "OUTCAR")
        outcar.read_pattern(
            {"total": r"ETOTAL = +(\S+)", "kinetic": r"EKIN   = +(\S+)"}, postprocess=float
        )
        total, kinetic = (np.ravel(outcar.data[name])[1:] for name in ("total", "kinetic"))
        assert np.ptp(total) < 0.05 * np.ptp(kinetic)

    @pytest.mark.parametrize(
        ("file", "old", "new", "words"),
        [
            ("POTCAR", TITELS["H"], "PAW_PBE B 06Sep2000", "incompatible"),
            ("INCAR", "LANGEVIN_GAMMA = 10.0 10.0", "LANGEVIN_GAMMA = 10.0", "LANGEVIN_GAMMA"),
            ("INCAR", "ISIF = 3", "ISIF = 4", "ISIF = 3"),
            ("POSCAR", "direct", "", "POSCAR"),
        ],
    )
    def test_it_refuses_what_vasp_refuses(
        self, file: str, old: str, new: str, words: str, potcars: Path, tmp_path: Path
    ) -> None:
        folder = prepare(tmp_path / "aimd", settings(atoms=lih(), **{**AIMD, **LIH}), potcars)
        (folder / "POTCAR").write_text(made_up_potcar("Li") + made_up_potcar("H"))
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(
            text.replace(old, new) if file != "POSCAR" else "\n".join(text.splitlines()[:9])
        )
        done = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and words in done.stdout


# -- the whole way
# --------------------------------------------------------------------------------------------------------------------------  # noqa: E501


def test_a_scaled_down_study_through_vasp_s_own_files(potcars: Path, tmp_path: Path) -> None:
    """Relaxation, molecular dynamics from the relaxed cell with a vacancy, and a label of one of
    its samples, as workers do them.
    """
    store, work = Store(tmp_path / "store"), tmp_path / "work"
    common = {"functional": "PBE-D3", "potcar": TITELS, "kpoints": (1, 1, 1)}

    def done(operation: str, inputs: dict[str, Ref], **keys: Any) -> Any:
        task = make_task(
            "vasp",
            engine.Settings(operation=operation, **common, **keys),
            stage="test",
            label=operation,
            about=About(),
            n_atoms=104,
            inputs=inputs,
        )
        failure = perform(task, site(potcars), store.root, work, Holder.here())
        assert failure is None, failure
        return task, store.record(task.key)

    start = {
        "text": text_of(read_structure(ROOT / "studies" / "structures" / "Li2B12H12-Pa-3.cif"))
    }
    relax, record = done("relax", {}, cell=start, fmax_eV_per_A=0.05, ionic_tolerance_eV=0.01)
    assert record.facts(Relaxed).space_group == "Pa-3 (205)"
    aimd, record = done(
        "aimd",
        {"structure": Ref(relax.key, "structure")},
        cell={"mobile": "Li", "vacancies": 1},
        time_ps=0.004,
        sample_every_fs=2.0,
    )
    assert record.facts(Sampled).n_labels == 2
    label, _ = done("label", {"frames": Ref(aimd.key, "labels")}, part=(1, 2))
    sample = store.get(Ref(aimd.key, "labels"))[1]
    (labelled,) = store.get(Ref(label.key, "labels"))
    assert len(labelled) == 103
    assert_allclose(labelled.get_potential_energy(), sample.get_potential_energy(), atol=2e-5)
    assert not list(work.glob("*")), "nothing licensed and nothing else is left behind"
    for key in sorted(store.keys()):
        share(store, key, copy := io.BytesIO())
        assert b"made up" not in copy.getvalue() and str(potcars).encode() not in copy.getvalue()
        assert all(
            hashlib.sha256(made_up_potcar(element).encode()).hexdigest().encode() in copy.getvalue()
            for element in TITELS
        )
        assert not [
            name for name in zipfile.ZipFile(copy).namelist() if name.startswith("texts/")
        ], "nothing else than numbers"


def test_the_price_grows_with_atoms_cutoff_and_the_k_points_that_symmetry_leaves() -> None:
    def seconds(n_atoms: int = 104, **keys: Any) -> float:
        return engine.cost(settings(**keys), n_atoms).core_seconds - 30

    one = seconds(kpoints=(1, 1, 1))
    assert one == pytest.approx(engine.CYCLE_SECONDS)
    assert seconds(208, kpoints=(1, 1, 1)) == pytest.approx(one * 2**2.5) and seconds(
        kpoints=(1, 1, 1), encut_eV=400
    ) == pytest.approx(one * (2 / 3) ** 1.5)
    # Time reversal pairs all but the points that are their own images: 1 of 5 x 5 x 5, 8 of 2 x 2 x
    # 2 and 4 x 4 x 4.
    assert [round(seconds(kpoints=(n, n, n)) / one) for n in (2, 4, 5)] == [8, 36, 63]
    relax = {"operation": "relax", "atoms": pa3()}
    assert (
        round(seconds(**relax) / one) == 11 * 60
        and round(seconds(**relax, keep_symmetry=False) / one) == 63 * 60
    )


def test_it_is_an_engine() -> None:
    assert ENGINES["vasp"] is engine
    assert (
        engine.cost(settings(operation="aimd"), 104).core_seconds
        > engine.cost(settings(operation="aimd", time_ps=0.5), 104).core_seconds
    )
    assert engine.command(settings(), 1, engine.Program()) == [
        sys.executable,
        "-m",
        "borarun.engines.vasp.program",
        "vasp_std",
    ]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (" vasp.6.1.2 22Jul20 (build May 31 2021 10:13:24) complex\n", "VASP 6.1.2 22Jul20"),
        (
            " running on    1 total cores\n vasp.5.4.4.18Apr17-6-g9f103f2a35 (build Mar 01 "
            "2020) complex\n",
            "VASP 5.4.4.18Apr17-6-g9f103f2a35",
        ),
        ("forrtl: severe (24): end-of-file during read\n", ""),
    ],
)
def test_vasp_tells_its_version_or_not(text: str, version: str) -> None:
    site = engine.Program(
        gamma_command="vasp_gam", potcar_directory="/potcars", vdw_kernel="/kernel"
    )
    probes = engine.probes(site)
    assert [probe.command for probe in probes] == ["vasp_std", "vasp_gam"]
    assert all(probe.leaves == "OUTCAR" and probe.read(text) == Told(version) for probe in probes)
    assert engine.paths(site) == {"potcar_directory": "/potcars", "vdw_kernel": "/kernel"}
