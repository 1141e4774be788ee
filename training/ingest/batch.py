"""The next rows of a stream."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from training.errors import first_line
from training.ingest.formats.json_lines import parsed_row

_NAMED: Final[Mapping[type, str]] = {dict: "an object", list: "an array"}

Offsets = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """
    One message of a stream.

    Parameters
    ----------
    content : bytes or None
        A JSON object, it is hoped.
    place : str
        Where in the stream it is.
    offsets : mapping
        Where the stream goes on after it, as JSON values.
    """

    content: bytes | None
    place: str
    offsets: Offsets


class Batch:
    """
    The next rows of a stream: those that are a table's, and what has to be kept aside.

    Parameters
    ----------
    messages : iterable of Message
    offsets : mapping
        Where the stream goes on if there are none.
    completed : callable
        Adds to where it goes on what is to be found out once.

    Attributes
    ----------
    rows : int
        Number of lines that were yielded.
    rejected : int
        Number of messages that were no rows.
    first : mapping or None
        The first of these: why it is none, and where it was.
    """

    def __init__(
        self,
        messages: Iterable[Message],
        offsets: Offsets,
        completed: Callable[[Offsets], Offsets] = lambda offsets: offsets,
    ) -> None:
        self._messages = messages
        self._offsets = offsets
        self._completed = completed
        self.rows = 0
        self.rejected = 0
        self.first: Mapping[str, Any] | None = None

    def lines(self, aside: Callable[[bytes], None]) -> Iterator[bytes]:
        """Yield the rows as JSON lines, and put aside, as such a line, each message that is no row."""
        for message in self._messages:
            reason = _reason(message.content)
            if reason is None:
                self.rows += 1
                # A newline in JSON that is no end of line can only be between its tokens.
                yield (message.content or b"").strip().replace(b"\n", b" ") + b"\n"
            else:
                text = None if message.content is None else message.content.decode(errors="backslashreplace")
                self.rejected += 1
                self.first = self.first or {"place": message.place, "reason": reason}
                aside(orjson.dumps({"place": message.place, "reason": reason, "text": text}) + b"\n")
            self._offsets = message.offsets

    @property
    def offsets(self) -> Offsets:
        """Where the stream goes on after what was read so far."""
        return self._completed(self._offsets)


def _reason(content: bytes | None) -> str | None:
    """Tell why a message is no row of a table, if it is none."""
    if content is None:
        return "it has no value"
    try:
        row = parsed_row(content)
    except ValueError as error:
        return first_line(error)
    return next(
        (f"key {key!r} holds {_NAMED[type(value)]}" for key, value in row.items() if type(value) in _NAMED), None
    )
