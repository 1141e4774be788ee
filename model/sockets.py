"""The sockets that servers listen on, and the sentences for those that can't be had."""

import os
import socket
from typing import Final

from model.errors import ArtifactError

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""


def listen(host: str, port: int, backlog: int = BACKLOG) -> socket.socket:
    """
    Return REST's listening socket.

    Parameters
    ----------
    host : str
        A name or an address.
    port : int
        0 takes a free one.
    backlog : int

    Raises
    ------
    ArtifactError
        The address can't be bound.
    """
    try:
        return socket.create_server((host, port), family=_family(host), backlog=backlog, dualstack_ipv6=_is_dual(host))
    except OSError as error:
        raise _refusal("REST", "http_port", host, port, error) from error


def listen_shared(host: str, port: int, *, shared: bool) -> socket.socket:
    """
    Return gRPC's listening socket.

    Parameters
    ----------
    host : str
        A name or an address.
    port : int
        0 takes a free one.
    shared : bool
        Whether other processes of this user may listen there too, each of which gets its share of the connections.

    Raises
    ------
    ArtifactError
        The address can't be bound.
    """
    try:
        listener = _bound(host, port, shared=shared)
        listener.listen(BACKLOG)
    except OSError as error:
        raise _refusal("gRPC", "grpc_port", host, port, error) from error
    return listener


def reserve(host: str, port: int) -> socket.socket:
    """
    Return a socket that holds gRPC's port for processes of this user that share it, and does not listen itself.

    Connections go to those sockets alone that listen.

    Parameters
    ----------
    host : str
        A name or an address.
    port : int
        0 takes a free one.

    Raises
    ------
    ArtifactError
        The address can't be bound, or another process has it, be it ready to share or not.
    """
    try:
        if port:
            _bound(host, port, shared=False).close()
        return _bound(host, port, shared=True)
    except OSError as error:
        raise _refusal("gRPC", "grpc_port", host, port, error) from error


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    bound = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not _is_dual(host)))
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_dual(host: str) -> bool:
    return host == "::"


def _refusal(protocol: str, flag: str, host: str, port: int, error: OSError) -> ArtifactError:
    address = f"[{host}]" if ":" in host else host
    return ArtifactError(
        f"{protocol} can't listen on {address}:{port}: {_reason(error)}; choose others with --{flag} and --host."
    )


def _reason(error: OSError) -> str:
    """Return the system's own words for it, such as "address already in use"."""
    # Those of name resolution have negative numbers; to the others Python adds the address, which is told already.
    text = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    return text[:1].lower() + text[1:]
