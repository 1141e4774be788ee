from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tests.unit.training.fitting.samples import classes, fitted, numbers
from training.errors import FitError
from training.fitting import TEST, TRAIN

X = numbers(600)
Y = classes(X, ("no", "yes"), noise=1.0)
WIDE = X.assign(d=X["a"], e=X["a"], f=X["b"])
"""Columns that say the same again, by which naive Bayes becomes too sure of itself."""
BAYES = {"class": "sklearn.naive_bayes.GaussianNB"}
SVC = {"class": "sklearn.svm.LinearSVC"}


def brier(found: Any, parts: "pd.Series[str]") -> float:
    tested = parts.index[parts == TEST]
    return float(brier_score_loss(Y.loc[tested] == "yes", found.pipeline.predict_proba(WIDE.loc[tested])[:, 1]))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("way", [{}, {"validation_size": 0.25}], ids=["by folds", "by the validation part"])
def test_probabilities_come_nearer_to_what_happens(method: str, way: dict[str, Any]) -> None:
    plain = brier(*fitted(WIDE, Y, estimator=BAYES, split=way))
    calibrated = brier(*fitted(WIDE, Y, estimator=BAYES, split=way, calibration={"method": method}))
    assert calibrated < plain * 0.98


def test_it_is_what_scikit_learn_calibrates_around_a_pipeline() -> None:
    found, parts = fitted(X, Y, estimator=SVC, calibration={"folds": 3})
    train = parts.index[parts == TRAIN]
    own = CalibratedClassifierCV(
        make_pipeline(StandardScaler(), LinearSVC(random_state=0)),
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        ensemble=False,
    ).fit(X.loc[train], Y.loc[train])
    np.testing.assert_array_equal(found.pipeline.predict_proba(X), own.predict_proba(X))


def test_an_estimator_without_probabilities_gets_some() -> None:
    found, _ = fitted(X, Y, estimator=SVC, calibration={})
    np.testing.assert_allclose(found.pipeline.predict_proba(X).sum(axis=1), 1)


def test_the_weight_of_classes_does_not_move_probabilities() -> None:
    rare = pd.Series(np.where(X["a"] > 1.2, "yes", "no"), name="kind")
    share = float((rare == "yes").mean())
    weighed = fitted(X[["b", "c"]].assign(a=X["a"].round()), rare, estimator=BAYES, class_weight={"yes": 20})[0]
    calibrated = fitted(
        X[["b", "c"]].assign(a=X["a"].round()), rare, estimator=BAYES, class_weight={"yes": 20}, calibration={}
    )[0]
    rows = X[["b", "c"]].assign(a=X["a"].round())
    assert weighed.pipeline.predict_proba(rows)[:, 1].mean() > share * 1.3
    assert calibrated.pipeline.predict_proba(rows)[:, 1].mean() == pytest.approx(share, rel=0.15)


def test_the_rows_to_validate_must_have_every_class() -> None:
    y = pd.Series(["a"] * 280 + ["b"] * 170 + ["a"] * 75 + ["b"] * 75, name="kind")
    times = pd.Series(np.arange(600), name="t")
    with pytest.raises(FitError, match="for class 'a' is not both among the rows to fit on and those to validate"):
        fitted(X, y, {"t": times}, split={"time": "t", "validation_size": 0.2, "test_size": 0.3}, calibration={})


def test_newer_rows_calibrate_where_time_divides() -> None:
    times = pd.Series(np.arange(600), name="t")
    found, _ = fitted(X, Y, {"t": times}, split={"time": "t", "validation_size": 0.2}, calibration={})
    assert isinstance(found.pipeline[-1], CalibratedClassifierCV)


def test_rows_weigh_in_calibration_as_well() -> None:
    weights = pd.Series(np.where(Y == "yes", 5.0, 1.0), name="w")
    for way in ({}, {"validation_size": 0.25}):
        plain = fitted(X, Y, split=way, calibration={})[0].pipeline.predict_proba(X)[:, 1].mean()
        weighed = fitted(X, Y, {"w": weights}, split=way, calibration={}, sample_weight="w")[0]
        assert weighed.pipeline.predict_proba(X)[:, 1].mean() > plain + 0.1
