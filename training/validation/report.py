"""What became of the rows, and what was found in them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

import pandas as pd

from training.columns import Kind
from training.config import Config
from training.validation.failures import counted
from training.validation.outliers import Far
from training.validation.typed import Typed


class Outcome(IntEnum):
    """What becomes of a row: exactly one of these."""

    KEPT = 0
    DUPLICATE = 1
    WITHOUT_TARGET = 2
    WITHOUT_VALUE = 3
    QUARANTINED = 4


@dataclass(frozen=True)
class Counts:
    """
    What became of the rows.

    Parameters
    ----------
    read : int
        The sum of the others.
    duplicates, without_target, without_value : int
        Dropped: equal to an earlier row, without a target, and without a value of a column whose ``missing`` is
        ``drop``.
    quarantined : int
        Put aside, for they failed a check.
    kept : int
    """

    read: int
    duplicates: int
    without_target: int
    without_value: int
    quarantined: int
    kept: int

    @classmethod
    def of(cls, outcomes: "pd.Series[int]") -> "Counts":
        """Count the outcomes of all rows."""
        return cls(
            read=len(outcomes),
            duplicates=int((outcomes == Outcome.DUPLICATE).sum()),
            without_target=int((outcomes == Outcome.WITHOUT_TARGET).sum()),
            without_value=int((outcomes == Outcome.WITHOUT_VALUE).sum()),
            quarantined=int((outcomes == Outcome.QUARANTINED).sum()),
            kept=int((outcomes == Outcome.KEPT).sum()),
        )

    def __str__(self) -> str:
        dropped = f"{self.duplicates} duplicates and {self.without_target} rows without a target dropped"
        if self.without_value:
            dropped += f", {self.without_value} without a value that is needed"
        if self.quarantined:
            dropped += f", {self.quarantined} quarantined"
        return f"{self.read} rows read, {dropped}, {self.kept} kept"

    def as_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


def described(
    kept: pd.DataFrame, kinds: Mapping[str, Kind], config: Config, typed: Typed, far: Mapping[str, Far]
) -> Any:
    """Return what there is to say of each column, as JSON values."""
    return {name: _column(kept[name], kind, config, typed, far.get(name)) for name, kind in kinds.items()}


def _column(values: "pd.Series[Any]", kind: Kind, config: Config, typed: Typed, far: Far | None) -> dict[str, Any]:
    name = str(values.name)
    said = {"kind": str(kind), "missing": int(values.isna().sum())}
    unit = config.columns[name].unit if name in config.columns else None
    return said | {
        key: value
        for key, value in (
            ("unit", unit),
            ("respelled", typed.respelled.get(name)),
            ("outliers", None if far is None else far.as_json()),
        )
        if value is not None
    }


def failed_checks(failures: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how many rows have failed each check of each column, as JSON values."""
    return [{"column": column, "check": check, "rows": rows} for column, check, rows in counted(failures)]
