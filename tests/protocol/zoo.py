"""The models that the server under test holds: families of estimators, and a few whose behaviour a test needs."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from model.artifact import publish
from model.signature.sample import Sample
from tests.families import by_id, fitted

CODE_DIR: Final = Path(__file__).parent / "user_code"
FAMILIES: Final = (
    "mixed_columns",  # strings, booleans, integers and floats, each with missing values
    "logistic_regression",  # numbers by name
    "k_neighbors",  # numbers without names
    "text_pipeline",
    "text_column",  # text beside a number
    "tfidf_vectorizer",  # sparse answers
    "one_hot_encoder",  # strings in, sparse answers
    "multi_output_forest",  # two targets of strings
    "multilabel_neighbors",
    "multi_output_linear",
    "ridge",
    "isotonic_regression",  # a single unnamed column
    "k_means",
    "isolation_forest",
    "logistic_regression_boolean_labels",
    "standard_scaler",  # transform is all it has
    "hist_gradient_boosting",  # numbers with missing values
    "hist_gradient_boosting_category",
    "decision_tree",  # floats and integers; logarithms of zero
    "unnamed_strings",
    "unnamed_mixed_columns",
    "dates",
    "xgboost_classifier",
    "lightgbm_classifier",
)


@dataclass(frozen=True)
class Subject:
    """A fitted estimator and rows it answers."""

    name: str
    estimator: Any
    X: Sample


def user_code() -> Any:
    """Import the module in ``CODE_DIR`` by the name under which a server with ``--code_dir`` finds it."""
    if str(CODE_DIR) not in sys.path:
        sys.path.insert(0, str(CODE_DIR))
    return import_module("protocol_parts")


def _fish() -> Subject:
    """Return a model with a column of each kind, none of which may be missing, and an encoder that refuses."""
    rng = np.random.default_rng(3)
    X = pd.DataFrame(
        {
            "length": rng.normal(40, 5, 40).round(2),
            "eggs": np.arange(40) % 5,
            "tagged": np.arange(40) % 3 == 0,
            "island": np.array(["Biscoe", "Dream"], dtype=object)[np.arange(40) % 2],
        }
    )
    columns = make_column_transformer((OneHotEncoder(), ["island"]), remainder="passthrough")
    labels = np.where(X["length"] > 40, "large", "small")
    return Subject("fish", make_pipeline(columns, LogisticRegression(max_iter=5000)).fit(X, labels), X)


def _plane() -> Subject:
    """Return a model of two named columns of numbers, neither of which may be missing."""
    X = pd.DataFrame({"left": [0.0, 1.0, 2.0, 5.0], "right": [1.0, 0.5, -2.0, 4.0]})
    return Subject("plane", LinearRegression().fit(X, 2 * X["left"] - X["right"]), X)


def _strange_names() -> Subject:
    """Return a model whose columns bear names that JSON, protobuf and a sentence have to quote."""
    names = ["Größe (mm)", "a/b", 'it\'s "quoted"', "🐟", "two\nlines", " "]
    X = pd.DataFrame(np.random.default_rng(1).normal(size=(9, len(names))).round(3), columns=names)
    return Subject("strange_names", LinearRegression().fit(X, X.sum(axis=1)), X)


def _float_labels() -> Subject:
    """Return a classifier of labels that are numbers with a fraction's datatype."""
    X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    return Subject("float_labels", LogisticRegression().fit(X, np.array([1.0, 1.0, 2.0, 2.0])), X)


def _weekdays() -> Subject:
    X = pd.DataFrame({"hatched": pd.date_range("2024-02-27", periods=9, freq="25h")})
    model = make_pipeline(user_code().Weekdays(), LinearRegression()).fit(X, np.arange(9.0))
    return Subject("weekdays", model, X)


def _moody() -> Subject:
    X = np.array([[0.0, 1.0], [2.0, 3.0]])
    return Subject("moody", user_code().Moody().fit(X), X)


def _gate() -> Subject:
    X = np.zeros((2, 1))
    return Subject("gate", user_code().Gate().fit(X), X)


def _sluggish() -> Subject:
    X = np.array([[0.0, 1.0], [2.0, 3.0]])
    return Subject("sluggish", user_code().Sluggish().fit(X), X)


def _echo(name: str, column: Any) -> Subject:
    """Return a model that answers with what it was given."""
    X = pd.DataFrame({"value": column})
    return Subject(name, FunctionTransformer().fit(X), X)


def _row_of_two(name: str, column: Any) -> Subject:
    """Return what `_echo` does, without names."""
    X = np.column_stack([column, column])
    return Subject(name, FunctionTransformer().fit(X), X)


_MAKERS: Final[Mapping[str, Callable[[], Subject]]] = {
    "fish": _fish,
    "plane": _plane,
    "strange_names": _strange_names,
    "float_labels": _float_labels,
    "weekdays": _weekdays,
    "moody": _moody,
    "gate": _gate,
    "sluggish": _sluggish,
    "echo_integers": lambda: _echo("echo_integers", [1, -2, 3]),
    "echo_floats": lambda: _echo("echo_floats", [0.5, np.nan, -2.0]),
    "echo_booleans": lambda: _echo("echo_booleans", [True, False, True]),
    "echo_strings": lambda: _echo("echo_strings", ["ä", "", "b"]),
    "echo_array": lambda: _row_of_two("echo_array", [0.5, np.nan, -2.0]),
}
PARTS: Final = tuple(name for name in _MAKERS if name not in {"gate", "sluggish"})


@cache
def subject(name: str) -> Subject:
    """Return a model by its name, fitted once."""
    if name in _MAKERS:
        return _MAKERS[name]()
    return Subject(name, fitted(name), by_id(name).X)


def publish_subjects(root: Path, *names: str) -> None:
    """Publish models as version 1 each."""
    for name in names:
        item = subject(name)
        publish(item.estimator, item.X, name=name, root=root)


def publish_constants(root: Path, name: str, *versions: int) -> None:
    """Publish versions of a model which answer with their own number."""
    X = pd.DataFrame({"x": [1.0, 2.0]})
    for version in versions:
        # A version is one higher than the highest so far.
        before = root / name / str(version - 1)
        placeholder = version > 1 and not before.exists()
        if placeholder:
            before.mkdir(parents=True)
        publish(DummyRegressor(strategy="constant", constant=float(version)).fit(X, [0, 0]), X, name=name, root=root)
        if placeholder:
            before.rmdir()


def spoil(directory: Path) -> None:
    """Flip a bit in the middle of a version's estimator."""
    path = directory / "model.joblib"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def set_champion(directory: Path, version: int) -> None:
    (directory / "aliases.json").write_text(json.dumps({"champion": str(version)}))
