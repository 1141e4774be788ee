import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from training.metrics import METRICS, Answers, Task, Values, figures, measure, names_for, usual_for

Peer = Callable[[Answers], float]


def positive(metric: Callable[..., float]) -> Peer:
    def of(answers: Answers) -> float:
        if len(answers.labels) != 2:
            return math.nan
        sought = [answers.labels[1]]
        return float(metric(answers.expected, answers.predicted, labels=sought, average="macro", zero_division=0))

    return of


def macro(metric: Callable[..., float]) -> Peer:
    return lambda answers: metric(answers.expected, answers.predicted, average="macro", zero_division=0)


def one_against_rest(area: Callable[..., float], *, needs_others: bool) -> Peer:
    def of(answers: Answers) -> float:
        assert answers.classes is not None
        assert answers.probabilities is not None
        truth = answers.expected[:, None] == answers.classes
        columns = [1] if len(answers.classes) == 2 else list(range(len(answers.classes)))
        truth_of = truth[:, columns]
        if not truth_of.any(axis=0).all() or (needs_others and truth_of.all(axis=0).any()):
            return math.nan
        return float(np.mean([area(truth[:, i], answers.probabilities[:, i]) for i in columns]))

    return of


def errors(metric: Callable[..., float]) -> Peer:
    return lambda answers: metric(answers.expected, answers.predicted)


def probable(metric: Callable[..., float]) -> Peer:
    return lambda answers: metric(answers.expected, answers.probabilities, labels=answers.classes)


PEERS: dict[str, Peer] = {
    "accuracy": errors(sk.accuracy_score),
    "balanced_accuracy": errors(sk.balanced_accuracy_score),
    "precision": positive(sk.precision_score),
    "recall": positive(sk.recall_score),
    "f1": positive(sk.f1_score),
    "precision_macro": macro(sk.precision_score),
    "recall_macro": macro(sk.recall_score),
    "f1_macro": macro(sk.f1_score),
    "mcc": errors(sk.matthews_corrcoef),
    "log_loss": probable(sk.log_loss),
    "brier": probable(sk.brier_score_loss),
    "roc_auc": one_against_rest(sk.roc_auc_score, needs_others=True),
    "average_precision": one_against_rest(sk.average_precision_score, needs_others=False),
    "mae": errors(sk.mean_absolute_error),
    "rmse": errors(sk.root_mean_squared_error),
    "r2": errors(sk.r2_score),
    "mape": errors(sk.mean_absolute_percentage_error),
    "median_ae": errors(sk.median_absolute_error),
    "max_error": errors(sk.max_error),
}
"""scikit-learn's own of each name."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """scikit-learn warns of labels that are missing in few rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def classified(generator: np.random.Generator, classes: int, rows: int) -> Answers:
    labels = np.array([f"label {i}" for i in range(classes)], dtype=object)
    # Rounded, so that some scores are equal.
    probabilities = generator.dirichlet(np.ones(classes), rows).round(1)
    probabilities[:, -1] = 1 - probabilities[:, :-1].sum(axis=1)
    probabilities = probabilities.clip(0, 1)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = labels[generator.integers(0, classes, rows)]
    return Answers(expected, labels[probabilities.argmax(axis=1)], labels, probabilities)


def estimated(generator: np.random.Generator, rows: int) -> Answers:
    expected = generator.normal(size=rows).round(1)
    return Answers(expected, (expected + generator.normal(size=rows)).round(1))


def drawn(answers: Answers, counts: Values) -> Answers:
    return answers.at(np.repeat(np.arange(len(answers)), counts))


