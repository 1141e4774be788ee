"""Who gets a connection where several listen on one socket."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from model.rest.acceptor import Acceptor

pytestmark = pytest.mark.asyncio


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener


class Greeter(asyncio.Protocol):
    """Says the name of the worker it stands for."""

    def __init__(self, name: bytes) -> None:
        self._name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._name)
        transport.close()


async def asked(listener: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_burst_is_shared_by_all_who_listen(listener: socket.socket) -> None:
    clients = [socket.create_connection(listener.getsockname(), timeout=5) for _ in range(40)]
    acceptors = [
        Acceptor(listener.dup(), lambda name=name: Greeter(name), shared=True)  # type: ignore[misc]
        for name in (b"1", b"2")
    ]
    answers = [await asyncio.to_thread(client.recv, 1) for client in clients]
    assert min(answers.count(b"1"), answers.count(b"2")) >= 15
    for acceptor in acceptors:
        acceptor.close()
    for client in clients:
        client.close()


async def test_closing_leaves_what_waits_to_the_others(listener: socket.socket) -> None:
    leaver, stays = (Acceptor(listener.dup(), lambda: Greeter(b"x")) for _ in range(2))
    leaver.close()
    leaver.close()
    assert await asked(listener) == b"x"
    stays.close()


class Exhausted:
    """A listening socket of a process that may open no more files, for a while."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.tried = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)

    def accept(self) -> Any:
        self.tried += 1
        if self.tried < 3:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()


async def test_too_many_open_files_are_waited_out_without_spinning(listener: socket.socket) -> None:
    exhausted: Any = Exhausted(listener.dup())
    acceptor = Acceptor(exhausted, lambda: Greeter(b"x"))
    assert await asyncio.wait_for(asked(listener), 5) == b"x"
    assert exhausted.tried == 3
    acceptor.close()


async def test_a_client_that_has_left_is_nobodys_trouble(listener: socket.socket) -> None:
    acceptor = Acceptor(listener.dup(), lambda: Greeter(b"x"))
    socket.create_connection(listener.getsockname(), timeout=5).close()
    assert await asked(listener) == b"x"
    acceptor.close()


async def test_a_connection_that_it_has_taken_is_kept_when_it_closes(listener: socket.socket) -> None:
    acceptor = Acceptor(listener.dup(), lambda: Greeter(b"x"))
    with socket.create_connection(listener.getsockname(), timeout=5) as client:
        acceptor._accept()
        acceptor.close()
        assert await asyncio.to_thread(client.recv, 1) == b"x"
