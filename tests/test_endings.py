"""The file in which a program says how it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError, ParseError, TimeUpError
from borarun.records import endings
from borarun.records.endings import Ending, Nothing, Written, ending_of, is_complete, result_of


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    told = {"facts": {"energy": -1.25, "labels": ["G", "X"], "none": None}, "bytes": 12}
    Ending(result=told).write(tmp_path)
    assert result_of(tmp_path, Written) == Written(**told) and is_complete(tmp_path)


@pytest.mark.parametrize("told", [{}, {"facts": {}}, {"facts": [], "bytes": 1}])
def test_a_result_that_lacks_a_value_names_it(tmp_path: Path, told: dict[str, object]) -> None:
    Ending(result=told).write(tmp_path)
    with pytest.raises(ParseError, match=r"ending\.json: is damaged \((bytes|facts)"):
        result_of(tmp_path, Written)


@pytest.mark.parametrize("cause", Cause)
def test_a_failure_is_raised_with_all_that_it_says(tmp_path: Path, cause: Cause) -> None:
    error = EngineError("it broke", remedy="fix it", evidence="last line", cause=cause)
    Ending.of_error(error).write(tmp_path)
    assert not is_complete(tmp_path)
    with pytest.raises(EngineError, match="it broke") as caught:
        result_of(tmp_path, Nothing)
    assert caught.value.cause is cause
    if cause is Cause.OUT_OF_TIME:
        assert isinstance(caught.value, TimeUpError)
    else:
        assert (caught.value.remedy, caught.value.evidence) == ("fix it", "last line")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '{"cause": "of the moon"}',
        '{"result": []}',
        '{"cause": null, "unknown": 1}',
        "\xff",
        "[" * 100_000,
    ],
)
def test_a_damaged_ending_is_unreadable(tmp_path: Path, text: str) -> None:
    (tmp_path / endings.NAME).write_text(text, encoding="latin-1")
    assert not is_complete(tmp_path)
    with pytest.raises(ParseError, match=r"ending\.json: is cut short or damaged") as caught:
        ending_of(tmp_path)
    assert caught.value.cause is Cause.UNREADABLE


def test_every_cut_of_an_ending_is_unreadable(tmp_path: Path) -> None:
    Ending(cause=Cause.KILLED, message="it was killed").write(tmp_path)
    whole = (tmp_path / endings.NAME).read_bytes()
    for length in range(len(whole)):
        (tmp_path / endings.NAME).write_bytes(whole[:length])
        assert not is_complete(tmp_path)
        with pytest.raises(ParseError):
            result_of(tmp_path, Nothing)


def test_without_an_ending_the_program_did_not_end(tmp_path: Path) -> None:
    assert not is_complete(tmp_path)
    with pytest.raises(ParseError, match="did not come to its end"):
        result_of(tmp_path, Nothing)
