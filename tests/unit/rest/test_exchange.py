"""Answers as they go over the connection."""

import pytest

from model.rest.answer import Answer, rendered
from tests.unit.rest.conftest import Running

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    "target", [b"/v2/health/live", b"/v2/health/live?a=b", b"/v2/health/%6Cive", b"http://x/v2/health/live"]
)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_however_the_target_is_written_the_answer_is_the_same(
    running: Running, method: bytes, target: bytes
) -> None:
    answer = await running.exchange(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    assert status == b"HTTP/1.1 200 OK"
    assert [line.split(b":")[0] for line in headers] == [
        b"date",
        b"content-type",
        b"content-length",
        b"x-request-id",
        b"connection",
    ]
    assert body == (b"" if method == b"HEAD" else b'{"live":true}')


async def test_a_client_of_http_1_0_gets_its_connection_closed(running: Running) -> None:
    answer = await running.exchange(b"GET /v2/health/live HTTP/1.0\r\n\r\n")
    assert b"\r\nconnection: close\r\n\r\n" in answer


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb"])
async def test_a_header_that_breaks_its_line_is_never_sent(value: bytes) -> None:
    with pytest.raises(RuntimeError, match="line break"):
        rendered(Answer(b"{}", headers=((b"x-a", value),)), b"id", last=False)
