"""The signature of an estimator, read from itself and a sample of its input."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from model.codec.wording import listed
from model.datatypes import Datatype
from model.errors import ArtifactError
from model.signature.answers import Estimator, accepts, answers_alike, describe, feature_names, methods, quiet
from model.signature.inputs import X
from model.signature.sample import Sample, as_frame
from model.signature.schema import Column, Layout, Output, Scalar, Signature, mixed

Mark = Literal["nan", "none"]
"""How a missing value is written."""

_PROBE_ROWS: Final = 1000
"""Rows on which containers are compared; more would only make publishing slower."""
_MOST_CATEGORIES: Final = 100
"""Distinct values beyond which a column of strings is no longer called categorical."""


@quiet()
def infer_signature(estimator: Estimator, sample: Sample) -> Signature:
    """
    Read a signature from a fitted estimator and a sample of its input.

    Which container it is given, and whether a column may be missing, is found by trying: the estimator answers the
    sample as an array only if all its answers are those it gives to the frame, and a missing value is allowed where
    the sample holds one or the estimator answers a row without it.

    Parameters
    ----------
    estimator : fitted estimator
    sample : DataFrame or ndarray of shape (n_samples, n_features), or sequence of str

    Raises
    ------
    ArtifactError
        The sample does not fit the estimator, or the estimator has no method to serve.
    """
    methods(estimator)
    names = feature_names(estimator) if isinstance(sample, pd.DataFrame) else None
    frame = _ordered(estimator, as_frame(sample), names)
    probe = frame.head(_PROBE_ROWS)
    layout, outputs = _described(estimator, probe, _candidates(estimator, frame, sample, named=names is not None))
    columns = tuple(_column(estimator, frame, name, layout) for name in frame.columns)
    named = names is not None or layout is Layout.FRAME or mixed(columns)
    if layout is Layout.FRAME and _all_numbers(frame):
        matrix = container(probe, Layout.ARRAY)
        layout = Layout.ARRAY if answers_alike(estimator, probe, matrix) else layout
    return Signature(layout=layout, named=named, inputs=columns, outputs=outputs)


def container(frame: pd.DataFrame, layout: Layout) -> X:
    """Return the rows of ``frame`` in the container that an estimator takes."""
    if layout is Layout.FRAME:
        return frame
    if layout is Layout.TEXT:
        return frame.iloc[:, 0].to_numpy(dtype=object)
    return frame.to_numpy(dtype=np.float64 if layout is Layout.ARRAY else object)


def _ordered(estimator: Estimator, frame: pd.DataFrame, names: Sequence[str] | None) -> pd.DataFrame:
    """Return the sample's columns in the order the estimator was fitted on."""
    if names is not None:
        missing = [name for name in names if name not in frame.columns]
        if missing:
            raise ArtifactError(
                f"The sample lacks column {missing[0]!r}, which the estimator was fitted on; "
                f"it has {listed(list(frame.columns))}."
            )
        return frame[list(names)]
    width = getattr(estimator, "n_features_in_", None)
    if width is not None and width != frame.shape[1]:
        raise ArtifactError(
            f"The sample has {frame.shape[1]} columns where the estimator was fitted on {width}; "
            "name the target column if it is among them."
        )
    return frame


def _candidates(estimator: Estimator, frame: pd.DataFrame, sample: Sample, *, named: bool) -> list[Layout]:
    """Return the containers to try, the most telling first."""
    if named:
        return [Layout.FRAME]
    numbers = Layout.ARRAY if _all_numbers(frame) else Layout.OBJECTS
    if hasattr(estimator, "n_features_in_") or not isinstance(sample, pd.DataFrame):
        plain = [numbers, Layout.FRAME]
    else:
        plain = [Layout.FRAME, numbers]
    text = frame.shape[1] == 1 and frame.dtypes.iloc[0] == object and not hasattr(estimator, "n_features_in_")
    return [Layout.TEXT, *plain] if text else plain


def _described(
    estimator: Estimator, frame: pd.DataFrame, candidates: Sequence[Layout]
) -> tuple[Layout, tuple[Output, ...]]:
    """Return the first container that the estimator takes, and what it answers to it."""
    refusals = []
    for layout in candidates:
        try:
            return layout, describe(estimator, container(frame, layout))
        except Exception as error:  # noqa: BLE001 -- any refusal leads to the next
            refusals.append(error)
    reason = str(refusals[0]).partition("\n")[0].rstrip(".")
    raise ArtifactError(
        f"{type(estimator).__name__}.{methods(estimator)[0]} refuses the sample: {reason}."
    ) from refusals[0]


def _all_numbers(frame: pd.DataFrame) -> bool:
    return all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in frame.dtypes)


def _column(estimator: Estimator, frame: pd.DataFrame, name: str, layout: Layout) -> Column:
    values = frame[name]
    datatype = _datatype(values)
    seen = values.dropna()
    ranged = datatype in (Datatype.INT64, Datatype.FP64) and len(seen) and values.dtype != "category"
    finite = seen[np.isfinite(seen)] if ranged else seen
    missing_as = _missing_as(estimator, frame, name, layout)
    return Column(
        name=name,
        datatype=datatype,
        dtype=str(values.dtype),
        missing=missing_as is not None,
        missing_as=missing_as or "nan",
        categories=_categories(values, datatype),
        minimum=float(finite.min()) if ranged and len(finite) else None,
        maximum=float(finite.max()) if ranged and len(finite) else None,
    )


def _datatype(values: "pd.Series[Any]") -> Datatype:
    dtype: Any = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if dtype == object and len(values.dropna()) and isinstance(values.dropna().iloc[0], bool):
        return Datatype.BOOL
    kinds = {"b": Datatype.BOOL, "i": Datatype.INT64, "u": Datatype.INT64, "f": Datatype.FP64}
    return kinds.get(dtype.kind, Datatype.BYTES)


def _categories(values: "pd.Series[Any]", datatype: Datatype) -> tuple[Scalar, ...] | None:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return tuple(values.dtype.categories.tolist())
    if datatype is not Datatype.BYTES or values.dtype.kind == "M":
        return None
    distinct = values.dropna().unique()
    return tuple(sorted(distinct.tolist())) if len(distinct) <= _MOST_CATEGORIES else None


def _missing_as(estimator: Estimator, frame: pd.DataFrame, name: str, layout: Layout) -> Mark | None:
    """Return how a missing value is written: as in the sample, else so that the estimator answers a row without it."""
    values = frame[name]
    if values.isna().any():
        return "none" if any(value is None for value in values) else "nan"
    if layout is Layout.TEXT:
        return None
    marks: tuple[Mark, ...] = ("nan", "none") if values.dtype.kind in "Ob" else ("nan",)
    return next((mark for mark in marks if accepts(estimator, _row_without(frame, name, layout, mark))), None)


def _row_without(frame: pd.DataFrame, name: str, layout: Layout, mark: Mark) -> X:
    row = frame.head(1).copy()
    kind = frame[name].dtype.kind
    if kind in "iub":
        row[name] = row[name].astype("object" if kind == "b" else "float64")
    row.loc[0, name] = None if kind == "M" or mark == "none" else np.nan
    return container(row, layout)


__all__ = ["Sample", "container", "infer_signature"]
