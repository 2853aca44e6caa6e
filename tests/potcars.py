"""POTCARs without a potential: what readers look for in one, and nothing of VASP's."""

from __future__ import annotations

from pathlib import Path

from borarun.engines.vasp import inputs as vasp_inputs

TITELS = {"Li": "PAW_PBE Li_sv 10Sep2004", "B": "PAW_PBE B 06Sep2000", "H": "PAW_PBE H 15Jun2001"}
ZVAL = {"Li": 3, "B": 3, "H": 1}
MASS = {"Li": 7.01, "B": 10.811, "H": 1.0}


def made_up_potcar(element: str) -> str:
    """What readers look for in a POTCAR, and no potential."""
    return (
        f"  {TITELS[element]}\n {float(ZVAL[element])}\n parameters from PSCTR are:\n   "
        f"VRHFIN ={element}: made up\n   LEXCH  = PE\n"
        f"   TITEL  = {TITELS[element]}\n   POMASS = {MASS[element]:8.3f}; ZVAL   = "
        f"{ZVAL[element]:8.3f}    mass and valenz\n"
        "   ENMAX  =  400.000; ENMIN  =  300.000 eV\n\n END of PSCTR-controll parameters\n "
        "local part\n  1.0 2.0 3.0\n End of Dataset\n"
    )


def write_potcars(directory: Path) -> Path:
    """A tree of POTCARs as VASP ships it."""
    for element, titel in TITELS.items():
        file = vasp_inputs.potcar_path(str(directory), titel)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(made_up_potcar(element))
    (directory / "vdw_kernel.bindat").write_text("made up\n")
    return directory
