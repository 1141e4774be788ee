import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from model.artifact.modules import required_modules
from model.errors import ArtifactError

WriteModule = Callable[[str, str], Path]


def test_scikit_learn_and_python_are_pinned_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("model.artifact.modules.distributions_of")  # takes a while, and is not asked
    assert required_modules(make_pipeline(HashingVectorizer(), LinearRegression())) == {}


def test_a_function_counts_as_a_class_does(module: WriteModule) -> None:
    module("own_functions", "def halve(X):\n    return X / 2\n")
    from own_functions import halve  # type: ignore[import-not-found]

    assert required_modules(FunctionTransformer(halve)) == {"own_functions": None}


def test_what_lies_deep_inside_is_found(module: WriteModule) -> None:
    module("own_deep", "class Thing:\n    pass\n")
    from own_deep import Thing  # type: ignore[import-not-found]

    estimator = LinearRegression()
    estimator.extra_ = np.array([{"key": [Thing()]}], dtype=object)
    assert required_modules(estimator) == {"own_deep": None}


def test_a_method_without_a_module_is_passed_over() -> None:
    assert required_modules(FunctionTransformer(str.upper)) == {}


def test_an_installed_package_comes_with_its_version() -> None:
    import joblib

    found = required_modules(FunctionTransformer(joblib.hash))["joblib"]
    assert found is not None
    assert (found.distribution, found.version) == ("joblib", joblib.__version__)


def test_large_arrays_are_not_copied() -> None:
    import tracemalloc

    estimator = LinearRegression()
    estimator.coef_ = np.zeros(4_000_000)
    tracemalloc.start()
    required_modules(estimator)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < estimator.coef_.nbytes / 4


@pytest.mark.parametrize("module_name", ["__main__", "__mp_main__"])
def test_a_class_of_a_script_is_refused_by_name(module_name: str) -> None:
    cls = type("Scaler", (LinearRegression,), {"__module__": module_name})
    with pytest.raises(ArtifactError, match=r"holds Scaler, which is defined in a script or notebook .* by --code_dir"):
        required_modules(cls())


def test_a_lambda_is_refused_in_a_sentence() -> None:
    with pytest.raises(
        ArtifactError, match=r"<lambda> of .*, and what is defined inside a function can't be pickled; "
    ):
        required_modules(FunctionTransformer(lambda X: X))


@pytest.mark.parametrize("held", [threading.Lock(), (n for n in "ab")], ids=["lock", "generator"])
def test_what_can_not_be_pickled_is_refused_in_a_sentence(held: Any) -> None:
    estimator = LinearRegression()
    estimator.held_ = held
    with pytest.raises(ArtifactError, match=r"LinearRegression can't be pickled: cannot pickle .*; remove what holds"):
        required_modules(estimator)
