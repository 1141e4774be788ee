"""What clients of every kind ask about. It imports no scikit-learn, which a client has no use for."""

from typing import Any

import numpy as np

BIRDS = "birds"
"""A model with columns of numbers and strings, and labels of strings; it has the versions 1 and 2."""
POINTS = "points"
"""A model of three numbers without names, and a number for its answer; it has the version 1."""
SLEEPER = "sleeper"
"""A model that sleeps as many seconds as it is told."""
UNBILLED = "unbilled"
"""The model of the birds under KServe's server, where it takes them without their bills."""
GRAMS_PER_MILLIMETRE = 100
"""Of a bird and its bill, as that model has it."""

COLUMNS = {
    "bill": np.array([39.1, np.nan, 50.0]),
    "mass": np.array([3750.0, 5000.0, 4100.0]),
    "island": np.array(["Torgersen", "Biscoe", "Tórshavn"], dtype=object),
}
"""Birds by column: the second has no bill length, the third an island that the model has not seen."""
MATRIX = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0], [0.0, 0.0, 1e-3]])
"""Points."""
NAP = np.array([[0.5]])
"""Seconds that a client waits for, if it has the patience."""
PATIENCE_SECONDS = 0.1
"""Of a client that has not."""


def rows() -> list[dict[str, Any]]:
    """Return the birds as JSON objects, a missing value as None."""
    columns = [[None if value != value else value for value in column.tolist()] for column in COLUMNS.values()]  # noqa: PLR0124 -- NaN alone differs from itself
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]
