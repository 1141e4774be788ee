"""
Databases as processes of a test: on a free port of 127.0.0.1, with all they have in a directory of their own.

Debian's PostgreSQL and Redis run as nobody where the tests run as root, for PostgreSQL refuses to run as root, and no other
user needs to be there. What stands in for Redis where it is not installed is this project's own.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil

from tests.hashes import Hashes
from tests.processes import unmeasured
from tests.servers import REPOSITORY

USER: Final = "features"
PASSWORD: Final = "correct-horse"
_PATIENCE_SECONDS: Final = 20.0


class Database:
    """
    A server that can be killed, frozen and started again with what it had.

    Parameters
    ----------
    url : str
        With the user's name and password.
    command : sequence of str
        That runs it in the foreground.
    directory : Path
        That it works in.
    port : int
    user : mapping
        Whose process it is, as ``subprocess.Popen`` takes it.
    ready : sequence of str
        A command that ends with 0 once it answers, where that is later than it takes connections.
    """

    def __init__(
        self,
        url: str,
        command: Sequence[str],
        directory: Path,
        port: int,
        user: Mapping[str, Any] | None = None,
        *,
        ready: Sequence[str] = (),
    ) -> None:
        self.url = url
        self._command = command
        self._directory = directory
        self._port = port
        self._user = user or {}
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started, and not killed since."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=REPOSITORY, env=unmeasured(), stdout=log, stderr=log, **self._user
            )
        end = time.monotonic() + _PATIENCE_SECONDS
        while not (self._listens() and self._answers()):
            assert self._process.poll() is None, f"it ended: {self.log()}"
            assert time.monotonic() < end, f"not in time: {self.log()}"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a lost machine does."""
        if self._process is not None:
            for process in self._family():
                with suppress(psutil.NoSuchProcess):  # PostgreSQL's go by themselves once the first is gone
                    process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it hold its connections, take new ones, and say nothing: what a network does that loses packets."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was."""
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        """Return what it has written."""
        return (self._directory / "log").read_text()

    def _signal(self, number: signal.Signals) -> None:
        for process in self._family():
            process.send_signal(number)

    def _family(self) -> list[psutil.Process]:
        """Return its processes; PostgreSQL's have sessions of their own, so that no group holds them."""
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        return [main, *main.children(recursive=True)]

    def _listens(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self._port)) == 0

    def _answers(self) -> bool:
        return not self._ready or subprocess.run(self._ready, stdout=subprocess.DEVNULL, check=False).returncode == 0


@contextmanager
def postgresql() -> Iterator[Database]:
    """Run a PostgreSQL with an empty database; its URL is SQLAlchemy's, for psycopg."""
    with _directory() as directory:
        password = directory / "password"
        password.write_text(PASSWORD)
        data = str(directory / "data")
        made = [_postgresql("initdb"), "--pgdata", data, "--username", USER, "--pwfile", str(password)]
        options = ["--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--locale", "C"]
        subprocess.run([*made, *options], check=True, stdout=subprocess.DEVNULL, cwd=directory, **_unprivileged())
        port = _free_port()
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": directory, "fsync": "off"}
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        url = f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        command = [_postgresql("postgres"), "-D", data, *given]
        ready = [_postgresql("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"]
        with _running(Database(url, command, directory, port, _unprivileged(), ready=ready)) as database:
            yield database


@contextmanager
def redis() -> Iterator[Database]:
    """Run a Redis that writes every change to its disk."""
    with _directory() as directory:
        port = _free_port()
        settings = {"bind": "127.0.0.1", "port": port, "requirepass": PASSWORD, "appendonly": "yes", "dir": directory}
        given = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        with _running(Database(url, ["redis-server", *given], directory, port, _unprivileged())) as database:
            yield database


@contextmanager
def hashes(kept: Hashes) -> Iterator[Database]:
    """Run what stands in for Redis, with hashes that never change."""
    with _directory() as directory:
        port = _free_port()
        (directory / "hashes.json").write_text(json.dumps(kept))
        command = [sys.executable, "-m", "tests.hashes", str(directory / "hashes.json"), str(port)]
        with _running(Database(f"redis://127.0.0.1:{port}/0", command, directory, port)) as database:
            yield database


@contextmanager
def _running(database: Database) -> Iterator[Database]:
    try:
        database.start()
        yield database
    finally:
        database.kill()


@contextmanager
def _directory() -> Iterator[Path]:
    """Make a directory that the server's user may enter, as it may not enter pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="database-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, "nobody")
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


def _postgresql(program: str) -> str:
    """Return the path of a program that Debian keeps off the PATH, of the newest release that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[4]))
    path = str(found[-1]) if found else shutil.which(program)
    assert path, f"{program} is not installed: make test-system does that"
    return path


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
