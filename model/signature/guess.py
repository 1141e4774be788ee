"""The signature of an estimator that comes without a sample: what its fitted attributes tell."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from model.datatypes import NUMERIC, Datatype
from model.errors import ArtifactError
from model.signature.answers import Estimator, describe, feature_names, labels, methods
from model.signature.inputs import X
from model.signature.missing import missing_in
from model.signature.outputs import typed
from model.signature.schema import Column, Layout, Output, Signature, mixed


def guess_signature(estimator: Estimator, columns: Sequence[Column] | None = None) -> Signature:
    """
    Read a signature from ``feature_names_in_``, ``n_features_in_`` and ``classes_``.

    Parameters
    ----------
    estimator : fitted estimator
    columns : sequence of Column, optional
        Where another description of the input is at hand, such as an MLflow signature.

    Raises
    ------
    ArtifactError
        The estimator does not tell its features, or has no method to serve.
    """
    methods(estimator)
    named = columns is not None or feature_names(estimator) is not None
    inputs = _columns(estimator) if columns is None else _completed(estimator, columns)
    layout = _layout(estimator, inputs, named=named)
    outputs = _outputs(estimator, inputs, layout)
    return Signature(layout=layout, named=named or mixed(inputs), inputs=inputs, outputs=outputs)


def encoded_columns(estimator: Estimator, names: Sequence[str]) -> Iterator[Column]:
    """Yield the columns of strings of which a fitted encoder remembers the values, or which are texts."""
    for _, column in _encoded(estimator, names):
        yield column


def _layout(estimator: Estimator, inputs: Sequence[Column], *, named: bool) -> Layout:
    if _is_text(estimator):
        return Layout.TEXT
    fitted_on_array = hasattr(estimator, "n_features_in_") and feature_names(estimator) is None
    if named and not fitted_on_array:
        return Layout.FRAME
    return Layout.ARRAY if all(column.datatype in NUMERIC for column in inputs) else Layout.OBJECTS


def _completed(estimator: Estimator, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Add to given columns of strings what a fitted encoder remembers of them."""
    known = dict(_encoded(estimator, [column.name for column in columns]))
    return tuple(known.get(c.name, c) if c.datatype is Datatype.BYTES else c for c in columns)


def _columns(estimator: Estimator) -> tuple[Column, ...]:
    names = feature_names(estimator)
    if names is not None:
        known = dict(_encoded(estimator, names))
        return tuple(known.get(name) or _unknown(name) for name in names)
    if _is_text(estimator):
        return (Column(name="text", datatype=Datatype.BYTES, dtype="object"),)
    width = getattr(estimator, "n_features_in_", None)
    if width is None:
        raise ArtifactError(
            f"{type(estimator).__name__} tells neither feature_names_in_ nor n_features_in_; "
            f"publish it with a sample of its input: sklearn-kserve publish --sample ROWS."
        )
    positions = [str(i) for i in range(width)]
    known = dict(_encoded(estimator, positions))
    if known:
        return tuple(known.get(name) or _unknown(name) for name in positions)
    return tuple(Column(name=name, missing=True) for name in positions)


def _unknown(name: str) -> Column:
    return Column(name=name, datatype=None, dtype="object", missing=True)


def _steps(estimator: Estimator) -> list[Any]:
    """Return the steps of a pipeline, or the estimator alone; of what a search or a wrapper has fitted."""
    for attribute in ("best_estimator_", "regressor_"):
        estimator = getattr(estimator, attribute, estimator)
    return [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]


def _is_text(estimator: Estimator) -> bool:
    """Whether the first step is a text vectorizer: those take documents, and know no features of their input."""
    first = _steps(estimator)[0]
    return hasattr(first, "build_analyzer") and not hasattr(estimator, "n_features_in_")


def _encoded(estimator: Estimator, names: Sequence[str]) -> Iterator[tuple[str, Column]]:
    """Yield the columns whose categories a fitted encoder remembers, and those that are texts."""
    first = _steps(estimator)[0]
    if not hasattr(first, "transformers_"):
        yield from _categorical(first, names)
        return
    for _, transformer, selected in first.transformers_:
        if isinstance(transformer, str):
            continue
        chosen = _selected(selected, names)
        if isinstance(selected, str | int) and hasattr(_steps(transformer)[0], "build_analyzer"):
            yield chosen[0], Column(name=chosen[0], datatype=Datatype.BYTES, dtype="object")
        for step in _steps(transformer):
            yield from _categorical(step, chosen)


