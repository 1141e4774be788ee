"""The signature as the manifest holds it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from model.datatypes import NUMERIC, Datatype

MATRIX_NAME = "input-0"
"""Name of the single input of a model whose columns have no names."""

Scalar = bool | int | float | str


class Layout(StrEnum):
    """The container the estimator was fitted on, and is given again."""

    ARRAY = "array"
    """ndarray of float64, shape (n_samples, n_features)."""
    OBJECTS = "objects"
    """ndarray of Python objects, shape (n_samples, n_features)."""
    FRAME = "frame"
    """pandas DataFrame, columns by name."""
    TEXT = "text"
    """ndarray of ``str``, shape (n_samples,)."""
    TENSORS = "tensors"
    """Tensors by name, each of its own rank: what a network takes that is no estimator."""


class Column(BaseModel):
    """
    One input column.

    Parameters
    ----------
    name : str
    datatype : Datatype or None
        None where an artifact without a manifest does not tell; any is accepted then.
    dtype : str
        pandas dtype as fitted, such as ``float64``, ``object``, ``category`` or ``datetime64[ns]``.
    missing : bool
        Whether a missing value is allowed.
    missing_as : {"nan", "none"}
        How a missing string or boolean was written when the estimator was fitted.
    categories : tuple or None
        Distinct values seen in training, where they are few. Information, not a constraint; for dtype ``category``
        they are the categories of that dtype.
    minimum, maximum : float or None
        Range seen in training. Information, not a constraint.
    shape : tuple of int or None
        Of a tensor in the layout of tensors, -1 where a dimension varies; None for a column.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    datatype: Datatype | None = Datatype.FP64
    dtype: str = "float64"
    missing: bool = False
    missing_as: Literal["nan", "none"] = "nan"
    categories: tuple[Scalar, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    shape: tuple[int, ...] | None = None


class Output(BaseModel):
    """
    One output: an estimator's method, or one target of a multi-output ``predict_proba``.

    Parameters
    ----------
    name : str
        The method's name; with an index where the method answers with a list, as ``predict_proba_0``.
    method : str
    index : int or None
        Position in the list that the method answers with.
    datatype : Datatype
    shape : tuple of int
        -1 for the number of rows, and for widths known only at run time.
    labels : tuple or None
        Class labels in the order of the last axis (``predict_proba``), or that the values are drawn from (``predict``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    method: str
    index: int | None = None
    datatype: Datatype = Datatype.FP64
    shape: tuple[int, ...] = (-1,)
    labels: tuple[Scalar, ...] | None = None


class Signature(BaseModel):
    """
    What a model takes and gives.

    Parameters
    ----------
    layout : Layout
    named : bool
        Whether the columns have names that a client may use.
    inputs : tuple of Column
    outputs : tuple of Output
        The first is the default one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: Layout
    named: bool
    inputs: Annotated[tuple[Column, ...], Field(min_length=1)]
    outputs: Annotated[tuple[Output, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        for what, names in (("input", [c.name for c in self.inputs]), ("output", [o.name for o in self.outputs])):
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                msg = f"{what} names must be unique, but {repeated[0]!r} stands twice"
                raise ValueError(msg)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in the order the estimator was fitted on."""
        return tuple(column.name for column in self.inputs)

    @property
    def numeric(self) -> bool:
        """Whether every column takes numbers, so that a single (n_samples, n_features) tensor fits."""
        return all(column.datatype is None or column.datatype not in _NOT_NUMERIC for column in self.inputs)

    def output(self, name: str) -> Output | None:
        """Return the output of that name, or None."""
        return next((output for output in self.outputs if output.name == name), None)


_NOT_NUMERIC = frozenset({Datatype.BOOL, Datatype.BYTES})


def mixed(columns: Sequence[Column]) -> bool:
    """Whether no single tensor of numbers or strings holds all columns, so that they need names, if only positions."""
    datatypes = {column.datatype for column in columns}
    return not datatypes <= NUMERIC and datatypes != {Datatype.BYTES}
