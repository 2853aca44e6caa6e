"""What asks for bonds or orientations is refused where an anion is one atom."""

from __future__ import annotations

import pytest
from synthetic import make_study

from borarun.study import checks

CHLORIDE = {"formula": "LiCl", "phases": {"Pa-3": "Pa-3.xyz"}, "mobile": "Li", "anion": "Cl"}


@pytest.mark.parametrize(
    ("sections", "place"),
    [
        ({"reorientation": {}}, ("reorientation",)),
        (
            {"reorientation": None, "training_set": {"strained_bonds": 4}},
            ("training_set", "strained_bonds"),
        ),
    ],
)
def test_it_is_refused(sections: dict[str, object], place: tuple[str, ...]) -> None:
    single = make_study(material=CHLORIDE, **sections)
    assert place in dict(checks.findings(single, {}))
    assert place not in dict(checks.findings(make_study(**sections), {}))
