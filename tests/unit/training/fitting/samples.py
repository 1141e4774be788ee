"""Rows to fit on, made up: three classes or a number, told by two of three columns and some noise."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from training.config import Config
from training.fitting import Sample, estimators, fit, split

LEAST: Mapping[str, Any] = {"name": "fruit", "source": "fruit.csv", "target": "kind", "task": "classification"}


def configured(**changes: Any) -> Config:
    return Config.model_validate({**LEAST, **changes})


def numbers(rows: int = 240, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, 3)), columns=["a", "b", "c"])


def classes(X: pd.DataFrame, labels: Any = ("p", "q", "r"), noise: float = 0.5) -> "pd.Series[Any]":
    z = X["a"] + X["b"] + np.random.default_rng(1).normal(size=len(X)) * noise
    edges = [-0.5, 0.5] if len(labels) > 2 else [0.0]
    return pd.Series(np.array(labels)[np.digitize(z, edges)], index=X.index, name="kind")


def values(X: pd.DataFrame) -> "pd.Series[Any]":
    return pd.Series(X["a"] * 2 + np.sin(X["b"]), name="kind")


def pipeline(config: Config) -> Pipeline:
    estimator = estimators.build(config.estimator, config.task, config.split.seed)
    return Pipeline([("preprocess", StandardScaler()), ("estimator", estimator)])


def fitted(
    X: pd.DataFrame, y: "pd.Series[Any]", aside: Mapping[str, Any] | None = None, **changes: Any
) -> tuple[Any, "pd.Series[str]"]:
    # A fit at a time, for these take less than to start a process does.
    config = configured(**{"backend": {"jobs": 1}, **changes})
    sample = Sample.of(X, y, aside or {}, config)
    parts = split(sample, config)
    return fit(pipeline(config), sample, parts, config), parts
