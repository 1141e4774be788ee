"""What a supervisor and a worker say to each other: JSON over a pair of sockets, each message after its length."""

import asyncio
import itertools
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import isawaitable
from typing import Any, Final, Self

import orjson
import structlog

Handlers = Mapping[str, Callable[..., Any]]
"""What is done with a message, by its kind; called with the message's fields, it may be a coroutine function."""

_LENGTH: Final = struct.Struct("!I")
_log = structlog.get_logger(__name__)


class ChannelClosed(ConnectionError):
    """The other end is gone."""


class Channel:
    """
    One end of the line.

    Parameters
    ----------
    reader : asyncio.StreamReader
    writer : asyncio.StreamWriter
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        """Talk over one socket of a pair."""
        reader, writer = await asyncio.open_unix_connection(sock=end)
        writer.transport.set_write_buffer_limits(high=0)  # so that to drain it means that all has left this process
        return cls(reader, writer)

    def is_idle(self) -> bool:
        """Whether the other end has taken all that it was told."""
        return self._writer.transport.get_write_buffer_size() == 0

    def tell(self, kind: str, **fields: Any) -> None:
        """Say something that needs no answer; to an end that is gone it is said in vain."""
        self._send({"kind": kind, "fields": fields})

    async def ask(self, kind: str, **fields: Any) -> Any:
        """
        Return the answer of the other end's handler.

        Raises
        ------
        ChannelClosed
            There will be none.
        """
        if self._writer.is_closing():
            raise ChannelClosed
        number = next(self._ids)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._send({"kind": kind, "fields": fields, "ask": number})
            return await answer
        finally:
            del self._asked[number]

    async def serve(self, handlers: Handlers) -> None:
        """
        Handle what comes until the other end is gone.

        Messages are handled in their order. A coroutine function is begun in its turn; what comes later does not wait
        for its end.
        """
        try:
            while True:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                self._take(orjson.loads(await self._reader.readexactly(length)), handlers)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception:  # noqa: BLE001 -- whatever it is, it must not end the process at this end
            _log.exception("a message between supervisor and worker failed")
        finally:
            self.close()

    async def flush(self) -> None:
        """Wait until the other end's socket has all that it was told."""
        with suppress(ConnectionError):
            await self._writer.drain()

    def close(self) -> None:
        """Hang up; whoever waits for an answer learns that there is none."""
        self._writer.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ChannelClosed())

    def _take(self, message: Mapping[str, Any], handlers: Handlers) -> None:
        if "answer" in message:
            answer = self._asked.get(message["to"])
            if answer is not None and not answer.done():
                answer.set_result(message["answer"])
            return
        done = handlers[message["kind"]](**message["fields"])
        if isawaitable(done):
            task = asyncio.ensure_future(self._answer(done, message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        elif "ask" in message:
            self._send({"to": message["ask"], "answer": done})

    async def _answer(self, done: Any, message: Mapping[str, Any]) -> None:
        try:
            answer = await done
        except Exception:  # noqa: BLE001 -- whatever it is, nobody may wait for an answer that never comes
            _log.exception("a message between supervisor and worker failed", kind=message["kind"])
            self.close()
            return
        if "ask" in message:
            self._send({"to": message["ask"], "answer": answer})

    def _send(self, message: Mapping[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(framed(message))


def framed(message: Mapping[str, Any]) -> bytes:
    """Return a message as it is sent."""
    content = orjson.dumps(message)
    return _LENGTH.pack(len(content)) + content
