"""Numbers that are written as texts: read by Arrow, to the very float64 that Python and JSON read."""

from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_NUMBER: Final = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(?i:inf|infinity))$"


def numbers_in(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    """
    Read numbers.

    Parameters
    ----------
    texts : Series of str
        NaN where missing.

    Returns
    -------
    numbers : Series of float64
        NaN where a text is no number. What each is depends on itself alone, not on what stands beside it.
    """
    cells = pa.array(texts, pa.large_string(), from_pandas=True)
    try:
        numbers = pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        trimmed = pc.ascii_trim_whitespace(cells)
        is_number = pc.match_substring_regex(trimmed, _NUMBER)
        numbers = pc.cast(pc.if_else(is_number, trimmed, pa.scalar(None, pa.large_string())), pa.float64())
    return pd.Series(numbers.to_numpy(zero_copy_only=False), index=texts.index, name=texts.name)
