"""``lookups``: columns that are joined by an id, when the model is fitted and whenever it answers."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from model.lookup.transformer import Lookup
from model.lookup.values import Type
from training.columns import Kind
from training.config.section import Section

_TYPES: Final[Mapping[Kind, Type]] = {
    Kind.NUMBER: "number",
    Kind.CATEGORY: "text",
    Kind.TEXT: "text",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "date",
}
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Age = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LookupChoice(Section):
    """
    A look-up; see ``model.lookup.transformer.Lookup``, whose parameters these are.

    Parameters
    ----------
    source : {"sql", "redis"}
    address : str
        Name of the environment variable that has the source's URL.
    table : str
        A table or view; in Redis what stands before ``:`` and the id in the name of a hash.
    key : str
        Column of the data that has the ids; it is no feature itself.
    table_key : str or None
        Column of the table that has them; None: as in the data.
    columns : mapping of str to Kind
        Columns of the table and what they hold.
    defaults : mapping
        By column, the value of an id that is unknown, or whose source is down.
    on_unknown, on_failure : {"error", "defaults"}
        What an unknown id leads to, and a source that is down, while a server answers.
    timeout_seconds, cache_seconds, stale_seconds, rest_seconds : float
    connections, cache_rows : int
    """

    source: Literal["sql", "redis"] = "sql"
    address: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]
    table: str
    key: str
    table_key: str | None = None
    columns: Annotated[dict[str, Kind], Field(min_length=1)]
    defaults: dict[str, JsonValue] = Field(default_factory=dict)
    on_unknown: Literal["error", "defaults"] = "defaults"
    on_failure: Literal["error", "defaults"] = "error"
    timeout_seconds: Seconds = 0.25
    connections: Annotated[int, Field(strict=True, ge=1)] = 4
    cache_rows: Annotated[int, Field(strict=True, ge=0)] = 10_000
    cache_seconds: Age = 60.0
    stale_seconds: Age = 0.0
    rest_seconds: Seconds = 5.0

    def transformer(self, name: str) -> Lookup:
        """Return the step of a pipeline."""
        types = {column: _TYPES[kind] for column, kind in self.columns.items()}
        return Lookup(name=name, **{**self.model_dump(exclude={"columns"}), "columns": types})


def joined_twice(lookups: Iterable[LookupChoice]) -> str | None:
    """Return a column that two look-ups join, or None."""
    seen: set[str] = set()
    for lookup in lookups:
        if both := seen & lookup.columns.keys():
            return min(both)
        seen |= lookup.columns.keys()
    return None
