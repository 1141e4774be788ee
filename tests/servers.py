"""Real servers in processes of their own, for tests that ask as clients do."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

REPOSITORY: Final = Path(__file__).parents[1]
_OWN_VARIABLES: Final = ("SKLEARN_KSERVE_", "PORT", "PREDICT_PROBA", "PROTOCOL")

Line = dict[str, Any]


class ServerProcess:
    """
    ``python -m model`` on free ports of 127.0.0.1.

    As a context it is stopped by SIGTERM at the end, and has to exit with 0.

    Parameters
    ----------
    args : str
        Flags beside the ports; a later one wins.
    env : mapping, optional
        Variables beside those of this process, of which the server's own settings are left out.
    program : sequence of str
        What takes the flags.
    stderr : int
        Where stderr goes, as of ``subprocess.Popen``.

    Attributes
    ----------
    log : list of dict
        What it has logged so far.
    stray : list of str
        Whatever else it wrote to stdout and stderr; there should be none.
    """

    def __init__(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "model"),
        stderr: int = subprocess.STDOUT,
    ) -> None:
        self.log: list[Line] = []
        self.stray: list[str] = []
        self._news = threading.Condition()
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_OWN_VARIABLES)}
        self.process = subprocess.Popen(
            [sys.executable, *program, "--http_port", "0", "--grpc_port", "0", *args],
            cwd=REPOSITORY,
            env={**inherited, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def start(
        cls,
        *args: str,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "model"),
        until: str = "ready",
        timeout_seconds: float = 90,
        stderr: int = subprocess.STDOUT,
    ) -> Self:
        """
        Start a server and wait for an event in its log.

        Parameters
        ----------
        args, env, program, stderr
            As of the class.
        until : str
            The event; ``ready`` comes after every model was loaded, ``listening`` before.
        timeout_seconds : float
        """
        server = cls(*args, env=env, program=program, stderr=stderr)
        try:
            server.wait_for(until, timeout_seconds=timeout_seconds)
        except BaseException:
            server.kill()
            raise
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.kill()
            return
        code = self.stop()
        assert code == 0, f"exit code {code}; {self}"

    def __str__(self) -> str:
        lines = [json.dumps(line) for line in self.log]
        return "\n".join([f"server {self.process.pid} has written:", *lines, *self.stray])

    @property
    def http_port(self) -> int:
        """Port of REST."""
        port: int = self.wait_for("listening")["http_port"]
        return port

    @property
    def grpc_port(self) -> int:
        """Port of gRPC."""
        port: int = self.wait_for("listening")["grpc_port"]
        return port

    def events(self, event: str) -> list[Line]:
        """Return the log's lines of an event so far."""
        return [line for line in self.log if line["event"] == event]

    def wait_for(
        self, event: str, matching: Callable[[Line], bool] = lambda _: True, *, timeout_seconds: float = 30
    ) -> Line:
        """Return the first line of an event that matches, once it is there; fail if the process ends without it."""
        end = time.monotonic() + timeout_seconds
        with self._news:
            while True:
                found = next(filter(matching, self.events(event)), None)
                if found is not None:
                    return found
                left = end - time.monotonic()
                assert self._reader.is_alive(), f"it ended without {event!r}; {self}"
                assert left > 0, f"no {event!r} in time; {self}"
                self._news.wait(min(left, 0.5))

    def terminate(self) -> None:
        """Send SIGTERM, and do not wait."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self, timeout_seconds: float = 40) -> int:
        """Send SIGTERM unless it has ended, and return the exit code."""
        if self.process.poll() is None:
            self.terminate()
        return self.wait(timeout_seconds)

    def wait(self, timeout_seconds: float = 40) -> int:
        """Wait for the process to end by itself, and return the exit code."""
        try:
            code = self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end within {timeout_seconds} s; {self}") from None
        self._close()
        return code

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            text = raw.decode(errors="replace").rstrip("\n")
            with self._news:
                try:
                    self.log.append(json.loads(text))
                except ValueError:
                    self.stray.append(text)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()
