"""Ports: who may have them together with whom."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from model.errors import ArtifactError
from model.sockets import listen, reserve


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def sharing(port: int) -> socket.socket:
    """Listen as each of several workers does."""
    return socket.create_server(("127.0.0.1", port), reuse_port=True)


def test_a_reserved_port_is_for_those_who_share_it_and_takes_no_connection_itself(stack: ExitStack) -> None:
    held = stack.enter_context(reserve("127.0.0.1", 0))
    port = held.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    worker = stack.enter_context(sharing(port))
    for _ in range(20):
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        stack.enter_context(worker.accept()[0])


@pytest.mark.parametrize("reuse_port", [False, True], ids=["alone", "ready to share"])
def test_a_port_that_another_listens_on_cannot_be_reserved(stack: ExitStack, *, reuse_port: bool) -> None:
    other = stack.enter_context(socket.create_server(("127.0.0.1", 0), reuse_port=reuse_port))
    port = other.getsockname()[1]
    with pytest.raises(ArtifactError, match=rf"gRPC can't listen on 127\.0\.0\.1:{port}: address already in use; "):
        reserve("127.0.0.1", port)


def test_a_number_that_was_reserved_before_is_reserved_again(stack: ExitStack) -> None:
    with reserve("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
    again = stack.enter_context(reserve("127.0.0.1", port))
    assert again.getsockname()[1] == port


@pytest.mark.parametrize(("take", "protocol"), [(listen, "REST"), (reserve, "gRPC")])
def test_an_address_of_another_host_is_refused_with_a_sentence(take: object, protocol: str) -> None:
    assert callable(take)
    with pytest.raises(ArtifactError, match=rf"{protocol} can't listen on 192\.0\.2\.1:0: cannot assign requested"):
        take("192.0.2.1", 0)


@pytest.mark.parametrize("take", [listen, reserve])
def test_all_of_ipv6_is_all_of_ipv4_too(take: object, stack: ExitStack) -> None:
    assert callable(take)
    bound = stack.enter_context(take("::", 0))
    assert bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0
