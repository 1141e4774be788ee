"""Many clients at once, in one event loop, and how each of their requests went."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import grpc
import grpc.aio

from tests.protocol.encodings import Ask, document, infer_path, message
from tests.protocol.wires import SERVICE, Clients


@dataclass(frozen=True)
class Reply:
    """What came of a request: its status, by HTTP's number or gRPC's name, and in how many seconds."""

    status: str
    seconds: float
    retry_after: str | None = None


Send = Callable[[], Awaitable[Reply]]


def rest_bytes(ask: Ask) -> bytes:
    """Write a request as it goes over the wire."""
    body = json.dumps(document(ask)).encode()
    head = f"POST {infer_path(ask.model)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def rest_client(clients: Clients, ask: Ask) -> AsyncIterator[Send]:
    """Give what sends a request over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", clients.server.http_port)
    content = rest_bytes(ask)

    async def send() -> Reply:
        begin = time.monotonic()
        writer.write(content)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
        retry_after = head.partition("retry-after: ")[2].partition("\r\n")[0]
        return Reply(head.split()[1], time.monotonic() - begin, retry_after or None)

    yield send
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def grpc_client(clients: Clients, ask: Ask) -> AsyncIterator[Send]:
    """Give what sends a request over a channel of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{clients.server.grpc_port}", options) as channel:
        infer: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        content = message(ask).SerializeToString()

        async def send() -> Reply:
            begin = time.monotonic()
            try:
                await infer(content, timeout=60)
            except grpc.aio.AioRpcError as error:
                metadata = dict(error.trailing_metadata())
                return Reply(error.code().name, time.monotonic() - begin, metadata.get("retry-after"))
            return Reply("OK", time.monotonic() - begin)

        yield send


CLIENTS = {"rest": rest_client, "grpc": grpc_client}
ANSWERED = {"rest": "200", "grpc": "OK"}
REFUSED = {"rest": "429", "grpc": "RESOURCE_EXHAUSTED"}


async def at_rate(send: Send, per_second: float, seconds: float) -> list[Reply]:
    """Send at even intervals, each request once the one before is answered; what is late is left out."""
    begin = time.monotonic()
    replies: list[Reply] = []
    for turn in count():
        wait = begin + turn / per_second - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        elif -wait > 1 / per_second:
            continue
        if time.monotonic() - begin >= seconds:
            return replies
        replies.append(await send())
    raise AssertionError


async def times(send: Send, requests: int) -> list[Reply]:
    """Send one request after another, as fast as they are answered."""
    return [await send() for _ in range(requests)]


def quantile(seconds: Sequence[float], share: float) -> float:
    """Return the value that a share of all do not exceed."""
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]
