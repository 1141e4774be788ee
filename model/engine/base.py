"""What every engine is."""

from collections.abc import Sequence
from typing import Any, Protocol

from model.signature.inputs import X


class Engine(Protocol):
    """
    Turns rows into answers.

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
        table : ndarray, DataFrame or Tensors
            As ``Inputs`` makes it of a request.
        methods : sequence of str
            Methods of the estimator, such as ``predict``.

        Returns
        -------
        answers : dict of str to array, sparse matrix, DataFrame or list of arrays
            As scikit-learn's method of that name answers.
        """
