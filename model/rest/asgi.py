"""The types of the ASGI interface, as far as HTTP goes."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[bytes, bytes]
"""Names in lower case; of a repeated header the last value."""


class ClientDisconnected(Exception):
    """The client closed the connection; nobody is left to answer."""
