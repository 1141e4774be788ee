"""Ensembles of trees, run by treelite's General Tree Inference Library (GTIL)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.engine.onnx import derived, logarithm
from model.signature.coding import Matrix

_FLOAT32: Final = np.dtype(np.float32)
_FLOAT64: Final = np.dtype(np.float64)
_FOREST: Final = "sklearn.ensemble._forest"
_BOOSTED: Final = "sklearn.ensemble._gb"
_HISTOGRAM: Final = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting"

DTYPES: Final[Mapping[str, npt.DTypeLike]] = {
    f"{_FOREST}.RandomForestClassifier": _FLOAT32,
    f"{_FOREST}.RandomForestRegressor": _FLOAT32,
    f"{_FOREST}.ExtraTreesClassifier": _FLOAT32,
    f"{_FOREST}.ExtraTreesRegressor": _FLOAT32,
    f"{_BOOSTED}.GradientBoostingClassifier": _FLOAT32,
    f"{_BOOSTED}.GradientBoostingRegressor": _FLOAT32,
    f"{_HISTOGRAM}.HistGradientBoostingClassifier": _FLOAT64,
    f"{_HISTOGRAM}.HistGradientBoostingRegressor": _FLOAT64,
    "xgboost.sklearn.XGBClassifier": _FLOAT32,
    "xgboost.sklearn.XGBRegressor": _FLOAT32,
    "lightgbm.sklearn.LGBMClassifier": _FLOAT64,
    "lightgbm.sklearn.LGBMRegressor": _FLOAT64,
}
"""What an estimator compares in, by its class: trees answer otherwise where the input is rounded otherwise."""


class TreeliteProgram:
    """
    A model of treelite's, made from one of the estimators in ``DTYPES``.

    Parameters
    ----------
    content : bytes
        As treelite serializes a model.
    estimator : fitted estimator
        That the model was made from; the last step of a pipeline.

    Raises
    ------
    ModuleNotFoundError
        treelite is not installed.
    """

    name = "treelite"

    def __init__(self, content: bytes, estimator: Any) -> None:
        import treelite  # noqa: PLC0415 -- an extra

        self._model = treelite.Model.deserialize_bytes(content)
        self._predict: Any = treelite.gtil.predict
        self._dtype = DTYPES[f"{type(estimator).__module__}.{type(estimator).__qualname__}"]
        self._classes: Any = getattr(estimator, "classes_", None)
        # On the border between two classes gradient boosting alone chooses the second.
        self._second_wins_ties = type(estimator).__name__ == "GradientBoostingClassifier"
        own = ("predict",) if self._classes is None else ("predict", "predict_proba")
        self.methods = frozenset(own) | derived(dict.fromkeys(own))

    def run(self, matrix: Matrix, methods: Sequence[str]) -> dict[str, Any] | None:
        """Answer rows of numbers; see ``Program.run``."""
        rows = np.ascontiguousarray(matrix, dtype=self._dtype)
        values: npt.NDArray[Any] = self._predict(self._model, rows, nthread=1)[:, 0, :]
        if self._classes is None:
            return {"predict": values[:, 0]}
        probabilities = values if values.shape[1] > 1 else np.column_stack([1 - values, values])
        return {method: self._answer(method, probabilities) for method in methods}

    def _answer(self, method: str, probabilities: npt.NDArray[Any]) -> Any:
        if method == "predict":
            return self._classes.take(self._likeliest(probabilities), axis=0)
        return logarithm(probabilities) if method == "predict_log_proba" else probabilities

    def _likeliest(self, probabilities: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._second_wins_ties and probabilities.shape[1] == 2:  # noqa: PLR2004 -- two classes
            return (probabilities[:, 1] >= probabilities[:, 0]).astype(np.intp)
        return np.asarray(probabilities.argmax(axis=1))
