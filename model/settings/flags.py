"""
From flags and variables to the values of a model's fields, each remembered with its source.

What a field expects is put into words here, once, for the error sentences, the help and the reference.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from model.settings.kserve import IGNORED_FLAGS, VARIABLES

PREFIX: Final = "SKLEARN_KSERVE_"

Fields = Mapping[str, FieldInfo]

_WORDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text that is not empty",
    Path: "a path",
    tuple[str, ...]: "names separated by commas",
    tuple[Path, ...]: "paths separated by commas",
}
_DOORS: Final = frozenset({"api_key_file", "ssl_certfile", "ssl_keyfile", "ssl_ca_certs", "verify_key"})
_METAVARS: Final = {bool: "true|false", int: "N", float: "N", Path: "PATH"}


@dataclass(frozen=True, slots=True)
class Given:
    """A value as text, and the flag or variable it was given by."""

    value: str
    source: str


def parser_for(fields: Fields) -> argparse.ArgumentParser:
    """Return a parser with a flag for each field, and with those of KServe's that are ignored."""
    parser = argparse.ArgumentParser(
        prog="sklearn-kserve serve",
        usage="%(prog)s [--SETTING VALUE ...]",
        description="Serve models over REST and gRPC.",
        epilog=f"Each setting is also an environment variable: {PREFIX} and its name in capitals.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for name, field in fields.items():
        _add_flag(parser, name, field)
    for name in IGNORED_FLAGS:
        parser.add_argument(f"--{name}", nargs="?", help=argparse.SUPPRESS)
    return parser


def underscored(argv: Iterable[str]) -> list[str]:
    """Return the arguments with underscores for the dashes within the names of flags."""
    return [re.sub(r"^--[^=]+", lambda flag: "--" + flag[0][2:].replace("-", "_"), argument) for argument in argv]


def from_flags(namespace: argparse.Namespace, fields: Fields) -> dict[str, Given]:
    """Return what was given by flags."""
    return {name: Given(value, f"--{name}") for name, value in vars(namespace).items() if name in fields}


def ignored(namespace: argparse.Namespace) -> tuple[str, ...]:
    """Return the flags that were given and have no meaning here."""
    return tuple(f"--{name}" for name in vars(namespace) if name in IGNORED_FLAGS)


def from_environment(environ: Mapping[str, str], fields: Fields) -> dict[str, Given]:
    """
    Return what was given by variables; a setting's own goes before KServe's.

    An empty variable is none, for templates leave such; but where it should name keys or certificates it is a mistake
    that must not open the door.
    """
    variables = VARIABLES | {variable(name): name for name in fields}
    return {
        name: Given(environ[source], source)
        for source, name in variables.items()
        if environ.get(source) or (source in environ and name in _DOORS)
    }


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def sentence(error: ErrorDetails, given: Mapping[str, Given], fields: Fields) -> str:
    """Say what is wrong with a setting, by the flag or variable it was given by."""
    if error["type"] == "value_error":
        text = str(error["ctx"]["error"])
    else:
        name = str(error["loc"][0])
        text = f"--{name} is {given[name].value!r}; expected {expected(fields[name])}"
    return re.sub(r"--(\w+)", lambda flag: given[flag[1]].source if flag[1] in given else flag[0], text)


def expected(field: FieldInfo) -> str:
    """Say which values a field takes."""
    kind = value_type(field)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    return _WORDS[kind] + _bounds(field)


def default_text(field: FieldInfo) -> str:
    """Return a field's default as a flag would give it, or in words."""
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["default"])
    if field.default in {None, ()}:
        return "none"
    if isinstance(field.default, float):
        return f"{field.default:g}"
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def value_type(field: FieldInfo) -> Any:
    """Return a field's type, without the None of an optional one."""
    kinds = get_args(field.annotation)
    return kinds[0] if type(None) in kinds else field.annotation


def _add_flag(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    kind = value_type(field)
    text = f"{field.description} Default: {default_text(field)}.".replace("%", "%%").replace("`", "")
    metavar = "|".join(get_args(kind)) if get_origin(kind) is Literal else _METAVARS.get(kind, "TEXT")
    if kind is bool:
        parser.add_argument(f"--{name}", nargs="?", const="true", metavar=metavar, help=text)
    else:
        parser.add_argument(f"--{name}", metavar=metavar, help=text)


def _bounds(field: FieldInfo) -> str:
    bounds = {
        word: getattr(part, word) for part in field.metadata for word in ("ge", "gt", "le") if hasattr(part, word)
    }
    if {"ge", "le"} <= bounds.keys():
        return f" from {bounds['ge']} to {bounds['le']}"
    if "gt" in bounds:
        return f" above {bounds['gt']}"
    return f" of at least {bounds['ge']}" if "ge" in bounds else ""
