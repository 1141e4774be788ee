"""Values that the schema allows: those it names as examples, and those that hypothesis makes of it."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from hypothesis import strategies as st

from tests.deploy.rendering import CASES, CHART, values_of

Schema = dict[str, Any]
Values = dict[str, Any]

SCHEMA: Final[Schema] = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS: Final[Values] = yaml.safe_load((CHART / "values.yaml").read_text())
LOOKS_OTHERWISE: Final = [
    *("null", "true", "no", "on", "y", "1", "007", "1e3", "0x1f", "1.10", ".5", "2026-01-01", "1:30", "-", ""),
    *(
        "/a: b",
        "/a #b",
        "/{a}",
        "/[a]",
        "/*",
        "/&a",
        "/a\tb",
        "/'a'",
        '/"a"',
        "/a\\b",
        "/%61",
        "/ä",
        "/a,b",
        "/ a ",
        "/{{ a }}",
    ),
    *(
        "https://a?b=c#d",
        "https://a: b",
        "s3://a/b c",
        "s3://a/b: c # d",
        "s3://a/'b",
        "{a: b}",
        "@a",
        "`a`",
        "!a",
        "|",
        ">",
    ),
]
"""Strings that YAML takes for something else where a template forgets to quote them."""
MANY: Final = 2**31 - 1


def resolved(schema: Schema) -> Schema:
    """Return what a reference refers to."""
    first = schema["allOf"][0] if "allOf" in schema else schema
    return {**SCHEMA["$defs"][first["$ref"].rsplit("/", 1)[1]], **first} if "$ref" in first else first


def leaves(schema: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Yield the path and schema of each value; one with an example is taken as a whole."""
    schema = resolved(schema)
    if "properties" not in schema or "examples" in schema:
        yield path, schema
        return
    for name, each in schema["properties"].items():
        if name != "global":
            yield from leaves(each, (*path, name))


LEAVES: Final = {".".join(path): schema for path, schema in leaves(SCHEMA)}


def get(values: Values, path: str) -> Any:
    """Return the value at a path of names with dots between them, or nothing."""
    for name in path.split("."):
        values = values.get(name, {})
    return values


def put(values: Values, path: str, value: Any) -> Values:
    """Return a copy of the values with another one at the path."""
    changed = copy.deepcopy(values)
    *above, last = path.split(".")
    inner = changed
    for name in above:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return changed


def others(schema: Schema, now: Any) -> list[Any]:
    """Return what the schema names besides the value that is there now."""
    kind = schema.get("type")
    if "examples" in schema:
        found = schema["examples"]
    elif "enum" in schema:
        found = schema["enum"]
    elif kind == "boolean":
        found = [True, False]
    else:
        assert kind in {"integer", "number"}, f"the schema gives no example: {schema}"
        found = [each for each in (now + 1, now - 1) if schema.get("minimum", each) <= each]
    return [each for each in found if each != now]


def made(schema: Schema) -> st.SearchStrategy[Any]:
    """
    Return a strategy for all that a schema allows; nothing where it leaves it to Kubernetes what an object holds.

    hypothesis-jsonschema, which does this for any schema, calls what hypothesis no longer has.
    """
    schema = resolved(schema)
    if "anyOf" in schema:
        return st.one_of([made(each) for each in schema["anyOf"]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    match schema["type"]:
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", 0), schema.get("maximum", MANY))
        case "number":
            return st.floats(
                schema.get("minimum", schema.get("exclusiveMinimum", 0)),
                schema.get("maximum", schema.get("exclusiveMaximum", MANY)),
                exclude_min="exclusiveMinimum" in schema,
                exclude_max="exclusiveMaximum" in schema,
            )
        case "string":
            return _text(schema)
        case "array":
            items = made(schema["items"])
            return items if items.is_empty else st.lists(items, min_size=schema.get("minItems", 0), max_size=3)
        case "object":
            return _object(schema)
    raise AssertionError(f"no strategy for {schema}")


def _text(schema: Schema) -> st.SearchStrategy[str]:
    # As Go reads it: $ is the end of the text, and \w is ASCII.
    pattern = re.compile(schema.get("pattern", "").replace("$", r"\Z"), re.ASCII)
    least, most = schema.get("minLength", 0), schema.get("maxLength", 300)
    characters = st.characters(exclude_categories=["Cs", "Cc"])
    any_text = st.from_regex(pattern, alphabet=characters) if pattern.pattern else st.text(characters, max_size=20)
    known = [each for each in LOOKS_OTHERWISE if pattern.search(each) and least <= len(each) <= most]
    texts = any_text.filter(lambda text: least <= len(text) <= most)
    return st.one_of(st.sampled_from(known), texts) if known else texts


def _object(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    needed = set(schema.get("required", ()))
    if "properties" in schema:
        known = {name: made(each) for name, each in schema["properties"].items()}
        return st.fixed_dictionaries(
            {name: each for name, each in known.items() if name in needed},
            optional={name: each for name, each in known.items() if name not in needed and not each.is_empty},
        )
    if isinstance(values := schema.get("additionalProperties"), dict):
        names = made({"type": "string", "minLength": 1, "maxLength": 63, **schema.get("propertyNames", {})})
        return st.dictionaries(names, made(values), min_size=schema.get("minProperties", 0), max_size=3)
    return st.nothing()


@st.composite
def mixtures(draw: st.DrawFn, *, changes: int = 8) -> Values:
    """Draw a feature's values with some of all the others changed."""
    return draw(changed(values_of(draw(st.sampled_from([*CASES]))), changes=changes))


@st.composite
def changed(draw: st.DrawFn, values: Values, *, changes: int = 8) -> Values:
    """Draw the values with some of all changed, to what the schema names or to anything it allows."""
    for path in draw(st.lists(st.sampled_from([*LEAVES]), max_size=changes, unique=True)):
        now = get(values, path) or get(DEFAULTS, path)
        ways = [st.sampled_from(named)] if (named := others(LEAVES[path], now)) else []
        if not (anything := made(LEAVES[path])).is_empty:
            ways.append(anything)
        values = put(values, path, draw(st.one_of(ways)))
    return values
