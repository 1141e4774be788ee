"""The profile of a sample: how its values fall into bins, which stay the same for as long as the version is served."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

Scalar = bool | int | float | str
Counts = tuple[Annotated[int, Field(ge=0)], ...]

MOST_FEATURES: Final = 100
"""Columns of a model that are watched, the first ones: each makes four time series."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ranges(_Part):
    """
    Bins of numbers.

    Parameters
    ----------
    kind : "ranges"
    edges : tuple of float
        Ascending. A bin holds what is greater than one edge and not greater than the next; the first edge lies just
        below the least value of the sample, the last one at the greatest, so that all beyond them is out of range.
    counts : tuple of int
        Of the sample: below the first edge, between each two, above the last, missing.
    """

    kind: Literal["ranges"] = "ranges"
    edges: Annotated[tuple[FiniteFloat, ...], Field(min_length=2)]
    counts: Counts

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(left >= right for left, right in pairwise(self.edges)):
            msg = "edges of bins must ascend"
            raise ValueError(msg)
        _check(self.counts, len(self.edges) + 2)
        return self


class Categories(_Part):
    """
    Bins of values that have no order.

    Parameters
    ----------
    kind : "categories"
    values : tuple of bool, int, float or str
        The most frequent ones, each a bin of its own.
    counts : tuple of int
        Of the sample: each of the values, all others, missing.
    """

    kind: Literal["categories"] = "categories"
    values: Annotated[tuple[Scalar, ...], Field(min_length=1)]
    counts: Counts

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _check(self.counts, len(self.values) + 2)
        return self


Bins = Annotated[Ranges | Categories, Field(discriminator="kind")]


class Feature(_Part):
    """
    A column that is watched.

    Parameters
    ----------
    name : str
    position : int
        Among the columns of the signature, for requests that send them as one matrix.
    bins : Ranges or Categories
    """

    name: str
    position: Annotated[int, Field(ge=0)]
    bins: Bins


class Profile(_Part):
    """
    What the rows that a version was published with look like.

    Parameters
    ----------
    width : int
        Number of columns of the signature.
    features : tuple of Feature
        Columns of text and of dates are not among them, nor any beyond the first ``MOST_FEATURES``.
    predictions : Ranges, Categories or None
        Of the output ``predict``; None where there is none, or it has several values per row.
    """

    width: Annotated[int, Field(ge=1)]
    features: Annotated[tuple[Feature, ...], Field(max_length=MOST_FEATURES)]
    predictions: Bins | None = None

    @property
    def digest(self) -> str:
        """Short hash: counts are of one profile, and are added to no other's."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def _check(counts: Sequence[int], wanted: int) -> None:
    if len(counts) != wanted or not sum(counts):
        msg = f"{wanted} counts are expected, not all of them 0; got {len(counts)}"
        raise ValueError(msg)
