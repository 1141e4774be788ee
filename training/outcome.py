"""What a run came to, and how that is said in a line."""

from collections.abc import Mapping
from dataclasses import dataclass

from training.registry import Version


@dataclass(frozen=True)
class Outcome:
    """
    What a run came to.

    Parameters
    ----------
    version : Version
    metrics : mapping of str to float
        Measured in this run; empty where there was nothing to do.
    published : bool
        False where an earlier run of the same data and configuration had published it already.
    """

    version: Version
    metrics: Mapping[str, float]
    published: bool


def measured(metrics: Mapping[str, float]) -> str:
    """Return metrics for a line of text."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())


__all__ = ["Outcome", "measured"]
