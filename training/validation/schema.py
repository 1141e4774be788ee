"""The checks of a configuration as pandera runs them, and what they find."""

import datetime as dt
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from training.columns import Kind
from training.config.cleaning import Check
from training.config.columns import Column
from training.validation.cells import shown
from training.validation.failures import Failures
from training.validation.outliers import Bounds

if TYPE_CHECKING:
    import pandera.pandas as pa

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
_DTYPES: Final = {
    Kind.NUMBER: "float64",
    Kind.DATE: "datetime64[ns]",
    Kind.CATEGORY: "object",
    Kind.TEXT: "object",
    Kind.BOOLEAN: None,  # bool, or objects where values are missing
}
_MISSING: Final = "not_nullable"
"""pandera's own name for the check that there is a value."""


class Schema:
    """
    The checks of a table, each with a name and with what it expects.

    Parameters
    ----------
    kinds : mapping of str to Kind
        Of each column of the table.
    columns : mapping of str to Column
        Declarations; a column without one is held to its dtype.
    outliers : mapping of str to Bounds
        Of the columns whose outliers are to be found.
    rows : sequence of Check
    """

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        columns: Mapping[str, Column],
        outliers: Mapping[str, Bounds],
        rows: Sequence[Check],
    ) -> None:
        import pandera.pandas as pa  # noqa: PLC0415 -- takes most of a second

        self._errors = pa.errors.SchemaErrors
        self._expected: dict[tuple[str, str], str] = {}
        self._rows = {str(check): check for check in rows}
        declared = {name: columns.get(name, Column()) for name in kinds}
        self._schema = pa.DataFrameSchema(
            {name: self._column(name, kinds[name], declared[name], outliers.get(name)) for name in kinds},
            checks=[pa.Check(_holds(check), error=name, ignore_na=False) for name, check in self._rows.items()],
        )

    def check(self, table: pd.DataFrame, failures: Failures) -> None:
        """
        Run all checks, and note each value that fails one.

        Parameters
        ----------
        table : DataFrame
            Typed; its index is the position of each row in the source.
        failures : Failures
        """
        try:
            self._schema.validate(table, lazy=True)
        except self._errors as error:
            self._note(error.failure_cases, table, failures)

    def _column(self, name: str, kind: Kind, column: Column, bounds: Bounds | None) -> "pa.Column":
        import pandera.pandas as pa  # noqa: PLC0415 -- imported already

        checks = []
        for check, expected, test in _checks(column, bounds):
            self._expected[name, check] = expected
            checks.append(pa.Check(test, error=check))
        self._expected[name, _MISSING] = "a value"
        return pa.Column(_DTYPES[kind], checks, nullable=column.missing != "quarantine")

    def _note(self, cases: pd.DataFrame, table: pd.DataFrame, failures: Failures) -> None:
        of_columns = cases[cases["schema_context"] == "Column"]
        for (name, check), expected in self._expected.items():
            found = of_columns["index"][(of_columns["column"] == name) & (of_columns["check"] == check)]
            named = "missing" if check == _MISSING else check
            failures.add(table[name].loc[found.astype("int64")], check=named, expected=expected)
        for each, compared in self._rows.items():
            rows = cases["index"][cases["check"] == each].astype("int64").drop_duplicates()
            cells = table.loc[rows, [compared.left, compared.right]].astype(object)
            pairs = [f"{shown(left)}, {shown(right)}" for left, right in cells.itertuples(index=False)]
            failures.add(pd.Series(pairs, cells.index, dtype=object, name=compared.left), check=each, expected=each)


def _checks(column: Column, bounds: Bounds | None) -> Iterator[tuple[str, str, Callable[["pd.Series[Any]"], Any]]]:
    """Yield the checks of a column: name, what is expected, and the test of values that are not missing."""
    if column.min is not None:
        yield "min", f"at least {_said(column.min)}", lambda values: values >= column.min
    if column.max is not None:
        yield "max", f"at most {_said(column.max)}", lambda values: values <= column.max
    if column.allowed is not None:
        yield "allowed", f"one of {', '.join(column.allowed)}", lambda values: values.isin(column.allowed or ())
    if column.pattern is not None:
        pattern = re.compile(column.pattern)
        yield "pattern", f"what {column.pattern} fits", lambda values: values.str.fullmatch(pattern)
    if column.unique:
        yield "unique", "a value that no other row has", lambda values: ~values.duplicated(keep=False)
    if bounds is not None:
        low, high = bounds
        yield "outlier", f"a value from {low:g} to {high:g}", lambda values: values.between(low, high)


def _said(bound: float | dt.datetime) -> str:
    return bound.isoformat() if isinstance(bound, dt.datetime) else f"{bound:g}"


def _holds(check: Check) -> Callable[[pd.DataFrame], Any]:
    def holds(table: pd.DataFrame) -> Any:
        left, right = table[check.left], table[check.right]
        return _COMPARISONS[check.is_](left, right) | left.isna() | right.isna()

    return holds
