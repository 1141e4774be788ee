"""A server's process on a core of its own: start, weigh, stop."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

from benchmarks.candidates import PORTS, REPOSITORY, Candidate
from benchmarks.errors import Void

START_SECONDS: Final = 90
STOP_SECONDS: Final = 20
_POLL_SECONDS: Final = 0.01
_LOG_TAIL: Final = 2_000
_KEPT: Final = ("PATH", "HOME", "LANG", "TMPDIR")
_OK: Final = 200
_MIB: Final = 1 << 20


class Server:
    """
    A server that answers.

    Parameters
    ----------
    process : subprocess.Popen
        Leader of its own process group.
    ports : mapping of str to int
    cold_start_seconds : float
        From the start of the process to its readiness.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", ports: Mapping[str, int], cold_start_seconds: float) -> None:
        self.ports = ports
        self.cold_start_seconds = cold_start_seconds
        self._process = psutil.Process(process.pid)

    def rss_mib(self) -> float:
        """Return the resident memory of all its processes."""
        return sum(part.memory_info().rss for part in self._parts()) / _MIB

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have used so far."""
        times = [part.cpu_times() for part in self._parts()]
        return sum(used.user + used.system for used in times)

    def _parts(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


@contextmanager
def served(candidate: Candidate, cores: str, extra: tuple[str, ...] = ()) -> Iterator[Server]:
    """
    Serve on the given cores for as long as the context lasts.

    Parameters
    ----------
    candidate : Candidate
    cores : str
        As ``taskset -c`` takes them.
    extra : tuple of str
        Further flags.

    Raises
    ------
    Void
        It ended, or was not ready in time.
    """
    ports = free_ports()
    log = candidate.directory.with_suffix(".log")
    command = ["taskset", "-c", cores, *candidate.command(ports), *extra]
    started = time.perf_counter()
    process = _spawn(command, log)
    try:
        _wait_until_ready(process, candidate, ports["http_port"], log)
        yield Server(process, ports, time.perf_counter() - started)
    finally:
        _stop(process)


def free_ports() -> dict[str, int]:
    """Return a port by flag that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        return {name: bound.getsockname()[1] for name, bound in zip(PORTS, sockets, strict=True)}


def _spawn(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    # Nothing of this shell's settings, such as those of threads and of BLAS, may favour one of them.
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with log.open("wb") as file:
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_ready(process: "subprocess.Popen[bytes]", candidate: Candidate, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(port, candidate.ready):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            tail = log.read_bytes()[-_LOG_TAIL:].decode(errors="replace")
            what = "ended before it was ready" if ended else f"was not ready within {START_SECONDS} s"
            raise Void(f"{candidate.name} {what}; its log ends with:\n{tail}")
        time.sleep(_POLL_SECONDS)


def _is_ready(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == _OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to end, and end what is left of its group."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
