"""Structure files: right ones give the right atoms, wrong ones are refused with the reason.

The files in ``data`` were written for this purpose; each stands for a kind that programs write and
that readers have taken for another crystal.
"""

from __future__ import annotations

import re
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from borarun.basics.errors import StudyError
from borarun.structures.files import doubts, read_structure

ROOT = Path(__file__).parent.parent.parent
DATA = Path(__file__).parent / "data"
PA3 = ROOT / "studies" / "structures" / "Li2B12H12-Pa-3.cif"
CUBE = 'Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3'
LIBH4 = Counter(Li=2, B=2, H=8)


@pytest.fixture(scope="module")
def crystal() -> Atoms:
    return read_structure(PA3)


def in_text(text: str, tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_cif_symmetry_makes_every_atom_of_the_cell(crystal: Atoms) -> None:
    assert sorted(crystal.symbols.formula.count().items()) == [("B", 48), ("H", 48), ("Li", 8)]
    assert crystal.pbc.all()
    np.testing.assert_allclose(crystal.cell.cellpar(), [9.577] * 3 + [90] * 3)
    assert np.count_nonzero(crystal.cell.array) == 3, "a cubic cell is exactly diagonal"


def test_cif_with_operations_but_no_group_name(tmp_path: Path, crystal: Atoms) -> None:
    lines = [
        line
        for line in PA3.read_text().splitlines()
        if "space_group" not in line and "Int_Tables" not in line
    ]
    assert len(read_structure(in_text("\n".join(lines), tmp_path, "nameless.cif"))) == len(crystal)


@pytest.mark.parametrize(
    ("name", "form"),
    [("POSCAR", "vasp"), ("cell.vasp", "vasp"), ("cell.xyz", "extxyz"), ("cell.extxyz", "extxyz")],
)
def test_other_formats_give_the_same_structure(
    tmp_path: Path, crystal: Atoms, name: str, form: str
) -> None:
    write(tmp_path / name, crystal[crystal.numbers.argsort()], format=form)
    found = read_structure(tmp_path / name)
    np.testing.assert_allclose(
        found.positions, crystal.positions[crystal.numbers.argsort()], atol=1e-7
    )
    np.testing.assert_allclose(found.cell.array, crystal.cell.array)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cell.json", "{}", "is JSON, as the Materials Project gives it"),
        ("cell.dat", "", "unknown kind of structure file"),
        ("cell.mcif", "", "is a magnetic CIF. A study needs a plain CIF"),
        ("cell.cif", "not a crystal", "line 1: is not a complete CIF"),
        ("POSCAR", "one line", "is not a complete POSCAR: it has 1 lines"),
        ("cell.xyz", f"1\n{CUBE}\nLi 0 0\n", "line 3: 4 columns are expected"),
        ("cell.xyz", "1\nno lattice\nLi 0 0 0\n", "no cell"),
        (
            "cell.xyz",
            '1\nLattice="4 0 0 0 4 0 4 4 0" Properties=species:S:1:pos:R:3\nLi 0 0 0\n',
            "no cell",
        ),
        (
            "cell.xyz",
            '1\nLattice="0 4 0 4 0 0 0 0 4" Properties=species:S:1:pos:R:3\nLi 0 0 0\n',
            "left-handed",
        ),
        ("cell.xyz", f"0\n{CUBE}\n", "no atoms"),
        ("cell.xyz", f"1\n{CUBE}\nLi nan 0 0\n", "line 3: pos: 'nan' is not a number"),
        ("cell.xyz", f"1\n{CUBE}\nX 0 0 0\n", "line 3: 'X' is not an element"),
        ("cell.xyz", f"1\n{CUBE}\nLi 0 0 0\n" * 2, "2 configurations"),
        (
            "cell.xyz",
            f"2\n{CUBE}\nLi 0.1 0 0\nB 3.9 0 0\n",
            r"atoms 1 \(Li\) and 2 \(B\) overlap \(got 0.200 A",
        ),
        (
            "cell.xyz",
            '1\nLattice="0.4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3\nLi 0 0 0\n',
            "overlap",
        ),
        ("cell.vasp", "\x00\xff", "is not text"),
    ],
)
def test_a_wrong_file_is_named_with_its_mistake(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = in_text(text, tmp_path, name)
    with pytest.raises(StudyError, match=message) as caught:
        read_structure(path)
    assert caught.value.problems[0].file == str(path)


def test_partial_occupancy_is_refused(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^(  Li  .*) 1$", r"\1 0.5", PA3.read_text())
    with pytest.raises(StudyError, match=r"line \d+: site Li0: is partly occupied \(got 0.5\)"):
        read_structure(in_text(text, tmp_path, "half.cif"))


def test_missing_and_huge_files(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such file"):
        read_structure(tmp_path / "none.cif")
    with (tmp_path / "huge.cif").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(StudyError, match="too large"):
        read_structure(tmp_path / "huge.cif")


# Every file of data


@pytest.mark.parametrize(
    ("name", "held"),
    [
        *(
            (name, Counter(Li=4, B=4, H=16))
            for name in (
                "q_hall.cif",
                "q_hm.cif",
                "q_hm_ascii.cif",
                "q_hm_n.cif",
                "t_hall.cif",
                "t_hm0.cif",
                "t_hm1.cif",
                "t_hm4.cif",
                "t_itnumber.cif",
            )
        ),
        *(
            (name, LIBH4)
            for name in (
                "s10_occ_9999.cif",
                "s11_occ_zero.cif",
                "s13_latin1.cif",
                "s16_D.xyz",
                "s1_hash.vasp",
                "s2_negscale.vasp",
                "s3_threescale.vasp",
                "s4b_selective_labels.vasp",
                "s6_deuterium.cif",
                "s8_oxidation.cif",
                "t_bom_only.cif",
                "t_contcar_latvel_blank.vasp",
                "t_contcar_vel.vasp",
                "t_crlf_only.cif",
            )
        ),
        ("s12_no_H.cif", Counter(Li=2, B=2)),
        ("s9_no_symops.cif", Counter(Li=8, B=8, H=24)),
        ("t_perm.vasp", Counter(H=2, B=2, Li=8)),
    ],
)
def test_right_files_give_their_atoms(name: str, held: Counter[str]) -> None:
    assert Counter(read_structure(DATA / name).symbols) == held


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "q_none.cif",
            "has 6 atoms, LiBH4, by no symmetry, but _cell_formula_units_Z 4 and "
            "_chemical_formula_sum 'B H4 Li' make 24. It has no symmetry: write its "
            "space group",
        ),
        ("s9b_nothing.cif", "has no symmetry: neither operations nor a space group."),
        ("s7_two_blocks.cif", "contains 2 crystals, in the data blocks low_T, high_T."),
        ("s10b_occ_102.cif", "line 20: site Li1: has an occupancy above 1 (got 1.02)."),
        ("s12b_question.cif", "line 20: site Li1: has no _atom_site_fract_x (got ?)."),
        ("s14_mixed_CB.cif", "line 32: site C1: is partly occupied (got 0.0833)."),
        ("s15_pbcF.xyz", 'is a molecule or cluster (got pbc="F F F")'),
        ("s15b_pbcTTF.xyz", 'is a slab (got pbc="T T F")'),
        ("s16b_labels.xyz", "line 3: 'Li0' is not an element. If it is Li, write Li."),
        ("s5_prefix_pot.vasp", "line 6: 'H.5' is not an element. If it is H, write H."),
        ("t_cart_scale.vasp", "atoms 4 (B) and 11 (H) overlap (got 0.213 A"),
        ("t_hm2.cif", "atoms 26 (H) and 29 (H) overlap (got 0.408 A"),
    ],
)
def test_wrong_files_are_refused_with_the_reason(name: str, says: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_structure(DATA / name)
    (problem,) = caught.value.problems
    assert problem.file == str(DATA / name) and problem.message.startswith(says)


def test_every_file_of_data_is_tried() -> None:
    text = Path(__file__).read_text()
    assert [path.name for path in DATA.iterdir() if f'"{path.name}"' not in text] == []


# Symmetry


def libh4(symmetry: str, z: str = "_cell_formula_units_Z 4") -> str:
    """LiBH4 in P 21/c, every atom in a general position, with another symmetry."""
    text = (DATA / "q_none.cif").read_text()
    return text.replace("loop_\n", f"{symmetry}\nloop_\n", 1).replace("_cell_formula_units_Z 4", z)


def refusal(path: Path) -> str:
    with pytest.raises(StudyError) as caught:
        read_structure(path)
    return caught.value.problems[0].message


@pytest.mark.parametrize(
    "named",
    [
        "_space_group_name_H-M_alt 'P 21/c'",
        "_space_group_name_H-M_alt P2_1/c",
        "_space_group_name_H-M_alt 'P 1 2_1/c 1'",
        "_space_group_name_H-M_alt 'P 1 21/c 1 (#14)'",
        "_space_group_name_H-M_alt 'P 1 21/c 1 (No. 14)'",
        "_symmetry_space_group_name_H-M 'p 21/c'",
        "_symmetry_space_group_name_H_M P21/c",
        "_space_group_IT_number 14",
        "_symmetry_Int_Tables_number 14",
        "_symmetry_space_group_name_Hall '-P_2ybc'",
    ],
)
def test_a_group_is_known_by_any_usual_name(tmp_path: Path, named: str) -> None:
    found = read_structure(in_text(libh4(named), tmp_path, "a.cif"))
    wanted = read_structure(DATA / "q_hall.cif")
    np.testing.assert_allclose(found.positions, wanted.positions, atol=1e-12)


def test_a_group_by_number_alone_is_told() -> None:
    atoms = read_structure(DATA / "t_itnumber.cif")
    (remark,) = atoms.info["remarks"]
    assert remark.startswith(
        "has only the number of its space group (62): the standard setting, P n"
    )
    assert read_structure(DATA / "t_hm0.cif").info["remarks"] == ()


def test_images_of_a_general_position() -> None:
    """P 21/c, Int. Tables Crystallogr. A: x,y,z; -x,y+1/2,-z+1/2; -x,-y,-z; x,-y+1/2,z+1/2."""
    found = read_structure(DATA / "q_hall.cif")
    lithium = found.get_scaled_positions()[found.symbols == "Li"]
    x, y, z = 0.8, 0.4, 0.35
    images = [(x, y, z), (-x, y + 0.5, 0.5 - z), (-x, -y, -z), (x, 0.5 - y, z + 0.5)]
    np.testing.assert_allclose(
        sorted(lithium.round(9).tolist()), sorted((np.array(images) % 1).round(9).tolist())
    )


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("_space_group_name_H-M_alt 'P 99/q'", "its space group is unknown (got 'P 99/q')"),
        ("_space_group_IT_number 231", "its space group is unknown (got '231')"),
        (
            "_space_group_name_H-M_alt 'P 21/c'\n_space_group_IT_number 62",
            "its space group is P 1 21/c 1 by name, number 14, but has the number 62",
        ),
        (
            "_space_group_name_Hall '-P 2ac 2n'\n_space_group_name_H-M_alt 'P 21/c'",
            "its Hall symbol -P 2ac 2n and its group P 1 21/c 1 differ",
        ),
        ("_space_group_name_H-M_alt 'P 1 1 21/b'", "the space group P 1 1 21/b does not match"),
        ("_space_group_name_H-M_alt 'P 1'", "has 6 atoms, LiBH4, by the space group P 1, but"),
        ("_space_group_name_H-M_alt 'P 21'", "has 12 atoms"),
        (
            "loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n'-x, y+1/2, -z+1/2'\n'-x, -y, -z'",
            "its list of 3 symmetry operations is not complete",
        ),
        (
            "loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n'x+oops, y, z'",
            "is not a symmetry operation (got 'x+oops, y, z')",
        ),
        (
            "loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n'2x, y, z'",
            "is not a symmetry operation (got '2x, y, z')",
        ),
        ("_space_group_magn.name_BNS 'P 21/c'", "is a magnetic structure"),
        ("_cell_modulation_dimension 1", "is a modulated structure"),
    ],
)
def test_symmetry_that_is_wrong(tmp_path: Path, named: str, says: str) -> None:
    assert refusal(in_text(libh4(named), tmp_path, "a.cif")).startswith(says)


