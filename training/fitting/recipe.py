"""How a pipeline is fitted: what each row counts, what labels the estimator takes, and what rows it stops by."""

import warnings
from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import has_fit_parameter

from training.errors import ConfigurationError
from training.fitting.sample import Sample

STEP: Final = "estimator"
"""Name of a pipeline's last step."""

Weights = npt.NDArray[np.float64]
Prepared = Any
"""Rows as the estimator takes them: an array, a sparse matrix, or a table."""


def _answers(method: str) -> Any:
    return available_if(lambda recipe: hasattr(getattr(recipe, "pipeline_", recipe.pipeline), method))


class Recipe(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """
    An estimator of scikit-learn's whose ``fit`` leaves a plain pipeline.

    Searches and calibration fit copies of it; none of it is in what is published.

    Parameters
    ----------
    pipeline : Pipeline
        Not fitted; its last step is called ``estimator``.
    holdout : Sample, optional
        Rows that boosting stops by, where the estimator's parameters ask for it.

    Attributes
    ----------
    pipeline_ : Pipeline
        Fitted, of scikit-learn's own parts and the estimator's package.
    """

    def __init__(self, pipeline: Pipeline, holdout: Sample | None = None) -> None:
        self.pipeline = pipeline
        self.holdout = holdout

    def fit(
        self,
        X: pd.DataFrame,
        y: "pd.Series[Any]",
        sample_weight: Weights | None = None,
        class_factor: Weights | None = None,
    ) -> Self:
        """
        Fit the pipeline.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
        y : Series of shape (n_samples,)
        sample_weight : ndarray of shape (n_samples,), optional
            What each row counts.
        class_factor : ndarray of shape (n_samples,), optional
            How many times that, for its class.
        """
        *steps, (name, estimator) = clone(self.pipeline).steps
        before = Pipeline(steps)
        given = [factor for factor in (sample_weight, class_factor) if factor is not None]
        labels = _encoder(estimator, y)
        prepared = before.fit_transform(X, y)
        how = {"sample_weight": np.prod(given, axis=0)} if given else {}
        how |= self._stopping(estimator, before, labels)
        with warnings.catch_warnings():
            # LightGBM 4.7 wants eval_y instead, of which it does not encode the labels.
            warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
            estimator.fit(prepared, _encoded(labels, y), **how)
        fitted = estimator if labels is None else _relabelled(estimator, prepared, y)
        self.pipeline_ = Pipeline([*before.steps, (name, fitted)])
        return self

    @property
    def classes_(self) -> Any:
        """Labels, in the order of the columns of ``predict_proba``."""
        return self.pipeline_.classes_

    def predict(self, X: pd.DataFrame) -> Any:
        """Return labels, or values."""
        return self.pipeline_.predict(X)

    @_answers("predict_proba")  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_proba(self, X: pd.DataFrame) -> Any:
        """Return probabilities, of shape (n_samples, n_classes)."""
        return self.pipeline_.predict_proba(X)

    @_answers("decision_function")  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def decision_function(self, X: pd.DataFrame) -> Any:
        """Return what labels are told by, of shape (n_samples,) or (n_samples, n_classes)."""
        return self.pipeline_.decision_function(X)

    def __sklearn_tags__(self) -> Tags:
        """Tell that it is a classifier, or a regressor, as its pipeline is."""
        return get_tags(self.pipeline)

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a fitted pipeline."""
        return hasattr(self, "pipeline_")

    def check(self, weighed_by: str | None) -> None:
        """
        Refuse what the estimator can't do.

        Parameters
        ----------
        weighed_by : str or None
            Key of the configuration by which rows count differently.

        Raises
        ------
        ConfigurationError
            Rows are to count differently, or fitting is to stop early, and the estimator or the split has no way to.
        """
        estimator = self.pipeline.named_steps[STEP]
        name = type(estimator).__name__
        if weighed_by is not None and not has_fit_parameter(estimator, "sample_weight"):
            raise ConfigurationError(
                f"{weighed_by} is set, but {name} cannot weigh rows; take it out, or take another estimator"
            )
        # scikit-learn's own boosting takes some of the rows to fit on where there are no others.
        if stops_early(estimator) and self.holdout is None and not has_fit_parameter(estimator, "X_val"):
            raise ConfigurationError(
                f"estimator.parameters let {name} stop early, and the split has no rows to stop by; "
                f"set split.validation_size, to 0.1 for example"
            )

    def _stopping(self, estimator: Any, before: Pipeline, labels: LabelEncoder | None) -> Mapping[str, Any]:
        held = self.holdout
        if held is None or not stops_early(estimator):
            return {}
        return _rows_to_stop_by(estimator, before.transform(held.X), _encoded(labels, held.y))


def stops_early(estimator: Any) -> bool:
    """Whether the parameters of a boosted estimator ask it to stop once rows held out get no better answers."""
    asked = estimator.get_params()
    rounds = any(asked.get(name) for name in ("early_stopping_rounds", "early_stopping_round"))
    return rounds or (asked.get("early_stopping") is True and has_fit_parameter(estimator, "X_val"))


def _rows_to_stop_by(estimator: Any, prepared: Prepared, y: Any) -> Mapping[str, Any]:
    """Give rows by the names that scikit-learn has for them, or LightGBM and XGBoost, of which the last is talkative."""
    if has_fit_parameter(estimator, "X_val"):
        return {"X_val": prepared, "y_val": y}
    return {"eval_set": [(prepared, y)], **({"verbose": False} if has_fit_parameter(estimator, "verbose") else {})}


def _encoder(estimator: Any, y: "pd.Series[Any]") -> LabelEncoder | None:
    """Return what makes 0, 1, 2, … of labels for XGBoost, which takes no others; None where nothing is to be done."""
    if not type(estimator).__module__.startswith("xgboost.") or get_tags(estimator).estimator_type != "classifier":
        return None
    encoder = LabelEncoder().fit(y)
    same = np.array_equal(encoder.classes_, np.arange(len(encoder.classes_))) and y.dtype != bool
    return None if same else encoder


def _encoded(labels: LabelEncoder | None, y: "pd.Series[Any]") -> Any:
    return y if labels is None else labels.transform(y)


def _relabelled(estimator: Any, prepared: Prepared, y: "pd.Series[Any]") -> VotingClassifier:
    """Put a vote of one around a fitted classifier, which gives its codes their labels back."""
    vote = VotingClassifier([(STEP, FrozenEstimator(estimator))], voting="soft").fit(prepared, y)
    vote.estimators_, vote.named_estimators_[STEP] = [estimator], estimator
    return vote
