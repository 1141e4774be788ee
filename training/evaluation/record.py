"""What was measured, as ``evaluation.json`` holds it: enough to draw every picture again, and none of the rows."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from training.metrics import Task

Points = tuple[tuple[FiniteFloat, FiniteFloat], ...]


class Part(BaseModel):
    """Values that belong together; those of another build are read as far as they are known."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Interval(Part):
    """
    Where a figure would lie, had other rows been drawn.

    Parameters
    ----------
    low, high : float
    """

    low: FiniteFloat
    high: FiniteFloat


class Measured(Part):
    """
    Metrics of some rows.

    Parameters
    ----------
    rows : int
    metrics : dict of str to float
        Those that the rows define.
    intervals : dict of str to Interval
        Of each metric that resamples tell one of: none where every resample is alike, or few of them define it.
    """

    rows: int
    metrics: dict[str, FiniteFloat]
    intervals: dict[str, Interval] = Field(default_factory=dict)


class Slice(Measured):
    """
    Metrics of one slice.

    Parameters
    ----------
    value : str
        Of the column, or the range of its values.
    """

    value: str


class Sliced(Part):
    """
    The slices of a column.

    Parameters
    ----------
    column : str
    slices : tuple of Slice
    small : dict of str to int
        Rows of each slice that has too few to be measured.
    """

    column: str
    slices: tuple[Slice, ...]
    small: dict[str, int]


class Bin(Part):
    """
    Rows of similar probability.

    Parameters
    ----------
    rows : int
    probability : float
        Mean of what was given.
    frequency : float
        How often it came true.
    """

    rows: int
    probability: FiniteFloat
    frequency: FiniteFloat


class Calibration(Part):
    """
    Whether probabilities are what they say.

    Parameters
    ----------
    of : str
        The class whose probability it is; empty for that of whatever class was predicted.
    bins : tuple of Bin
        Ten bins of equal width, the empty ones left out.
    brier : float
        Mean squared distance of all probabilities from what came true; 0 is best.
    expected_error : float
        Expected calibration error: mean distance of probability and frequency over the bins, weighted by rows.
    """

    of: str
    bins: tuple[Bin, ...]
    brier: FiniteFloat
    expected_error: FiniteFloat


class Confusion(Part):
    """
    What was taken for what.

    Parameters
    ----------
    labels : tuple of str
    counts : tuple of tuple of int
        A row for each expected label, a column for each predicted one.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Curve(Part):
    """
    A line of one class against the rest, thinned to what a picture shows.

    Parameters
    ----------
    label : str
    points : tuple of (x, y)
    area : float
    """

    label: str
    points: Points
    area: FiniteFloat


class Histogram(Part):
    """
    How many rows fall into each bin.

    Parameters
    ----------
    edges : tuple of float
    counts : tuple of int
    """

    edges: tuple[FiniteFloat, ...]
    counts: tuple[int, ...]


class Grid(Part):
    """
    How many rows fall into each cell.

    Parameters
    ----------
    edges : tuple of float
        Of both axes.
    counts : tuple of tuple of int
        A row for each bin of what was expected, a column for each of what was predicted.
    """

    edges: tuple[FiniteFloat, ...]
    counts: tuple[tuple[int, ...], ...]


class Evaluation(Measured):
    """
    All that was measured of a fitted estimator.

    Parameters
    ----------
    task : Task
    target : str
    confidence : float
        Of every interval.
    resamples : int
        That the intervals of all rows are read from.
    groups : int or None
        That are drawn, each with all of its rows; None where rows are.
    slices : tuple of Sliced
    calibration : Calibration or None
    confusion : Confusion or None
        None in a regression, and of more than 50 labels.
    roc, precision_recall : tuple of Curve
        Of the ten most frequent classes.
    residuals : Histogram or None
        What was expected less what was predicted.
    predictions : Grid or None
    """

    task: Task
    target: str
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: int
    groups: int | None = None
    slices: tuple[Sliced, ...] = ()
    calibration: Calibration | None = None
    confusion: Confusion | None = None
    roc: tuple[Curve, ...] = ()
    precision_recall: tuple[Curve, ...] = ()
    residuals: Histogram | None = None
    predictions: Grid | None = None
