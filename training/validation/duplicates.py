"""Rows that are equal in every column, across chunks: told by a fingerprint of 128 bits for each row."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.validation.cells import EXACT, only_texts, shown, sort_of

Hashes = npt.NDArray[np.uint64]

_FACTORS: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
"""Odd numbers of 64 bits: what a cell adds to the two halves of a row's fingerprint depends on its column."""


_MISSING: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
"""Stands for a missing cell, of whatever type its column is in this chunk."""


class Fingerprints:
    """The fingerprints of all rows that were seen, 16 bytes each."""

    def __init__(self) -> None:
        self._chunks: list[Hashes] = []

    def add(self, chunk: pd.DataFrame) -> None:
        """
        Take a chunk of a raw table.

        Parameters
        ----------
        chunk : DataFrame
            NaN where missing; the same columns every time.
        """
        halves = np.zeros((2, len(chunk)), dtype=np.uint64)
        for name in chunk.columns:
            hashes = _hashes(chunk[name])
            halves = np.stack([(halves[0] + hashes) * _FACTORS[0], (halves[1] ^ hashes) * _FACTORS[1]])
        self._chunks.append(halves.T)

    def repeated(self) -> npt.NDArray[np.bool_]:
        """Return which rows are equal to an earlier one."""
        return pd.DataFrame(np.concatenate(self._chunks)).duplicated().to_numpy()


def _hashes(column: "pd.Series[Any]") -> Hashes:
    # To look for categories first is no gain where most cells are different.
    hashes = pd.util.hash_array(_comparable(column).to_numpy(), categorize=False)
    return np.where(column.isna(), _MISSING, hashes)


def _comparable(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Let equal cells have equal hashes, though whole numbers are floats in a chunk that lacks some."""
    if column.dtype.kind in "iu" and column.abs().max() < EXACT:
        return column.astype("float64")
    if column.dtype != object or only_texts(column):
        return column
    return column.map(lambda cell: f"{sort_of(cell)}: {shown(cell)}", na_action="ignore")
