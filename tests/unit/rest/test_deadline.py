import time

import pytest

from model.rest.deadline import client_deadline

ENVOY = b"x-envoy-expected-rq-timeout-ms"


def test_a_proxys_header_counts_in_milliseconds() -> None:
    before = time.monotonic()
    deadline = client_deadline({ENVOY: b"1500"})
    assert deadline is not None
    assert before + 1.5 <= deadline <= time.monotonic() + 1.5


@pytest.mark.parametrize("headers", [{}, *({ENVOY: value} for value in (b"", b"soon", b"-5", b"1.5", b"0", b"\xb2"))])
def test_without_a_number_there_is_no_deadline(headers: dict[bytes, bytes]) -> None:
    assert client_deadline(headers) is None
