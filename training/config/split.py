"""How the rows are divided."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from training.config.section import Section

_LARGEST_SEED: Final = 2**32 - 1


class Split(Section):
    """
    How the rows are divided.

    Parameters
    ----------
    test_size : float
        Share of the rows that the model is measured on, between 0 and 1.
    validation_size : float
        Share of the rows that nothing is fitted on, but that boosting stops by, a search chooses by, or probabilities
        are calibrated on; 0 for none.
    stratify : bool or None
        Whether all parts hold the classes in the same proportions. None: in a classification, unless it is divided by
        time.
    group : str or None
        Column whose equal values stay together: no patient, customer or device is on both sides. Listed under
        ``drop``, it is no feature.
    time : str or None
        Column of dates or numbers by which the newest rows are tested on, and the next older ones validate.
    seed : int
        Of the division, of an estimator that draws random numbers, and of a search.
    """

    test_size: Annotated[float, Field(gt=0, lt=1)] = 0.25
    validation_size: Annotated[float, Field(ge=0, lt=1)] = 0.0
    stratify: Annotated[bool | None, Field(strict=True)] = None
    group: str | None = None
    time: str | None = None
    seed: Annotated[int, Field(strict=True, ge=0, le=_LARGEST_SEED)] = 0

    @model_validator(mode="after")
    def _rows_are_left(self) -> Self:
        if self.test_size + self.validation_size >= 1:
            raise ValueError(
                f"test_size {self.test_size:g} and validation_size {self.validation_size:g} leave no rows to fit on; "
                f"expected less than 1 together"
            )
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.group is not None and self.time is not None:
            msg = "group and time are both set; expected one of them"
            raise ValueError(msg)
        if self.time is not None and self.stratify:
            msg = "stratify is true in a split by time; expected false, for the newest rows are as they are"
            raise ValueError(msg)
        return self
