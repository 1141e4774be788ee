"""Which values failed which check, in which row of the source."""

import operator
from collections import Counter
from typing import Any, Final

import pandas as pd

from training.validation.cells import shown

_COLUMNS: Final = ["row", "column", "check", "value", "expected"]


class Failures:
    """
    Failures as they are found.

    A row of the source is known by its position, from 0, and said by its number, from 1.
    """

    def __init__(self) -> None:
        self._found: list[pd.DataFrame] = []

    def add(self, cells: "pd.Series[Any]", *, check: str, expected: str) -> None:
        """
        Note cells that failed a check.

        Parameters
        ----------
        cells : Series
            The cells; its name is that of the column, its index the position of each row in the source.
        check : str
        expected : str
            What the check expects.
        """
        if cells.empty:
            return
        values = cells.astype(object).map(shown, na_action="ignore").fillna("").to_numpy()
        self._found.append(
            pd.DataFrame(
                {"position": cells.index, "column": cells.name, "check": check, "value": values, "expected": expected}
            )
        )

    def positions(self, column: str) -> pd.Index:
        """Return the positions of the rows that have failed by a column so far."""
        found = [part["position"] for part in self._found if part["column"].iloc[0] == column]
        return pd.Index(pd.concat(found)) if found else pd.Index([], dtype="int64")

    def of(self, positions: pd.Index) -> pd.DataFrame:
        """
        Return the failures of some rows, in the order of the source.

        A cell that is not of its column's kind has failed by that alone: what else is found of it is found of nothing.

        Returns
        -------
        failures : DataFrame
            Columns ``row``, ``column``, ``check``, ``value`` and ``expected``; the index is the position of each row.
        """
        if not self._found:
            return pd.DataFrame(columns=_COLUMNS, index=pd.Index([], dtype="int64"))
        found = pd.concat(self._found, ignore_index=True)
        found = found[found["position"].isin(positions)]
        of_kind = found["check"] == "kind"
        hidden = pd.MultiIndex.from_frame(found.loc[of_kind, ["position", "column"]])
        repeated = pd.MultiIndex.from_frame(found[["position", "column"]]).isin(hidden) & ~of_kind
        found = found[~repeated].sort_values("position", kind="stable").set_index("position")
        return found.assign(row=found.index + 1)[_COLUMNS]


def counted(failures: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Return how many rows have failed each check of each column."""
    tally = Counter(zip(failures["column"], failures["check"], strict=True))
    return [(column, check, rows) for (column, check), rows in tally.items()]


def most_frequent(failures: pd.DataFrame) -> str:
    """Say what has failed most, by an example."""
    column, check, rows = max(counted(failures), key=operator.itemgetter(2))
    first = failures[(failures["column"] == column) & (failures["check"] == check)].iloc[0]
    got = f"has {first['value']!r}" if first["value"] else "has no value"
    return f"column {column!r} {got} in row {first['row']}; expected {first['expected']} ({rows} of them)"
