"""How values and names stand in an error's sentence: short, on one line, a client's values as JSON would call them."""

from collections.abc import Sequence
from typing import Any, Final

_LONGEST_QUOTE: Final = 60
_LITERALS: Final = {True: "true", False: "false", None: "null"}
_CONTAINERS: Final[dict[type, str]] = {list: "a list", dict: "an object"}


def shown(value: Any) -> str:
    """
    Quote a JSON value for an error message.

    Parameters
    ----------
    value : object
        Whatever the client sent; it may be huge or hold control characters.

    Returns
    -------
    str
        One line of at most some 70 characters.
    """
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return _LITERALS[value]
    if isinstance(value, int | float):
        return _number(value)
    return _CONTAINERS.get(type(value), "a value that JSON does not know")


def _quoted(text: str) -> str:
    if len(text) <= _LONGEST_QUOTE:
        return repr(text)
    return f"{text[:_LONGEST_QUOTE]!r}… ({len(text)} characters)"


def _number(value: float) -> str:
    # Python refuses to print integers of thousands of digits.
    if isinstance(value, int) and value.bit_length() > _LONGEST_QUOTE * 3:
        return f"an integer of {value.bit_length()} bits"
    return repr(value)


def listed(names: Sequence[str], most: int = 20) -> str:
    """Join names for a sentence, not more of them than one reads."""
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"
