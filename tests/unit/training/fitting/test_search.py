import logging
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.unit.training.fitting.samples import classes, configured, fitted, numbers, values
from training.errors import ConfigurationError, FitError
from training.fitting import TRAIN, VALIDATION
from training.fitting.search import metric_of

X = numbers(120)
Y = classes(X)
SPACE = {"C": {"loguniform": [0.01, 10]}, "fit_intercept": [True, False]}
METHODS = ["random", "halving", "optuna"]


def searched(**changes: Any) -> tuple[Any, "pd.Series[str]"]:
    search = {"space": SPACE, "candidates": 4, "folds": 2, **changes.pop("search", {})}
    return fitted(X, Y, changes.pop("aside", None), search=search, **changes)


@pytest.mark.parametrize("method", METHODS)
def test_the_best_candidate_is_fitted(method: str) -> None:
    found, _ = searched(search={"method": method})
    best = found.search.iloc[0]
    assert best["rank"] == 1
    assert best["C"] == found.pipeline[-1].C
    assert found.pipeline[-1].fit_intercept == best["fit_intercept"]
    assert found.record["search"]["best"]["parameters"] == {"C": best["C"], "fit_intercept": best["fit_intercept"]}
    assert found.record["search"]["best"]["mean"] == best["mean"]
    last = found.search[found.search["round"] == found.search["round"].max()] if method == "halving" else found.search
    assert best["mean"] == last["mean"].max()
    np.testing.assert_allclose(best[["fold_1", "fold_2"]].mean(), best["mean"])


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_alone_decides_what_is_tried(method: str) -> None:
    first, again, other = (
        searched(search={"method": method}, split={"seed": seed})[0].search.drop(columns="seconds")
        for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert first["C"].tolist() != other["C"].tolist()


def test_it_scores_as_scikit_learn_does() -> None:
    found, parts = searched()
    train = parts.index[parts == TRAIN]
    own = RandomizedSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=0)),
        {
            "logisticregression__C": stats.loguniform(0.01, 10),
            "logisticregression__fit_intercept": [True, False],
        },
        n_iter=4,
        random_state=0,
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
    ).fit(X.loc[train], Y.loc[train])
    assert sorted(found.search["mean"]) == pytest.approx(sorted(own.cv_results_["mean_test_score"]))
    assert found.record["search"]["best"]["mean"] == pytest.approx(own.best_score_)
    assert own.best_params_["logisticregression__C"] == found.pipeline[-1].C


def test_halving_gives_the_better_ones_more_rows() -> None:
    table = searched(search={"method": "halving", "candidates": 9})[0].search
    rounds = table.groupby("round")["rows"].agg(["count", "first"])
    assert rounds["count"].tolist() == [9, 3]
    assert rounds["first"].is_monotonic_increasing
    assert table["round"].iloc[0] == 2


def test_a_loss_is_the_better_the_smaller() -> None:
    found, _ = searched(search={"metric": "log_loss"})
    assert found.search["mean"].is_monotonic_increasing
    assert found.search["mean"].min() > 0


def test_a_regression_is_searched_by_its_error() -> None:
    search = {"space": {"alpha": {"uniform": [0, 50]}}, "candidates": 4, "folds": 3}
    found, _ = fitted(X, values(X), task="regression", search=search)
    assert found.record["search"]["metric"] == "rmse"
    assert found.search["alpha"].iloc[0] == found.search["alpha"].min()


def test_a_metric_is_chosen_by_the_task_unless_it_is_named() -> None:
    assert metric_of(configured(search={"space": SPACE})) == "accuracy"
    assert metric_of(configured(task="regression", search={"space": SPACE})) == "rmse"
    assert metric_of(configured(search={"space": SPACE, "metric": "roc_auc"})) == "roc_auc"


def test_the_validation_part_scores_where_there_is_one() -> None:
    found, parts = searched(search={"folds": None}, split={"validation_size": 0.2})
    train, held = (parts.index[parts == part] for part in (TRAIN, VALIDATION))
    best = found.search.iloc[0]
    assert found.record["search"]["folds"] == 1
    assert found.pipeline.score(X.loc[held], Y.loc[held]) == pytest.approx(best["mean"])
    assert found.record["rows"][TRAIN] == len(train)


