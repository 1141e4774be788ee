"""The engine that is always there: scikit-learn itself."""

from collections.abc import Sequence
from typing import Any

from model.signature.inputs import X


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
