"""What an estimator answers with: its methods, tried on rows, described as outputs."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from model.errors import ArtifactError
from model.signature.inputs import X
from model.signature.outputs import METHODS, dense, typed
from model.signature.schema import Output, Scalar

Estimator = Any
"""Any object with scikit-learn's methods."""


def methods(estimator: Estimator) -> tuple[str, ...]:
    """
    Return the methods of ``METHODS`` that an estimator has.

    Raises
    ------
    ArtifactError
        It has none, so that there is nothing to serve.
    """
    found = tuple(method for method in METHODS if callable(getattr(estimator, method, None)))
    if not found:
        raise ArtifactError(f"{type(estimator).__name__} has none of {', '.join(METHODS)}; there is nothing to serve.")
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """
    Silence warnings while an estimator is tried out.

    All threads are silenced, and what they silence meanwhile may stay so: this is for publishing, not for a server.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def answer(estimator: Estimator, method: str, table: X) -> Any:
    """Call one method."""
    return getattr(estimator, method)(table)


def describe(estimator: Estimator, table: X) -> tuple[Output, ...]:
    """
    Describe what each method answers to ``table``.

    A method that refuses rows which the first one answers is no output (it may need an option the estimator was not
    fitted with), and neither is one that does not answer row by row.

    Raises
    ------
    Exception
        Whatever the first method raises; ValueError if it does not answer row by row.
    """
    first, *others = methods(estimator)
    outputs = list(_outputs(estimator, first, table))
    for method in others:
        try:
            outputs += _outputs(estimator, method, table)
        except Exception:  # noqa: BLE001, S112 -- any refusal means the same: not an output of this estimator
            continue
    return tuple(outputs)


def _outputs(estimator: Estimator, method: str, table: X) -> tuple[Output, ...]:
    result = answer(estimator, method, table)
    if not isinstance(result, list):
        return (_output(estimator, Output(name=method, method=method), result, len(table)),)
    return tuple(
        _output(estimator, Output(name=f"{method}_{i}", method=method, index=i), part, len(table))
        for i, part in enumerate(result)
    )


def _output(estimator: Estimator, output: Output, part: Any, rows: int) -> Output:
    datatype, data = typed(dense(part))
    if data.shape[:1] != (rows,):
        msg = f"{output.method} answers {rows} rows with an array of shape {list(data.shape)}; expected one answer per row"
        raise ValueError(msg)
    shape = (-1, *data.shape[1:])
    classes = labels(estimator, output, shape)
    return output.model_copy(update={"datatype": datatype, "shape": shape, "labels": classes})


def labels(estimator: Estimator, output: Output, shape: Sequence[int]) -> tuple[Scalar, ...] | None:
    """Return the class labels that belong to an output, where it has such."""
    classes = getattr(estimator, "classes_", None)
    if classes is None or output.method in ("transform", "score_samples"):
        return None
    if isinstance(classes, list):
        if output.index is None or output.index >= len(classes):
            return None
        classes = classes[output.index]
    found = tuple(_scalar(label) for label in np.asarray(classes).ravel())
    if output.method == "predict":
        # The values of a table are drawn from several sets of labels, or are marks for and against each label.
        return found if len(shape) == 1 else None
    return found if len(shape) > 1 and shape[-1] == len(found) else None


def feature_names(estimator: Estimator) -> list[str] | None:
    """Return the names of the columns that an estimator was fitted on, or None if they had none."""
    names = getattr(estimator, "feature_names_in_", None)
    # LightGBM invents names for the columns of an array.
    if names is None or all(name == f"Column_{i}" for i, name in enumerate(names)):
        return None
    return [str(name) for name in names]


def _scalar(label: Any) -> Scalar:
    value = label.item() if isinstance(label, np.generic) else label
    return value if isinstance(value, Scalar) else str(value)


def same(left: Any, right: Any) -> bool:
    """Whether two answers of one method are equal to the last bit, NaN equal to NaN."""
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    a, b = dense(left), dense(right)
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def answers_alike(estimator: Estimator, left: X, right: X) -> bool:
    """Whether every method answers two containers of the same rows alike."""
    try:
        return all(same(answer(estimator, m, left), answer(estimator, m, right)) for m in _answered(estimator, left))
    except Exception:  # noqa: BLE001 -- the second container is refused: not alike
        return False


def _answered(estimator: Estimator, table: X) -> tuple[str, ...]:
    return tuple(dict.fromkeys(output.method for output in describe(estimator, table)))


def accepts(estimator: Estimator, table: X) -> bool:
    """Whether the estimator's first method answers ``table`` at all."""
    try:
        answer(estimator, methods(estimator)[0], table)
    except Exception:  # noqa: BLE001 -- whatever it raises, it has refused
        return False
    return True
