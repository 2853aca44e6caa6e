"""What several test modules share."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cluster import Cluster

from borarun.live import server
from borarun.live.server import Server, make_server
from borarun.records.places import Places
from borarun.run.state import Observer
from borarun.site import default_site
from borarun.study import Study, load_study

STUDIES = Path(__file__).parent.parent / "studies"

MINI_STUDY = """\
borarun: 1
name: mini
material:
  formula: Li2B12H12
  phases: {Pa-3: structures/Li2B12H12-Pa-3.cif}
  mobile: Li
  anions: B12H12
functionals: [PBE-D3]
supercell: [1, 1, 1]
reference: {engine: bundled}
training_set:
  aimd: {temperatures_K: 600, time_ps: 0.04, sample_every_fs: 2, vacancies: [0, 1]}
  validation_fraction: 0.2
potential: {level: 8, max_evaluations: 15}
active_learning:
  threshold_save: 4000
  threshold_break: 10000
  to_K: 350
  heating_ns: 0.0001
  hold_ns: 0.0001
  vacancies: [0, 1]
  max_rounds: 3
  max_labels_per_round: 5
heating: {from_K: 50, to_K: 250, heating_rates_K_per_ps: 1000, cooling_rates_K_per_ps: 1000, timestep_fs: 1, sample_every_fs: 4}
diffusion:
  temperatures_K: [200, 300]
  vacancies: [0, 1]
  from_K: 100
  heating_rate_K_per_ps: 2000
  equilibration_ns: 0.0001
  time_ns: 0.0005
  timestep_fs: 1
  sample_every_fs: 5
reorientation: {}
"""  # noqa: E501
"""A whole study in about a minute: too short for physics, long enough to pass through every stage.
"""


@contextmanager
def largest_file(size_B: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: the nearest thing to a full disk that needs
    no privileges.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_B, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def mini_study(tmp_path: Path) -> Path:
    """The file of the mini study, with its structure beside it."""
    shutil.copytree(
        STUDIES / "structures", tmp_path / "structures", ignore=shutil.ignore_patterns("*.py")
    )
    path = tmp_path / "mini.yaml"
    path.write_text(MINI_STUDY)
    return path


@pytest.fixture
def study(mini_study: Path) -> Study:
    return load_study(mini_study)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places.of(tmp_path / "runs", "mini")


@pytest.fixture
def serving(
    study: Study, places: Places, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Server]]:
    """Serve the study, which looks at it whenever it is asked."""
    monkeypatch.setattr(server, "LOOK_S", 0.0)
    monkeypatch.setattr(server, "PAUSE", 0.0)
    with ExitStack() as after:

        def start() -> Server:
            found = after.enter_context(
                make_server(study, "mini.yaml", Observer(study, default_site(), places), 0)
            )
            thread = threading.Thread(
                target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
            )
            thread.start()
            after.callback(thread.join)
            after.callback(found.shutdown)
            return found

        yield start


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Slurm with two nodes, one for each process that runs tests."""
    place = tmp_path_factory.mktemp("slurm")
    for folder in (place, *place.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)  # munged refuses a socket behind closed doors
    found = Cluster(place)
    try:
        found.start()
        yield found
    finally:
        found.stop()
