"""A raw table as one of typed columns, chunk by chunk: only one chunk of texts is in memory at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.columns import Kind
from training.config import Config
from training.config.columns import Column
from training.metrics import Task
from training.validation.cells import plain
from training.validation.conversion import Converted, convert
from training.validation.duplicates import Fingerprints
from training.validation.failures import Failures
from training.validation.survey import Survey, numbered

_UNDECLARED: Final = Column()


@dataclass(frozen=True)
class Typed:
    """
    All rows of the source.

    Parameters
    ----------
    table : DataFrame
        Features, target and columns aside, of their kinds; missing where a cell was of another. The index is the
        position of each row in the source.
    failures : Failures
        The cells that were of another kind.
    repeated : ndarray of bool, shape (n_samples,)
        Rows that are equal to an earlier one in every column of the source.
    respelled : dict of str to int
        By column, the cells that were written otherwise.
    """

    table: pd.DataFrame
    failures: Failures
    repeated: npt.NDArray[np.bool_]
    respelled: dict[str, int]

    def missing(self, name: str) -> "pd.Series[bool]":
        """Return which rows have no value in a column; one of another kind is a value."""
        return self.table[name].isna() & ~self.table.index.isin(self.failures.positions(name))


def read_typed(chunks: Iterable[pd.DataFrame], found: Survey, config: Config) -> Typed:
    """
    Turn every cell that is needed into a value of its kind.

    Parameters
    ----------
    chunks : iterable of DataFrame
        The raw table that was surveyed, once more.
    found : Survey
    config : Config
    """
    reader = _Reader(found, config)
    parts = [reader.read(chunk) for chunk in numbered(chunks)]
    return Typed(_joined(parts, found), reader.failures, reader.fingerprints.repeated(), reader.respelled)


class _Reader:
    def __init__(self, found: Survey, config: Config) -> None:
        self._found = found
        self._config = config
        self.failures = Failures()
        self.fingerprints = Fingerprints()
        self.respelled = {name: 0 for name, column in config.columns.items() if column.spellings}

    def read(self, chunk: pd.DataFrame) -> pd.DataFrame:
        whole = chunk.reindex(columns=list(self._found.names))
        cells = {name: plain(whole[name], self._config.missing) for name in whole.columns}
        self.fingerprints.add(pd.DataFrame(cells, copy=False))
        return pd.DataFrame({name: self._values(cells[name]) for name in self._found.kinds})

    def _values(self, cells: "pd.Series[Any]") -> "pd.Series[Any]":
        name = str(cells.name)
        declared = self._config.columns.get(name, _UNDECLARED)
        converted = convert(cells, self._found.kinds[name], declared.unit)
        if name == self._config.target and self._config.task is Task.CLASSIFICATION:
            converted = _labels(converted, self._found.kinds[name])
        self.failures.add(cells[converted.bad], check="kind", expected=converted.expected)
        if not declared.spellings:
            return converted.column
        # Series.replace would make a column of numbers of a chunk that has no value.
        right = converted.column.map(declared.spellings).astype(object)
        self.respelled[name] += int(right.notna().sum())
        return right.where(right.notna(), converted.column)


def _labels(converted: Converted, kind: Kind) -> Converted:
    if kind is not Kind.NUMBER:
        return converted
    values = converted.column
    fraction = values.notna() & (values != values.round())
    expected = "a whole number, for it is a class label"
    return Converted(values.mask(fraction), converted.bad | fraction, expected)


def _joined(parts: list[pd.DataFrame], found: Survey) -> pd.DataFrame:
    table = pd.concat(parts)
    booleans = [name for name, kind in found.kinds.items() if kind is Kind.BOOLEAN]
    return table.astype(dict.fromkeys(booleans, object))
