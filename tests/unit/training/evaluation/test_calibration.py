import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from training.evaluation.calibration import calibration_of
from training.evaluation.curves import confusion_of, precision_recall, predictions_of, residuals_of, roc
from training.metrics import Answers


def answers(classes: int, rows: int = 500) -> Answers:
    generator = np.random.default_rng(0)
    labels = np.array([f"c{i}" for i in range(classes)])
    probabilities = generator.dirichlet(np.ones(classes), rows)
    truth = np.array([generator.choice(labels, p=row) for row in probabilities])
    return Answers(truth, labels[probabilities.argmax(axis=1)], labels, probabilities)


def test_the_curve_of_two_classes_is_that_of_scikit_learn() -> None:
    two = answers(2)
    found = calibration_of(two)
    assert found is not None
    assert two.probabilities is not None
    truth, given = two.expected == "c1", two.probabilities[:, 1]
    frequencies, probabilities = calibration_curve(truth, given, n_bins=10)
    assert [each.frequency for each in found.bins] == pytest.approx(list(frequencies))
    assert [each.probability for each in found.bins] == pytest.approx(list(probabilities))
    assert sum(each.rows for each in found.bins) == 500
    assert found.brier == pytest.approx(sk.brier_score_loss(truth, given))
    assert (found.of, found.expected_error < 0.06) == ("c1", True)


def test_of_more_classes_the_predicted_one_is_looked_at() -> None:
    found = calibration_of(answers(3))
    assert found is not None
    assert found.of == ""
    assert min(each.probability for each in found.bins) > 1 / 3
    assert found.expected_error < 0.08


def test_probabilities_that_boast_have_a_large_error() -> None:
    rows = 1000
    truth = np.random.default_rng(0).random(rows) < 0.6
    boasting = np.column_stack([np.zeros(rows), np.ones(rows)])
    found = calibration_of(Answers(truth, np.ones(rows, dtype=bool), np.array([False, True]), boasting))
    assert found is not None
    assert found.expected_error == pytest.approx(1 - truth.mean())
    assert found.of == "true"


def test_without_probabilities_there_is_no_calibration() -> None:
    assert calibration_of(Answers(np.array([0, 1]), np.array([0, 1]), np.arange(2))) is None


def test_what_is_taken_for_what_is_counted() -> None:
    found = confusion_of(Answers(np.array(["a", "a", "b"]), np.array(["a", "b", "b"])))
    assert found is not None
    assert (found.labels, found.counts) == (("a", "b"), ((1, 1), (0, 1)))
    assert confusion_of(Answers(np.arange(51), np.arange(51))) is None


def test_curves_are_thinned_and_keep_their_areas() -> None:
    two = answers(2, 2000)
    assert two.probabilities is not None
    truth, score = two.expected == "c1", two.probabilities[:, 1]
    (curve,) = roc(two)
    assert (curve.label, len(curve.points)) == ("c1", 200)
    assert curve.area == pytest.approx(sk.roc_auc_score(truth, score))
    x, y = zip(*curve.points, strict=True)
    assert sk.auc(x, y) == pytest.approx(curve.area, abs=0.002)
    (curve,) = precision_recall(two)
    assert curve.area == pytest.approx(sk.average_precision_score(truth, score))
    assert curve.points[0][0] == 0
    assert curve.points[-1][0] == 1


def test_the_most_frequent_classes_have_curves() -> None:
    found = roc(answers(12, 600))
    assert len(found) == 10
    assert precision_recall(Answers(np.array([0, 1]), np.array([0, 1]))) == ()


def test_a_class_of_no_row_has_no_curve() -> None:
    three = answers(3)
    assert len(roc(three.at(three.expected != "c0"))) == 2


def test_residuals_and_predictions_are_counted() -> None:
    generator = np.random.default_rng(0)
    numbers = Answers(generator.normal(size=400), generator.normal(size=400))
    residuals, grid = residuals_of(numbers), predictions_of(numbers)
    assert (len(residuals.counts), len(residuals.edges), sum(residuals.counts)) == (20, 21, 400)
    assert (len(grid.counts), len(grid.edges), np.sum(grid.counts)) == (20, 21, 400)
    assert np.sum(residuals_of(Answers(np.ones(5), np.ones(5))).counts) == 5
