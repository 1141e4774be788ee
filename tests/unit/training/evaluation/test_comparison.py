from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from training.config.evaluation import Intervals, NonInferiority
from training.evaluation.comparison import compare
from training.metrics import Answers, Values


def labelled(right: Values) -> Answers:
    """Answers to rows of one of two classes, right where it is said."""
    truth = np.arange(len(right)) % 2
    return Answers(truth, np.where(right, truth, 1 - truth), np.arange(2))


def accepted(candidate: Answers, champion: Answers, metric: str, margin: float, resamples: int = 200) -> bool:
    choice = NonInferiority(metric=metric, margin=margin)
    return compare(candidate, champion, choice, Intervals(resamples=resamples)).bound > -margin


@pytest.mark.parametrize(("rows", "margin"), [(100, 0.05), (400, 0.02)])
def test_a_model_that_is_just_too_bad_by_its_labels_is_seldom_accepted(rows: int, margin: float) -> None:
    """Its accuracy is lower by the very margin: at a confidence of 95 % one in twenty may pass, of 200 about ten."""
    generator = np.random.default_rng(rows)
    passed = 0
    for _ in range(200):
        champion = generator.random(rows) < 0.9
        # Besides what it loses by the margin, the two differ in as many rows either way.
        lost, won = (generator.random(rows) < share for share in (margin + 0.02, 0.02 * 0.9 / 0.1))
        candidate = np.where(champion, ~(lost & (generator.random(rows) < 1 / 0.9)), won)
        passed += accepted(labelled(candidate), labelled(champion), "accuracy", margin)
    assert stats.binomtest(passed, 200, 0.05, alternative="greater").pvalue > 0.01


def test_a_model_that_is_just_too_bad_by_its_errors_is_seldom_accepted() -> None:
    generator, passed = np.random.default_rng(0), 0
    for _ in range(200):
        champion, noise = generator.exponential(size=(2, 200))
        candidate = champion + 0.1 * noise  # the mean of the noise is 1
        truth = np.zeros(200)
        passed += accepted(Answers(truth, candidate), Answers(truth, champion), "mae", 0.1)
    assert stats.binomtest(passed, 200, 0.05, alternative="greater").pvalue > 0.001


class TestGroups:
    """Rows that are held together: a hundred groups of five."""

    of = np.repeat(np.arange(100), 5)

    def test_a_model_that_is_just_too_bad_by_its_errors_is_seldom_accepted(self) -> None:
        generator, passed = np.random.default_rng(0), {True: 0, False: 0}
        truth = np.zeros(500)
        for _ in range(200):
            champion, noise = generator.exponential(size=500), generator.exponential(size=100)[self.of]
            for grouped in passed:
                candidate = Answers(truth, champion + 0.1 * noise, groups=self.of if grouped else None)
                passed[grouped] += accepted(candidate, Answers(truth, champion), "mae", 0.1)
        assert stats.binomtest(passed[True], 200, 0.05, alternative="greater").pvalue > 0.001
        assert stats.binomtest(passed[False], 200, 0.05, alternative="greater").pvalue < 1e-6

    def test_a_model_that_is_just_too_bad_by_its_labels_is_seldom_accepted(self) -> None:
        generator, passed = np.random.default_rng(1), 0
        for _ in range(200):
            champion = generator.random(100) < 0.9
            lost, won = generator.random(100) < 0.12 / 0.9, generator.random(100) < 0.02 / 0.1
            candidate = np.where(champion, ~lost, won)  # worse by 0.1, in whole groups
            ours, theirs = (labelled(right[self.of]) for right in (candidate, champion))
            passed += accepted(replace(ours, groups=self.of), theirs, "accuracy", 0.1)
        assert stats.binomtest(passed, 200, 0.05, alternative="greater").pvalue > 0.01

    def test_without_a_difference_show_as_much_as_so_many_rows_would(self) -> None:
        right = labelled(np.ones(500, dtype=bool))
        assert accepted(right, right, "accuracy", 0.02)
        assert not accepted(replace(right, groups=self.of), right, "accuracy", 0.02)
        assert accepted(replace(right, groups=self.of), right, "accuracy", 0.04)


def test_an_equal_model_is_accepted_where_the_rows_can_tell() -> None:
    right = np.random.default_rng(0).random(1000) < 0.9
    assert accepted(labelled(right), labelled(right), "accuracy", 0.01)


def test_few_rows_show_no_more_than_they_can() -> None:
    """Of n rows without a difference, a loss of 3 / n can't be ruled out."""
    right = np.ones(86, dtype=bool)
    assert not accepted(labelled(right), labelled(right), "accuracy", 0.03)
    assert accepted(labelled(right), labelled(right), "accuracy", 0.04)


def test_few_rows_of_a_class_show_little_of_a_metric_of_that_class() -> None:
    truth = np.array([1] * 10 + [0] * 990)
    same = Answers(truth, truth, np.arange(2))
    assert not accepted(same, same, "recall", 0.2)
    assert not accepted(same, same, "balanced_accuracy", 0.1)
    assert accepted(same, same, "accuracy", 0.01)


def test_the_bound_of_errors_is_that_of_scipys_bootstrap() -> None:
    generator = np.random.default_rng(0)
    truth, champion, candidate = generator.normal(size=(3, 200))
    choice = NonInferiority(metric="mae", margin=1, confidence=0.95)
    found = compare(Answers(truth, candidate), Answers(truth, champion), choice, Intervals(resamples=5000))
    differences = np.abs(truth - champion) - np.abs(truth - candidate)
    peer = stats.bootstrap(
        (differences,), np.mean, confidence_level=0.95, alternative="greater", method="percentile", n_resamples=5000
    )
    assert found.advantage == pytest.approx(differences.mean())
    assert found.bound == pytest.approx(peer.confidence_interval.low, abs=0.02)


def test_an_error_that_is_lower_is_an_advantage() -> None:
    truth = np.zeros(20)
    found = compare(
        Answers(truth, np.ones(20)),
        Answers(truth, np.full(20, 3.0)),
        NonInferiority(metric="rmse", margin=1),
        Intervals(),
    )
    assert (found.candidate, found.champion, found.advantage, found.bound) == pytest.approx((1, 3, 2, 2))
