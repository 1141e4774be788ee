"""Columns go on holding what they held when the champion was fitted, unless the configuration says otherwise."""

import logging
from collections.abc import Iterable, Mapping
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
    champion = _champion(config, registry)
    if champion is not None:
        declared = {name for name, column in config.columns.items() if column.kind is not None}
        _check({name: kind for name, kind in kinds.items() if name not in declared}, *champion)


def warn_of_columns(names: Iterable[str], config: Config, registry: Registry) -> None:
    """
    Say which columns are asked of clients now, and which no longer, beside the champion.

    Parameters
    ----------
    names : iterable of str
        Of the columns to learn from.
    config : Config
    registry : Registry
    """
    champion = _champion(config, registry)
    if champion is None:
        return
    signature, number = champion
    # Dictionaries are sets that keep the order.
    now, then = dict.fromkeys(names), dict.fromkeys(column.name for column in signature.inputs)
    changes = {"lacks": [name for name in then if name not in now], "adds": [name for name in now if name not in then]}
    said = [f"{verb} {', '.join(map(repr, changed))}" for verb, changed in changes.items() if changed]
    if said:
        log.warning(
            "beside the champion, version %s, this one %s among its columns: requests have to change with it",
            number,
            " and ".join(said),
        )


def _champion(config: Config, registry: Registry) -> tuple[Signature, str] | None:
    """Return the champion's signature and version; None where there is no champion, or none that can be read."""
    champion = registry.aliases(config.name).get(CHAMPION)
    if champion is None:
        return None
    try:
        return registry.manifest(registry.version(config.name, champion)).signature, champion
    except (RegistryError, ArtifactError) as error:
        log.warning("columns are not held to those of the champion: %s", error)
        return None


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


__all__ = ["check_continuity", "warn_of_columns"]
