"""Probabilities that mean what they say."""

import warnings

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from training import progress
from training.config import Config
from training.errors import FitError
from training.fitting.folds import folds
from training.fitting.recipe import Recipe
from training.fitting.sample import Sample
from training.fitting.weights import weights


def calibrate(recipe: Recipe, sample: Sample, holdout: Sample | None, config: Config) -> Pipeline:
    """
    Fit a pipeline whose probabilities are calibrated.

    Where there are rows to validate, the calibration is that of the answers to them. Otherwise it is that of answers to
    each fold of the rows to fit on by a pipeline fitted on the others, and the pipeline is then fitted on all. Classes
    are not weighed in calibration, so that probabilities are those of the rows as they are.

    Parameters
    ----------
    recipe : Recipe
        Not fitted.
    sample : Sample
        Rows to fit on.
    holdout : Sample or None
        Rows to validate.
    config : Config
        Has a ``calibration``.

    Returns
    -------
    pipeline : Pipeline
        Its last step is a ``CalibratedClassifierCV`` around one classifier.

    Raises
    ------
    DataError
        There are too few rows for the folds.
    FitError
        The rows to validate lack a class.
    """
    chosen = config.calibration
    assert chosen is not None  # noqa: S101 -- or nobody would calibrate
    if holdout is None:
        divided = folds(sample, config, chosen.folds)
        calibrated = CalibratedClassifierCV(recipe, method=chosen.method, cv=divided, ensemble=False)
        with progress.jobs("calibrate", len(divided)):
            calibrated.fit(sample.X, sample.y, **weights(sample, config))
    else:
        _check_classes(sample, holdout)
        recipe.fit(sample.X, sample.y, **weights(sample, config))
        rows = np.arange(len(holdout))
        calibrated = CalibratedClassifierCV(
            FrozenEstimator(recipe), method=chosen.method, cv=[(rows, rows)], ensemble=False
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Since FrozenEstimator does not appear")  # weights are for calibration
            calibrated.fit(holdout.X, holdout.y, sample_weight=holdout.weights)
    return _within(calibrated)


def _within(calibrated: CalibratedClassifierCV) -> Pipeline:
    """Move the calibration from around a pipeline to around its last step, which answers as the pipeline does."""
    (member,) = calibrated.calibrated_classifiers_
    recipe = getattr(member.estimator, "estimator", member.estimator)
    *before, (name, classifier) = recipe.pipeline_.steps
    member.estimator = calibrated.estimator = classifier
    calibrated.cv = None
    return Pipeline([*before, (name, calibrated)])


def _check_classes(sample: Sample, holdout: Sample) -> None:
    lacking = sorted(set(sample.y) ^ set(holdout.y), key=str)
    if lacking:
        raise FitError(
            f"probabilities cannot be calibrated, for class '{lacking[0]}' is not both among the rows to fit on and "
            f"those to validate; set split.validation_size higher, or take calibration out"
        )
