"""The profile that publishing writes, and versions that have none."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model.artifact import publish, read_manifest
from model.drift import Categories, Profile, Ranges

ROWS = 300


def frame(rows: int = ROWS) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "note": [f"note {i}" for i in range(rows)],
            "mass": random.normal(size=rows),
            "island": random.choice(["Biscoe", "Dream"], size=rows),
        }
    )


def profile_of(estimator: Any, sample: Any, root: Path) -> Profile | None:
    return read_manifest(publish(estimator, sample, name="m", root=root, accelerate=False)).profile


def fitted(final: Any, X: pd.DataFrame, y: Any) -> Any:
    encoder = make_column_transformer((OneHotEncoder(), ["island"]), ("passthrough", ["mass"]))
    return make_pipeline(encoder, final).fit(X, y)


def test_columns_of_numbers_and_categories_are_profiled_and_no_text(tmp_path: Path) -> None:
    X = frame()
    profile = profile_of(fitted(LogisticRegression(), X, X["mass"] > 0), X, tmp_path)
    assert profile is not None
    assert [(each.name, each.position) for each in profile.features] == [("mass", 1), ("island", 2)]
    mass, island = (each.bins for each in profile.features)
    assert isinstance(mass, Ranges)
    assert mass.counts == (0, 50, 50, 50, 50, 50, 50, 0, 0)
    assert isinstance(island, Categories)
    assert dict(zip(island.values, island.counts, strict=False)) == X["island"].value_counts().to_dict()
    assert isinstance(profile.predictions, Categories)
    assert sum(profile.predictions.counts) == ROWS


def test_predictions_of_numbers_are_profiled_in_ranges(tmp_path: Path) -> None:
    X = frame()
    profile = profile_of(fitted(LinearRegression(), X, X["mass"]), X, tmp_path)
    assert profile is not None
    assert isinstance(profile.predictions, Ranges)


@pytest.mark.parametrize("width", [2, 150])
def test_columns_without_names_are_profiled_up_to_a_limit(width: int, tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(100, width))
    profile = profile_of(LinearRegression().fit(X, X), X, tmp_path)
    assert profile is not None
    assert (profile.width, len(profile.features), profile.predictions) == (width, min(width, 100), None)


def test_a_sample_of_few_rows_makes_no_profile(tmp_path: Path) -> None:
    X = frame(99)
    assert profile_of(fitted(LogisticRegression(), X, X["mass"] > 0), X, tmp_path) is None
