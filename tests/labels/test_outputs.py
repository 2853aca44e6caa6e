"""Labels of outputs that a group has already: recorded outputs of the true programs, each with what
VASP or pw.x printed.
"""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from borarun.basics.errors import StudyError
from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines import outputs
from borarun.engines.quantum_espresso.section import EspressoReference
from borarun.engines.reference.base import ReferenceSection
from borarun.engines.registry import sections
from borarun.engines.vasp.section import VaspReference
from borarun.labels import Labels, read_labels
from borarun.labels.sifted import Sifted

TESTS = Path(__file__).parent.parent
VASP = TESTS / "engines/data/vasp"
PW = TESTS / "engines/data/qe"
BUNDLED = sections(ReferenceSection)["bundled"](engine="bundled")


def read(path: Path, functional: str = "PBE", reference: Any = BUNDLED) -> Sifted:
    """The labels of one unpacked output."""
    return outputs.reader(functional, reference)(path)


def unpacked(tmp_path: Path, source: Path, name: str = "") -> Path:
    """A recorded output without its compression."""
    file = tmp_path / (name or source.stem)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.decompress(source.read_bytes()))
    return file


def complaint(path: Path, functional: str = "PBE", reference: Any = BUNDLED) -> str:
    with pytest.raises(StudyError) as caught:
        read(path, functional, reference)
    return caught.value.problems[0].message


# VASP


def test_molecular_dynamics_by_vasp(tmp_path: Path) -> None:
    """Numbers as the OUTCAR prints them, in its last step."""
    found = read(unpacked(tmp_path, VASP / "npt/OUTCAR.gz"))
    assert len(found.frames) == 10 and not found.remarks
    assert found.frames.energy is not None and found.frames.forces is not None
    assert found.frames.stress is not None
    assert found.frames.energy[-1] == pytest.approx(-369.08286247)
    np.testing.assert_allclose(found.frames.forces[-84], [0.048189, -0.058655, 0.060345])
    np.testing.assert_allclose(
        found.frames.stress[-1, :3] * EV_PER_A3_IN_KBAR, [2.11856, 2.23684, 2.72064], rtol=1e-5
    )
    assert found.setting["ENCUT"] == "400"
    assert found.setting["POTCAR of P"] == "PAW_PBE P 17Jan2003"


@pytest.mark.parametrize(
    ("folder", "functional"), [("relaxation", "PBE"), ("relaxation_6.4.2", "PBE")]
)
def test_xml_and_outcar_of_one_run_tell_the_same(
    tmp_path: Path, folder: str, functional: str
) -> None:
    one, other = (
        read(unpacked(tmp_path, VASP / folder / name), functional)
        for name in ("vasprun.xml.gz", "OUTCAR.gz")
    )
    assert one.setting == other.setting and one.numbers == other.numbers
    for name in ("energy", "forces", "stress", "positions", "cell"):
        np.testing.assert_allclose(
            getattr(one.frames, name), getattr(other.frames, name), atol=2e-5
        )


@pytest.mark.parametrize("name", ["vasprun.xml.gz", "OUTCAR.gz"])
def test_another_functional_of_vasp_is_told(tmp_path: Path, name: str) -> None:
    file = unpacked(tmp_path, VASP / "scan_relaxation" / name)
    assert complaint(file).startswith("is of another functional than PBE: METAGGA = R2")
    assert "LUSE_VDW = False instead of True" in complaint(file, "r2SCAN+rVV10")
    other = unpacked(tmp_path, VASP / "static_silicon" / name)
    assert "IVDW = 0 instead of 12" in complaint(other, "PBE-D3")
    assert complaint(other, "B3LYP").startswith("B3LYP is none of the functionals")


