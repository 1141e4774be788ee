"""
The training's command line in processes that may be killed at any of their steps on the disk.

Starting Python and importing all that training needs takes seconds, so this is done once; each command runs in a fork of
that process, which is a process like any other to the disk and to whoever kills it.
"""

import contextlib
import gc
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.processes import unmeasured

REPOSITORY: Final = Path(__file__).parents[2]
_CHANGES: Final = frozenset({"os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir"})
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Ended:
    """
    What has become of a command.

    Parameters
    ----------
    code : int
        Exit code; negative the number of the signal that ended it.
    out, err : str
    changes : list of str
        What it was about to do on the disk, in order: openings for writing, renames and removals.
    """

    code: int
    out: str = ""
    err: str = ""
    changes: list[str] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL


class Trainer:
    """A process that runs commands in forks of itself."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.training.trainer"],
            cwd=REPOSITORY,
            # Threads of a calculation do not survive a fork.
            env={**unmeasured(), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def __call__(
        self,
        *arguments: str | Path,
        kill_at: int | None = None,
        kill_after_seconds: float | None = None,
        largest_file: int | None = None,
    ) -> Ended:
        """
        Run a command.

        Parameters
        ----------
        arguments : str or Path
            Of ``python -m training``.
        kill_at : int, optional
            Kill it just before this change of the disk, the first being 0.
        kill_after_seconds : float, optional
        largest_file : int, optional
            Bytes beyond which no file may grow, as on a disk that is full.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        wanted = (list(map(str, arguments)), kill_at, kill_after_seconds, largest_file)
        print(json.dumps(wanted), file=self._process.stdin, flush=True)
        return Ended(**json.loads(self._process.stdout.readline()))


def _serve() -> None:
    for module in ("matplotlib.pyplot", "narwhals", "onnxruntime", "pandera.pandas", "pyarrow.parquet", "skl2onnx"):
        import_module(module)  # so that no fork has to
    from training.cli import main

    gc.collect()
    gc.freeze()  # so that no fork copies the pages of all that was imported
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_ended(main, *json.loads(line)).__dict__) + "\n")
        sys.stdout.flush()


def _ended(
    main: Callable[[Sequence[str]], int],
    arguments: Sequence[str],
    kill_at: int | None,
    kill_after_seconds: float | None,
    largest_file: int | None,
) -> Ended:
    read, written = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _run(main, arguments, written, kill_at, largest_file)
    os.close(written)
    if kill_after_seconds is not None:
        time.sleep(kill_after_seconds)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(read) as pipe:
        told: dict[str, Any] = {}
        for line in pipe:
            told |= json.loads(line)
    return Ended(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), **told)


def _run(
    main: Callable[[Sequence[str]], int],
    arguments: Sequence[str],
    written: int,
    kill_at: int | None,
    largest_file: int | None,
) -> None:
    changes: list[str] = []

    def watch(event: str, details: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and isinstance(details[2], int) and details[2] & _WRITES):
            if len(changes) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            changes.append(f"{event} {details[0]}")

    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    out, err = io.StringIO(), io.StringIO()
    sys.addaudithook(watch)
    code = 1
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:  # noqa: BLE001 -- told, for a traceback is the last thing a user is to see
        print(f"Traceback: {error!r}", file=err)
    os.write(written, json.dumps({"out": out.getvalue(), "err": err.getvalue(), "changes": changes}).encode())
    os._exit(code)


if __name__ == "__main__":
    _serve()
