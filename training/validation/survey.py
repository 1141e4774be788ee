"""The first look at a table: which columns it has, and of which kinds they are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from training.columns import Kind
from training.config import Config
from training.errors import DataError
from training.metrics import Task
from training.validation.cells import plain
from training.validation.inference import Evidence

_ORDERED: Final = (Kind.NUMBER, Kind.DATE)


@dataclass(frozen=True)
class Survey:
    """
    What a table is like.

    Parameters
    ----------
    names : tuple of str
        Of all columns, in the order in which they come up: a chunk may lack some.
    features, aside : tuple of str
        Columns to learn from, and columns that are needed besides, be they learned from or not.
    kinds : mapping of str to Kind
        Of the features, the target, the columns aside, and those that something is declared of, though they be dropped.
    """

    names: tuple[str, ...]
    features: tuple[str, ...]
    aside: tuple[str, ...]
    kinds: Mapping[str, Kind]


def survey(chunks: Iterable[pd.DataFrame], config: Config, aside: Sequence[str] = ()) -> Survey:
    """
    Look at a table.

    Parameters
    ----------
    chunks : iterable of DataFrame
        A raw table in parts.
    config : Config
    aside : sequence of str
        Columns that are needed, whether they are learned from or dropped.

    Raises
    ------
    DataError
        A column is missing, has no value, or does not tell its kind.
    """
    evidence: dict[str, Evidence] = {}
    rows = 0
    for chunk in numbered(chunks):
        rows += len(chunk)
        for name in chunk.columns:
            evidence.setdefault(name, Evidence(name)).add(plain(chunk[name], config.missing))
    names = tuple(evidence)
    _check_names(names, config, aside)
    left_out = {config.target, *config.drop, *config.leakage.columns}
    features = tuple(name for name in names if name not in left_out)
    if not features:
        raise DataError(f"no column is left beside target {config.target!r}; expected at least one")
    besides = tuple(dict.fromkeys(aside))
    kinds = {name: _kind(evidence[name], config) for name in features}
    checked = (*besides, *_compared(config), *config.columns)
    kinds |= {name: _kind_besides(evidence[name], config) for name in checked if name not in kinds}
    kinds[config.target] = _kind_of_target(evidence[config.target], config, rows)
    _check_comparable(kinds, config)
    return Survey(names, features, besides, kinds)


def numbered(chunks: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield the chunks that hold rows, with the position of each row in the source as their index."""
    position = 0
    for chunk in chunks:
        if chunk.empty:
            continue
        yield chunk.set_axis(pd.RangeIndex(position, position + len(chunk)), axis="index")
        position += len(chunk)


def _check_names(names: Sequence[str], config: Config, aside: Sequence[str]) -> None:
    for key, wanted in (
        ("target", [config.target]),
        ("drop", config.drop),
        ("columns", config.columns),
        ("leakage.columns", config.leakage.columns),
        ("cleaning.checks", _compared(config)),
        ("the configuration", aside),
    ):
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise DataError(f"{key} names column {unknown[0]!r}, which the data lack; they have {', '.join(names)}")


def _compared(config: Config) -> list[str]:
    return [name for check in config.cleaning.checks for name in (check.left, check.right)]


def _check_comparable(kinds: Mapping[str, Kind], config: Config) -> None:
    for check in config.cleaning.checks:
        left, right = kinds.get(check.left), kinds.get(check.right)
        if left != right or left not in _ORDERED:
            raise DataError(
                f"cleaning.checks compares column {check.left!r} ({left}) with {check.right!r} ({right}); "
                f"expected two of numbers or two of dates"
            )


def _kind(evidence: Evidence, config: Config) -> Kind:
    if evidence.empty:
        raise DataError(f"column {evidence.name!r} has no value in any row; list it under drop")
    return _declared(evidence.name, config) or evidence.kind()


def _kind_besides(evidence: Evidence, config: Config) -> Kind:
    return _declared(evidence.name, config) or (Kind.TEXT if evidence.empty else evidence.kind(most_distinct=None))


def _kind_of_target(evidence: Evidence, config: Config, rows: int) -> Kind:
    if evidence.empty:
        raise DataError(f"target {config.target!r} is missing in all {rows} rows; expected a value in some")
    if config.task is Task.REGRESSION:
        return Kind.NUMBER
    return _declared(evidence.name, config) or evidence.label_kind()


def _declared(name: str, config: Config) -> Kind | None:
    return config.columns[name].kind if name in config.columns else None
