from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.artifact import publish, publish_network
from training.config import Config
from training.errors import RegistryError
from training.evaluation import Candidate, Champion, Decision, answers_of, decide, evaluate

MakeConfig = Callable[..., Config]

generator = np.random.default_rng(0)
X = pd.DataFrame(generator.normal(size=(700, 4)), columns=["a", "b", "c", "d"])
Y = pd.Series(np.where(X["a"] + X["b"] + 0.5 * generator.normal(size=700) > 0, "yes", "no"), name="kind")
TRAIN, TEST = slice(0, 300), slice(300, 700)
NOT_WORSE = {"metric": "accuracy", "margin": 0.02}


def fitted(columns: list[str], y: "pd.Series[Any]" = Y, model: Any = None) -> Any:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression() if model is None else model)
    return pipeline.fit(X[columns].iloc[TRAIN], y.iloc[TRAIN])


def decided(
    config: Config,
    columns: list[str],
    champion: Champion | None = None,
    y: "pd.Series[Any]" = Y,
    model: Any = None,
    *,
    groups: "pd.Series[Any] | None" = None,
) -> Decision:
    estimator, rows = fitted(columns, y, model), X[columns].iloc[TEST]
    answers = answers_of(estimator, rows, y.iloc[TEST], groups=groups)
    candidate = Candidate(estimator, X[columns].iloc[TRAIN], rows, y.iloc[TEST], rows, answers)
    return decide(candidate, evaluate(answers, rows, config), config, champion=champion, digests={"data": "0" * 64})


def published(root: Path, columns: list[str], y: "pd.Series[Any]" = Y) -> Champion:
    directory = publish(fitted(columns, y), X[columns].iloc[TRAIN], name="kind", root=root, accelerate=False)
    return Champion(directory.name, lambda: directory)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    return published(tmp_path_factory.mktemp("champion"), ["a", "b", "c"])


def test_a_model_that_has_nothing_to_show_is_accepted(config: MakeConfig) -> None:
    decision = decided(config(), ["a", "b", "c"])
    assert (decision.accepted, decision.reasons, decision.checks, decision.champion) == (True, (), (), None)
    assert decision.digests["data"] == "0" * 64
    assert len(decision.digests["configuration"]) == 64


def test_a_refusal_names_every_reason(config: MakeConfig) -> None:
    fairness = [{"column": "c", "metric": "accuracy", "max_difference": 1e-6}]
    chosen = config(floor={"accuracy": 0.999, "f1_macro": 0.1}, evaluation={"fairness": fairness})
    decision = decided(chosen, ["a", "b", "c"])
    assert not decision.accepted
    assert [check.passed for check in decision.checks] == [False, True, False]
    assert decision.reasons == tuple(check.sentence for check in decision.checks if not check.passed)


def test_a_decision_survives_being_written(config: MakeConfig) -> None:
    decision = decided(config(floor={"accuracy": 0.5}), ["a", "b", "c"])
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


def test_without_a_champion_nothing_is_inferior(config: MakeConfig) -> None:
    decision = decided(config(evaluation={"non_inferiority": NOT_WORSE}), ["a", "b", "c"])
    assert decision.accepted
    assert [check.sentence for check in decision.checks] == ["there is no champion to be held against"]


def test_a_model_as_good_as_the_champion_is_accepted(config: MakeConfig, champion: Champion) -> None:
    decision = decided(config(evaluation={"non_inferiority": NOT_WORSE}), ["a", "b", "c"], champion)
    (check,) = decision.checks
    assert (decision.accepted, decision.champion) == (True, "1")
    assert check.figures["advantage"] == 0
    assert check.figures["candidate"] == check.figures["champion"]
    assert check.sentence.startswith("accuracy is ")
    assert ", of the champion, version 1, " in check.sentence


def test_a_worse_model_is_refused(config: MakeConfig, champion: Champion) -> None:
    worse = LogisticRegression(C=1e-9, class_weight={"yes": 1, "no": 5})
    decision = decided(config(evaluation={"non_inferiority": NOT_WORSE}), ["a", "b", "c"], champion, model=worse)
    assert not decision.accepted
    assert "expected less than 0.02" in decision.reasons[0]


@pytest.mark.parametrize("incomparable", ["refuse", "accept"])
@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (["a", "b"], "it takes column 'c', which the model does not"),
        (["a", "b", "c", "d"], "it does not take column 'd', which the model does"),
    ],
)
def test_a_champion_of_other_columns_is_said(
    config: MakeConfig, champion: Champion, columns: list[str], sentence: str, incomparable: str
) -> None:
    chosen = config(evaluation={"non_inferiority": {**NOT_WORSE, "incomparable": incomparable}})
    decision = decided(chosen, columns, champion)
    assert decision.accepted == (incomparable == "accept")
    (check,) = decision.checks
    assert check.sentence == f"it can't be held against the champion, version 1: {sentence}"


def test_rows_of_few_groups_show_less(config: MakeConfig, champion: Champion) -> None:
    choice = config(evaluation={"non_inferiority": NOT_WORSE})
    assert decided(choice, ["a", "b", "c"], champion).accepted
    customers = pd.Series([f"customer {i % 40}" for i in range(400)])
    decision = decided(choice, ["a", "b", "c"], champion, groups=customers)
    assert not decision.accepted
    assert decision.reasons[0].endswith("on 400 rows of 40 groups, expected less than 0.02")
    assert decision.checks[0].figures["groups"] == 40


def test_rows_of_one_group_show_nothing(config: MakeConfig, champion: Champion) -> None:
    choice = config(evaluation={"non_inferiority": NOT_WORSE})
    decision = decided(choice, ["a", "b", "c"], champion, groups=pd.Series(["the one"] * 400))
    assert decision.reasons[0].endswith("the 400 test rows are of one group, which shows nothing of others")


