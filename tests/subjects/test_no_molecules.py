"""What asks for bonds or orientations is refused where a material has no molecular anions, and a
single atom is no molecule.
"""

from __future__ import annotations

import pytest
from synthetic import make_study

from borarun.study import checks

CHLORIDE = {"formula": "LiCl", "phases": {"Pa-3": "Pa-3.xyz"}, "mobile": "Li"}


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
    chloride = make_study(material=CHLORIDE, **sections)
    assert place in dict(checks.findings(chloride, {}))
    assert place not in dict(checks.findings(make_study(**sections), {}))


def test_a_single_atom_is_no_anion() -> None:
    found = dict(checks.findings(make_study(material=CHLORIDE | {"anions": "Cl"}), {}))
    assert found["material", "anions"] == (
        "is a single atom, not a molecule (got Cl). Leave it out: atoms that are neither mobile "
        "nor in an anion are the framework."
    )
