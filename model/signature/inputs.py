"""From V2 tensors to the table the estimator was fitted on; every check of a request against the model is made here."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from model.codec.wording import listed, shown
from model.errors import InvalidInput
from model.signature.coding import Coding, sum_of_squares
from model.signature.columns import ColumnReader
from model.signature.schema import Layout, Signature
from model.signature.tensors import TensorInputs, Tensors, by_name
from model.tensors import InferRequest, Tensor

if TYPE_CHECKING:
    import pandas as pd

    from model.signature.frames import Frames

Table: TypeAlias = "npt.NDArray[Any] | pd.DataFrame"
"""What an estimator takes: (n_samples, n_features), or (n_samples,) for text."""
X: TypeAlias = "Table | Tensors"
"""What an engine takes."""

_CONTENT_TYPES = frozenset({"pd", "np"})


class Inputs:
    """
    Reads the inputs of requests for one signature.

    Parameters
    ----------
    signature : Signature
    coding : Coding, optional
        Of an engine that takes rows as numbers, whatever container the estimator was fitted on.
    """

    def __init__(self, signature: Signature, coding: Coding | None = None) -> None:
        self._signature = signature
        self._coding = coding
        self._tensors = TensorInputs(signature) if signature.layout is Layout.TENSORS else None
        self._width = len(signature.inputs)
        self._columns = {column.name: ColumnReader(column) for column in signature.inputs}
        self._readers = tuple(self._columns.values())
        self._frames = _frames(signature)
        self._kinds = _kinds(signature)
        # As frames lie in memory, and arrays: BLAS adds up in that order, so that even the last bits are alike.
        self._order: Literal["C", "F"] = "F" if signature.named else "C"

    def decode(self, request: InferRequest) -> X:
        """
        Turn a request into the table the estimator was fitted on.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features), ndarray of shape (n_samples,) for text, or Tensors
            Columns in ``signature.names`` order, dtypes as fitted; or all as numbers, where there is a coding for them.

        Raises
        ------
        InvalidInput
            A column is missing, surplus, sent twice, or holds a value that does not fit it.

        References
        ----------
        Open Inference Protocol v2, "Inference Request".
        """
        if self._tensors is not None:
            return self._tensors.decode(request)
        tensors = request.inputs
        by_column = self._by_column(tensors, self._content_type(request))
        if any(not len(tensor.data) for tensor in tensors):
            msg = "The request has no rows; expected at least one."
            raise InvalidInput(msg)
        return self._from_columns(tensors) if by_column else self._from_matrix(tensors[0])

    def as_fitted(self, table: X) -> X:
        """Return a table as the estimator knows it, which ``decode`` may have written as numbers."""
        if self._coding is None or not isinstance(table, np.ndarray) or table.dtype != np.float64:
            return table
        tensors = self._coding.tensors(table)
        return self._table(tensors, [tensor.data for tensor in tensors])

    def _content_type(self, request: InferRequest) -> str | None:
        content_type = request.parameters.get("content_type")
        if content_type is None:
            return None
        if content_type not in _CONTENT_TYPES:
            msg = f"The content_type is {shown(content_type)}; expected 'pd' (one tensor per column) or 'np' (a single tensor)."
            raise InvalidInput(msg)
        return str(content_type)

    def _by_column(self, tensors: Sequence[Tensor], content_type: str | None) -> bool:
        if not self._signature.named or content_type == "np":
            if len(tensors) != 1:
                msg = f"The request has {len(tensors)} inputs; expected a single tensor of shape [n, {self._width}]."
                raise InvalidInput(msg)
            return False
        if content_type == "pd" or len(tensors) != 1:
            return True
        # One tensor: the matrix under any name, else a column.
        shape = tensors[0].data.shape
        if len(shape) > 1 and shape[1] == self._width:
            return False
        return tensors[0].name in self._columns or (len(shape) == 1 and self._width > 1)

    def _from_matrix(self, tensor: Tensor) -> Table:
        data = tensor.data
        if data.ndim == 1 and self._width == 1:
            data = data.reshape(-1, 1)
        if data.ndim != 2 or data.shape[1] != self._width:  # noqa: PLR2004 -- a table has two dimensions
            raise InvalidInput(self._wrong_shape(tensor))
        if self._coding is not None:
            matrix = self._coding.matrix([tensor] * self._width, list(data.T))
            if matrix is not None:
                return matrix
        if data.dtype.kind in self._kinds:
            # A copy, for raw tensors are views of the body, which an estimator that works in place could not write into.
            return self._from_numbers(np.array(data, dtype=np.float64, order=self._order))
        return self._assemble([reader.read(tensor, data[:, i]) for i, reader in enumerate(self._readers)])

    def _from_numbers(self, matrix: npt.NDArray[np.float64]) -> Table:
        if not isfinite(sum_of_squares(matrix)):
            for i, reader in enumerate(self._readers):
                reader.check_finite(matrix[:, i])
        return matrix if self._frames is None else self._frames.of_matrix(matrix)

    def _from_columns(self, tensors: Sequence[Tensor]) -> Table:
        sent = self._sent(tensors)
        values = [_flat(tensor) for tensor in sent]
        self._check_rows(sent, values)
        matrix = None if self._coding is None else self._coding.matrix(sent, values)
        return self._table(sent, values) if matrix is None else matrix

    def _table(self, sent: Sequence[Tensor], values: Sequence[npt.NDArray[Any]]) -> Table:
        if all(column.dtype.kind in self._kinds for column in values):
            return self._from_numbers(np.array(values, dtype=np.float64).T)
        return self._assemble([r.read(t, v) for r, t, v in zip(self._readers, sent, values, strict=True)])

    def _sent(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return one tensor per column, in the signature's order."""
        sent = by_name("Column", tensors, self._columns)
        return [sent[name] for name in self._columns]

    def _check_rows(self, sent: Sequence[Tensor], values: Sequence[npt.NDArray[Any]]) -> None:
        rows = len(values[0])
        for tensor, column in zip(sent, values, strict=True):
            if len(column) != rows:
                raise InvalidInput(
                    f"Column {tensor.name!r} has {len(column)} rows where {sent[0].name!r} has {rows}; "
                    "expected as many in every column."
                )

    def _assemble(self, columns: list[npt.NDArray[Any]]) -> Table:
        layout = self._signature.layout
        if layout is Layout.TEXT:
            return columns[0]
        if self._frames is not None:
            return self._frames.of_columns(columns)
        if layout is Layout.OBJECTS:
            return np.column_stack([column.astype(object) for column in columns])
        return np.column_stack(columns).astype(np.float64, order=self._order)

    def _wrong_shape(self, tensor: Tensor) -> str:
        got = list(tensor.data.shape)
        if self._signature.named:
            return (
                f"Input {shown(tensor.name)} has shape {got} and is no column; expected [n, {self._width}], "
                f"or one tensor per column: {listed(self._signature.names)}."
            )
        expected = "[n]" if self._signature.layout is Layout.TEXT else f"[n, {self._width}]"
        return f"Input {shown(tensor.name)} has shape {got}; expected {expected}."


def _frames(signature: Signature) -> "Frames | None":
    if signature.layout is not Layout.FRAME:
        return None
    from model.signature.frames import Frames  # noqa: PLC0415 -- pandas, which other layouts do without

    return Frames(signature.names)


def _kinds(signature: Signature) -> str:
    """Return the kinds of arrays that the table may be made of without a look at each column."""
    columns = signature.inputs
    if signature.layout is Layout.ARRAY or (
        signature.layout is Layout.FRAME and all(column.dtype == "float64" for column in columns)
    ):
        return "fiu"
    # What is not known to be float64 stays as it was sent.
    known = [column for column in columns if column.datatype is not None]
    if signature.layout is Layout.FRAME and all(column.dtype == "float64" for column in known):
        return "f"
    return ""


def _flat(tensor: Tensor) -> npt.NDArray[Any]:
    data = tensor.data
    if data.ndim == 1:
        return data
    if data.ndim == 2 and data.shape[1] == 1:  # noqa: PLR2004 -- [n, 1] is a column as well
        return data[:, 0]
    raise InvalidInput(f"Column {tensor.name!r} has shape {list(data.shape)}; expected [n] or [n, 1].")
