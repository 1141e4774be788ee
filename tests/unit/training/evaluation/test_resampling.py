from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from training.config.evaluation import Intervals
from training.evaluation.resampling import draws, intervals, resamples_of
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
    chunks = list(draws(Answers(np.zeros(700), np.zeros(700)), Intervals(resamples=2000)))
    assert len(chunks) > 1
    weights = np.concatenate(chunks)
    assert weights.shape == (2000, 700)
    assert (weights.sum(axis=1) == 700).all()
    # How often a row is drawn has, over all resamples, a mean and a variance of about 1.
    assert weights.mean() == 1
    assert weights.var() == pytest.approx(1, abs=0.01)


class TestGroups:
    """Rows that are held together, such as those of one customer."""

    @staticmethod
    def alike(seed: int, groups: int = 50, size: int = 8) -> Answers:
        """Residuals that are half the group's: each is standard normal."""
        generator = np.random.default_rng(seed)
        of = np.repeat(np.arange(groups), size)
        residuals = (generator.normal(size=groups)[of] + generator.normal(size=groups * size)) / np.sqrt(2)
        return Answers(residuals, np.zeros(len(of)), groups=of)

    def test_are_drawn_whole_and_as_often_as_there_are_groups(self) -> None:
        of = np.array([3, 1, 1, 7, 3, 3])
        (weights,) = draws(Answers(np.zeros(6), np.zeros(6), groups=of), Intervals(resamples=500))
        assert weights.shape == (500, 6)
        assert (weights[:, of == 3] == weights[:, [0]]).all()
        assert (weights[:, 1] == weights[:, 2]).all()
        assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()

    def test_of_very_many_rows_are_drawn_some_resamples_at_a_time(self) -> None:
        of = np.arange(4000) % 2
        sizes = [len(weights) for weights in draws(Answers(of, of, groups=of), Intervals(resamples=600))]
        assert sizes == [250, 250, 100]

    def test_have_the_interval_of_whole_groups_put_together_by_hand(self) -> None:
        answers = self.alike(0, groups=30)
        found = intervals(["rmse"], answers, Intervals(resamples=4000))["rmse"]
        generator = np.random.default_rng(1)
        groups = [answers.expected[answers.groups == group] for group in range(30)]
        peers = [
            sk.root_mean_squared_error(rows, np.zeros(len(rows)))
            for rows in (np.concatenate([groups[i] for i in generator.integers(0, 30, 30)]) for _ in range(1000))
        ]
        low, high = np.quantile(peers, [0.025, 0.975])
        assert found.low == pytest.approx(low, abs=0.15 * (high - low))
        assert found.high == pytest.approx(high, abs=0.15 * (high - low))

    def test_hold_the_truth_about_as_often_as_they_say_where_rows_do_not(self) -> None:
        truth, choice = np.sqrt(2 / np.pi), Intervals(resamples=200)
        held = {True: 0, False: 0}
        for seed in range(200):
            answers = self.alike(seed)
            for grouped in held:
                of = answers if grouped else replace(answers, groups=None)
                interval = intervals(["mae"], of, choice)["mae"]
                held[grouped] += interval.low <= truth <= interval.high
        assert 0.88 < held[True] / 200 <= 0.98
        assert held[False] / 200 < 0.8

    def test_of_one_group_there_is_no_interval(self) -> None:
        assert intervals(["mae"], self.alike(0, groups=1, size=50), Intervals()) == {}

    def test_of_a_slice_are_those_that_have_rows_in_it(self) -> None:
        answers = self.alike(0, groups=10)
        assert answers.independent == 10
        assert answers.at(np.arange(80) < 20).independent == 3
        assert replace(answers, groups=None).at(np.arange(80) < 20).independent == 20


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
