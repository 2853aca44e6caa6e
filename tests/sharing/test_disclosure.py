"""What must not leave a site is found, and nothing else."""

from __future__ import annotations

import pytest

from borarun.sharing.disclosure import licensed, without_paths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ada/runs/x/OUTCAR: is cut short", "OUTCAR: is cut short"),
        ("see (/scratch/a/b).", "see (b)."),
        ("no /home/ada/", "no ..."),
        (
            "C2/m, P2_1/n, eV/A/x, 1/2/3, https://a.b/c/d",
            "C2/m, P2_1/n, eV/A/x, 1/2/3, https://a.b/c/d",
        ),
    ],
)
def test_paths_are_cut_and_nothing_else(text: str, expected: str) -> None:
    assert without_paths(text) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("  PAW_PBE Li_sv 10Sep2004\n parameters from PSCTR are:\n", "a POTCAR of VASP"),
        ("half of one\n   VRHFIN =Li: 1s2s2p\n", "a POTCAR of VASP"),
        ('<UPF version="2.0.1">', "a pseudopotential (UPF)"),
        ("<PP_HEADER>\n   0   Version Number\n", "a pseudopotential (UPF)"),
        ("TITEL = PAW_PBE Li_sv 10Sep2004", ""),
        ("MTP\nversion = 1.1.0\n", ""),
    ],
)
def test_files_under_licence_are_known_by_their_words_and_not_by_their_names(
    text: str, kind: str
) -> None:
    assert licensed(b"x" * 1000 + b"\n" + text.encode()) == kind
