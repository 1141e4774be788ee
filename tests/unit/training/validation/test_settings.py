from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from training.columns import Kind
from training.config import Config, load_config
from training.config.cleaning import Cleaning, Leakage, Quarantine
from training.config.columns import Column
from training.errors import ConfigurationError

if TYPE_CHECKING:
    from training.config.section import Section

LEAST = {"name": "fruit", "source": "fruit.csv", "target": "kind", "task": "classification"}


def test_a_kind_alone_stands_for_a_column() -> None:
    assert Config.model_validate({**LEAST, "columns": {"a": "date"}}).columns["a"] == Column(kind=Kind.DATE)


def test_a_bound_may_be_a_date_of_any_zone() -> None:
    columns = yaml.safe_load("{d: {kind: date, min: 2024-01-01, max: '2024-06-01T00:00:00+02:00'}}")
    column = Config.model_validate({**LEAST, "columns": columns}).columns["d"]
    assert (str(column.min), str(column.max)) == ("2024-01-01 00:00:00", "2024-05-31 22:00:00")


def test_it_is_the_same_when_it_is_read_back() -> None:
    columns = {
        "n": {"kind": "number", "unit": "cm", "min": 0, "outliers": {"method": "range", "low": 1, "action": "clip"}},
        "c": {"kind": "category", "allowed": ["a"], "spellings": {"A": "a"}, "missing": "drop"},
        "d": {"kind": "date", "max": "2024-01-01"},
    }
    checks = [{"left": "n", "is": "<=", "right": "m"}]
    config = Config.model_validate({**LEAST, "columns": columns, "cleaning": {"checks": checks}})
    assert Config.model_validate({**config.as_json(), "source": LEAST["source"]}) == config


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"columns": {"a": {"kind": "text", "unit": "cm"}}},
            "columns.a: unit is a key of kind number, and kind is text",
        ),
        ({"columns": {"a": {"min": 1}}}, "columns.a: min is a key of kind number or date, and no kind is declared"),
        (
            {"columns": {"a": {"kind": "date", "min": 1}}},
            "columns.a: min and max do not fit kind date; expected numbers, or dates of a date",
        ),
        (
            {"columns": {"a": {"kind": "text", "pattern": "("}}},
            "columns.a.pattern is '('; expected a regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            {"columns": {"a": {"kind": "category", "allowed": ["x", "y"], "spellings": {"X": "z"}}}},
            "columns.a: spellings lead to 'z', which allowed lacks; expected one of x, y",
        ),
        (
            {"columns": {"a": {"kind": "number", "outliers": {"method": "iqr", "low": 1}}}},
            "columns.a.outliers: low and high are keys of method range, and method is iqr",
        ),
        (
            {"columns": {"a": {"kind": "number", "outliers": {"method": "range", "low": 1, "reach": 2}}}},
            "columns.a.outliers: method range takes low or high or both, and nothing else",
        ),
        (
            {"columns": {"a": {"kind": "number", "size": 1}}},
            f"key 'columns.a.size' is unknown; expected one of {', '.join(Column.model_fields)}",
        ),
        (
            {"cleaning": {"checks": [{"left": "a", "is": "=", "right": "b"}]}},
            "cleaning.checks.0.is is '='; expected '<', '<=', '==', '!=', '>=' or '>'",
        ),
        ({"quarantine": {"limit": 2}}, "quarantine.limit is 2; expected less than or equal to 1"),
        (
            {"leakage": {"columns": ["kind"]}},
            "leakage.columns lists 'kind', which is the target; expected other columns",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({**LEAST, **changes}))
    with pytest.raises(ConfigurationError) as caught:
        load_config(tmp_path / "c.yaml")
    assert str(caught.value) == f"{tmp_path}/c.yaml: {sentence}"


def test_every_setting_is_documented() -> None:
    page = Path("docs/training/validation.md").read_text()
    sections: dict[str, type[Section]] = {
        "cleaning": Cleaning,
        "quarantine": Quarantine,
        "leakage": Leakage,
        "columns.<name>": Column,
    }
    keys = [f"{name}.{key}" for name, section in sections.items() for key in section.model_fields]
    assert [key for key in keys if f"| `{key}` |" not in page] == []
