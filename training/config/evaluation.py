"""How a model is measured, and what it has to show before it is published."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from training.config.section import Section

_LARGEST_SEED: Final = 2**32 - 1
SELECTION_RATE: Final = "selection_rate"
"""What fairness may be about beside a metric: the share of a group's rows that are given a label."""

Label = bool | int | str
Share = Annotated[float, Field(gt=0, lt=1)]
Limit = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Intervals(Section):
    """
    How far a metric may be off, by resampling the test rows.

    Parameters
    ----------
    confidence : float
        Of the intervals, between 0 and 1.
    resamples : int or None
        How often the rows are drawn. None: 1000 times, of more than 100,000 rows fewer times, at least 200.
    seed : int
        Of the draws.
    """

    confidence: Share = 0.95
    resamples: Annotated[int | None, Field(strict=True, ge=100)] = None
    seed: Annotated[int, Field(strict=True, ge=0, le=_LARGEST_SEED)] = 0


class Slices(Section):
    """
    Parts of the test rows that are measured on their own.

    Parameters
    ----------
    columns : tuple of str
        Each value of a column is a slice; of numbers that are many, each quarter of the rows.
    min_rows : int
        Rows that a slice needs; one with fewer is named, and not measured.
    """

    columns: tuple[str, ...] = ()
    min_rows: Annotated[int, Field(strict=True, ge=1)] = 30


class Fairness(Section):
    """
    What may not differ much between groups of rows.

    Parameters
    ----------
    column : str
        Each of its values is a group, if it has as many rows as a slice needs.
    metric : str
        One of the task's, or ``selection_rate``: the share of a group's rows that are predicted as ``label``.
    label : bool, int, str or None
        As it is written in the data.
    max_difference : float or None
        Between the groups with the highest and the lowest value.
    min_ratio : float or None
        Of the lowest value to the highest, such as 0.8.
    """

    column: str
    metric: str
    label: Label | None = None
    max_difference: Limit | None = None
    min_ratio: Share | None = None

    @model_validator(mode="after")
    def _is_limited(self) -> Self:
        if self.max_difference is None and self.min_ratio is None:
            msg = (
                f"fairness of {self.metric} by {self.column} sets no limit; expected max_difference, min_ratio or both"
            )
            raise ValueError(msg)
        if (self.metric == SELECTION_RATE) != (self.label is not None):
            msg = f"fairness of {self.metric} by {self.column} and label {self.label!r}; {SELECTION_RATE} needs a label, and nothing else has one"
            raise ValueError(msg)
        return self


class NonInferiority(Section):
    """
    How a model is held against the champion, on the same test rows.

    Parameters
    ----------
    metric : str
    margin : float
        By which it may be worse, in the metric's own unit.
    confidence : float
        With which it has to be no worse than that, between 0 and 1.
    incomparable : {"refuse", "accept"}
        What becomes of a model whose champion can't be loaded, or takes other columns or predicts other labels.
    """

    metric: str
    margin: Limit
    confidence: Share = 0.95
    incomparable: Literal["refuse", "accept"] = "refuse"


class Budget(Section):
    """
    What a version may take, measured on the engine that a server would run.

    Parameters
    ----------
    p50_milliseconds, p99_milliseconds : float or None
        To answer one row, without HTTP: the median, and what one in a hundred exceeds.
    p50_milliseconds_of_64_rows, p99_milliseconds_of_64_rows : float or None
        To answer 64 rows at once.
    megabytes : float or None
        Size of what the server reads, in 1,000,000 bytes.
    load_seconds : float or None
        To verify and load it, its modules imported.
    """

    p50_milliseconds: Limit | None = None
    p99_milliseconds: Limit | None = None
    p50_milliseconds_of_64_rows: Limit | None = None
    p99_milliseconds_of_64_rows: Limit | None = None
    megabytes: Limit | None = None
    load_seconds: Limit | None = None


class EvaluationChoice(Section):
    """
    How a model is measured beyond its metrics, and what it has to show beyond their floor.

    Parameters
    ----------
    positive : bool, int, str or None
        Of two classes, the label that is looked for, as it is written in the data. None: the last in order.
    pictures : bool
        Whether curves and the confusion matrix are drawn.
    intervals : Intervals
    slices : Slices
    fairness : tuple of Fairness
    non_inferiority : NonInferiority or None
    budget : Budget or None
    """

    positive: Label | None = None
    pictures: Annotated[bool, Field(strict=True)] = True
    intervals: Intervals = Intervals()
    slices: Slices = Slices()
    fairness: tuple[Fairness, ...] = ()
    non_inferiority: NonInferiority | None = None
    budget: Budget | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the test rows are divided by, whether the model sees them or not."""
        return tuple(dict.fromkeys([*self.slices.columns, *(each.column for each in self.fairness)]))

    @property
    def metrics(self) -> tuple[tuple[str, str], ...]:
        """Metrics that are asked for, each after the key that asks."""
        held = (("non_inferiority.metric", self.non_inferiority.metric),) if self.non_inferiority else ()
        return (*held, *((f"fairness.{i}.metric", each.metric) for i, each in enumerate(self.fairness)))
