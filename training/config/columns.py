"""``columns``: what each column holds, and which of its values are refused."""

import datetime as dt
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from training.columns import Kind
from training.config.section import Section

Finite = Annotated[float, Field(allow_inf_nan=False)]
_REACH: Final = {"range": 0.0, "iqr": 1.5, "zscore": 3.0}

_KEYS_OF: Final = {
    "unit": (Kind.NUMBER,),
    "outliers": (Kind.NUMBER,),
    "min": (Kind.NUMBER, Kind.DATE),
    "max": (Kind.NUMBER, Kind.DATE),
    "allowed": (Kind.CATEGORY,),
    "spellings": (Kind.CATEGORY,),
    "pattern": (Kind.CATEGORY, Kind.TEXT),
}
"""The kinds that a key is for; any other key is for all of them."""


class Outliers(Section):
    """
    Numbers that lie too far out.

    Parameters
    ----------
    method : {"range", "iqr", "zscore"}
        What is no outlier: a value from ``low`` to ``high``; within ``reach`` interquartile ranges of the quartiles;
        within ``reach`` standard deviations of the mean.
    action : {"quarantine", "clip", "keep"}
        What happens to an outlier: its row is put aside, the nearest bound takes its place, or it is only counted.
    low, high : float or None
        Bounds of ``range``.
    reach : float or None
        None: 1.5 for ``iqr``, 3 for ``zscore``.
    """

    method: Literal["range", "iqr", "zscore"]
    action: Literal["quarantine", "clip", "keep"] = "quarantine"
    low: Finite | None = None
    high: Finite | None = None
    reach: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None

    @model_validator(mode="after")
    def _keys_of_the_method(self) -> Self:
        bounded = self.low is not None or self.high is not None
        if self.method != "range" and bounded:
            raise ValueError(f"low and high are keys of method range, and method is {self.method}")
        if self.method == "range" and (self.reach is not None or not bounded):
            msg = "method range takes low or high or both, and nothing else"
            raise ValueError(msg)
        return self

    @property
    def factor(self) -> float:
        """How many interquartile ranges, or standard deviations, are not too far."""
        return _REACH[self.method] if self.reach is None else self.reach


class Column(Section):
    """
    One column; in the file a kind alone may stand for it.

    Parameters
    ----------
    kind : Kind or None
        None: inferred from the cells.
    unit : str or None
        Of a number, as pint names it; cells with another unit of that dimension are converted.
    missing : {"allow", "quarantine", "drop"}
        What happens to a row without a value.
    min, max : float, date or None
        Least and greatest value.
    unique : bool
        Whether no value may stand in two rows.
    pattern : str or None
        Regular expression that fits a whole value.
    allowed : tuple of str or None
        The only categories.
    spellings : mapping of str to str
        Categories that are written otherwise, and what they become.
    outliers : Outliers or None
        None: as ``cleaning.outliers`` has it.
    """

    kind: Kind | None = None
    unit: str | None = None
    missing: Literal["allow", "quarantine", "drop"] = "allow"
    min: Finite | dt.datetime | None = None
    max: Finite | dt.datetime | None = None
    unique: Annotated[bool, Field(strict=True)] = False
    pattern: str | None = None
    allowed: Annotated[tuple[str, ...] | None, Field(min_length=1)] = None
    spellings: dict[str, str] = Field(default_factory=dict)
    outliers: Outliers | None = None

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, given: Any) -> Any:
        return {"kind": given} if isinstance(given, str) else given

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"expected a regular expression: {error}") from error
        return pattern

    @field_validator("min", "max")
    @classmethod
    def _in_utc(cls, bound: float | dt.datetime | None) -> float | dt.datetime | None:
        if isinstance(bound, dt.datetime) and bound.tzinfo is not None:
            return bound.astimezone(dt.UTC).replace(tzinfo=None)
        return bound

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> Self:
        for key, kinds in _KEYS_OF.items():
            if getattr(self, key) and self.kind not in kinds:
                found = "no kind is declared" if self.kind is None else f"kind is {self.kind}"
                raise ValueError(f"{key} is a key of kind {' or '.join(kinds)}, and {found}")
        return self

    @model_validator(mode="after")
    def _bounds_of_the_kind(self) -> Self:
        given = [bound for bound in (self.min, self.max) if bound is not None]
        if any(isinstance(bound, dt.datetime) != (self.kind is Kind.DATE) for bound in given):
            raise ValueError(f"min and max do not fit kind {self.kind}; expected numbers, or dates of a date")
        return self

    @model_validator(mode="after")
    def _spelled_as_allowed(self) -> Self:
        strange = [name for name in self.spellings.values() if self.allowed is not None and name not in self.allowed]
        if strange:
            raise ValueError(
                f"spellings lead to {strange[0]!r}, which allowed lacks; expected one of {', '.join(self.allowed or ())}"
            )
        return self