def test_a_list_that_lacks_operations_of_its_group(tmp_path: Path) -> None:
    text = libh4(
        "_space_group_name_H-M_alt 'P 21/c'\nloop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'", z=""
    )
    assert refusal(in_text(text, tmp_path, "a.cif")).startswith(
        "lists 1 symmetry operations, but its space group P 1 21/c 1 has 4"
    )


def test_a_cell_with_all_its_atoms_needs_no_group_where_its_formula_says_so(tmp_path: Path) -> None:
    whole = (DATA / "s9b_nothing.cif").read_text()
    counted = whole.replace(
        "loop_", "_cell_formula_units_Z 2\n_chemical_formula_sum 'Li B D4'\nloop_"
    )
    assert len(read_structure(in_text(counted, tmp_path, "a.cif"))) == 12


DIAMOND = """data_diamond
_cell_length_a 3.567
_cell_length_b 3.567
_cell_length_c 3.567
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt '{name}'
{more}
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
C1 {x} {x} {x}
"""


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("F d -3 m :1", "0.00"),
        ("F d -3 m :2", "0.125"),
        ("Fd-3m Z", "0.125"),
        ("F d -3 m S", "0.0"),
        ("F d -3 m (origin choice 2)", "0.125"),
        ("F d -3 m", "0.0"),
        ("F d -3 m", "0.125"),
    ],
)
def test_of_two_origins_the_one_that_is_named_or_makes_sense(
    tmp_path: Path, name: str, x: str
) -> None:
    text = DIAMOND.format(name=name, x=x, more="_cell_formula_units_Z 8\n_chemical_formula_sum C")
    assert len(read_structure(in_text(text, tmp_path, "a.cif"))) == 8


