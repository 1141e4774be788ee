"""
Where the log's lines go: to a thread of their own, which may be late, while nothing that logs ever waits or fails.

The reader of a log may be stuck or gone, and its disk full. That is no reason to answer nobody.
"""

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

_WAITING_LINES: Final = 10_000
"""Held while they can't be written, a few megabytes; what comes beyond is lost and counted."""
_RETRY_SECONDS: Final = 1.0
"""Between two attempts where writing fails; the line is lost."""
_LAST_LINES_SECONDS: Final = 1.0


class LineWriter:
    """
    Writes lines to a file descriptor in a thread of its own.

    It has the two methods of a binary file that structlog calls, with a whole line each time.

    Parameters
    ----------
    descriptor : int
        Written to, one line a call, so that lines of several processes are not mixed up.
    waiting_lines : int
        Lines held at most.
    """

    def __init__(self, descriptor: int, *, waiting_lines: int = _WAITING_LINES) -> None:
        self._descriptor = descriptor
        self._waiting_lines = waiting_lines
        self._lines: deque[bytes] = deque()
        self._news = threading.Condition()
        self._writing = False
        self._lost = 0
        self._torn = False
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, line: bytes) -> int:
        """Hand a line over; it is lost if too many wait."""
        with self._news:
            if len(self._lines) < self._waiting_lines:
                self._lines.append(line)
                self._news.notify()
            else:
                self._lost += 1
        return len(line)

    def flush(self) -> None:
        """Return at once: nothing that logs waits for its line."""

    def close(self, seconds: float = _LAST_LINES_SECONDS) -> None:
        """Wait for the lines that were handed over, not for long; afterwards a line that can't be written is dropped."""
        self._closed.set()
        with self._news:
            self._news.wait_for(lambda: not self._lines and not self._writing, seconds)

    def _run(self) -> None:
        while True:
            with self._news:
                self._writing = False
                self._news.notify_all()
                self._news.wait_for(lambda: self._lines)
                line = self._lines.popleft()
                self._writing = True
            lost = self._lost
            if lost and self._put(_told(lost)):
                self._lose(-lost)
            if not self._put(line):
                self._lose(1)
                self._closed.wait(_RETRY_SECONDS)

    def _lose(self, lines: int) -> None:
        with self._news:
            self._lost += lines

    def _put(self, line: bytes) -> bool:
        """Write a line, and say whether that was done."""
        rest = b"\n" + line if self._torn else line
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
                self._torn = True
        except OSError:
            return False
        self._torn = False
        return True


def _told(lost: int) -> bytes:
    return b'{"event":"lines of the log were lost, for they could not be written","level":"error","lines":%d}\n' % lost


def open_standard_streams() -> None:
    """Put nothing in the place of a standard stream that is closed, lest a socket take its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # It takes the lowest number that is free, which is this one.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 -- kept


def stdout_alone() -> int:
    """
    Keep stdout for the log, and send to stderr what else is printed in this process, by models for instance.

    Returns
    -------
    int
        A descriptor of what was stdout.
    """
    with suppress(OSError):
        sys.stdout.flush()
    descriptor = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return descriptor
