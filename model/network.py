"""Networks that a pipeline may end in: graphs of ONNX behind scikit-learn's methods, so that what fitted them is not needed."""

from collections.abc import Iterator
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array

from model.sessions import Graph

Rows = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

_MOST_ROWS: Final = 4096
"""Rows run at once: between its layers a network keeps what it has computed for all of them."""


def as_float32(X: Any) -> Rows:
    """
    Return rows as a network takes them.

    Parameters
    ----------
    X : array, sparse matrix or DataFrame of shape (n_samples, n_features)

    Raises
    ------
    ValueError
        A value is missing, is no number, or is beyond what float32 holds.
    """
    with np.errstate(over="ignore"):  # it is refused a moment later
        rows: Rows = check_array(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float32)
    return rows


class _Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def fit(self, X: Any, y: Any = None) -> NoReturn:  # noqa: ARG002 -- scikit-learn's
        """Refuse; a graph is what was fitted elsewhere."""
        raise TypeError(f"{type(self).__name__} holds a network that was exported, and cannot be fitted again")

    def __sklearn_is_fitted__(self) -> bool:
        """Whether it answers, which it always does."""
        return True

    def _answers(self, X: Any) -> Values:
        return np.concatenate(list(self._in_parts(as_float32(X)))).astype(np.float64)

    def _in_parts(self, rows: Rows) -> Iterator[npt.NDArray[Any]]:
        for start in range(0, len(rows), _MOST_ROWS):
            yield self.graph.run(rows[start : start + _MOST_ROWS])


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]  # likewise
    """
    A graph that answers rows with the probabilities of classes.

    Parameters
    ----------
    graph : Graph
        Takes float32 of shape (n_samples, n_features), and gives (n_samples, n_classes).
    classes : ndarray of shape (n_classes,)
        Labels, in the order of the columns.
    """

    def __init__(self, graph: Graph, classes: npt.NDArray[Any]) -> None:
        super().__init__(graph)
        self.classes = classes

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """Labels, in the order of the columns of ``predict_proba``."""
        return self.classes

    def predict_proba(self, X: Any) -> Values:
        """Return probabilities, of shape (n_samples, n_classes)."""
        return self._answers(X)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the likeliest label of each row, the first of equal ones."""
        labels: npt.NDArray[Any] = self.classes[self._answers(X).argmax(axis=1)]
        return labels


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]  # likewise
    """
    A graph that answers rows with numbers.

    Parameters
    ----------
    graph : Graph
        Takes float32 of shape (n_samples, n_features), and gives (n_samples, 1) or (n_samples,).
    """

    def predict(self, X: Any) -> Values:
        """Return values, of shape (n_samples,)."""
        return self._answers(X).reshape(-1)


__all__ = ["Graph", "NetworkClassifier", "NetworkRegressor", "Rows", "as_float32"]
