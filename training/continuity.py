"""Columns go on holding what they held when the champion was fitted, unless the configuration says otherwise."""

import logging
from collections.abc import Mapping
from typing import Final

from model.errors import ArtifactError
from model.signature import Column, Signature
from training.columns import Kind
from training.config import Config
from training.errors import DataError, RegistryError
from training.registry import CHAMPION, Registry

_SORTS: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "numbers",
    Kind.CATEGORY: "texts",
    Kind.TEXT: "texts",
    Kind.BOOLEAN: "truth values",
    Kind.DATE: "dates",
}
_NO_NUMBERS: Final[Mapping[str | None, str]] = {"BOOL": "truth values", "BYTES": "texts"}
"""Datatypes of a signature; the others are of numbers."""

log = logging.getLogger(__name__)


def check_continuity(kinds: Mapping[str, Kind], config: Config, registry: Registry) -> None:
    """
    Refuse a column that is of another type than the champion was fitted on, unless its kind is declared.

    Columns that the champion does not take are no matter. Where it can't be read, that is logged: a new model is the
    way out.

    Parameters
    ----------
    kinds : mapping of str to Kind
        Of the columns to learn from.
    config : Config
    registry : Registry

    Raises
    ------
    DataError
        A column has changed its type.
    """
    champion = registry.aliases(config.name).get(CHAMPION)
    if champion is None:
        return
    try:
        signature = registry.manifest(registry.version(config.name, champion)).signature
    except (RegistryError, ArtifactError) as error:
        log.warning("columns are not held to those of the champion: %s", error)
        return
    declared = {name for name, column in config.columns.items() if column.kind is not None}
    _check({name: kind for name, kind in kinds.items() if name not in declared}, signature, champion)


def _check(kinds: Mapping[str, Kind], signature: Signature, champion: str) -> None:
    before = {column.name: _sort(column) for column in signature.inputs if column.datatype is not None}
    for name, kind in kinds.items():
        now, then = _SORTS[kind], before.get(name)
        if then not in (None, now):
            raise DataError(
                f"column {name!r} holds {now}, and the champion, version {champion}, was fitted on {then}; mend the "
                f"data, or declare its kind under columns if that is meant"
            )


def _sort(column: Column) -> str:
    return "dates" if column.dtype.startswith("datetime64") else _NO_NUMBERS.get(column.datatype, "numbers")


__all__ = ["check_continuity"]