def test_two_origins_that_both_make_sense_are_refused(tmp_path: Path) -> None:
    text = DIAMOND.format(name="F d -3 m", x="0.0", more="")
    assert "may have either of two origins, the space group F d -3 m:1 and" in refusal(
        in_text(text.replace("3.567", "7.134"), tmp_path, "a.cif")
    )


# Elements


def test_deuterium_is_hydrogen_in_every_format_and_told(tmp_path: Path) -> None:
    poscar = (DATA / "t_contcar_vel.vasp").read_text().replace("Li B H\n", "Li B D\n")
    for path in (
        DATA / "s6_deuterium.cif",
        DATA / "s16_D.xyz",
        in_text(poscar, tmp_path, "POSCAR"),
    ):
        atoms = read_structure(path)
        assert Counter(atoms.symbols) == LIBH4
        assert dict(doubts({"a": atoms}, 6))["a"].startswith("D is treated as H, with the mass")
    assert not list(doubts({"a": read_structure(DATA / "s8_oxidation.cif")}, 6))


def test_labels_of_isotopes_are_told(tmp_path: Path) -> None:
    text = f"1\n{CUBE}\n11B 0 0 0\n"
    assert "'11B' is not an element. Write B: atoms get the natural mean mass" in refusal(
        in_text(text, tmp_path, "a.xyz")
    )
    text = DIAMOND.format(name="P 1", x="0", more="").replace("C1 0", "11B 0")
    assert "site 11B: '11B' is not an element. Write B" in refusal(in_text(text, tmp_path, "a.cif"))


