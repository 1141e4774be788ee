import time

import pytest

from model.call import Call
from model.errors import InvalidInput


def left(call: Call) -> float:
    assert call.deadline is not None
    return call.deadline - time.monotonic()


def test_the_earliest_deadline_counts() -> None:
    call = Call("rest", deadline=time.monotonic() + 60)
    call.expire_within(30)
    assert 25 < left(call) <= 30
    call.expire_within(90)
    assert left(call) <= 30


def test_a_call_without_a_deadline_gets_one() -> None:
    call = Call("rest")
    call.expire_within(30)
    assert 25 < left(call) <= 30


def test_the_parameter_timeout_counts_in_microseconds() -> None:
    call = Call("grpc")
    call.shorten({"timeout": 8_000_000})
    assert 5 < left(call) <= 8


@pytest.mark.parametrize("parameters", [{}, {"timeout": 0}, {"content_type": "pd"}])
def test_without_it_or_at_zero_nothing_changes(parameters: dict[str, str | int | float | bool]) -> None:
    call = Call("grpc")
    call.shorten(parameters)
    assert call.deadline is None


@pytest.mark.parametrize("value", [-1, 1.5, "1000", True])
def test_a_parameter_that_is_no_number_of_microseconds_is_refused(value: str | float) -> None:
    with pytest.raises(InvalidInput, match=r"^Parameter 'timeout' is .*; expected a whole number of microseconds"):
        Call("rest").shorten({"timeout": value})