def test_a_champion_of_another_type_of_column_is_said(
    config: MakeConfig, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "X", X.assign(c=(X["c"] > 0).astype("int64")))
    decision = decided(config(evaluation={"non_inferiority": NOT_WORSE}), ["a", "b", "c"], champion)
    assert decision.reasons[0].endswith("it takes FP64 in column 'c', and the model INT64")


def test_a_champion_of_other_labels_is_said(config: MakeConfig, tmp_path: Path) -> None:
    other = published(tmp_path, ["a", "b", "c"], Y.replace({"no": "never"}))
    decision = decided(config(evaluation={"non_inferiority": NOT_WORSE}), ["a", "b", "c"], other)
    assert decision.reasons[0].endswith("it predicts one of never, yes, and the model one of no, yes")


def test_a_champion_that_was_tampered_with_is_never_unpickled(config: MakeConfig, tmp_path: Path) -> None:
    champion = published(tmp_path, ["a", "b", "c"])
    (tmp_path / "kind" / "1" / "model.joblib").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    decision = decided(config(evaluation={"non_inferiority": NOT_WORSE}), ["a", "b", "c"], champion)
    assert not decision.accepted
    assert "sha256" in decision.reasons[0]
    assert not Path("pwned").exists()


def test_a_champion_that_can_not_be_fetched_is_said(config: MakeConfig) -> None:
    def fetch() -> Path:
        raise RegistryError("the bucket is away.")

    decision = decided(config(evaluation={"non_inferiority": NOT_WORSE}), ["a", "b", "c"], Champion("7", fetch))
    assert decision.reasons == ("it can't be held against the champion, version 7: the bucket is away",)


def test_a_champion_that_fails_on_the_rows_is_said(
    config: MakeConfig, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ValueError("no such\n  row")

    chosen = config(evaluation={"non_inferiority": NOT_WORSE})
    estimator, rows = fitted(["a", "b", "c"]), X[["a", "b", "c"]].iloc[TEST]
    answers = answers_of(estimator, rows, Y.iloc[TEST])
    candidate = Candidate(estimator, X[["a", "b", "c"]].iloc[TRAIN], rows, Y.iloc[TEST], rows, answers)
    evaluation = evaluate(answers, rows, chosen)
    monkeypatch.setattr("training.evaluation.champion.answers_of", fails)
    decision = decide(candidate, evaluation, chosen, champion=champion)
    assert decision.reasons[0].endswith("version 1: it fails on these rows: no such row")


def test_a_network_is_no_champion_of_labels(config: MakeConfig, tmp_path: Path) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    network = skl2onnx.to_onnx(
        fitted(["a", "b", "c"]), X[["a", "b", "c"]].iloc[:1].to_numpy("float32")
    ).SerializeToString()
    directory = publish_network(network, name="kind", root=tmp_path)
    champion = Champion("1", lambda: directory)
    decision = decided(config(evaluation={"non_inferiority": NOT_WORSE}), ["a", "b", "c"], champion)
    assert decision.reasons[0].endswith("it is a network, and predicts no labels")


def test_a_metric_that_the_champion_does_not_define_is_said(config: MakeConfig, champion: Champion) -> None:
    chosen = config(metrics=["accuracy"], evaluation={"non_inferiority": {"metric": "log_loss", "margin": 0.1}})
    decision = decided(chosen, ["a", "b", "c"], champion, model=RidgeClassifier())
    assert decision.reasons[0].endswith("log_loss is not defined of both on these 400 rows")


def test_a_regression_is_held_against_its_champion(config: MakeConfig, tmp_path: Path) -> None:
    y = pd.Series(X["a"] * 2 + generator.normal(size=700), name="kind")
    champion = published_regression(tmp_path, y)
    chosen = config(task="regression", evaluation={"non_inferiority": {"metric": "rmse", "margin": 0.05}})
    assert decided(chosen, ["a", "b", "c"], champion, y, Ridge()).accepted
    assert not decided(chosen, ["a", "b", "c"], champion, y, Ridge(alpha=1e5)).accepted


def published_regression(root: Path, y: "pd.Series[Any]") -> Champion:
    estimator = fitted(["a", "b", "c"], y, Ridge())
    directory = publish(estimator, X[["a", "b", "c"]].iloc[TRAIN], name="kind", root=root, accelerate=False)
    return Champion("1", lambda: directory)


def test_a_budget_is_held_against_what_the_server_would_run(config: MakeConfig) -> None:
    budget = {
        "p50_milliseconds": 1e4,
        "p99_milliseconds": 1e4,
        "p50_milliseconds_of_64_rows": 1e-6,
        "megabytes": 1e-6,
        "load_seconds": 1e3,
    }
    decision = decided(config(evaluation={"budget": budget}), ["a", "b", "c"])
    assert [(check.figures["name"], check.passed) for check in decision.checks] == [
        ("p50_milliseconds", True),
        ("p99_milliseconds", True),
        ("p50_milliseconds_of_64_rows", False),
        ("megabytes", False),
        ("load_seconds", True),
    ]
    assert decision.reasons[1].startswith("megabytes is 0.00")
    assert decision.reasons[1].endswith("expected at most 1e-06; the engine is onnx")


def test_the_faster_engine_is_what_is_measured(config: MakeConfig, tmp_path: Path) -> None:
    """scikit-learn takes milliseconds for one row of a forest, and the engine that is served does not."""
    forest = RandomForestClassifier(n_estimators=60, random_state=0)
    chosen = config(evaluation={"budget": {"p50_milliseconds": 1}})
    (check,) = decided(chosen, ["a", "b", "c"], model=forest).checks
    assert check.figures["engine"] != "sklearn"
    assert check.passed
