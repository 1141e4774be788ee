"""The page, from what a version says about itself."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from model.signature import Column
from training.card.documents import Documents
from training.config.card import CardText
from training.evaluation.pictures import Picture, pictures_of
from training.evaluation.record import Interval
from training.metrics import METRICS

if TYPE_CHECKING:
    from jinja2 import Environment

_MOST_LISTED: Final = 8
_NOTHING: Final = "\N{EN DASH}"
_LARGE: Final = 1000
"""Digits behind the point say nothing from here on."""
_WORDS: Final = {"BYTES": "text", "BOOL": "true or false"}


def card(documents: Documents, drawn: Mapping[str, bytes] | None = None) -> bytes:
    """
    Make the card of a version.

    Parameters
    ----------
    documents : Documents
    drawn : mapping of str to bytes, optional
        Pictures of the evaluation that are drawn already, by the names of their files; the others are drawn.

    Returns
    -------
    page : bytes
        HTML in UTF-8, without scripts and without anything from elsewhere.
    """
    made, evaluation = documents.made, documents.evaluation
    shown = evaluation is not None and (made is None or made.pictures)
    pictures = list(pictures_of(evaluation)) if evaluation and shown else []
    page = (
        _environment()
        .get_template("card.html")
        .render(
            manifest=documents.manifest,
            made=made,
            text=made.text if made else CardText(),
            fitted=documents.fitted,
            evaluation=evaluation,
            decision=documents.decision,
            pictures=[(picture, _inlined(picture, drawn or {})) for picture in pictures],
        )
    )
    return page.encode()


def _inlined(picture: Picture, drawn: Mapping[str, bytes]) -> str:
    svg = drawn.get(picture.name) or picture.svg()
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 -- only what makes a card waits for it

    environment = Environment(
        loader=PackageLoader("training", "card"),
        autoescape=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": _figure,
        "interval": _interval,
        "listed": _listed,
        "seen": _seen,
        "size": _size,
        "type": _type,
        "flat": _flat,
        "of_name": lambda checks, name: [check for check in checks if check.name == name],
        "direction": lambda name: _direction(str(name)),
    }
    return environment


def _figure(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: _NOTHING}[value]
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _interval(interval: Interval | None) -> str:
    return _NOTHING if interval is None else f"{interval.low:.4g} to {interval.high:.4g}"


def _direction(metric: str) -> str:
    known = METRICS.get(metric)
    return "" if known is None else "higher is better" if known.higher_is_better else "lower is better"


def _listed(values: Sequence[object]) -> str:
    listed = ", ".join(map(str, values[:_MOST_LISTED]))
    return listed if len(values) <= _MOST_LISTED else f"{listed} and {len(values) - _MOST_LISTED} more"


def _seen(column: Column) -> str:
    if column.categories is not None:
        return _listed(column.categories)
    if column.minimum is None or column.maximum is None:
        return _NOTHING
    return f"{column.minimum:g} to {column.maximum:g}"


def _type(datatype: str | None) -> str:
    """Return what a column holds, in words and as the protocol calls it."""
    return "any" if datatype is None else f"{_WORDS.get(datatype, 'number')} ({datatype})"


def _size(count: int) -> str:
    """Return a number of bytes for people."""
    for unit, bytes_ in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= bytes_:
            return f"{count / bytes_:.3g} {unit}"
    return f"{count} bytes"


def _flat(document: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield nested JSON values as pairs of a name and a value; what is empty is left out."""
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", inner) for name, inner in _flat(value))
        elif isinstance(value, list):
            if value:
                yield key, _listed(value)
        elif value is not None:
            yield key, _figure(value)