def test_a_label_of_two_capitals_may_be_either_element(tmp_path: Path) -> None:
    text = DIAMOND.format(name="P 1", x="0", more="").replace("C1 0", "CA1 0")
    assert "site CA1: may be Ca or C. Add a column _atom_site_type_symbol" in refusal(
        in_text(text, tmp_path, "a.cif")
    )
    known = text.replace("loop_", "_chemical_formula_sum Ca\nloop_")
    assert read_structure(in_text(known, tmp_path, "b.cif")).symbols[0] == "Ca"


# Doubts


def scaled(atoms: Atoms, factor: float) -> Atoms:
    other = atoms.copy()
    other.set_cell(factor * atoms.cell, scale_atoms=True)
    return other


def test_a_cell_in_bohr_is_doubted(crystal: Atoms) -> None:
    (doubt, *_) = [text for _, text in doubts({"a": scaled(crystal, 1 / 0.529177)}, 26)]
    assert "Is the cell in bohr?" in doubt
    found = [text for _, text in doubts({"a": scaled(crystal, 0.529177)}, 26)]
    assert len(found) == 2 and "more than that of any solid" in found[1]


def test_shipped_structures_are_not_doubted() -> None:
    for path in (ROOT / "studies" / "structures").glob("*.cif"):
        assert not list(doubts({"a": read_structure(path)}, 26)), path


