"""Rows as one matrix of numbers: for an engine that needs no frame, which is the dearest part of a small request."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.datatypes import NUMERIC, NUMPY_DTYPES, Datatype
from model.signature.columns import ColumnReader
from model.signature.schema import Column, Scalar, Signature
from model.tensors import Tensor

Values = npt.NDArray[Any]
Matrix = npt.NDArray[np.float64]
Known = tuple[Scalar | None, ...]
"""The values of a column that is coded, None standing for a missing one; none at all where nobody asks for them."""

_EXACT: Final = 2.0**53
"""Integers beyond this may change when they become float64."""
_FEW: Final = 16


def sum_of_squares(matrix: Matrix) -> float:
    """Return it, in one look at the numbers; it is not finite where one of them is not, or where they are very large."""
    numbers = matrix.ravel(order="K")  # As they lie in memory; vdot would copy what lies by columns.
    return float(np.vdot(numbers, numbers))


class Coding:
    """
    Writes rows as numbers: a number as itself, any other value as its position among those known.

    Whatever is not plainly so has no code, and goes to the estimator as it came: values not known, values that are to
    be refused, integers that float64 does not hold.

    Parameters
    ----------
    signature : Signature
    known : mapping of str to Known
        Of each column that is not one of numbers.
    """

    def __init__(self, signature: Signature, known: Mapping[str, Known]) -> None:
        self.known = dict(known)
        self._columns = tuple(_coder(column, known.get(column.name)) for column in signature.inputs)
        self.plain = not known
        """Whether every column is one of numbers."""

    def matrix(self, tensors: Sequence[Tensor], values: Sequence[Values]) -> Matrix | None:
        """
        Write rows as numbers.

        Parameters
        ----------
        tensors : sequence of Tensor
            What the client sent each column in.
        values : sequence of ndarray of shape (n_samples,)

        Returns
        -------
        matrix : ndarray of shape (n_samples, n_features) or None
            None where a value has no code.
        """
        if self.plain and all(column.dtype.kind in "fiu" for column in values):
            numbers = np.array(values, dtype=np.float64).T
            # False for NaN, too: what is out of the ordinary is looked at column by column.
            if sum_of_squares(numbers) <= _EXACT**2:
                return numbers
        coded = []
        for column, tensor, each in zip(self._columns, tensors, values, strict=True):
            codes = column.encode(tensor.datatype, each)
            if codes is None:
                return None
            coded.append(codes)
        return np.array(coded, dtype=np.float64).T

    def tensors(self, matrix: Matrix) -> list[Tensor]:
        """Return what a client would have sent, one tensor of shape (n_samples,) per column."""
        return [column.decode(matrix[:, i]) for i, column in enumerate(self._columns)]


def _coder(column: Column, known: Known | None) -> "_Numbers | _Coded | _Ignored":
    if known is None:
        return _Numbers(column)
    return _Coded(column, known) if known else _Ignored(column)


class _Numbers:
    def __init__(self, column: Column) -> None:
        self._name = column.name
        self._missing = column.missing
        self._whole = column.datatype is Datatype.INT64 and column.dtype.startswith("int")

    def encode(self, datatype: Datatype, values: Values) -> Values | list[float] | None:
        if datatype not in NUMERIC or values.dtype.kind == "O":
            return None
        if len(values) <= _FEW:
            return self._encode_few(values.tolist())
        if values.dtype.kind != "f":
            return values if values.min() >= -_EXACT and values.max() <= _EXACT else None
        if np.isfinite(values).all() or (self._missing and not np.isinf(values).any()):
            return values
        return None

    def _encode_few(self, values: list[float]) -> list[float] | None:
        """Do the same to so few values that NumPy would take longer to look at them."""
        for value in values:
            if not -_EXACT <= value <= _EXACT and not (self._missing and value != value):  # noqa: PLR0124 -- NaN
                return None
        return values

    def decode(self, values: Matrix) -> Tensor:
        # Of an integer column, whole numbers were integers; and where they were not, the estimator answers both alike.
        if self._whole and (np.mod(values, 1) == 0).all():
            return Tensor(self._name, Datatype.INT64, values.astype(np.int64))
        return Tensor(self._name, Datatype.FP64, values.astype(np.float64))


class _Coded:
    def __init__(self, column: Column, known: Known) -> None:
        self._name = column.name
        self._datatype = column.datatype or Datatype.BYTES
        self._numeric = self._datatype in NUMERIC
        self._codes = {value: float(code) for code, value in enumerate(known)}
        self._values = np.empty(len(known), dtype=object)
        self._values[:] = known

    def encode(self, datatype: Datatype, values: Values) -> list[float] | None:
        if datatype is not self._datatype and not (self._numeric and datatype in NUMERIC):
            return None
        codes = [self._codes.get(value) for value in values.tolist()]
        return None if None in codes else codes  # type: ignore[return-value]  # none of them is None

    def decode(self, codes: Matrix) -> Tensor:
        values = self._values[codes.astype(np.intp)]
        absent = any(value is None for value in values)
        if self._numeric:
            dtype = np.dtype(np.float64) if absent else NUMPY_DTYPES[self._datatype]
            return Tensor(self._name, self._datatype, values.astype(dtype))
        whole = self._datatype is Datatype.BOOL and not absent
        return Tensor(self._name, self._datatype, values.astype(bool) if whole else values)


class _Ignored:
    """A column that no answer depends on, so that any value stands for all; it is checked like any other."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._reader = ColumnReader(column)

    def encode(self, datatype: Datatype, values: Values) -> Values:
        return np.zeros(len(self._reader.read(Tensor(self._column.name, datatype, values), values)))

    def decode(self, codes: Matrix) -> Tensor:
        value = "1970-01-01" if self._column.dtype.startswith("datetime64") else "text"
        if self._column.categories:
            value = str(self._column.categories[0])
        return Tensor(self._column.name, Datatype.BYTES, np.full(len(codes), value, dtype=object))


__all__ = ["Coding", "Known", "Matrix"]
