"""MLIP-3's potentials with their selection state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from borarun.mtp import active_set, almtp
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential

RECORDED = Path(__file__).parent.parent / "engines" / "data" / "mlip-3" / "train"


@pytest.fixture(scope="module")
def content() -> bytes:
    return (RECORDED / "trained.almtp").read_bytes()


def test_the_state_of_the_program_is_read(content: bytes) -> None:
    """The grade of each neighbourhood that is in the active set is one."""
    potential = Potential.read(almtp.split(content)[0])
    selection = almtp.read(content, potential)
    assert selection.mode == "nbh"
    assert active_set.grades(selection.active_set, selection.active_set) == pytest.approx(1.0)
    np.testing.assert_array_equal(selection.active_set, np.load(RECORDED / "active_set.npy"))


def test_text_and_state_part_and_join(content: bytes) -> None:
    text, block = almtp.split(content)
    assert (
        text.endswith("}\n")
        and block.startswith(b"#MVS_v1.1\n")
        and text.encode() + block == content
    )
    assert almtp.split(text.encode()) == (text, b"")
    assert almtp.tagged(almtp.tagged(content, "X Y"), "Li H") == content


def test_a_state_that_is_written_is_read_back(random_potential: Callable[[int], Potential]) -> None:
    potential = random_potential(8)
    rows = np.random.default_rng(2).normal(size=(potential.n_parameters, potential.n_parameters))
    written = almtp.write(potential, rows)
    found = almtp.read(written, potential)
    assert found.mode == "nbh"
    np.testing.assert_array_equal(found.active_set, rows)
    assert almtp.split(written)[0] == potential.write()


def test_the_inverse_in_the_file_is_that_of_the_rows(
    random_potential: Callable[[int], Potential],
) -> None:
    """Column by column, as MLIP-3 keeps it."""
    potential = random_potential(6)
    p = potential.n_parameters
    written = almtp.write(potential, np.random.default_rng(2).normal(size=(p, p)) + np.eye(p))
    block = almtp.split(written)[1]
    numbers = np.frombuffer(block[block.index(b"#", 1) + 1 :][: 16 * p * p], "<f8").reshape(2, p, p)
    np.testing.assert_allclose(numbers[0] @ numbers[1].T, np.eye(p), atol=1e-8)


def test_grades_do_not_depend_on_the_order_of_parameters(content: bytes) -> None:
    """Rows in the file are in the order radial, species, moments; those of the evaluator
    are not.
    """
    potential = Potential.read(almtp.split(content)[0])
    moments, radial = len(potential.data.moment_coeffs), potential.data.radial_coeffs.size
    block = almtp.split(content)[1]
    p = potential.n_parameters
    raw = np.frombuffer(block[block.index(b"#", 1) + 1 :], "<f8", p * p).reshape(p, p)
    rows = almtp.read(content, potential).active_set
    np.testing.assert_array_equal(rows[:, :moments], raw[:, radial + len(potential.species) :])
    np.testing.assert_array_equal(rows[:, -radial:], raw[:, :radial])
    evaluator = Evaluator(potential, [3, 1])
    evaluator.evaluate(np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), np.eye(3) * 4.0)
    species = evaluator.gradients()[:, moments : moments + 2]
    np.testing.assert_allclose(
        species, np.eye(2)
    )  # a local energy grows with the coefficient of its own element only


@pytest.mark.parametrize("keep", np.linspace(0.0, 0.995, 21))
def test_a_state_cut_short_is_noticed(content: bytes, keep: float) -> None:
    potential = Potential.read(almtp.split(content)[0])
    with pytest.raises(ValueError, match="cut short"):
        almtp.read(content[: int(len(content) * keep)], potential)


def test_other_weights_and_numbers_that_are_none_are_refused(content: bytes) -> None:
    potential = Potential.read(almtp.split(content)[0])
    with pytest.raises(ValueError, match="neither configurations nor neighbourhoods"):
        almtp.read(content.replace(b"force_weight 0", b"force_weight 3"), potential)
    start = content.index(b"#", content.index(b"#MVS") + 1) + 1
    with pytest.raises(ValueError, match="not numbers"):
        almtp.read(content[:start] + np.array([np.nan]).tobytes() + content[start + 8 :], potential)
