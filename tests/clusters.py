"""A dask cluster of processes: a scheduler and its workers on 127.0.0.1, with free ports."""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from distributed import Client

from tests.processes import unmeasured

REPOSITORY: Final = Path(__file__).parents[1]
_PATIENCE_SECONDS: Final = 60


class DaskCluster:
    """
    As a context it is there until the end.

    Parameters
    ----------
    directory : Path
        For what its processes write.
    workers : int

    Attributes
    ----------
    address : str
        Of the scheduler, as the configuration takes it.
    """

    def __init__(self, directory: Path, workers: int = 2) -> None:
        self._directory = directory
        self._workers = workers
        self._file = directory / "scheduler.json"
        self._stack = ExitStack()
        self._log = self._stack.enter_context((directory / "log").open("ab"))
        self.address = ""

    def __enter__(self) -> Self:
        try:
            self._come_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _come_up(self) -> None:
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self._file))
        self.address = self._scheduler().replace("tcp://", "dask://")
        for number in range(self._workers):
            own = ("--scheduler-file", str(self._file), "--host", "127.0.0.1", "--name", str(number))
            place = ("--local-directory", str(self._directory / str(number)))
            self._start("worker", *own, *place, "--no-nanny", "--nthreads", "1", "--memory-limit", "0")
        client: Any = Client(self.address.replace("dask://", "tcp://"), timeout=_PATIENCE_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]  # it has no types
        with client:
            client.wait_for_workers(self._workers, timeout=_PATIENCE_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, what: str, *flags: str) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", what, "--no-dashboard", *flags],
            cwd=REPOSITORY,
            env={**unmeasured(), "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        self._stack.callback(process.wait, _PATIENCE_SECONDS)
        self._stack.callback(process.kill)

    def _scheduler(self) -> str:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                return str(json.loads(self._file.read_bytes())["address"])
            except (OSError, ValueError):  # not there yet, or not whole
                time.sleep(0.05)
        raise TimeoutError((self._directory / "log").read_text())
