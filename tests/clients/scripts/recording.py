"""What a client's script hands back: the answer to each question, or what was raised, as JSON on stdout."""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np


class Recording:
    """The answers so far."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Any]] = {}

    def ask(self, name: str, question: Callable[[], Any]) -> None:
        """Put a question, and keep its answer or what it raises."""
        try:
            self._entries[name] = {"answer": question()}
        except Exception as error:  # noqa: BLE001 -- whatever a client raises is its answer
            self._entries[name] = {"raised": type(error).__name__, "message": str(error)}

    async def ask_async(self, name: str, question: Callable[[], Awaitable[Any]]) -> None:
        """Put a question that has to be awaited."""
        try:
            self._entries[name] = {"answer": await question()}
        except Exception as error:  # noqa: BLE001 -- as above
            self._entries[name] = {"raised": type(error).__name__, "message": str(error)}

    def hand_back(self) -> None:
        """Write the recording; NaN is written as Python's ``json`` reads it."""
        json.dump(self._entries, sys.stdout, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(type(value).__name__)