def test_phases_of_very_different_volume_are_doubted(crystal: Atoms) -> None:
    assert not list(doubts({"a": crystal, "b": scaled(crystal, 1.1)}, 26))
    ((phase, doubt),) = list(doubts({"a": crystal, "b": scaled(crystal, 1.16)}, 26))
    assert phase == "b" and "few percent" in doubt
    assert f"{crystal.get_volume() / 4:.1f} A^3 in a" in doubt


def test_a_cell_that_lacks_most_of_its_atoms_is_doubted(crystal: Atoms) -> None:
    assert any("less than that of any solid" in text for _, text in doubts({"a": crystal[:8]}, 1))


# Limits


def p1(count: int, operations: int = 1) -> str:
    """A CIF of many sites in one place, with many operations."""
    head = DIAMOND.format(name="P 1", x="0", more="").replace("3.567", "100")
    head = head.replace("_space_group_name_H-M_alt 'P 1'", "").rsplit("C1", 1)[0]
    listed = "loop_\n_symmetry_equiv_pos_as_xyz\n" + "".join(
        f"'x+{k}/{operations}, y, z'\n" for k in range(operations)
    )
    return head.replace("loop_\n", listed + "loop_\n", 1) + "C1 0.1 0.2 0.3\n" * count


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "POSCAR",
            "a\n1.0\n4 0 0\n0 4 0\n0 0 4\nLi\n300000000\nDirect\n0 0 0\n",
            "line 7: has 300,000,000 atoms (at most 20,000 are allowed)",
        ),
        (
            "POSCAR",
            "a\n1.0\n4 0 0\n0 4 0\n0 0 4\nLi\n15000\nDirect\n0 0 0\n",
            "line 7: should have 15000 atoms, but has 1",
        ),
        ("a.xyz", f"{10**12}\n{CUBE}\nLi 0 0 0\n", "line 1: should have 1,000,000,000,000 atoms"),
        ("a.xyz", f"{10**26}\n{CUBE}\nLi 0 0 0\n", "line 1: '1000000000000000"),
        (
            "a.xyz",
            f"1\n{CUBE.replace('R:3', 'R:3:f:R:999')}\nLi 0 0 0\n",
            "line 2: Properties has more than 64 columns",
        ),
        (
            "a.xyz",
            f"1\n{CUBE.replace('R:3', 'R:3' + ':f:R:3' * 100_000)}\nLi 0 0 0\n",
            "line 2: is too long for a comment",
        ),
        ("a.cif", "data_a\n_x 1\n" * 5000, "contains 5,000 data blocks"),
        ("a.xyz", f"1\n{CUBE}\nLi 0 0 0\n" * 5000, "contains 100 configurations or more"),
        ("a.cif", p1(1, 5000), "lists 5000 symmetry operations; no space group has more than 192"),
        ("a.cif", p1(60_000), "lists 60,000 sites (at most 20,000 atoms are allowed)"),
        ("a.cif", p1(15_000), "atoms 1 (C) and 2 (C) overlap (got 0.000 A"),
        ("a.cif", p1(15_000, 24), "has 15000 sites and 24 symmetry operations"),
        (
            "a.xyz",
            "1\n" + CUBE.replace("4 0 0 0 4 0 0 0 4", "9 0 0 0 9 0 0 0 0.1") + "\nLi 0 0 0",
            "atoms overlap with their own periodic images",
        ),
        (
            "a.xyz",
            "1\n" + CUBE.replace("4 0 0 0 4 0 0 0 4", "1e9 0 0 0 4 0 0 0 4") + "\nLi 0 0 0",
            "its cell is 1e+09 A long",
        ),
    ],
    ids=lambda value: value[:24],
)
def test_whatever_a_file_announces_memory_is_bounded(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    path = in_text(text, tmp_path, name)
    tracemalloc.start()
    try:
        assert refusal(path).startswith(says)
        assert tracemalloc.get_traced_memory()[1] < 3e8
    finally:
        tracemalloc.stop()
