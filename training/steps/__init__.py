"""
The steps between a snapshot and a version.

Each is done once for all that decides its result, and leaves files that the next one reads.
"""

from training.steps.evaluate import EVALUATE
from training.steps.fit import FIT
from training.steps.step import Job, Step
from training.steps.validate import VALIDATE
from training.steps.workspace import Workspace

STEPS = (VALIDATE, FIT, EVALUATE)
"""In their order."""

__all__ = ["EVALUATE", "FIT", "STEPS", "VALIDATE", "Job", "Step", "Workspace"]
