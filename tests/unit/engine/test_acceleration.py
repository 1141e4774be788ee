"""The gate refuses what is not scikit-learn's answer, and says why; what can't be lowered stays where it is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from model.engine import making
from model.engine.candidates import Candidate
from model.engine.making import Made
from model.engine.onnx import OnnxProgram
from model.errors import InvalidInput
from tests.unit.engine.conftest import find
from tests.unit.signature.sending import request, tensor

pytestmark = [pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")]


class Doubling(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A step that nothing but itself can run."""

    def fit(self, X: Any, y: Any = None) -> "Doubling":
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) * 2.0


class Majority(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, X: Any, y: Any) -> "Majority":
        self.classes_ = np.unique(y)
        self.n_features_in_ = np.shape(X)[1]
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])


class Offset(LinearRegression):  # type: ignore[misc]
    """A subclass, whose answers are not those of the class that has a rule."""

    def predict(self, X: Any) -> Any:
        return super().predict(X) + 1.0


def in_float32(candidate: Candidate) -> Made:
    """Convert as one does who trusts a converter: everything in float32."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    from model.engine.lowering.graph import Graph

    width = len(candidate.signature.inputs)
    model = convert_sklearn(
        candidate.estimator,
        initial_types=[("X", FloatTensorType([None, width]))],
        options={id(candidate.estimator): {"zipmap": False}},
        target_opset={"": 15, "ai.onnx.ml": 3},
    )
    graph = Graph(width)
    graph._opsets = {"": 15, "ai.onnx.ml": 3}
    label, probabilities = graph.include(model, graph.cast("X", 1))
    content = graph.model({"predict:index": label, "predict_proba": probabilities})
    return Made(content, OnnxProgram(content, candidate.estimator.classes_), made_splits(candidate))


def made_splits(candidate: Candidate) -> Any:
    return making.make_treelite(candidate).splits


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestGate:
    @pytest.fixture(autouse=True)
    def _old_operators(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("model.engine.lowering.graph._WITHOUT_SUCCESSOR", frozenset())

    @pytest.fixture
    def boosted(self, numbers: Any) -> Any:
        y = (numbers[:, 0] + numbers[:, 1] > 0).astype(np.int64)
        return HistGradientBoostingClassifier(max_iter=10).fit(numbers, y)

    def test_a_graph_in_float32_is_refused_where_trees_split(
        self, numbers: Any, boosted: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(making.MAKERS, "onnx", in_float32)
        record = find(boosted, numbers, ["onnx"]).record
        assert record.name == "sklearn"
        assert record.refused["onnx"].startswith("predict differs in ")
        assert " split rows" in record.refused["onnx"]

    def test_the_next_engine_is_tried(self, numbers: Any, boosted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(making.MAKERS, "onnx", in_float32)
        record = find(boosted, numbers).record
        assert record.name == "treelite"
        assert record.refused["onnx"].startswith("predict differs in ")
        assert record.parity is not None

    def test_what_a_maker_raises_is_a_reason_and_no_failure(
        self, numbers: Any, boosted: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(candidate: Candidate) -> Made:
            raise RuntimeError("out of\ncheese")

        monkeypatch.setitem(making.MAKERS, "onnx", broken)
        assert find(boosted, numbers, ["onnx"]).record.refused == {"onnx": "RuntimeError: out of cheese"}

    def test_an_engine_that_is_no_faster_is_refused(
        self, numbers: Any, boosted: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("model.engine.acceleration.microseconds", lambda *_: 5.0)
        record = find(boosted, numbers, ["onnx"]).record
        assert record.refused == {"onnx": "it takes 5 µs a row where scikit-learn takes 5"}

    def test_of_a_part_the_reason_is_told_too(self, numbers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("model.engine.acceleration.microseconds", lambda *_: 5.0)
        pipeline = make_pipeline(Doubling(), StandardScaler(), LinearRegression()).fit(numbers, numbers[:, 0])
        refused = find(pipeline, numbers).record.refused
        clock = "it takes 5 µs a row where scikit-learn takes 5"
        assert refused["onnx"].startswith("there is no graph for ")
        assert refused["onnx"].endswith(f"Doubling; from step 1 on: {clock}")
        assert refused["treelite"].startswith("treelite reads no ")

    def test_a_method_that_differs_is_left_to_scikit_learn(
        self, numbers: Any, boosted: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = making.MAKERS["onnx"]

        class Sloppy:
            name = "onnx"

            def __init__(self, program: Any) -> None:
                self.methods = program.methods
                self._program = program

            def run(self, matrix: Any, methods: Sequence[str]) -> Any:
                answers = self._program.run(matrix, methods)
                return answers | {m: answers[m] + 0.01 for m in methods if m == "decision_function"}

        def sloppy(candidate: Candidate) -> Made:
            made = make(candidate)
            return made._replace(program=Sloppy(made.program))

        monkeypatch.setitem(making.MAKERS, "onnx", sloppy)
        record = find(boosted, numbers, ["onnx"]).record
        assert record.methods == ("predict", "predict_proba")
        assert record.refused["decision_function"].endswith(" given rows, by up to 0.01")


class TestParts:
    def test_the_steps_after_one_of_the_users_own_are_lowered(self, numbers: Any) -> None:
        y = numbers[:, 0] > 0
        pipeline = make_pipeline(Doubling(), StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(
            numbers, y
        )
        mine = find(pipeline, numbers)
        assert (mine.record.name, mine.record.from_step) == ("onnx", 1)
        assert mine.record.refused["onnx"].startswith("there is no graph for ")
        assert mine.record.parity is not None
        assert mine.record.parity.rows["jump"] > 0
        answers = mine.engine.run(numbers, ["predict", "predict_proba"])
        np.testing.assert_array_equal(answers["predict"], pipeline.predict(numbers))
        np.testing.assert_array_equal(answers["predict_proba"], pipeline.predict_proba(numbers))

    def test_a_predictor_of_the_users_own_stays(self, numbers: Any) -> None:
        pipeline = make_pipeline(StandardScaler(), Majority()).fit(numbers, np.arange(len(numbers)) % 2)
        mine = find(pipeline, numbers)
        assert mine.record.name == "sklearn"
        assert "there is no graph for " in mine.record.refused["onnx"]
        assert mine.engine.run(numbers, ["predict"])["predict"].tolist() == [0] * len(numbers)

    def test_a_subclass_is_not_taken_for_its_base(self, numbers: Any) -> None:
        mine = find(Offset().fit(numbers, numbers[:, 0]), numbers)
        assert mine.record.name == "sklearn"
        assert "Offset" in mine.record.refused["onnx"]

    def test_a_function_without_an_operator_is_named(self, numbers: Any) -> None:
        pipeline = make_pipeline(FunctionTransformer(np.cbrt), LogisticRegression()).fit(numbers, numbers[:, 0] > 0)
        assert find(pipeline, numbers).record.refused["onnx"] == "FunctionTransformer calls cbrt, which has no graph"

    def test_converters_that_are_not_installed_are_named(self, numbers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        for name in [name for name in sys.modules if name.startswith("model.engine.lowering")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "onnx", None)
        monkeypatch.setitem(sys.modules, "treelite", None)
        forest = RandomForestClassifier(2, random_state=0).fit(numbers, numbers[:, 0] > 0)
        assert find(forest, numbers).record.refused == {
            "onnx": "onnx is not installed here; install sklearn-kserve[accelerate]",
            "treelite": "treelite is not installed here; install sklearn-kserve[accelerate]",
        }


BIRDS = pd.DataFrame(
    {
        "length": np.linspace(30.0, 50.0, 40).round(1),
        "island": ["Biscoe", "Dream"] * 20,
        "eggs": np.arange(40) % 3,
        "note": [f"bird number {i}" for i in range(40)],
    }
)


class Logarithm(Doubling):
    """A step that makes NaN of some numbers."""

    def transform(self, X: Any) -> Any:
        return np.log(np.asarray(X))


def refuses(method: Any, rows: Any) -> bool:
    try:
        method(rows)
    except ValueError:
        return True
    return False


@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")
class TestComputedNumbers:
    @pytest.fixture(autouse=True)
    def _whatever_the_clock_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("model.engine.acceleration._WORTH", 1e9)

    def test_nan_that_a_step_makes_is_refused_as_before(self, numbers: Any) -> None:
        positive = np.exp(numbers)
        pipeline = make_pipeline(Logarithm(), StandardScaler(), LogisticRegression()).fit(positive, numbers[:, 0] > 0)
        mine = find(pipeline, positive)
        assert (mine.record.name, mine.record.from_step) == ("onnx", 1)
        rows = positive[:2].copy()
        rows[1, 2] = -1.0
        assert refuses(pipeline.predict, rows)
        assert refuses(lambda table: mine.engine.run(table, ["predict"]), rows)

    def test_nan_that_the_sample_has_too_stays_with_the_engine(self, numbers: Any) -> None:
        rows = np.exp(numbers)
        rows[::5, 1] = -1.0
        pipeline = make_pipeline(Logarithm(), HistGradientBoostingClassifier(max_iter=5)).fit(rows, numbers[:, 0] > 0)
        mine = find(pipeline, rows)
        assert mine.record.from_step == 1
        assert mine.record.parity is not None
        assert mine.record.parity.rows["missing"] > 0
        assert mine.engine._missing  # type: ignore[attr-defined]

    def test_beyond_float32_they_are_refused_by_trees_as_before(self, numbers: Any) -> None:
        small = numbers * 1e-30
        pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(5)).fit(small, numbers[:, 0] > 0)
        mine = find(pipeline, small, ["onnx"])
        assert mine.record.name == "onnx"
        rows = small[:2].copy()
        rows[1, 2] = 1e30
        assert refuses(pipeline.predict, rows)
        assert refuses(lambda table: mine.engine.run(table, ["predict"]), rows)


class TestCategories:
    @pytest.fixture
    def pipeline(self) -> Any:
        columns = make_column_transformer(
            (OneHotEncoder(), ["island", "eggs"]), (StandardScaler(), ["length"]), remainder="drop"
        )
        return make_pipeline(columns, LogisticRegression()).fit(BIRDS.drop(columns="note"), BIRDS["eggs"] > 0)

    def test_are_known_by_their_positions(self, pipeline: Any) -> None:
        record = find(pipeline, BIRDS.drop(columns="note")).record
        assert record.name == "onnx"
        assert record.known == {"island": ("Biscoe", "Dream")}

    def test_that_no_encoder_knows_go_to_scikit_learn(self, pipeline: Any) -> None:
        mine = find(pipeline, BIRDS.drop(columns="note"))
        unseen = BIRDS.drop(columns="note").head(2).assign(island=["Dream", "Mars"])
        with pytest.raises(ValueError, match="unknown categories \\['Mars'\\]"):
            mine.engine.run(unseen, ["predict"])

    def test_that_are_numbers_and_unseen_go_to_scikit_learn(self, pipeline: Any) -> None:
        mine = find(pipeline, BIRDS.drop(columns="note"))
        assert mine.record.parity is not None
        assert mine.record.parity.left > 0
        matrix = np.array([[40.0, 0.0, 7.0]])
        with pytest.raises(ValueError, match="unknown categories"):
            mine.engine.run(matrix, ["predict"])

    def test_what_no_answer_depends_on_needs_no_code(self) -> None:
        columns = make_column_transformer((StandardScaler(), ["length"]), ("drop", ["note"]))
        pipeline = make_pipeline(columns, LogisticRegression()).fit(BIRDS[["length", "note"]], BIRDS["eggs"] > 0)
        mine = find(pipeline, BIRDS[["length", "note"]])
        assert (mine.record.name, mine.record.known) == ("onnx", {"note": ()})
        unseen = [tensor("length", "FP64", [41.0, 42.0]), tensor("note", "BYTES", ["never", "seen"])]
        table = mine.inputs.decode(request(*unseen))
        assert isinstance(table, np.ndarray)
        expected = pipeline.predict_proba(pd.DataFrame({"length": [41.0, 42.0], "note": ["never", "seen"]}))
        np.testing.assert_allclose(mine.engine.run(table, ["predict_proba"])["predict_proba"], expected, rtol=1e-12)
        with pytest.raises(InvalidInput, match="Column 'note' is sent as FP64; expected BYTES"):
            mine.inputs.decode(request(unseen[0], tensor("note", "FP64", [1.0, 2.0])))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_values_that_float32_does_not_hold_go_to_scikit_learn(numbers: Any) -> None:
    forest = RandomForestClassifier(2, random_state=0).fit(numbers, numbers[:, 0] > 0)
    mine = find(forest, numbers)
    large = numbers[:2].copy()
    large[1, 2] = 1e39
    with pytest.raises(ValueError, match="too large for dtype"):
        mine.engine.run(large, ["predict"])
    large[1, 2] = 3e38
    np.testing.assert_array_equal(mine.engine.run(large, ["predict"])["predict"], forest.predict(large))
