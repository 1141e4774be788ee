"""The log: JSON lines of structlog and of the standard library, without feature values."""

import io
import json
import logging
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from model import logs
from model.errors import ArtifactError, InvalidInput

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    handlers, level, show = root.handlers[:], root.level, warnings.showwarning
    yield io.BytesIO()
    root.handlers[:], warnings.showwarning = handlers, show
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines(stream: io.BytesIO) -> Lines:
    logs.configure("info", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_level_and_utc_time(lines: Lines) -> None:
    structlog.get_logger().info("ready", models=["penguins"])
    [line] = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert line == {"event": "ready", "level": "info", "models": ["penguins"]}


def test_the_request_line_says_what_became_of_it(lines: Lines) -> None:
    logs.log_request(
        request_id="r-1",
        protocol="rest",
        client="alice",
        model="penguins",
        version="3",
        code=200,
        rows=2,
        duration_ms=1.23456,
    )
    [line] = lines()
    del line["timestamp"]
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "r-1",
        "protocol": "rest",
        "client": "alice",
        "model": "penguins",
        "version": "3",
        "code": 200,
        "rows": 2,
        "duration_ms": 1.235,
    }


@pytest.mark.parametrize(("level", "wanted"), [("info", ["a", "b", "c", "d"]), ("warning", ["b", "d"])])
def test_what_is_below_the_level_is_not_logged(level: str, wanted: list[str], stream: io.BytesIO) -> None:
    logs.configure(level, stream)
    structlog.get_logger().info("a")
    structlog.get_logger().warning("b")
    logging.getLogger("a.library").info("c")
    logging.getLogger("a.library").warning("d")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == wanted


def test_stdout_is_where_it_goes_by_default(stream: io.BytesIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream))
    logs.configure("info")
    structlog.get_logger().info("here")
    assert b'"event":"here"' in stream.getvalue()


def test_libraries_log_the_same_way(lines: Lines) -> None:
    logging.getLogger("grpc").warning("port %d taken", 8081)
    [line] = lines()
    assert (line["event"], line["level"], line["logger"]) == ("port 8081 taken", "warning", "grpc")


@pytest.mark.parametrize(("number", "name"), [(25, "info"), (35, "warning"), (60, "critical")])
def test_a_librarys_own_level_is_rounded_down(number: int, name: str, lines: Lines) -> None:
    logging.getLogger("library").log(number, "odd")
    assert [line["level"] for line in lines()] == [name]


def test_a_malformed_call_of_a_library_is_told_without_its_arguments(lines: Lines) -> None:
    record = logging.LogRecord("library", logging.WARNING, "library.py", 7, "%d", ("Jane Doe",), None)
    logging.getLogger().handlers[0].handle(record)
    [line] = lines()
    assert "Jane Doe" not in str(line)
    assert line["event"] == "malformed log call at library.py:7"


def raise_with_value() -> None:
    try:
        float("Jane Doe")
    except ValueError as error:
        msg = "the column 'age' is 'Jane Doe'"
        raise InvalidInput(msg) from error


def test_an_exception_is_logged_without_its_message(lines: Lines) -> None:
    try:
        raise_with_value()
    except InvalidInput:
        structlog.get_logger().exception("prediction failed")
    [line] = lines()
    assert "Jane Doe" not in str(line)
    assert line["level"] == "error"
    assert [link["type"] for link in line["exception"]] == ["InvalidInput", "ValueError"]
    assert line["exception"][1]["frames"][-1].endswith("raise_with_value")


def test_an_exception_of_a_library_is_logged_without_its_message(lines: Lines) -> None:
    try:
        raise_with_value()
    except InvalidInput as error:
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: %r", error)  # noqa: TRY401
    [line] = lines()
    assert "Jane Doe" not in str(line)
    assert line["event"] == "Task exception was never retrieved"
    assert line["exception"][0]["type"] == "InvalidInput"


@pytest.mark.parametrize("error", [ArtifactError("no manifest"), OSError("taken"), ModuleNotFoundError("no xgboost")])
def test_an_exception_that_cannot_hold_feature_values_is_logged_with_its_message(
    error: Exception, lines: Lines
) -> None:
    structlog.get_logger().error("failed", exc_info=error)
    assert lines()[0]["exception"] == [{"type": type(error).__name__, "frames": [], "message": str(error)}]


def test_exceptions_that_stand_in_a_circle_are_each_logged_once(lines: Lines) -> None:
    first, second = ValueError("a"), TypeError("b")
    first.__cause__, second.__cause__ = second, first
    structlog.get_logger().error("failed", exc_info=first)
    assert [link["type"] for link in lines()[0]["exception"]] == ["ValueError", "TypeError"]


def test_an_exception_that_was_hidden_on_purpose_stays_hidden(lines: Lines) -> None:
    try:
        try:
            raise_with_value()
        except InvalidInput:
            raise OSError from None
    except OSError:
        structlog.get_logger().exception("failed")
    assert [link["type"] for link in lines()[0]["exception"]] == ["OSError"]


def test_a_line_that_asks_for_an_exception_where_there_is_none_is_logged(lines: Lines) -> None:
    structlog.get_logger().error("failed", exc_info=True)
    assert lines()[0].keys() == {"event", "level", "timestamp"}


def test_a_warning_is_logged_by_its_place_alone(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        number = traceback.extract_stack()[-1].lineno
        warnings.warn("unknown class 'Jane Doe'", UserWarning, stacklevel=1)
    [line] = lines()
    assert "Jane Doe" not in str(line)
    assert (line["event"], line["level"], line["logger"]) == ("UserWarning", "warning", "py.warnings")
    assert number is not None
    assert line["place"] == f"{__file__}:{number + 1}"


def test_a_warning_at_the_same_place_is_logged_once(lines: Lines) -> None:
    for value in range(3):
        with warnings.catch_warnings():  # At its end Python forgets what it has warned of.
            warnings.simplefilter("default")
            warnings.warn(f"odd {value}", UserWarning, stacklevel=1)
    assert len(lines()) == 1


@pytest.mark.parametrize(
    ("value", "written"),
    [(Path("/models"), "/models"), ("\udcff", "\udcff"), (2**70, 2**70), ({1: "one"}, {"1": "one"}), ({1}, "{1}")],
)
def test_no_value_makes_logging_fail(value: object, written: object, lines: Lines) -> None:
    structlog.get_logger().info("odd", value=value)
    assert lines()[0]["value"] == written
