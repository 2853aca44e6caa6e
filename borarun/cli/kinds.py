"""The files that people write, studies, sites, published values and analyses of given
trajectories, told apart by what is in them.
"""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path
from typing import Literal

from borarun.basics.errors import StudyError
from borarun.given.model import Analysis
from borarun.input.yaml_file import read_yaml
from borarun.published import PublishedFile
from borarun.site import Site
from borarun.study.model import StudyFile

Kind = Literal["study", "site", "published", "analysis"]

_SHARED = StudyFile.model_fields.keys() & Site.model_fields.keys()
KEYS: dict[Kind, frozenset[str]] = {
    "study": frozenset(StudyFile.model_fields.keys() - _SHARED),
    "site": frozenset(Site.model_fields.keys() - _SHARED),
    "published": frozenset(PublishedFile.model_fields.keys() - StudyFile.model_fields.keys()),
    "analysis": frozenset(Analysis.model_fields.keys() - StudyFile.model_fields.keys()),
}
"""Top-level keys that only the one kind has."""

NAMES: dict[str, str] = {
    "study": "a study",
    "site": "a site",
    "published": "published values",
    "analysis": "an analysis",
}


def kind_of(path: Path) -> Kind:
    """Which kind a file is: that of most of its keys, or of those that its keys were meant to be.

    Raises
    ------
    StudyError
        Where the file cannot be read, or nothing in it tells.
    """
    root, _ = read_yaml(path)
    owners = {key: kind for kind, keys in KEYS.items() for key in keys}
    known = Counter(owners[key] for key in root.value if key in owners)
    meant = Counter(
        owners[close] for key in root.value for close in difflib.get_close_matches(key, owners, n=1)
    )
    for votes in (known, meant):
        first, second = sorted((votes[kind] for kind in KEYS), reverse=True)[:2]
        if first != second:
            return max(votes, key=lambda kind: votes[kind])
    if mixed := [kind for kind in KEYS if known[kind]]:
        theirs = [
            f"{NAMES[kind]} ({', '.join(key for key in root.value if owners.get(key) == kind)})"
            for kind in mixed
        ]
        raise StudyError(
            root.problem(
                (), f"mixes keys of {' and of '.join(theirs)}. Write each into its own file."
            )
        )
    hint = (
        "A study has `material` and `reference`, a site has `executors` or `programs`, a file of "
        "published values has `sources` and `values`, an analysis has `trajectories`."
    )
    raise StudyError(
        root.problem(
            (),
            "is neither a study nor a site, published values or an analysis (got the keys "
            f"{', '.join(root.value):.100}). {hint}",
        )
    )
