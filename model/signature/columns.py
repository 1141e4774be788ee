"""One column's values: from a tensor of what the client sent to the dtype the estimator was fitted on."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from model.codec.wording import shown
from model.datatypes import NUMERIC, Datatype
from model.errors import InvalidInput
from model.signature.missing import Values, missing_in
from model.signature.schema import Column, Scalar
from model.tensors import Tensor


class ColumnReader:
    """
    Reads the values of one column.

    Parameters
    ----------
    column : Column
    """

    def __init__(self, column: Column) -> None:
        self._column = column
        self._missing: float | None = np.nan if column.missing_as == "nan" else None
        self._convert = self._converter()

    def read(self, tensor: Tensor, values: Values) -> Values:
        """
        Return ``values``, a column of ``tensor``, as the estimator knows them.

        Parameters
        ----------
        tensor : Tensor
            Tells the datatype the client declared.
        values : ndarray of shape (n_samples,)

        Raises
        ------
        InvalidInput
            A value does not fit the column; the sentence names column and row.
        """
        if not self._takes(tensor.datatype):
            if not _nothing_known(values):
                raise self._wrong_datatype(tensor.datatype)
            values = np.full(len(values), None, dtype=object)
        return self._convert(values)

    def check_finite(self, values: npt.NDArray[np.float64]) -> None:
        """Refuse infinities always, and NaN where the column allows no missing value."""
        finite = np.isfinite(values)
        if finite.all():
            return
        bad = np.flatnonzero(~finite if not self._column.missing else np.isinf(values))
        if bad.size:
            what = "a missing value (null or NaN)" if np.isnan(values[bad[0]]) else "infinity"
            raise self._refusal(what, bad[0], "a finite number")

    def _converter(self) -> Callable[[Values], Values]:
        column = self._column
        if column.datatype is None:
            return self._as_sent
        if column.dtype.startswith("datetime64"):
            from model.signature.frames import dates  # noqa: PLC0415 -- pandas, which other columns do without

            return partial(self._dates, dates)
        if column.dtype == "category":
            from model.signature.frames import categories  # noqa: PLC0415 -- likewise

            return partial(self._categories, categories)
        return {Datatype.BOOL: self._booleans, Datatype.BYTES: self._marked}.get(column.datatype, self._numbers)

    def _takes(self, datatype: Datatype) -> bool:
        mine = self._column.datatype
        return mine is None or datatype is mine or (mine in NUMERIC and datatype in NUMERIC)

    def _numbers(self, values: Values) -> Values:
        if values.dtype.kind == "O":
            values = values.astype(np.float64)
        # Copies, for raw tensors are views of the body, which an estimator that works in place could not write into.
        if values.dtype.kind in "iu":
            return values.astype(_dtype(self._column, values))
        self.check_finite(values)
        return values.astype(np.float64)

    def _booleans(self, values: Values) -> Values:
        # A column with missing values in training is one of objects, and stays one.
        marked = self._as_sent(values)
        whole = marked.dtype.kind == "b" or not missing_in(marked).any()
        return marked.astype(self._column.dtype if whole else object)

    def _as_sent(self, values: Values) -> Values:
        if values.dtype.kind == "O":
            return self._marked(values)
        if values.dtype.kind == "f":
            self.check_finite(values)
        return values.copy()

    def _categories(self, categories: Callable[[Values, Sequence[Scalar]], Values], values: Values) -> Values:
        return categories(self._as_sent(values), self._column.categories or ())

    def _dates(self, dates: Callable[[Values, str], tuple[Values, npt.NDArray[np.intp]]], values: Values) -> Values:
        values = self._marked(values)
        parsed, wrong = dates(values, self._column.dtype)
        if wrong.size:
            row = int(wrong[0])
            raise self._refusal(shown(values[row]), row, "an ISO-8601 date such as 2024-01-31 or 2024-01-31T23:59:59Z")
        return parsed

    def _marked(self, values: Values) -> Values:
        """Write missing values the way they stood when the estimator was fitted."""
        missing = missing_in(values)
        if not missing.any():
            return values
        if not self._column.missing:
            raise self._refusal("a missing value (null)", int(np.flatnonzero(missing)[0]), "a value")
        values = values.copy()
        values[missing] = self._missing
        return values

    def _refusal(self, got: str, row: int, expected: str) -> InvalidInput:
        return InvalidInput(f"Column {self._column.name!r} has {got} in row {row}; expected {expected}.")

    def _wrong_datatype(self, datatype: Datatype) -> InvalidInput:
        mine = self._column.datatype
        expected = f"a number ({mine})" if mine in NUMERIC else mine
        return InvalidInput(f"Column {self._column.name!r} is sent as {datatype}; expected {expected}.")


_INT64_MAX: Final = np.iinfo(np.int64).max


def _dtype(column: Column, values: Values) -> str:
    """Integers stay integers in an integer column, as long as int64 holds them."""
    if column.dtype.startswith("int") and (values.dtype.kind == "i" or not len(values) or values.max() <= _INT64_MAX):
        return "int64"
    return "float64"


def _nothing_known(values: Values) -> bool:
    """Whether every value is missing: such a column tells no datatype, so that it fits any that allows it."""
    return values.dtype.kind in "fO" and bool(missing_in(values).all())