def held(name: str, answers: Answers, generator: np.random.Generator) -> None:
    """A metric of weights is scikit-learn's of rows that are repeated as often."""
    counts = generator.multinomial(len(answers), np.full(len(answers), 1 / len(answers)), size=3)
    counts = np.vstack([np.ones_like(counts[:1]), counts])
    got = measure([METRICS[name]], answers)(counts.astype(float))[METRICS[name]]
    for value, row in zip(got, counts, strict=True):
        some = drawn(answers, row)
        assert value == pytest.approx(PEERS[name](some), nan_ok=True, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", names_for(Task.CLASSIFICATION))
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 4), rows=st.integers(3, 40))
def test_a_metric_of_classes_is_that_of_scikit_learn(name: str, seed: int, classes: int, rows: int) -> None:
    generator = np.random.default_rng(seed)
    held(name, classified(generator, classes, rows), generator)


@pytest.mark.parametrize("name", names_for(Task.REGRESSION))
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(2, 40))
def test_a_metric_of_numbers_is_that_of_scikit_learn(name: str, seed: int, rows: int) -> None:
    generator = np.random.default_rng(seed)
    held(name, estimated(generator, rows), generator)


def test_the_area_under_a_curve_of_distinct_scores_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), 60)
    classes = np.arange(3)
    answers = Answers(generator.integers(0, 3, 60), probabilities.argmax(axis=1), classes, probabilities)
    for name in ("roc_auc", "average_precision"):
        held(name, answers, generator)


def test_each_task_has_metrics_of_its_own_and_usual_ones() -> None:
    assert usual_for(Task.CLASSIFICATION) == ("accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc")
    assert usual_for(Task.REGRESSION) == ("mae", "rmse", "r2")
    assert set(names_for(Task.CLASSIFICATION)) | set(names_for(Task.REGRESSION)) == set(PEERS) == set(METRICS)


@pytest.mark.parametrize("name", ["log_loss", "brier", "roc_auc", "average_precision"])
def test_without_probabilities_there_is_none(name: str) -> None:
    values = np.array([0, 1])
    assert math.isnan(METRICS[name].score(Answers(values, values)))


@pytest.mark.parametrize("losses", [figures.log_losses, figures.brier_losses])
def test_without_probabilities_no_row_has_a_loss(losses: Callable[[Answers], Values]) -> None:
    values = np.array([0, 1])
    assert np.isnan(losses(Answers(values, values))).all()


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_a_class_that_the_model_does_not_know_leaves_it_undefined(name: str) -> None:
    probabilities = np.array([[0.5, 0.5]] * 3)
    answers = Answers(np.array(["a", "b", "c"]), np.array(["a", "b", "b"]), np.array(["a", "b"]), probabilities)
    assert math.isnan(METRICS[name].score(answers))


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_what_is_looked_for_may_be_the_first_label(name: str) -> None:
    generator = np.random.default_rng(1)
    answers = classified(generator, 2, 50)
    sought: Any = answers.labels[0]
    other = Answers(answers.expected, answers.predicted, answers.classes, answers.probabilities, positive=sought)
    peer = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}[name]
    assert METRICS[name].score(other) == pytest.approx(peer(answers.expected, answers.predicted, pos_label=sought))


def test_the_average_precision_is_that_of_what_is_looked_for() -> None:
    answers = classified(np.random.default_rng(1), 2, 50)
    assert answers.probabilities is not None
    sought: Any = answers.labels[0]
    other = Answers(answers.expected, answers.predicted, answers.classes, answers.probabilities, positive=sought)
    expected = sk.average_precision_score(answers.expected == sought, answers.probabilities[:, 0])
    assert METRICS["average_precision"].score(other) == pytest.approx(expected)
    assert METRICS["roc_auc"].score(other) == pytest.approx(METRICS["roc_auc"].score(answers))


def test_equal_values_that_are_met_are_explained_and_others_are_not() -> None:
    same = np.full(3, 0.1)
    assert METRICS["r2"].score(Answers(same, same)) == 1
    assert METRICS["r2"].score(Answers(same, same + 1)) == 0


def test_a_higher_score_meets_a_floor_and_a_lower_error() -> None:
    assert METRICS["accuracy"].meets(0.9, 0.9)
    assert not METRICS["accuracy"].meets(0.8, 0.9)
    assert METRICS["rmse"].meets(0.8, 0.9)
