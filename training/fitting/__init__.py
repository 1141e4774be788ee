"""
From typed rows to a fitted pipeline: how rows are divided, what is tried, and what makes it to the artifact.

What comes out is made of scikit-learn's own parts and the estimator's package: nothing of this package is in an artifact.
"""

from training.fitting.fit import Fitted, fit
from training.fitting.parts import TEST, TRAIN, VALIDATION, split
from training.fitting.sample import Sample

__all__ = ["TEST", "TRAIN", "VALIDATION", "Fitted", "Sample", "fit", "split"]
