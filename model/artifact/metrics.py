"""The metrics that a manifest holds."""

import math
from collections.abc import Mapping

from model.errors import ArtifactError


def checked_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """
    Return metrics that a manifest can hold.

    Raises
    ------
    ArtifactError
        One is infinite, or no number.
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise ArtifactError(f"The metric {name!r} is {value}; expected a finite number.")
    return {name: float(value) for name, value in metrics.items()}
