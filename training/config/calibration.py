"""How probabilities are calibrated."""

from typing import Annotated, Literal

from pydantic import Field

from training.config.section import Section


class Calibration(Section):
    """
    How the probabilities of a classifier are made to mean what they say.

    It happens on the validation part where the split has one, else on the answers to parts of the rows to fit on by
    models that were fitted on the others.

    Parameters
    ----------
    method : {"sigmoid", "isotonic"}
        A logistic curve, or any curve that rises, which takes a thousand rows or more.
    folds : int
        Number of those parts.
    """

    method: Literal["sigmoid", "isotonic"] = "sigmoid"
    folds: Annotated[int, Field(strict=True, ge=2)] = 5
