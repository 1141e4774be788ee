from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from training.columns import Kind
from training.config import Config, load_config
from training.config.backend import Backend
from training.config.calibration import Calibration
from training.config.cleaning import Leakage, Quarantine
from training.config.columns import Column, Outliers
from training.config.estimator import EstimatorChoice
from training.config.retrain import Retrain
from training.config.search import Search
from training.config.section import Section, keys_of
from training.config.split import Split
from training.config.tracking import Tracking
from training.errors import ConfigurationError
from training.metrics import Task, names_for

LEAST = {"name": "fruit", "source": "fruit.csv", "target": "kind", "task": "classification"}


def load(tmp_path: Path, content: Any) -> Config:
    path = tmp_path / "c.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return load_config(path)


def refusal(tmp_path: Path, content: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, content)
    sentence = str(caught.value)
    assert sentence.startswith(f"{tmp_path}/c.yaml")
    assert "\n" not in sentence
    return sentence.removeprefix(f"{tmp_path}/")


def test_the_defaults_are_those_that_are_promised(tmp_path: Path) -> None:
    assert load(tmp_path, LEAST).as_json() == {
        **LEAST,
        "source": {
            "files": ["fruit.csv"],
            "format": None,
            "sql": None,
            "address": None,
            "topic": None,
            "brokers": [],
            "stream": None,
            "batch_rows": 100_000,
            "batch_seconds": 10.0,
            "window": 100,
            "max_row_bytes": 16 << 20,
        },
        "columns": {},
        "drop": [],
        "duplicates": "drop",
        "missing": ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"],
        "cleaning": {"outliers": None, "checks": []},
        "quarantine": {"limit": 0.05},
        "leakage": {"columns": [], "alone": "warn", "threshold": 0.99},
        "features": {
            "number": {"impute": "median", "fill": 0.0, "indicator": False, "scale": "standard"},
            "category": {"impute": "constant", "encode": "onehot", "max_categories": 100, "rare": None},
            "boolean": {"impute": "most_frequent", "fill": False},
            "date": {
                "parts": ["year", "month", "weekday"],
                "cyclic": True,
                "impute": "median",
                "fill": 0.0,
                "scale": "standard",
            },
            "text": {
                "analyzer": "word",
                "ngrams": [1, 1],
                "max_features": None,
                "min_df": 1,
                "max_df": 1.0,
                "stop_words": None,
                "sublinear_tf": False,
            },
            "columns": {},
            "transformers": [],
            "interactions": [],
        },
        "lookups": {},
        "split": {
            "test_size": 0.25,
            "validation_size": 0.0,
            "stratify": None,
            "group": None,
            "time": None,
            "seed": 0,
        },
        "estimator": None,
        "class_weight": None,
        "sample_weight": None,
        "search": None,
        "calibration": None,
        "backend": {"address": None, "jobs": None},
        "metrics": None,
        "floor": {},
        "evaluation": {
            "positive": None,
            "pictures": True,
            "intervals": {"confidence": 0.95, "resamples": None, "seed": 0},
            "slices": {"columns": [], "min_rows": 30},
            "fairness": [],
            "non_inferiority": None,
            "budget": None,
        },
        "card": {"summary": "", "intended_use": "", "limits": [], "contact": "", "licence": ""},
        "promotion": "automatic",
        "retrain": Retrain().model_dump(mode="json"),
        "tracking": {"mlflow": None, "experiment": None, "required": False},
    }


def test_every_key_is_read(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        {
            **LEAST,
            "columns": {"weight": "number"},
            "drop": ["id"],
            "duplicates": "keep",
            "missing": ["?"],
            "cleaning": {
                "outliers": {"method": "iqr"},
                "checks": [{"left": "a", "is": "<", "right": "b"}],
            },
            "quarantine": {"limit": 0.5},
            "leakage": {"columns": ["c"], "alone": "refuse", "threshold": 0.9},
            "split": {"test_size": 0.5, "stratify": False, "seed": 3},
            "estimator": {"class": "sklearn.svm.SVC", "parameters": {"C": 2}},
            "metrics": ["accuracy"],
            "floor": {"accuracy": 0.5},
        },
    )
    assert config.task is Task.CLASSIFICATION
    assert config.columns == {"weight": Column(kind=Kind.NUMBER)}
    assert config.cleaning.outliers == Outliers(method="iqr", action="quarantine", reach=None)
    assert list(map(str, config.cleaning.checks)) == ["a < b"]
    assert config.quarantine == Quarantine(limit=0.5)
    assert config.leakage == Leakage(columns=("c",), alone="refuse", threshold=0.9)
    assert (config.drop, config.duplicates, config.missing) == (("id",), "keep", ("?",))
    assert config.split == Split(test_size=0.5, stratify=False, seed=3)
    assert config.estimator == EstimatorChoice.model_validate({"class": "sklearn.svm.SVC", "parameters": {"C": 2}})
    assert (config.metrics, config.floor) == (("accuracy",), {"accuracy": 0.5})


