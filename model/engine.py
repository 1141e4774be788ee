"""What turns rows into answers. Adding an engine is one class here."""

from collections.abc import Sequence
from typing import Any, Protocol

from model.signature.inputs import X


class Engine(Protocol):
    """
    Runs an estimator's methods.

    Attributes
    ----------
    name : str
        As metrics and ``inspect`` show it.
    """

    name: str

    def run(self, table: X, methods: Sequence[str]) -> dict[str, Any]:
        """
        Answer the rows of ``table``.

        Parameters
        ----------
        table : ndarray or DataFrame of shape (n_samples, n_features)
        methods : sequence of str
            Methods of the estimator, such as ``predict``.

        Returns
        -------
        answers : dict of str to array, sparse matrix, DataFrame or list of arrays
            As scikit-learn's method of that name answers.
        """


class SklearnEngine:
    """
    The fitted estimator itself.

    Parameters
    ----------
    estimator : fitted estimator
    """

    name = "sklearn"

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def run(self, table: X, methods: Sequence[str]) -> dict[str, Any]:
        """Call each method in turn; see ``Engine.run``."""
        return {method: getattr(self._estimator, method)(table) for method in methods}