def _selected(selected: Any, names: Sequence[str]) -> list[str]:
    """Return the names behind a ColumnTransformer's selection: names, positions, a mask or a slice."""
    if isinstance(selected, str | int):
        selected = [selected]
    if not isinstance(selected, slice) and len(selected) and isinstance(selected[0], str):
        return list(selected)
    if isinstance(selected, slice) and str in {type(selected.start), type(selected.stop)}:
        first = 0 if selected.start is None else names.index(selected.start)
        last = len(names) - 1 if selected.stop is None else names.index(selected.stop)
        return list(names[first : last + 1])
    return list(np.asarray(names, dtype=object)[selected])


def _categorical(step: Any, names: Sequence[str]) -> Iterator[tuple[str, Column]]:
    fitted = getattr(step, "categories_", None)
    if fitted is None or len(fitted) != len(names):
        return
    for name, categories in zip(names, fitted, strict=True):
        seen = categories[~missing_in(categories)].tolist()
        if seen and all(isinstance(value, str) for value in seen):
            none = any(value is None for value in categories)
            yield (
                name,
                Column(
                    name=name,
                    datatype=Datatype.BYTES,
                    dtype="object",
                    missing=True,
                    missing_as="none" if none else "nan",
                    categories=tuple(seen),
                ),
            )


def _outputs(estimator: Estimator, inputs: Sequence[Column], layout: Layout) -> tuple[Output, ...]:
    """Describe the outputs by a row of zeros, first categories and a word; by attributes where it is refused."""
    try:
        return describe(estimator, _rows(inputs, layout))
    except Exception:  # noqa: BLE001 -- the made-up row is refused, which says nothing about real ones
        return tuple(output for method in methods(estimator) for output in _declared(estimator, method))


def _rows(inputs: Sequence[Column], layout: Layout) -> X:
    """Return the same made-up row twice, in the container that an estimator takes."""
    row = [_value(column, layout) for column in inputs]
    if layout is Layout.TEXT:
        return np.array(row * 2, dtype=object)
    if layout is not Layout.FRAME:
        return np.array([row, row], dtype=np.float64 if layout is Layout.ARRAY else object)
    from model.signature.frames import Frames  # noqa: PLC0415 -- pandas, which other layouts do without

    return Frames([column.name for column in inputs]).of_columns([np.array([value] * 2) for value in row])


def _value(column: Column, layout: Layout) -> Any:
    if column.categories:
        return column.categories[0]
    if column.dtype.startswith("datetime64"):
        return np.datetime64(0, "ns")
    return "text" if layout is Layout.TEXT or column.datatype is Datatype.BYTES else 0.0


def _declared(estimator: Estimator, method: str) -> Iterator[Output]:
    classes = getattr(estimator, "classes_", None)
    if not isinstance(classes, list):
        yield _declared_output(estimator, Output(name=method, method=method), classes)
    elif method in ("predict_proba", "predict_log_proba"):
        for i, labels_of_target in enumerate(classes):
            output = Output(name=f"{method}_{i}", method=method, index=i)
            yield _declared_output(estimator, output, labels_of_target)
    else:
        datatype, width = (_label_datatype(classes[0]), len(classes)) if method == "predict" else (Datatype.FP64, -1)
        yield Output(name=method, method=method, datatype=datatype, shape=(-1, width))


def _declared_output(estimator: Estimator, output: Output, classes: Sequence[Any] | None) -> Output:
    shape = _declared_shape(output.method, classes)
    known = labels(estimator, output, shape)
    datatype = _label_datatype(known) if output.method == "predict" else Datatype.FP64
    return output.model_copy(update={"shape": shape, "labels": known, "datatype": datatype})


def _declared_shape(method: str, classes: Sequence[Any] | None) -> tuple[int, ...]:
    count = 0 if classes is None else len(classes)
    if method in ("predict", "score_samples") or (method == "decision_function" and count <= 2):  # noqa: PLR2004 -- one value tells two classes apart
        return (-1,)
    return (-1, -1) if method == "transform" or not count else (-1, count)


def _label_datatype(classes: Sequence[Any] | None) -> Datatype:
    if classes is None or not len(classes):
        return Datatype.FP64
    return typed(np.asarray(classes))[0]
