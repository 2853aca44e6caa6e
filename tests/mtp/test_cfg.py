"""MLIP-3's cfg files: what is written is read back, and files of the program are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from motep.io.mlip.cfg import read_cfg

from borarun.mtp import cfg
from borarun.records.frames import Frames

SPECIES = (3, 5, 1)
NUMBER = st.floats(-1e6, 1e6, allow_subnormal=False)
CUBE = np.diag([4.0, 5.0, 6.0])


@st.composite
def frames(draw: st.DrawFn) -> Frames:
    sizes = draw(st.lists(st.integers(1, 4), max_size=4))
    n, f = sum(sizes), len(sizes)
    labelled, graded = draw(st.booleans()), draw(st.booleans())
    return Frames(
        offsets=np.cumsum([0, *sizes]),
        numbers=np.array(
            draw(st.lists(st.sampled_from(SPECIES), min_size=n, max_size=n)), np.int32
        ),
        positions=draw(arrays(float, (n, 3), elements=NUMBER)),
        cell=CUBE
        + draw(arrays(float, (f, 3, 3), elements=st.floats(-0.5, 0.5, allow_subnormal=False))),
        energy=draw(arrays(float, f, elements=NUMBER)) if labelled else None,
        forces=draw(arrays(float, (n, 3), elements=NUMBER)) if labelled else None,
        stress=draw(arrays(float, (f, 6), elements=st.floats(-10, 10, allow_subnormal=False)))
        if labelled
        else None,
        grade=draw(arrays(float, f, elements=st.floats(0, 1e9))) if graded else None,
    )


@settings(max_examples=60, deadline=None)
@given(frames())
def test_what_is_written_is_read_back(written: Frames) -> None:
    """Every number is the same float; a stress passes through its product with the volume, so its
    last digit may move.
    """
    found = cfg.read(cfg.write(written, SPECIES), SPECIES)
    if len(written):
        assert found.arrays().keys() == written.arrays().keys()
    for name, values in written.arrays().items():
        if name == "stress" and len(written):
            np.testing.assert_allclose(found.stress, values, rtol=5e-16, atol=1e-300)
        elif len(written):
            np.testing.assert_array_equal(getattr(found, name), values)
    assert len(found) == len(written)


def test_stress_has_the_other_sign_times_the_volume() -> None:
    one = Frames(
        offsets=np.array([0, 1]),
        numbers=np.array([1], np.int32),
        positions=np.zeros((1, 3)),
        cell=CUBE[None],
        energy=np.array([-2.5]),
        forces=np.zeros((1, 3)),
        stress=np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]),
    )
    lines = cfg.write(one, SPECIES).splitlines()
    stress = lines[lines.index(" PlusStress:  xx yy zz yz xz xy") + 1].split()
    assert [float(word) for word in stress] == pytest.approx(
        [-120.0, -240.0, -360.0, -480.0, -600.0, -720.0]
    )
    assert lines[lines.index(" Energy") + 1].split() == ["-2.5"]
    assert "    1 2 0.0 0.0 0.0 0.0 0.0 0.0" in lines


def test_motep_reads_the_same(labels: Frames, tmp_path: Path) -> None:
    assert labels.forces is not None
    ours = replace(labels, forces=labels.forces * 1e-7).take([0, 1])
    (tmp_path / "x.cfg").write_text(cfg.write(ours, SPECIES))
    theirs = Frames.of(read_cfg(tmp_path / "x.cfg", ":", species=list(SPECIES)))
    for name in ("numbers", "positions", "cell", "energy", "forces"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))
    np.testing.assert_allclose(theirs.stress, ours.stress, rtol=1e-12)  # type: ignore[arg-type]


CLUSTER = """BEGIN_CFG
 Size
    3
 AtomData:  id type cartes_x cartes_y cartes_z ghost nbh_grades
    1 0 0.5 0 0 false 1.5
    2 2 1.0 0 0 true  0
    3 1 1.5 0 0 false 2.5
 Feature   MV_grade\t2.5
 Feature   EFS_by\tmtp
END_CFG
"""
DIRECT = """BEGIN_CFG
 Size
1
 SuperCell
  4 0 0
  0 5 0
  0 0 6
 AtomData:  type direct_x direct_y direct_z fx fy fz
  1 0.5 0.5 0.5 1e-05 -2.0E+00 3
 Energy
   -1
 PlusStress:  zz yy xx xy xz yz
   3 2 1 6 5 4
END_CFG
"""


def test_ghost_atoms_are_left_out_and_a_cluster_has_no_cell() -> None:
    found = cfg.read(CLUSTER, SPECIES)
    assert found.numbers.tolist() == [3, 5] and not found.cell.any()
    assert found.grade is not None and found.grade.tolist() == [2.5]
    assert cfg.features(CLUSTER) == [{"MV_grade": "2.5", "EFS_by": "mtp"}]


def test_direct_coordinates_and_any_order_of_the_stress_are_understood() -> None:
    found = cfg.read(DIRECT, SPECIES)
    assert found.positions.tolist() == [[2.0, 2.5, 3.0]]
    assert found.forces is not None and found.forces.tolist() == [[1e-5, -2.0, 3.0]]
    np.testing.assert_allclose(found.stress, [-np.array([1, 2, 3, 4, 5, 6]) / 120])  # type: ignore[arg-type]


def test_no_text_is_no_configuration() -> None:
    assert len(cfg.read("", SPECIES)) == 0 and cfg.features("\n") == []


@pytest.mark.parametrize(
    "text",
    [
        DIRECT[:-9],
        CLUSTER + DIRECT[: len(DIRECT) // 2],
        "hello",
        CLUSTER.replace("    3 1 1.5 0 0 false 2.5\n", ""),
        CLUSTER.replace("    3 1 1.5", "    3 3 1.5"),
        CLUSTER.replace(" Size", " Sise"),
        DIRECT.replace("direct_x", "direct_q"),
        DIRECT.replace("  0 5 0\n", ""),
        DIRECT.replace("-1\n", "x\n"),
    ],
)
def test_damage_is_noticed(text: str) -> None:
    with pytest.raises(ValueError, match="configuration"):
        cfg.read(text, SPECIES)


def test_an_element_that_is_no_species_is_refused(labels: Frames) -> None:
    with pytest.raises(KeyError):
        cfg.write(labels.take([0]), (3, 5))
