import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression

from training.columns import Kind
from training.pipeline import build

MIXED = {"n": Kind.NUMBER, "c": Kind.CATEGORY, "b": Kind.BOOLEAN, "t": Kind.TEXT}


def mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n": [1.0, np.nan, 3.0, 4.0],
            "c": pd.Series(["x", "y", np.nan, "x"], dtype=object),
            "b": pd.Series([True, False, np.nan, True], dtype=object),
            "t": pd.Series(["red apple", "green pear", np.nan, "red cherry"], dtype=object),
        }
    )


LABELS = ["a", "b", "a", "b"]


def test_every_kind_of_column_is_prepared_by_its_kind() -> None:
    model = build(MIXED, LogisticRegression()).fit(mixed(), LABELS)
    prepared = model.named_steps["preprocess"].transform(mixed())
    # one number, three categories (x, y, missing), one boolean, five words
    assert prepared.shape == (4, 10)
    np.testing.assert_allclose(prepared[:, 0].mean(), 0, atol=1e-12)
    np.testing.assert_array_equal(prepared[:, 1:4], [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(prepared[:, 4], [1, 0, 1, 1])
    np.testing.assert_array_equal((prepared[:, 5:] > 0).sum(axis=1), [2, 2, 0, 2])


@pytest.mark.parametrize("column", list(MIXED))
def test_a_missing_value_is_answered(column: str) -> None:
    model = build(MIXED, LogisticRegression()).fit(mixed(), LABELS)
    row = mixed().head(1).astype({"b": object})
    row[column] = pd.Series([np.nan], dtype=row[column].dtype)
    assert model.predict(row)[0] in LABELS


@pytest.mark.parametrize(("column", "value"), [("c", "never seen"), ("t", "never seen")])
def test_an_unknown_category_or_word_is_answered(column: str, value: str) -> None:
    model = build(MIXED, LogisticRegression()).fit(mixed(), LABELS)
    row = mixed().head(1)
    row[column] = value
    assert model.predict(row)[0] in LABELS


def test_booleans_without_missing_values_are_answered_as_those_with_them() -> None:
    model = build({"b": Kind.BOOLEAN}, LogisticRegression()).fit(mixed()[["b"]], LABELS)
    plain = pd.DataFrame({"b": [True, False]})
    np.testing.assert_array_equal(model.predict_proba(plain), model.predict_proba(plain.astype(object)))


def test_a_boolean_never_seen_is_answered() -> None:
    model = build({"b": Kind.BOOLEAN}, LogisticRegression()).fit(pd.DataFrame({"b": [True] * 4}), LABELS)
    assert model.predict(pd.DataFrame({"b": [False]}))[0] in LABELS


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.CATEGORY, Kind.BOOLEAN])
def test_a_column_that_is_empty_in_the_rows_to_fit_on_is_borne(kind: Kind) -> None:
    dtype = float if kind is Kind.NUMBER else object
    table = pd.DataFrame({"n": [1.0, 2.0, 3.0, 4.0], "e": pd.Series([np.nan] * 4, dtype=dtype)})
    model = build({"n": Kind.NUMBER, "e": kind}, LogisticRegression()).fit(table, LABELS)
    assert len(model.predict(table)) == 4


def test_numbers_alone_are_taken_as_a_bare_array() -> None:
    model = build({"n": Kind.NUMBER, "m": Kind.NUMBER}, LogisticRegression())
    model.fit(np.array([[1, 2], [3, 4], [5, 6], [7, 8.0]]), LABELS)
    assert not isinstance(model.named_steps["preprocess"], ColumnTransformer)
    assert len(model.predict(np.array([[1.0, np.nan]]))) == 1


def test_many_categories_are_bounded() -> None:
    table = pd.DataFrame({"c": [f"c{i % 150}" for i in range(300)]})
    model = build({"c": Kind.CATEGORY}, LogisticRegression()).fit(table, ["a", "b"] * 150)
    assert model.named_steps["preprocess"].transform(table).shape == (300, 100)


def test_nothing_of_training_is_needed_to_load_it() -> None:
    model = build(MIXED, LogisticRegression())
    modules = {type(value).__module__.partition(".")[0] for value in model.get_params().values()}
    assert "training" not in modules
    assert "sklearn" in modules
