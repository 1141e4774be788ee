"""From columns to numbers: preprocessing is part of the model, so that serving needs no second copy."""

from training.features.pipeline import build

__all__ = ["build"]
