"""What a model answered to rows of which the truth is known."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Answers:
    """
    What a model answered to the test rows.

    Parameters
    ----------
    expected, predicted : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,), or None
        Of a classifier.
    probabilities : ndarray of shape (n_samples, n_classes), or None
        Of a classifier that has ``predict_proba``.
    positive : label, optional
        Of two classes, the one that is looked for; by default the last.
    groups : ndarray of int, shape (n_samples,), or None
        Rows of one group, such as those of one customer, are not independent of each other; None where all rows are.
    """

    expected: Values
    predicted: Values
    classes: Values | None = None
    probabilities: Values | None = None
    positive: Any = None
    groups: Values | None = None

    def __len__(self) -> int:
        return len(self.expected)

    def at(self, rows: Values) -> "Answers":
        """Return the answers to some of the rows, given by their positions or by a mask."""
        probabilities, groups = (None if each is None else each[rows] for each in (self.probabilities, self.groups))
        return replace(
            self,
            expected=self.expected[rows],
            predicted=self.predicted[rows],
            probabilities=probabilities,
            groups=groups,
        )

    @cached_property
    def independent(self) -> int:
        """How many groups there are, or rows where each stands for itself."""
        return len(self) if self.groups is None else len(np.unique(self.groups))

    @cached_property
    def labels(self) -> Values:
        """Every label that is known, expected or predicted, in ascending order."""
        known = (
            [self.expected, self.predicted] if self.classes is None else [self.classes, self.expected, self.predicted]
        )
        return np.unique(np.concatenate(known))

    @property
    def positive_label(self) -> Any:
        """Of two labels the one that is looked for, None where there are more or fewer."""
        if len(self.labels) != 2:  # noqa: PLR2004 -- what is looked for, and what is not
            return None
        return self.labels[1] if self.positive is None else self.positive

    @property
    def positive_position(self) -> int:
        """Where that one stands among the labels."""
        return int(np.searchsorted(self.labels, self.positive_label))
