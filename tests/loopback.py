"""SLURM cluster of this machine alone, on loopback, with its own configuration and state."""

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scontrol", "scancel", "squeue", "sinfo")
START_SECONDS = 30.0  # within which the cluster must start
CREDENTIAL_SECONDS = 5  # a requeued job waits for this time and 1 s; SLURM's default is 120
CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
AuthInfo=cred_expire={credential_seconds}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=30
SlurmdParameters=config_overrides
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/controller.pid
SlurmdPidFile={place}/node.pid
SlurmctldLogFile={place}/controller.log
SlurmdLogFile={place}/node.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000
PartitionName=all Nodes={host} Default=YES MaxTime=60 State=UP
"""


@contextmanager
def cluster(place: Path) -> Iterator[None]:
    """Start the cluster, with `SLURM_CONF` set to `place / "slurm.conf"`; skip the test if it cannot start."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not here (Debian has it in slurm-wlm); test_slurm.py runs the scripts by a stub")
    for name in ("state", "spool"):
        (place / name).mkdir()
    ports = dict(zip(("controller_port", "node_port"), _free_ports(2), strict=True))
    (place / "slurm.conf").write_text(
        CONFIGURATION.format(
            place=place, user=getpass.getuser(), host=socket.gethostname().split(".")[0],
            credential_seconds=CREDENTIAL_SECONDS, **ports,
        )
    )  # fmt: skip
    with ExitStack() as stack:
        daemons = [stack.enter_context(_daemon(place, name)) for name in ("slurmctld", "slurmd")]
        try:
            wait_until(lambda: ask("sinfo", "--noheader", "--format=%T") == "idle", START_SECONDS)
        except TimeoutError:
            ended = [daemon.args for daemon in daemons if daemon.poll() is not None]
            pytest.skip(f"SLURM does not start here ({ended or 'it waits'}); test_slurm.py runs the scripts by a stub")
        yield


def ask(*words: str) -> str:
    """Return the output of one of SLURM's programs; empty if it fails."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it did not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


@contextmanager
def _daemon(place: Path, name: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (place / f"{name}.out").open("wb") as log:
        daemon = subprocess.Popen([name, "-D"], stdout=log, stderr=log)
    try:
        yield daemon
    finally:
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [int(opened.getsockname()[1]) for opened in sockets]