def test_a_dispersion_correction_is_seen_in_an_outcar(tmp_path: Path) -> None:
    file = unpacked(tmp_path, VASP / "static_silicon/OUTCAR.gz")
    file.write_text(
        file.read_text().replace("  FREE ENERGIE", "  Edisp (eV):  -1.2\n  FREE ENERGIE", 1)
    )
    assert len(read(file, "PBE-D3").frames) == 1
    assert "IVDW" in complaint(file)


def test_steps_that_did_not_converge_are_counted(tmp_path: Path) -> None:
    file = unpacked(tmp_path, VASP / "npt/OUTCAR.gz")
    reached = "aborting loop because EDIFF is reached"
    file.write_text(
        file.read_text().replace(reached, "aborting loop EDIFF was not reached (unconverged)", 3)
    )
    found = read(file)
    assert list(found.numbers) == list(range(4, 11))
    assert found.remarks == ["3 of 10 configurations did not converge and are left out"]
    file.write_text(file.read_text().replace(reached, "aborting loop EDIFF was not reached"))
    assert complaint(file).startswith("has no label: 10 of 10 configurations did not converge.")


def test_an_output_of_the_machine_learned_force_field_is_refused(tmp_path: Path) -> None:
    file = unpacked(tmp_path, VASP / "relaxation_6.4.2/vasprun.xml.gz")
    text = file.read_text().replace("<incar>", '<incar>\n  <i type="logical" name="ML_LMLFF">T</i>')
    file.write_text(text)
    assert "machine" in complaint(file)


def vasp(**settings: Any) -> VaspReference:
    """A reference of VASP with the settings of the recorded relaxation of Li."""
    said = {
        "potcar": {"Si": "PAW_PBE Si 05Jan2001"},
        "encut_eV": 520.0,
        "incar": {"ISPIN": 2},
    }
    return VaspReference(engine="vasp", **{**said, **settings})


@pytest.mark.parametrize("name", ["vasprun.xml.gz", "OUTCAR.gz"])
def test_settings_must_be_those_of_the_reference(tmp_path: Path, name: str) -> None:
    file = unpacked(tmp_path, VASP / "relaxation_6.4.2" / name)
    assert len(read(file, reference=vasp()).frames) == 3
    assert "ENCUT = 520" in complaint(file, reference=vasp(encut_eV=600.0))
    assert "ISPIN = 2 instead of 1" in complaint(file, reference=vasp(incar={}))
    said = complaint(file, reference=vasp(potcar={"Si": "PAW_PBE Si_sv_GW 23Mar2010"}))
    assert "PAW_PBE Si 05Jan2001 instead of PAW_PBE Si_sv_GW 23Mar2010" in said


def test_whole_steps_of_an_outcar_that_was_cut_short_count(tmp_path: Path) -> None:
    file = unpacked(tmp_path, VASP / "npt/OUTCAR.gz")
    text = file.read_text()
    file.write_text(text[: text.rindex("Iteration   10(")])
    assert len(read(file).frames) == 9


