"""An analysis from a file or from flags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from borarun.basics.errors import Problem, StudyError
from borarun.given.model import Analysis
from borarun.input.messages import in_order, validate
from borarun.input.renamed import with_new_names
from borarun.input.yaml_file import read_yaml
from borarun.sections.study import RENAMED

SUFFIXES = (".yaml", ".yml")
"""Of files that hold an analysis, and not a trajectory."""


def load_analysis(path: Path) -> Analysis:
    """Read and validate the file of an analysis.

    Raises
    ------
    StudyError
        With every mistake in it.
    """
    root, problems = read_yaml(path)
    root, former = with_new_names(root, RENAMED)
    analysis, misfits, _ = validate(root, Analysis)
    if analysis is None or problems:
        raise StudyError(in_order([*problems, *misfits]))
    return analysis.having(former)


def analysis_schema() -> dict[str, Any]:
    """JSON schema of the file of an analysis, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Analysis.model_json_schema(),
    }


def refuse_flags(files: Sequence[Path], flags: Mapping[str, Any]) -> None:
    """Refuse what is said beside the file of an analysis.

    Raises
    ------
    StudyError
        Where there are other files, or a flag is given.
    """
    if len(files) > 1:
        raise _wrong(
            str(files[1]), "stands beside a file that names all trajectories. Add it there."
        )
    if said := _given(flags):
        raise _wrong(
            f"--{next(iter(said)).replace('_', '-')}",
            f"is given beside {files[0]}. Write it into that file.",
        )


def of_flags(
    files: Sequence[Path],
    temperatures_K: Sequence[float],
    *,
    material: Mapping[str, Any],
    reading: Mapping[str, Any],
    name: str = "",
    method: str = "",
) -> Analysis:
    """The analysis that flags ask for; what is None was not given.

    Parameters
    ----------
    temperatures_K : one for each file, or one for all
    material, reading : by the names of their keys

    Raises
    ------
    StudyError
        Where something is missing or wrong.
    """
    if material.get("mobile") is None:
        raise _wrong(
            "--mobile",
            "is missing. Say which ions move and what the molecular anions are, if there are any, "
            "as in --mobile Li --anion B12H12.",
        )
    if len(temperatures_K) not in (1, len(files)):
        what = "is missing" if not temperatures_K else f"is given {len(temperatures_K)} times"
        raise _wrong(
            "--temperature",
            f"{what}. Give it once for all files, or once for each in their order (K); there "
            f"{'is 1 file' if len(files) == 1 else f'are {len(files)} files'}.",
        )
    if len(temperatures_K) == 1:
        temperatures_K = list(temperatures_K) * len(files)
    content = {
        "borarun": 1,
        "name": name or _name(files[0]),
        "material": _given(material),
        "trajectories": [
            {"file": str(file), "temperature_K": float(temperature)}
            for file, temperature in zip(files, temperatures_K, strict=True)
        ],
        **_given(reading),
        **({"method": method} if method else {}),
    }
    try:
        return Analysis.model_validate(content)
    except ValidationError as error:
        raise StudyError(
            [
                Problem(
                    _flag(each["loc"]),
                    0,
                    "",
                    f"{each['msg'][:1].lower()}{each['msg'][1:]} (got {each['input']!r:.60}).",
                )
                for each in error.errors()
            ]
        ) from error


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _flag(place: tuple[int | str, ...]) -> str:
    """The flag that a key has."""
    key = next((str(part) for part in reversed(place) if isinstance(part, str)), "")
    known = {"temperature_K": "temperature", "file": "TRAJECTORY"}
    name = known.get(key, key.replace("_", "-"))
    return name if name.isupper() else f"--{name}"


def _name(file: Path) -> str:
    """A name for the folder of the results, from that of a file."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", file.name.split(".")[0]).strip("-._")
    return stem[:64] or "analysis"


def _wrong(place: str, message: str) -> StudyError:
    return StudyError(Problem(place, 0, "", message))
