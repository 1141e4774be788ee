"""Rows that are equal in every column, across chunks: told by a fingerprint of 128 bits for each row."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.validation.cells import EXACT, only_texts, shown, sort_of

_KEYS: Final = ("fingerprint-of-a", "fingerprint-of-b")
"""Two keys of 16 letters: texts that agree under one don't under the other."""


class Fingerprints:
    """The fingerprints of all rows that were seen, 16 bytes each."""

    def __init__(self) -> None:
        self._chunks: list[npt.NDArray[np.uint64]] = []

    def add(self, chunk: pd.DataFrame) -> None:
        """
        Take a chunk of a raw table.

        Parameters
        ----------
        chunk : DataFrame
            NaN where missing; the same columns every time.
        """
        comparable = pd.DataFrame({i: _comparable(chunk[name]) for i, name in enumerate(chunk.columns)})
        forwards, backwards = comparable, comparable[comparable.columns[::-1]]
        self._chunks.append(np.column_stack([_hashed(forwards, _KEYS[0]), _hashed(backwards, _KEYS[1])]))

    def repeated(self) -> npt.NDArray[np.bool_]:
        """Return which rows are equal to an earlier one."""
        return pd.DataFrame(np.concatenate(self._chunks)).duplicated().to_numpy()


def _hashed(table: pd.DataFrame, key: str) -> npt.NDArray[np.uint64]:
    return np.asarray(pd.util.hash_pandas_object(table, index=False, hash_key=key), dtype=np.uint64)


def _comparable(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Let equal cells have equal hashes, though whole numbers are floats in a chunk that lacks some."""
    if column.dtype.kind in "iu" and column.abs().max() < EXACT:
        return column.astype("float64")
    if column.dtype != object or only_texts(column):
        return column
    return column.map(lambda cell: f"{sort_of(cell)}: {shown(cell)}", na_action="ignore")
