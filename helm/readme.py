"""
Write the table of values into the chart's README: the sentence above each value, its default, and its place.

    python helm/readme.py

Items of lists, which have no default to stand above, are described by values.schema.json.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "sklearn-kserve"
PART = re.compile(r"(<!-- values: begin -->\n).*(<!-- values: end -->\n)", re.DOTALL)


def sentences(text: str) -> dict[str, str]:
    """Return the sentence after ``# --`` of each value in a values file, by the value's path."""
    found: dict[str, str] = {}
    path: list[str] = []
    above: str | None = None
    for line in text.splitlines():
        if comment := re.match(r" *# -- (.+)", line):
            above = comment[1]
        elif (key := re.match(r"( *)([\w]+):", line)) and len(key[1]) // 2 <= len(path):
            path = [*path[: len(key[1]) // 2], key[2]]
            if above:
                found[".".join(path)] = above
            above = None
    return found


def at(values: Any, path: str) -> Any:
    """Return the value at a path of names with dots between them."""
    for name in path.split("."):
        values = values[name]
    return values


def items(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what items of lists may hold, as far as the schema describes it."""
    for name, value in schema["properties"].items():
        for field, what in value.get("items", {}).get("properties", {}).items():
            yield f"{name}[].{field}", what["description"]


def table(values: str, schema: str) -> str:
    """Return the table of all values in Markdown."""
    defaults = yaml.safe_load(values)
    described = dict(items(json.loads(schema)))
    lines = ["| value | is | default |", "|---|---|---|"]
    for path, sentence in sentences(values).items():
        default = json.dumps(at(defaults, path), ensure_ascii=False).replace("|", "\\|")
        lines.append(f"| `{path}` | {sentence} | `{default}` |")
        lines += [f"| `{field}` | {what} | |" for field, what in described.items() if field.startswith(f"{path}[]")]
    return "\n".join(lines) + "\n"


def readme() -> str:
    """Return the README with the table of the values as they are now."""
    made = table((CHART / "values.yaml").read_text(), (CHART / "values.schema.json").read_text())
    return PART.sub(lambda part: part[1] + made + part[2], (CHART / "README.md").read_text())


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme())
