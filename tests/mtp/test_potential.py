"""The text form survives, names its elements, and is read by motep and, where it is installed, by
MLIP-3.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from motep.io.mlip.mtp import read_mtp

from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import ACTIVE_SET_MARK, Potential
from borarun.mtp.templates import SCALARS
from borarun.records.frames import Frames

Make = Callable[[int], Potential]


@pytest.mark.parametrize("level", [6, 8, 12, 16])
def test_what_is_written_is_read_again(random_potential: Make, level: int) -> None:
    potential = random_potential(level)
    again = Potential.read(potential.write())
    assert (again.level, again.species, again.cutoff_A) == (level, (3, 5, 1), 5.0)
    np.testing.assert_allclose(again.parameters, potential.parameters, rtol=1e-15)


@pytest.mark.parametrize("level", SCALARS)
def test_motep_reads_every_untrained_level(level: int, tmp_path: Path) -> None:
    file = tmp_path / "untrained.mtp"
    file.write_text(Potential.untrained(level, (3, 1)).write())
    data = read_mtp(file)
    assert data.alpha_scalar_moments == SCALARS[level] == len(data.alpha_moment_mapping)
    assert data.alpha_moments_count > data.alpha_index_times[:, [0, 1, 3]].max()


def test_mlip_3_does_not_read_motep_s_newer_section(random_potential: Make) -> None:
    text = random_potential(8).write()
    assert "min_dist" in text and "max_dist" in text and "radial_basis_size" in text
    assert not re.search(r"^\s*(min|max|size) =", text, re.MULTILINE)


def test_the_active_set_that_mlip_3_appends_is_left_out(random_potential: Make) -> None:
    text = random_potential(6).write()
    assert Potential.read(text + ACTIVE_SET_MARK + "\nwhatever").write() == text


def test_a_file_without_elements_needs_them_named(random_potential: Make) -> None:
    text = re.sub("potential_tag = .*", "potential_tag = ", random_potential(6).write())
    with pytest.raises(ValueError, match="does not name the 3 elements"):
        Potential.read(text)
    assert Potential.read(text, (3, 5, 1)).species == (3, 5, 1)


@pytest.mark.parametrize(
    "text", ["", "MTP\n", "no potential at all", "MTP\nversion = 1.1.0\nspecies_count = 3\n"]
)
def test_what_is_no_potential_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="moment tensor potential"):
        Potential.read(text, (3, 5, 1))


def test_the_same_seed_gives_the_same_untrained_potential() -> None:
    texts = [Potential.untrained(8, (3, 5, 1), seed=seed).write() for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_parameters_replaced_leave_the_original_alone(random_potential: Make) -> None:
    potential = random_potential(6)
    before = potential.parameters
    other = potential.with_parameters(before + 1.0)
    np.testing.assert_array_equal(potential.parameters, before)
    np.testing.assert_array_equal(other.parameters, before + 1.0)


def test_types_follow_the_file_s_order_and_refuse_other_elements(random_potential: Make) -> None:
    potential = random_potential(6)
    np.testing.assert_array_equal(potential.types([1, 1, 3, 5]), [2, 2, 0, 1])
    with pytest.raises(ValueError, match=r"Li B H only \(got C\)"):
        potential.types([3, 6])


@pytest.mark.skipif(shutil.which("mlp") is None, reason="MLIP-3's mlp is not on PATH")
@pytest.mark.parametrize("level", [6, 8, 12, 16, 20])
def test_mlip_3_computes_the_same_energies_and_forces(
    random_potential: Make, level: int, labels: Frames, tmp_path: Path
) -> None:
    potential, atoms = random_potential(level), labels[3]
    (tmp_path / "potential.almtp").write_text(potential.write())
    (tmp_path / "in.cfg").write_text(_cfg(atoms, potential))
    subprocess.run(
        ["mlp", "calculate_efs", "potential.almtp", "in.cfg", "--output_filename=out.cfg"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    written = next(tmp_path.glob("out.cfg*")).read_text()
    table = written.split("fz\n")[1].split("Energy")[0]
    forces = np.array([line.split()[5:8] for line in table.strip().splitlines()], float)
    energy = float(written.split("Energy\n")[1].split()[0])
    ours = Evaluator(potential, atoms.numbers).evaluate(atoms.positions, atoms.cell.array)
    assert ours.energy == pytest.approx(energy, abs=1e-6)
    np.testing.assert_allclose(ours.forces, forces, atol=1e-6)


def _cfg(atoms: Atoms, potential: Potential) -> str:
    cell = "\n".join(" ".join(f"{x:.12f}" for x in row) for row in atoms.cell.array)
    rows = "\n".join(
        f"{i + 1} {kind} " + " ".join(f"{x:.12f}" for x in position)
        for i, (kind, position) in enumerate(
            zip(potential.types(atoms.numbers), atoms.positions, strict=True)
        )
    )
    return (
        f"BEGIN_CFG\nSize\n{len(atoms)}\nSupercell\n{cell}\nAtomData: id type cartes_x cartes_y "
        f"cartes_z\n{rows}\nEND_CFG\n"
    )
