"""Whatever engine a family gets, its answers are the estimator's."""

from typing import Any

import numpy as np
import pytest

from model.engine.parity import distance
from tests.families import FAMILIES, Family, fitted
from tests.unit.engine.conftest import Found, find

pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning"),
    pytest.mark.filterwarnings("ignore:divide by zero encountered in log:RuntimeWarning"),
    # treelite's and skl2onnx's own.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

WITHOUT = {
    "multilabel_neighbors": "no graph for sklearn.neighbors._classification.KNeighborsClassifier",
    "classifier_chain": "no graph for sklearn.multioutput.ClassifierChain",
    "isotonic_regression": "no graph for sklearn.isotonic.IsotonicRegression",
    "kernel_density": "skl2onnx does not convert sklearn.neighbors._kde.KernelDensity",
    "text_pipeline": "text, or sparse",
    "tfidf_vectorizer": "text, or sparse",
}
"""Families that scikit-learn serves, and why."""
PARTLY = {"dates", "text_column"}
"""Families whose first step runs in scikit-learn; whether the rest is worth it, the clock decides."""

each_family = pytest.mark.parametrize("family", FAMILIES, ids=[family.id for family in FAMILIES])


@pytest.fixture(scope="module")
def found() -> dict[str, Found]:
    return {}


def engine_for(family: Family, found: dict[str, Found]) -> Found:
    if family.id not in found:
        found[family.id] = find(fitted(family.id), family.X)
    return found[family.id]


@each_family
def test_rows_are_answered_as_by_the_estimator(family: Family, found: dict[str, Found]) -> None:
    mine = engine_for(family, found)
    table = mine.inputs.as_fitted(mine.inputs.decode(_request(mine)))
    for method, got in mine.answers().items():
        expected = getattr(fitted(family.id), method)(table)
        difference, wrong = distance(expected, got)
        assert wrong == 0
        assert difference < 1e-6


def _request(mine: Found) -> Any:
    from model.tensors import InferRequest

    return InferRequest("", "", mine.rows)


@each_family
def test_an_engine_is_found_or_a_reason_given(family: Family, found: dict[str, Found]) -> None:
    record = engine_for(family, found).record
    if family.id in WITHOUT:
        assert record.name == "sklearn"
        assert WITHOUT[family.id] in record.refused["onnx"]
    elif family.id in PARTLY and record.name == "sklearn":
        # The clock has refused the rest; what is told is why the whole can't be lowered.
        assert "column" in record.refused["onnx"] or "text" in record.refused["onnx"]
    else:
        assert record.name == "onnx"
        assert (record.from_step > 0) == (family.id in PARTLY)
        assert record.parity is not None
        assert record.parity.rows["random"] + record.parity.left >= 1000


FORESTS = ("decision_tree", "random_forest", "extra_trees", "random_forest_regressor", "multi_output_forest")
BOOSTED = ("gradient_boosting", "hist_gradient_boosting", "lightgbm_regressor", "xgboost_regressor")


@pytest.mark.parametrize("family_id", [*FORESTS, *BOOSTED])
def test_trees_are_tried_at_their_splits_and_answer_to_the_last_bit(family_id: str, found: dict[str, Found]) -> None:
    family = next(family for family in FAMILIES if family.id == family_id)
    parity = engine_for(family, found).record.parity
    assert parity is not None
    assert parity.rows["split"] >= 18
    assert max(parity.differences.values()) < 1e-15


@pytest.mark.parametrize(
    "family_id",
    ["random_forest", "extra_trees", "random_forest_regressor", "gradient_boosting", "hist_gradient_boosting"],
)
def test_treelite_answers_alike_too(family_id: str) -> None:
    family = next(family for family in FAMILIES if family.id == family_id)
    mine = find(fitted(family_id), family.X, ["treelite"])
    assert mine.record.name == "treelite"
    assert mine.record.file == "model.treelite"
    estimator = fitted(family_id)
    table = mine.inputs.decode(_request(mine))
    for method, got in mine.answers().items():
        assert distance(getattr(estimator, method)(table), got)[1] == 0


@pytest.mark.parametrize(
    ("family_id", "reason"),
    [
        ("decision_tree", "treelite reads no sklearn.tree._classes.DecisionTreeClassifier"),
        ("multi_output_forest", "treelite reads no"),
        ("lightgbm_classifier", "treelite is given no columns of categories"),
    ],
)
def test_what_treelite_does_not_read_is_told(family_id: str, reason: str) -> None:
    family = next(family for family in FAMILIES if family.id == family_id)
    record = find(fitted(family_id), family.X, ["treelite"]).record
    assert record.name == "sklearn"
    assert reason in record.refused["treelite"]


def test_rows_in_any_number_are_answered(numbers: Any) -> None:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(3, random_state=0).fit(numbers, numbers[:, 0] > 0)
    mine = find(forest, numbers)
    many = np.tile(numbers, (50, 1))
    answers = mine.engine.run(many, ["predict", "predict_proba"])
    np.testing.assert_array_equal(answers["predict"], forest.predict(many))
    np.testing.assert_array_equal(answers["predict_proba"], forest.predict_proba(many))