@pytest.mark.parametrize("way", [{"group": "w"}, {"time": "w"}, {"group": "w", "stratify": False}])
def test_folds_are_as_the_split_is(way: dict[str, Any]) -> None:
    aside = {"w": pd.Series(np.arange(120) // 4, name="w")}
    assert searched(aside=aside, split=way)[0].search["mean"].notna().all()


def test_boosting_stops_early_in_every_fit() -> None:
    parameters = {"n_estimators": 2000, "early_stopping_rounds": 3, "n_jobs": 1}
    found, _ = fitted(
        X,
        Y,
        estimator={"class": "xgboost.XGBClassifier", "parameters": parameters},
        search={"space": {"max_depth": {"integers": [2, 3]}}, "candidates": 2, "folds": 2},
        split={"validation_size": 0.2},
    )
    assert found.search["seconds"].max() < 3  # all 3,000 rounds take longer
    assert found.record["iterations"] < 200


def test_rows_and_classes_weigh_in_every_fit() -> None:
    weights = pd.Series(np.where(X["c"] > 0, 1.0, 0.01), name="w")
    plain = searched()[0].search
    for changes in ({"class_weight": {"p": 40}}, {"sample_weight": "w", "aside": {"w": weights}}):
        assert searched(**changes)[0].search["mean"].tolist() != plain["mean"].tolist()


def test_a_list_has_no_more_candidates_than_there_are() -> None:
    found, _ = searched(search={"space": {"C": [1, 2], "solver": ["lbfgs"]}, "candidates": 50})
    assert found.record["search"]["candidates"] == 2


@pytest.mark.parametrize("method", METHODS)
def test_a_candidate_that_fails_is_left_behind(method: str, caplog: pytest.LogCaptureFixture) -> None:
    space = {"solver": ["lbfgs", "liblinear"], "C": {"uniform": [0.5, 2]}}
    found, _ = searched(search={"method": method, "space": space, "candidates": 8})
    failed = found.search[found.search["rank"].isna()]
    assert set(failed["solver"]) == {"liblinear"}
    assert failed["mean"].isna().all()
    assert found.search["solver"].iloc[0] == "lbfgs"
    assert found.record["search"]["failed"] == (failed["round"] == 1).sum() if method == "halving" else len(failed)
    (said,) = {message for message in caplog.messages if "failed" in message}
    assert "fits failed: The 'liblinear' solver does not support multiclass classification" in said


@pytest.mark.parametrize("method", METHODS)
def test_where_every_candidate_fails_the_reason_is_told(method: str) -> None:
    with pytest.raises(FitError, match=r"no candidate of the search can be \w+: The 'solver' parameter of Logistic"):
        searched(search={"method": method, "space": {"solver": ["good", "better"]}})


def test_a_metric_that_the_estimator_does_not_define_is_told() -> None:
    with pytest.raises(
        FitError, match="no candidate of the search can be scored: log_loss is not defined for LinearSVC"
    ):
        searched(search={"space": {"C": [1, 2]}, "metric": "log_loss"}, estimator={"class": "sklearn.svm.LinearSVC"})


def test_an_unknown_parameter_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        searched(search={"space": {"Cx": [1]}})
    assert str(caught.value).startswith(
        "search.space names 'Cx', which LogisticRegression does not have; expected some of C, class_weight, dual"
    )


def test_optuna_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"search.method is optuna, .* pip install 'sklearn-kserve\[optuna\]'"):
        searched(search={"method": "optuna"})


def test_optuna_draws_from_every_kind_of_range() -> None:
    space = {
        "max_depth": {"integers": [1, 3]},
        "learning_rate": {"loguniform": [0.05, 0.5]},
        "max_features": {"uniform": [0.5, 1.0]},
        "max_bins": [16, 32],
    }
    boosting = {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "parameters": {"max_iter": 2}}
    table = searched(search={"method": "optuna", "space": space, "candidates": 5, "folds": 2}, estimator=boosting)[
        0
    ].search
    assert table["max_depth"].isin([1, 2, 3]).all()
    assert table["learning_rate"].between(0.05, 0.5).all()
    assert table["max_features"].between(0.5, 1).all()
    assert table["max_bins"].isin([16, 32]).all()


def test_a_search_is_said_in_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "training")
    searched()
    assert caplog.messages[0] == "search: 4 candidates of LogisticRegression in 2 folds by accuracy"
    assert caplog.messages[1].startswith("search: accuracy 0.")
    assert caplog.messages[1].endswith("best of 4")
