"""
What an API server holds a custom resource to besides its schema's types: CEL rules, and lists without duplicates.

The rules (``x-kubernetes-validations``) stand in the recorded schemas, and Google's own CEL runs them, as it does in an
API server. Before that the server fills in the schema's defaults, and so does this.

References
----------
https://kubernetes.io/docs/reference/using-api/cel/
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from cel_expr_python import cel

KEYWORDS: Final = {
    *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"),
    *("let", "loop", "package", "namespace", "return", "var", "void", "while"),
}
ESCAPES: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}

Schema = dict[str, Any]


def _url(text: str) -> str:
    if not urlsplit(text).scheme:
        raise ValueError(f"{text} is no URL")
    return text


@cache
def _environment() -> cel.Env:
    text = cel.Type.STRING
    return cel.NewEnv(
        variables={"self": cel.Type.DYN},
        # Of the functions that Kubernetes adds to CEL, those that the recorded rules call.
        functions=[
            cel.FunctionDecl("url", [cel.Overload("url", text, [text], impl=_url)]),
            cel.FunctionDecl(
                "getScheme",
                [cel.Overload("scheme", text, [text], is_member=True, impl=lambda url: urlsplit(url).scheme)],
            ),
        ],
    )


@cache
def program(rule: str) -> cel.Expression:
    """Compile a rule."""
    return _environment().compile(rule)


def escaped(name: str) -> str:
    """Return the name of a property as a rule writes it: CEL has words of its own."""
    return f"__{name}__" if name in KEYWORDS else re.sub(r"__|[./-]", lambda found: ESCAPES[found[0]], name)


class Rules:
    """
    The rules of one schema.

    Parameters
    ----------
    whole : dict
        A recorded schema, with what is said several times under ``$defs``.
    """

    def __init__(self, whole: Schema) -> None:
        self.whole = whole

    def _at(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self.whole["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def _below(self, schema: Schema, value: Any) -> Iterator[tuple[Any, Schema, Any]]:
        """Yield each part of a value by its name or place, with its schema."""
        if isinstance(value, list):
            for index, each in enumerate(value):
                yield index, self._at(schema.get("items", {})), each
        elif isinstance(value, dict):
            known, rest = schema.get("properties", {}), schema.get("additionalProperties")
            for name, each in value.items():
                yield name, self._at(known.get(name, rest if isinstance(rest, dict) else {})), each

    def filled(self, schema: Schema, value: Any) -> Any:
        """Return a value with the defaults that an API server would store."""
        if isinstance(value, dict):
            known = {name: self._at(each) for name, each in schema.get("properties", {}).items()}
            value = {name: each["default"] for name, each in known.items() if "default" in each} | value
        parts = {key: self.filled(inner, each) for key, inner, each in self._below(schema, value)}
        return parts if isinstance(value, dict) else list(parts.values()) if isinstance(value, list) else value

    def _bound(self, schema: Schema, value: Any) -> Any:
        """Return a value as rules name its parts; the keys of a map are data, and stay."""
        named = schema.get("properties", {})
        parts = {key: self._bound(inner, each) for key, inner, each in self._below(schema, value)}
        if isinstance(value, dict):
            return {escaped(key) if key in named else key: each for key, each in parts.items()}
        return list(parts.values()) if isinstance(value, list) else value

    def faults(self, found: Any) -> list[str]:
        """Say which rules an object breaks, and where."""
        return list(self._faults(self.whole, self.filled(self.whole, found), ""))

    def _faults(self, schema: Schema, value: Any, place: str) -> Iterator[str]:
        for rule in schema.get("x-kubernetes-validations", ()):
            kept = program(rule["rule"]).eval(data={"self": self._bound(schema, value)}).value()
            if kept is not True:
                yield f"{place}: {rule.get('message', rule['rule'])}" + ("" if kept is False else f" ({kept})")
        yield from (f"{place}: {each} is there twice" for each in _twice(schema, value))
        for key, inner, each in self._below(schema, value):
            yield from self._faults(inner, each, f"{place}.{key}".lstrip("."))


def _twice(schema: Schema, value: Any) -> Iterator[Any]:
    kind, seen = schema.get("x-kubernetes-list-type"), []
    if kind not in {"map", "set"}:
        return
    keys = schema.get("x-kubernetes-list-map-keys", ())
    for each in value:
        identity = each if kind == "set" else {key: each.get(key) for key in keys}
        if identity in seen:
            yield identity
        seen.append(identity)
