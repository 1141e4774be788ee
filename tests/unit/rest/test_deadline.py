import pytest

from model.errors import InvalidInput
from model.rest.deadline import deadline_of

ENVOY = b"x-envoy-expected-rq-timeout-ms"


@pytest.mark.parametrize(
    ("headers", "parameters", "limit", "expected"),
    [
        ({}, {}, None, None),
        ({}, {}, 30.0, 130.0),
        ({ENVOY: b"1500"}, {}, None, 101.5),
        ({ENVOY: b"1500"}, {}, 30.0, 101.5),
        ({ENVOY: b"60000"}, {}, 30.0, 130.0),
        ({}, {"timeout": 250_000}, None, 100.25),
        ({ENVOY: b"1500"}, {"timeout": 250_000}, 30.0, 100.25),
        ({ENVOY: b"100"}, {"timeout": 250_000}, 30.0, 100.1),
        ({}, {"timeout": 0}, None, None),
        ({}, {"timeout": 0, "other": "x"}, 30.0, 130.0),
    ],
)
def test_the_earliest_deadline_counts(
    headers: dict[bytes, bytes], parameters: dict[str, object], limit: float | None, expected: float | None
) -> None:
    assert deadline_of(100.0, headers, parameters, limit) == expected


@pytest.mark.parametrize("value", [b"", b"soon", b"-5", b"1.5", b"0", b"\xb2"])
def test_a_proxys_header_that_is_no_number_is_ignored(value: bytes) -> None:
    assert deadline_of(100.0, {ENVOY: value}, {}, None) is None


@pytest.mark.parametrize("value", [-1, 1.5, "1000", True])
def test_a_parameter_that_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"Parameter 'timeout' is .*; expected a whole number of microseconds"):
        deadline_of(100.0, {}, {"timeout": value}, 30.0)
