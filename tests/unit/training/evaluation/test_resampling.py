from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from training.config.evaluation import Intervals
from training.evaluation.resampling import draws, intervals, resamples_of, weights_of
from training.metrics import Answers

N = 300
Peer = Callable[..., Any]


def two_classes(seed: int = 0, rows: int = N) -> Answers:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, rows)
    score = 1 / (1 + np.exp(-(truth - 0.5 + generator.normal(size=rows))))
    return Answers(truth, (score > 0.5).astype(int), np.arange(2), np.column_stack([1 - score, score]))


def test_an_interval_is_that_of_scipys_bootstrap() -> None:
    answers, choice = two_classes(), Intervals(resamples=4000)
    found = intervals(["accuracy", "roc_auc", "log_loss"], answers, choice)
    assert answers.probabilities is not None
    score = answers.probabilities[:, 1]
    peers: dict[str, tuple[Peer, int]] = {
        "accuracy": (lambda i: np.mean((answers.expected == answers.predicted)[i]), 1000),
        "log_loss": (lambda i: -np.mean(np.log(np.where(answers.expected == 1, score, 1 - score)[i])), 1000),
        "roc_auc": (lambda i: sk.roc_auc_score(answers.expected[i], score[i]), 300),
    }
    for name, (peer, resamples) in peers.items():
        expected = stats.bootstrap(
            (np.arange(N),), peer, n_resamples=resamples, vectorized=False, method="percentile", rng=0
        ).confidence_interval
        width = expected.high - expected.low
        assert found[name].low == pytest.approx(expected.low, abs=0.15 * width)
        assert found[name].high == pytest.approx(expected.high, abs=0.15 * width)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """The mean absolute error of standard normal residuals is sqrt(2 / pi)."""
    truth = np.sqrt(2 / np.pi)
    held = 0
    for seed in range(300):
        residuals = np.random.default_rng(seed).normal(size=200)
        interval = intervals(["mae"], Answers(residuals, np.zeros(200)), Intervals(confidence=0.9, resamples=300))[
            "mae"
        ]
        held += interval.low <= truth <= interval.high
    # The rate of 300 draws is within 3.4 standard errors; the percentile bootstrap is a little narrow.
    assert 0.83 < held / 300 < 0.96


def test_the_seed_decides() -> None:
    answers = two_classes()
    first, again, other = (intervals(["accuracy"], answers, Intervals(seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_is_the_same_in_every_resample_has_no_interval() -> None:
    right = np.array([0, 1] * 20)
    assert intervals(["accuracy", "f1_macro"], Answers(right, right, np.arange(2)), Intervals()) == {}


def test_what_few_resamples_define_has_no_interval() -> None:
    """One row of a class is in 63 of 100 resamples."""
    answers = two_classes(rows=40)
    truth = np.zeros(40, dtype=int)
    truth[0] = 1
    few = Answers(truth, answers.predicted, answers.classes, answers.probabilities)
    assert list(intervals(["accuracy", "roc_auc"], few, Intervals())) == ["accuracy"]


def test_a_maximum_has_no_interval() -> None:
    generator = np.random.default_rng(0)
    answers = Answers(generator.normal(size=50), generator.normal(size=50))
    assert list(intervals(["mae", "max_error"], answers, Intervals())) == ["mae"]


def test_rows_are_drawn_as_often_as_there_are_rows() -> None:
    chunks = [weights_of(drawn, 700) for drawn in draws(700, 2000, 0)]
    assert len(chunks) > 1
    weights = np.concatenate(chunks)
    assert weights.shape == (2000, 700)
    assert (weights.sum(axis=1) == 700).all()
    # How often a row is drawn has, over all resamples, a mean and a variance of about 1.
    assert weights.mean() == 1
    assert weights.var() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("rows", "choice", "expected"),
    [
        (86, Intervals(), 1000),
        (100_000, Intervals(), 1000),
        (200_000, Intervals(), 500),
        (10_000_000, Intervals(), 200),
        (10_000_000, Intervals(resamples=2000), 2000),
    ],
)
def test_very_many_rows_are_drawn_less_often(rows: int, choice: Intervals, expected: int) -> None:
    assert resamples_of(rows, choice) == expected
