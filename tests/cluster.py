"""A Slurm of our own on the loopback: munged, slurmctld and some slurmd, which pretend to be nodes.
Needs root and Debian's slurm packages.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
"""Programs of Debian's packages munge, slurmctld, slurmd and slurm-client."""

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge.sock
CryptoType=crypto/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool.%n
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.%n.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
SlurmdTimeout=15
SlurmctldTimeout=30
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
InactiveLimit=0
KillWait=5
MinJobAge=10
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=n[{first}-{last}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 DefaultTime=10 State=UP
"""  # noqa: E501
"""Dead nodes are noticed within seconds, and ended jobs forgotten soon, so that both are met in a
test. CPUs are more than there are. A node is named by its port: the tests run several clusters side
by side.
"""


def missing() -> str:
    """What keeps a cluster from being started here; empty where nothing does."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        return (
            f"{', '.join(absent)} not on PATH: apt-get install munge slurmctld slurmd slurm-client"
        )
    return "" if os.geteuid() == 0 else "a cluster of one's own needs root"


class Cluster:
    """The daemons and their commands.

    Parameters
    ----------
    place : directory for configuration, state and logs
    nodes : number of nodes
    """

    def __init__(self, place: Path, nodes: int = 2) -> None:
        self.place = place
        self.ports = _free_ports(nodes + 1)
        self.nodes = [f"n{port}" for port in self.ports[1:]]
        self.environment = {**os.environ, "SLURM_CONF": str(place / "slurm.conf")}

    def start(self) -> None:
        """Start all daemons and wait until every node is idle."""
        self.place.chmod(0o755)
        for name in ("state", *(f"spool.{node}" for node in self.nodes)):
            (self.place / name).mkdir(exist_ok=True)
        key = self.place / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        host = socket.gethostname().partition(".")[0]
        port, first, *_, last = self.ports
        (self.place / "slurm.conf").write_text(
            CONFIGURATION.format(host=host, place=self.place, port=port, first=first, last=last)
        )
        (self.place / "cgroup.conf").write_text("CgroupAutomount=no\nIgnoreSystemd=yes\n")
        self._run(
            "munged", "--force", f"--key-file={key}", f"--socket={self.place / 'munge.sock'}", f"--pid-file={self.place / 'munged.pid'}",  # noqa: E501
            f"--log-file={self.place / 'munged.log'}", f"--seed-file={self.place / 'munged.seed'}",
        )  # fmt: skip
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self.wait_until(lambda: self.idle() == len(self.nodes), "nodes are idle")

    def stop(self) -> None:
        """Cancel all jobs and end all daemons."""
        subprocess.run(
            ["scancel", "--me"], env=self.environment, capture_output=True, timeout=30, check=False
        )
        with_jobs = time.monotonic() + 20
        while self.jobs() and time.monotonic() < with_jobs:
            time.sleep(0.2)
        for file in [
            *self.place.glob("slurmd.*.pid"),
            self.place / "slurmctld.pid",
            self.place / "munged.pid",
        ]:
            _end(file, signal.SIGTERM)

    def start_controller(self) -> None:
        """Start slurmctld."""
        self._run("slurmctld")

    def stop_controller(self) -> None:
        """End slurmctld; jobs run on."""
        _end(self.place / "slurmctld.pid", signal.SIGTERM)

    def start_node(self, node: str) -> None:
        """Start a node's slurmd."""
        self._run("slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """The node dies: its slurmd, and all that runs on it, at once."""
        _end(self.place / f"slurmd.{node}.pid", signal.SIGKILL)
        for process in psutil.process_iter():
            try:
                if process.environ().get("SLURMD_NODENAME") == node or (
                    process.name() == "slurmstepd" and node in process.cmdline()[0]
                ):
                    process.kill()
            except (psutil.Error, IndexError):
                continue

    def jobs(self) -> list[tuple[str, str, str]]:
        """Id, state and node list of each job in the queue."""
        lines = self._run("squeue", "--noheader", "--format=%i %t %N").splitlines()
        return [
            (words[0], words[1], words[2] if len(words) > 2 else "")
            for line in lines
            if (words := line.split())
        ]

    def cancel(self, *jobs: str) -> None:
        """As the administrator does it."""
        self._run("scancel", *jobs)

    def idle(self) -> int:
        """Number of idle nodes."""
        done = subprocess.run(
            ["sinfo", "-h", "-N", "-t", "idle", "-o", "%N"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return len(set(done.stdout.split()))

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait for something."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited in vain until {what}\n{self._log()}"
            time.sleep(0.1)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{self._log()}"
        return done.stdout

    def _log(self) -> str:
        file = self.place / "slurmctld.log"
        return "\n".join(file.read_text().splitlines()[-10:]) if file.exists() else ""


def _end(pid_file: Path, how: signal.Signals) -> None:
    try:
        process = psutil.Process(int(pid_file.read_text()))
        process.send_signal(how)
        try:
            process.wait(timeout=20)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(timeout=20)
    except (OSError, ValueError, psutil.NoSuchProcess):
        pass
    pid_file.unlink(missing_ok=True)


def _free_ports(count: int) -> list[int]:
    """So many free ports in a row."""
    for first in range(21000 + os.getpid() % 1000 * 20, 60000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
        return list(range(first, first + count))
    raise OSError("no free ports")
