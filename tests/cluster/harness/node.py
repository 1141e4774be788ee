"""The node: where it keeps things, and how its processes are started, watched and ended."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import yaml

from tests.cluster.harness.waiting import StillNot, until
from tests.tools import ROOT

_STATE: Final = Path("/var/lib/sklearn-kserve-cluster")
# They outlive this process; whoever drops one that runs is warned of it.
_started: Final[list[subprocess.Popen[bytes]]] = []


class Failed(Exception):
    """A part of the cluster did not come up; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Node:
    """
    Directories of the one node.

    Parameters
    ----------
    state : Path
        Whatever the cluster needs while it is up; one machine has one such cluster.
    logs : Path
        A file for each component; they stay when the cluster goes.
    """

    state: Path = _STATE
    logs: Path = ROOT / "var" / "cluster"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.logs / "kubeconfig"

    def write(self, name: str, content: str | Mapping[str, object]) -> Path:
        """Write a file of the state: text as it is, anything else as YAML."""
        file = self.state / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return file

    def run(self, *command: str | Path, check: bool = True, stdin: str | None = None) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run([str(each) for each in command], input=stdin, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise Failed(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start(
        self,
        name: str,
        command: list[str],
        ready: Callable[[], object],
        *,
        env: Mapping[str, str] | None = None,
        timeout_seconds: float = 60,
    ) -> None:
        """
        Start a process that outlives this one, and wait until it is ready.

        Parameters
        ----------
        name : str
            Of its log and of its process id's file.
        command : list of str
        ready : callable
            Says whether it answers.
        env : mapping, optional
            Variables beside those of this process.
        timeout_seconds : float
        """
        log = self.logs / f"{name}.log"
        with log.open("a") as output:
            process = subprocess.Popen(
                command,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _started.append(process)
        self.write(f"run/{name}.pid", f"{process.pid} {_born(process.pid)}")

        def answers() -> object:
            if (code := process.poll()) is not None:
                raise Failed(f"{name} ended with {code}; {log} ends so:\n{_tail(log)}")
            return ready()

        try:
            until(f"{name} is ready", answers, timeout_seconds)
        except StillNot as error:
            raise Failed(f"{error}; {log} ends so:\n{_tail(log)}") from error

    def stop(self, name: str, timeout_seconds: float = 15) -> None:
        """End a process that `start` has started, by SIGKILL if SIGTERM is not enough."""
        file = self.state / "run" / f"{name}.pid"
        if not file.exists():
            return
        pid, born = map(int, file.read_text().split())
        for signum in (signal.SIGTERM, signal.SIGKILL):
            # A number that another process has by now has another time of birth.
            with contextlib.suppress(ProcessLookupError, StillNot):
                if _born(pid) == born:
                    os.kill(pid, signum)
                until(f"{name} has ended", lambda: _born(pid) != born, timeout_seconds)
        file.unlink()

    def running(self) -> list[str]:
        """Return the names of the processes that are alive."""
        alive = []
        for file in sorted((self.state / "run").glob("*.pid")):
            pid, born = map(int, file.read_text().split())
            if _born(pid) == born:
                alive.append(file.stem)
        return alive


def answers(url: str) -> bool:
    """Whether a URL answers 200; who it is does not matter, for nobody else is in the namespace."""
    try:
        return httpx.get(url, verify=False, timeout=5).status_code == httpx.codes.OK  # noqa: S501
    except httpx.TransportError:
        return False


def _born(pid: int) -> int:
    """Return the clock ticks at which a process started; 0 if there is none, or a dead one that nobody has asked for."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if state == "Z" else int(fields[18])


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
