"""
The log: one JSON object per line on stdout, of structlog and of the standard library alike.

A log line never holds feature values. What an estimator raises or warns of may quote them, so of exceptions the types
and places are logged, and of warnings the category and place; a caller that knows a message to be free of them gives
it as a field.
"""

import atexit
import json
import logging
import sys
import traceback
import warnings
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from model.errors import ArtifactError
from model.writer import LineWriter, stdout_alone

_SAFE: Final = (ArtifactError, ImportError, OSError)
"""Exceptions whose message speaks of files, modules and sockets, never of a request."""

_PLACES: Final = 1_000
_warned: Final[set[tuple[str, str]]] = set()
"""
Kinds and places of the warnings that were logged, so many at most.

Python would do it, but scikit-learn makes it forget with each ``warnings.catch_warnings``: a line for each request.
"""

_writers: Final[list[LineWriter]] = []

_stdlib: Final[FilteringBoundLogger] = structlog.get_logger()


def configure(level: str, file: BinaryIO | LineWriter | None = None, *, worker: int | None = None) -> None:
    """
    Set the log up; called once, when the process starts.

    Parameters
    ----------
    level : str
        ``debug``, ``info``, ``warning``, ``error`` or ``critical``: the least that is logged.
    file : binary file, LineWriter or None
        Where the lines go; None means stdout.
    worker : int or None
        Which of several workers this process is; told in each line.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *([] if worker is None else [_numbered(worker)]),
            _render_exception,
            _render_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", file or sys.stdout.buffer)),
    )
    root = logging.getLogger()
    root.handlers[:] = [_Handler()]
    root.setLevel(number)
    warnings.showwarning = _log_warning
    _warned.clear()


def configure_process(level: str, *, worker: int | None = None, alone: bool) -> None:
    """
    Set the log of a serving process up, on a stdout that may be stuck, closed or full.

    Parameters
    ----------
    level, worker
        As of ``configure``.
    alone : bool
        Whether stdout is for the log alone, and what models print goes to stderr; not where children inherit it.
    """
    writer = LineWriter(stdout_alone() if alone else sys.stdout.fileno())
    _writers.append(writer)
    atexit.register(flush)
    configure(level, writer, worker=worker)


def flush() -> None:
    """Wait until the lines of a serving process are written, not for long; before it ends by ``os._exit``."""
    for writer in _writers:
        writer.close()


def log_request(
    *, request_id: str, protocol: str, client: str, model: str, version: str, code: int, rows: int, duration_ms: float
) -> None:
    """
    Write the one line of a request, when it has been answered.

    Parameters
    ----------
    request_id : str
        The one that the client sent or got.
    protocol : str
        ``rest`` or ``grpc``.
    client : str
        Id of the key; empty where the server has none.
    model, version : str
        What answered; empty when nothing did.
    code : int
        HTTP status, for gRPC its equivalent.
    rows : int
    duration_ms : float
        Milliseconds from receiving the request to having its answer.
    """
    _stdlib.info(
        "request",
        request_id=request_id,
        protocol=protocol,
        client=client,
        model=model,
        version=version,
        code=code,
        rows=rows,
        duration_ms=round(duration_ms, 3),
    )


class _Handler(logging.Handler):
    """Hands what libraries log by the standard library on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record."""
        _stdlib.log(_level(record), _message(record), logger=record.name, exc_info=record.exc_info)


def _message(record: logging.LogRecord) -> str:
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 -- of a library's malformed call, which must not fail the work it tells of
        return f"malformed log call at {record.pathname}:{record.lineno}"
    # Further lines of asyncio's describe tasks, with the arguments and exceptions in them.
    return message.partition("\n")[0] if record.name == "asyncio" else message.strip()


def _level(record: logging.LogRecord) -> int:
    """Round a library's own level down to one that structlog knows."""
    return max(logging.DEBUG, min(logging.CRITICAL, record.levelno // 10 * 10))


def _log_warning(  # noqa: PLR0917 -- positional, as warnings.showwarning is called
    message: Warning | str,  # noqa: ARG001 -- may quote values
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 -- the names are those of warnings.showwarning
    line: str | None = None,  # noqa: ARG001
) -> None:
    warned = category.__name__, f"{filename}:{lineno}"
    if warned not in _warned and len(_warned) < _PLACES:
        _warned.add(warned)
        _stdlib.warning(warned[0], logger="py.warnings", place=warned[1])


def _numbered(worker: int) -> Processor:
    def number(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("worker", worker)
        return event

    return number


def _render_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put types and places in the stead of an exception."""
    given = event.pop("exc_info", None)
    error = sys.exception() if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = [_describe(link) for link in _chain(error)]
    return event


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return an exception and what it was raised from, the last raised first."""
    links: list[BaseException] = []
    while error is not None and error not in links:
        links.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return links


def _describe(error: BaseException) -> dict[str, Any]:
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    described: dict[str, Any] = {"type": type(error).__qualname__, "frames": frames}
    if isinstance(error, _SAFE):
        described["message"] = str(error)
    return described


def _render_line(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    event["timestamp"] = datetime.now(UTC)
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)
    except TypeError:
        # A file name that is no UTF-8, or an integer of more than 64 bits.
        return json.dumps(event, default=str).encode()