@pytest.mark.parametrize("name", ["OUTCAR", "vasprun.xml", "pw.out", "notes.txt"])
@pytest.mark.parametrize("text", ["", "\0\0\0", "<a>", "Iteration", "Program PWSCF v.6.7\n"])
def test_what_is_no_output_is_told(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert re.match(r"(is|has|holds|unknown) ", complaint(tmp_path / name))


# pw.x


@pytest.mark.parametrize(
    ("name", "functional"),
    [("lih_pbe", "PBE"), ("lih_rev", "rev-vdW-DF2"), ("lih_d3bj", "PBE-D3")],
)
def test_labels_by_pw(name: str, functional: str) -> None:
    file = PW / f"{name}.pwo"
    found = read(file, functional)
    (printed,) = re.findall(r"^!\s+total energy\s+=\s+(\S+) Ry", file.read_text(), re.MULTILINE)
    assert found.frames.energy == pytest.approx(float(printed) * 13.605693, rel=1e-6)
    (kbar,) = re.findall(r"P=\s+(\S+)", file.read_text())
    assert found.frames.stress is not None
    pressure = -found.frames.stress[0, :3].mean() * EV_PER_A3_IN_KBAR
    assert pressure == pytest.approx(float(kbar), abs=0.02)
    assert ("damping" in " ".join(found.remarks)) == (functional == "PBE-D3")
    others = {"PBE", "rev-vdW-DF2", "PBE-D3"} - {functional}
    assert all("is of another functional" in complaint(file, other) for other in others)


def test_settings_of_pw_must_be_those_of_the_reference() -> None:
    file = PW / "lih_pbe.pwo"
    md5 = "a225a3f3a1be5237eb8f6a7e61cbb4ee"

    def reference(**settings: Any) -> EspressoReference:
        said = {"pseudopotentials": {"Li": "Li.upf", "H": "H.upf"}, "ecutwfc_Ry": 45.0}
        return EspressoReference(
            engine="quantum-espresso", **{**said, "ecutrho_Ry": 360.0, **settings}
        )

    assert len(read(file, reference=reference(pseudopotential_md5={"H": md5})).frames) == 1
    assert "ecutwfc = 45.0000 Ry instead of 80 Ry" in complaint(
        file, reference=reference(ecutwfc_Ry=80.0)
    )
    said = complaint(file, reference=reference(pseudopotential_md5={"H": "0" * 32}))
    assert said.startswith("is of another pseudopotential") and md5 in said


def test_what_pw_did_not_converge_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "pw.out"
    said = "     convergence NOT achieved after 100 iterations: stopping\n"
    file.write_text((PW / "lih_pbe.pwo").read_text() + said)
    assert read(file).remarks[0] == "1 of 2 configurations did not converge and are left out"


# Sets of files


def together(files: dict[str, Path], functional: str = "PBE", elements: str = "Li P S") -> Labels:
    return read_labels(files, elements.split(), read_output=outputs.reader(functional, BUNDLED))


def test_files_make_one_set_and_what_has_no_label_is_left_out(tmp_path: Path) -> None:
    whole = unpacked(tmp_path, VASP / "npt/OUTCAR.gz", "b/OUTCAR")
    other = unpacked(tmp_path, VASP / "scan_relaxation/OUTCAR.gz", "c/OUTCAR")
    cut = tmp_path / "d/OUTCAR"
    cut.parent.mkdir()
    cut.write_text("stopped before anything")
    found = together({"b": whole, "c": other, "d": cut, "b.gz": VASP / "npt/OUTCAR.gz"})
    assert len(found.frames) == 10  # those of b and b.gz are the same
    assert any(said.startswith("c: left out: is of another functional") for said in found.remarks)
    assert any(said.startswith("d: left out: is cut short") for said in found.remarks)
    assert any("10 of 20 configurations occur more than once" in said for said in found.remarks)


def test_files_of_two_settings_are_refused(tmp_path: Path) -> None:
    one = unpacked(tmp_path, VASP / "npt/OUTCAR.gz", "a/OUTCAR")
    other = unpacked(tmp_path, VASP / "npt/OUTCAR.gz", "b/OUTCAR")
    other.write_text(other.read_text().replace("ENCUT  =  400.0 eV", "ENCUT  =  520.0 eV"))
    with pytest.raises(StudyError, match="labels of two settings: ENCUT is 400 in a, and 520 in b"):
        together({"a": one, "b": other})


def test_an_outcar_beside_its_xml_is_not_read_twice(tmp_path: Path) -> None:
    for name in ("vasprun.xml", "OUTCAR"):
        shutil.copy(VASP / "relaxation" / f"{name}.gz", tmp_path / f"{name}.gz")
    files = {path.name: path for path in tmp_path.iterdir()}
    assert set(outputs.without_twins(files)) == {"vasprun.xml.gz"}
    assert set(outputs.without_twins({"OUTCAR.gz": tmp_path / "OUTCAR.gz"})) == {"OUTCAR.gz"}
