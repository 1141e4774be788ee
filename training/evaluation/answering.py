"""What an estimator answers to rows that it has not seen."""

from typing import Any

import numpy as np
import pandas as pd

from training.config.evaluation import Label
from training.errors import ConfigurationError
from training.metrics import Answers, Values


def answers_of(
    estimator: Any,
    X: pd.DataFrame,
    y: "pd.Series[Any]",
    positive: Label | None = None,
    groups: "pd.Series[Any] | None" = None,
) -> Answers:
    """
    Let an estimator answer rows.

    Parameters
    ----------
    estimator : fitted estimator
    X : DataFrame of shape (n_samples, n_features)
    y : Series of shape (n_samples,)
        What is expected.
    positive : label, optional
        Of two classes, the one that is looked for.
    groups : Series of shape (n_samples,), optional
        By which rows are held together.

    Raises
    ------
    ConfigurationError
        No class is called as ``positive`` says.
    """
    classes = getattr(estimator, "classes_", None)
    probable = hasattr(estimator, "predict_proba")
    return Answers(
        expected=y.to_numpy(),
        predicted=np.asarray(estimator.predict(X)),
        classes=classes,
        probabilities=np.asarray(estimator.predict_proba(X)) if probable else None,
        positive=None if positive is None else label_called(positive, classes, "evaluation.positive"),
        groups=None if groups is None else pd.factorize(groups)[0],
    )


def label_called(name: Label, labels: Values | None, key: str) -> Any:
    """
    Return the label that is written like a name: in data, ``true`` is a boolean and ``1`` a number.

    Raises
    ------
    ConfigurationError
        There is none.
    """
    known = [] if labels is None else list(labels)
    for label in known:
        if spelled(label) == spelled(name):
            return label
    expected = f"one of {', '.join(map(spelled, known))}" if known else "none, for there are no classes"
    raise ConfigurationError(f"{key} is {name!r}; expected {expected}")


def spelled(label: Any) -> str:
    """Return a label as it is written in data."""
    return str(label).lower() if isinstance(label, bool | np.bool_) else str(label)
