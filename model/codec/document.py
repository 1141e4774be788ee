"""A JSON document read strictly and written fast."""

import json
from typing import Any, Final

import orjson

from model.codec.wording import shown
from model.errors import InvalidInput, ServingError

Body = bytes | bytearray | memoryview

_NON_FINITE: Final = ("NaN", "Infinity")


def parse_object(body: Body) -> dict[str, Any]:
    """
    Read a body that has to be one JSON object.

    Parameters
    ----------
    body : bytes-like

    Returns
    -------
    dict

    Raises
    ------
    InvalidInput
        Not JSON, or not an object.
    """
    document = parse(body)
    if type(document) is not dict:
        raise InvalidInput(f"The body is {shown(document)}; expected a JSON object.")
    return document


def parse(body: Body) -> Any:
    """
    Read a body as JSON by RFC 8259, without the tokens NaN and Infinity.

    Parameters
    ----------
    body : bytes-like

    Returns
    -------
    object
        Integers beyond 64 bits are floats; there are no infinite ones.

    Raises
    ------
    InvalidInput
        Not JSON, nested too deeply, or a number that overflows a double.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(_fault(error)) from None


def write(document: Any, output: str) -> bytes:
    """
    Write a document as JSON; arrays of numbers go straight from their buffers.

    Parameters
    ----------
    document : object
    output : str
        What the document answers, for the message.

    Returns
    -------
    bytes

    Raises
    ------
    ServingError
        The model answered with something that JSON can't hold.
    """
    try:
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as error:
        raise ServingError(f"The answer of model {shown(output)} holds a value that JSON can't hold.") from error


def refuse_repeated_keys(body: Body, keys: int) -> None:
    """
    Refuse an object that holds a key twice, of which the parser kept the last.

    Parameters
    ----------
    body : bytes-like
        Valid JSON.
    keys : int
        How many keys the parsed document holds.

    Raises
    ------
    InvalidInput
        A key comes twice in one object.
    """
    text = bytes(body)
    # Every key has its colon; only where there are more (in strings, or of lost keys) is it worth reading again.
    if text.count(b":") > keys:
        _read_for_repeats(text)


def _read_for_repeats(text: bytes) -> None:
    try:
        json.loads(text, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise InvalidInput("The body is nested too deeply.") from error


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise InvalidInput(f"The key {shown(key)} comes twice in one object; send it once.")
        seen.add(key)


def _fault(error: orjson.JSONDecodeError) -> str:
    where = f"at line {error.lineno}, column {error.colno}"
    if error.doc.startswith(_NON_FINITE, error.pos):
        return f"The body holds NaN or Infinity {where}, which JSON does not know; send null for a missing value."
    if "infinity" in error.msg:
        return f"The body holds a number {where} that is too large for any datatype."
    if "depth" in error.msg:
        return f"The body is nested too deeply {where}."
    return f"The body is not valid JSON {where}." if error.doc else "The body is empty or not UTF-8; expected JSON."