def test_it_is_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load(tmp_path, LEAST).name = "other"  # type: ignore[misc]  # that it can't be set is the point


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"colour": "red"},
            f"c.yaml: key 'colour' is unknown; expected one of {', '.join(Config.model_fields)}",
        ),
        (
            {"split": {"size": 1}},
            "c.yaml: key 'split.size' is unknown; expected one of test_size, validation_size, stratify, group, time, seed",
        ),
        (
            {"estimator": {"class": "a.B", "params": {}}},
            "c.yaml: key 'estimator.params' is unknown; expected one of class, parameters",
        ),
        ({"estimator": {}}, "c.yaml: key 'estimator.class' is missing"),
        ({"split": {"test_size": 1.5}}, "c.yaml: split.test_size is 1.5; expected less than 1"),
        (
            {"split": {"test_size": 0.7, "validation_size": 0.3}},
            (
                "c.yaml: split: test_size 0.7 and validation_size 0.3 leave no "
                "rows to fit on; expected less than 1 together"
            ),
        ),
        (
            {"split": {"group": "g", "time": "t"}},
            "c.yaml: split: group and time are both set; expected one of them",
        ),
        (
            {"split": {"stratify": True, "time": "t"}},
            ("c.yaml: split: stratify is true in a split by time; expected false, for the newest rows are as they are"),
        ),
        (
            {"split": {"group": "kind"}},
            "c.yaml: 'kind' is the target, and named by split or sample_weight; expected another",
        ),
        (
            {"task": "regression", "class_weight": "balanced"},
            "c.yaml: class_weight is set in a regression; expected none, for there are no classes",
        ),
        (
            {"task": "regression", "calibration": {}},
            "c.yaml: calibration is set in a regression; expected none, for there are no classes",
        ),
        (
            {"calibration": {}, "split": {"time": "t"}},
            (
                "c.yaml: calibration in a split by time needs newer rows than those fitted on; set split.validation_size, to "
                "0.1 for example"
            ),
        ),
        (
            {"search": {"space": {"C": [1]}, "metric": "rmse"}},
            f"c.yaml: search.metric names 'rmse', which is not of this task; expected some of {', '.join(names_for(Task.CLASSIFICATION))}",
        ),
        (
            {"search": {"space": {"C": 1}}},
            (
                "c.yaml: search.space.C is 1; expected a list of values, or one of uniform, loguniform, integers with "
                "[lowest, highest]"
            ),
        ),
        (
            {"search": {"space": {"C": {"uniform": [1]}}}},
            "c.yaml: search.space.C: expected uniform with two numbers, [lowest, highest]",
        ),
        (
            {"search": {"space": {"C": {"integers": [1, 2.5]}}}},
            "c.yaml: search.space.C: expected integers with two whole numbers, [lowest, highest]",
        ),
        (
            {"search": {"space": {"C": {"uniform": [2, 1]}}}},
            "c.yaml: search.space.C: expected uniform with the lower end first",
        ),
        (
            {"search": {"space": {"C": {"loguniform": [0, 1]}}}},
            "c.yaml: search.space.C: expected loguniform between numbers over 0",
        ),
        (
            {"backend": {"address": "http://here"}},
            "c.yaml: backend.address is 'http://here'; expected dask://HOST:PORT",
        ),
        ({"split": {"seed": -1}}, "c.yaml: split.seed is -1; expected greater than or equal to 0"),
        ({"floor": {"accuracy": float("nan")}}, "c.yaml: floor.accuracy is nan; expected a finite number"),
        ({"task": "guessing"}, "c.yaml: task is 'guessing'; expected 'classification' or 'regression'"),
        (
            {"columns": {"a": "int"}},
            "c.yaml: columns.a.kind is 'int'; expected 'number', 'category', 'text', 'boolean' or 'date'",
        ),
        (
            {"name": "../up"},
            "c.yaml: name is '../up'; expected letters, digits, '.', '_' and '-', the first a letter or a digit",
        ),
        ({"drop": ["kind"]}, "c.yaml: drop lists 'kind', which is the target; expected other columns"),
        (
            {"metrics": ["exactness"]},
            f"c.yaml: metrics names 'exactness', which is unknown; expected some of {', '.join(names_for(Task.CLASSIFICATION))}",
        ),
        (
            {"task": "regression", "floor": {"accuracy": 0.9}},
            "c.yaml: floor names 'accuracy', which is not of this task; expected some of mae, rmse, r2, mape, median_ae, max_error",
        ),
        (
            {"metrics": ["accuracy"], "floor": {"roc_auc": 0.9}},
            "c.yaml: floor names 'roc_auc', which metrics does not; add it there",
        ),
        (
            {"task": "regression", "split": {"stratify": True}},
            "c.yaml: split.stratify is true in a regression; expected false, for there are no classes",
        ),
        (
            {"task": "regression", "columns": {"kind": "category"}},
            "c.yaml: columns.kind is category and the target of a regression; expected number",
        ),
    ],
)
def test_a_key_or_value_that_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    assert refusal(tmp_path, {**LEAST, **changes}) == sentence


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, {"name": "fruit"}) == "c.yaml: key 'source' is missing"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "c.yaml holds nothing; expected keys such as name, source, target and task"),
        ("- name", "c.yaml holds a list; expected keys such as name, source, target and task"),
        ("name: [a\ntask: b", "c.yaml is not YAML: expected ',' or ']', but got ':' in line 2, column 5"),
        ("name: \x07", "c.yaml is not YAML: unacceptable character #x0007: special characters are not allowed"),
        ("!!python/object/apply:os.getcwd []", "c.yaml is not YAML: could not determine a constructor for the tag"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    assert refusal(tmp_path, content).startswith(sentence)


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        (
            {"source": "https://ada:secret@example.org/a.csv"},
            "source.files: expected no name or password in a URL, for ",
        ),
        (
            {"source": {"sql": "SELECT 1", "address": "postgresql://ada:secret@db/a"}},
            "source.address: expected the name of an environment variable that has the URL, such as WAREHOUSE_URL",
        ),
        ({"source": {"topic": "a", "brokers": "ada:secret@kafka:9092"}}, "source.brokers: expected HOST:PORT of each"),
        (
            {
                "lookups": {
                    "a": {"address": "redis://:secret@redis", "table": "a", "key": "b", "columns": {"c": "number"}}
                }
            },
            "lookups.a.address: String should match pattern",
        ),
        (
            {"tracking": {"mlflow": "https://ada:secret@mlflow"}},
            (
                "tracking.mlflow: expected no name or password in a URL, for a configuration is recorded with each version: they "
                "belong in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            ),
        ),
        (
            {"retrain": {"drift": {"prometheus_url": "https://ada:secret@prometheus"}}},
            (
                "retrain.drift.prometheus_url: expected no name or password in a URL, for a configuration is recorded with each "
                "version: a key that may read metrics belongs in SKLEARN_KSERVE_METRICS_KEY"
            ),
        ),
        (
            {"retrain": {"drift": {"metrics_urls": ["http://ada:secret@pod"]}}},
            "retrain.drift.metrics_urls.0: expected no ",
        ),
        (
            {"retrain": {"drift": {"metrics_urls": ["ada:secret@pod"]}}},
            "retrain.drift.metrics_urls.0: String should match",
        ),
    ],
)
def test_a_password_in_a_configuration_is_refused_and_not_repeated(
    tmp_path: Path, section: dict[str, Any], sentence: str
) -> None:
    said = refusal(tmp_path, yaml.safe_dump({**LEAST, **section}))
    assert said.startswith(f"c.yaml: {sentence}")
    assert "secret" not in said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read: No such file or directory"):
        load_config(tmp_path / "none.yaml")


def test_a_classification_is_stratified_unless_told_otherwise() -> None:
    assert Config.model_validate(LEAST).stratified
    assert not Config.model_validate({**LEAST, "split": {"stratify": False}}).stratified
    assert not Config.model_validate({**LEAST, "task": "regression"}).stratified


def test_every_setting_is_documented() -> None:
    page = "".join(path.read_text() for path in Path("docs/training").glob("*.md"))
    sections: dict[str, type[Section]] = {
        "split": Split,
        "estimator": EstimatorChoice,
        "search": Search,
        "calibration": Calibration,
        "backend": Backend,
        "tracking": Tracking,
    }
    plain = [
        key
        for key in Config.model_fields
        if key not in (*sections, "retrain", "cleaning", "quarantine", "leakage", "features")
    ]
    keys = [*plain, *(f"{name}.{key}" for name, section in sections.items() for key in keys_of(section))]
    assert [key for key in keys if f"| `{key}` |" not in page] == []
