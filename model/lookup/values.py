"""What a source says, in the types that a look-up declares: numbers, texts, booleans and dates."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Type = Literal["number", "text", "boolean", "date"]
Value = float | str | bool | None
"""One value of a row; a date in ISO 8601, None for a missing value."""
Row = tuple[Value, ...]
"""The values of one key, in the order of the declared columns."""
Key = str | int | float | bool
"""As a request brings it."""


class Misfit(ValueError):
    """A value is not of the type that was declared; the message is a sentence without the value."""


def named(key: Any) -> str:
    """
    Return the text by which a key is known, whatever type it comes in: 17, 17.0 and ``"17"`` are one key.

    A column of whole numbers arrives as one of floats if a value is missing, and Redis knows texts alone.
    """
    if isinstance(key, float | np.floating | Decimal) and math.isfinite(key) and key == int(key):
        return str(int(key))
    return str(key)


def plain(key: Any) -> Key:
    """Return a key as a driver takes it: no scalar of NumPy, and no fraction where there is none."""
    value: Key = key.item() if isinstance(key, np.generic) else key
    return int(value) if isinstance(value, float) and value.is_integer() else value


def row_of(values: Sequence[Any], columns: Mapping[str, Type]) -> Row:
    """
    Return values in the types that were declared.

    Raises
    ------
    Misfit
        A value is of another type.
    """
    return tuple(
        None if value is None or value != value else _READERS[kind](value, name)  # noqa: PLR0124 -- NaN
        for value, (name, kind) in zip(values, columns.items(), strict=True)
    )


def column_of(values: Sequence[Value], kind: Type) -> npt.NDArray[Any]:
    """
    Return a column of a frame; its dtype depends on the type alone, never on the values of a request.

    Parameters
    ----------
    values : sequence of float, str, bool or None
    kind : {"number", "text", "boolean", "date"}

    Returns
    -------
    column : ndarray of shape (n_samples,)
        float64, datetime64[ns], or objects with NaN for a missing value.
    """
    if kind == "number":
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    if kind == "date":
        dates = pd.to_datetime(np.array(values, dtype=object), format="ISO8601", utc=True)
        return dates.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    column = np.empty(len(values), dtype=object)
    column[:] = [np.nan if value is None else value for value in values]
    return column


def _number(value: Any, name: str) -> Value:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Misfit(f"the column {name!r} holds what is no number") from error
    return number if math.isfinite(number) else None


def _text(value: Any, name: str) -> Value:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise Misfit(f"the column {name!r} holds bytes that are no UTF-8") from error
    return str(value)


def _boolean(value: Any, name: str) -> Value:
    if value in (0, 1):
        return bool(value)
    found = _BOOLEANS.get(str(value).lower())
    if found is None:
        raise Misfit(f"the column {name!r} holds what is neither true nor false")
    return found


def _date(value: Any, name: str) -> Value:
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = str(_text(value, name))
    stamp = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    if pd.isna(stamp) or not text[0].isdigit():  # pandas takes words, too: "now" for the current time
        raise Misfit(f"the column {name!r} holds what is no date in ISO 8601")
    return str(stamp.isoformat())


_BOOLEANS: Final = {
    "true": True,
    "t": True,
    "yes": True,
    "1": True,
    "false": False,
    "f": False,
    "no": False,
    "0": False,
}
_READERS: Final[Mapping[Type, Callable[[Any, str], Value]]] = {
    "number": _number,
    "text": _text,
    "boolean": _boolean,
    "date": _date,
}
TYPES: Final = tuple(_READERS)
"""Those that a column may be declared to be of."""
