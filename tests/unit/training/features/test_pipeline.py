from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression

from model.artifact.modules import required_modules
from training.columns import Kind
from training.config.features import SECTIONS, Features
from training.errors import ConfigurationError
from training.features import build

MIXED = {"n": Kind.NUMBER, "c": Kind.CATEGORY, "b": Kind.BOOLEAN, "d": Kind.DATE, "t": Kind.TEXT}


def mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n": [1.0, np.nan, 3.0, 4.0],
            "c": pd.Series(["x", "y", np.nan, "x"], dtype=object),
            "b": pd.Series([True, False, np.nan, True], dtype=object),
            "d": pd.to_datetime(["2024-01-15", "2024-02-15", "NaT", "2024-12-15"]),
            "t": pd.Series(["red apple", "green pear", np.nan, "red cherry"], dtype=object),
        }
    )


LABELS = ["a", "b", "a", "b"]


def test_every_kind_of_column_is_prepared_by_its_kind() -> None:
    model = build(MIXED, LogisticRegression()).fit(mixed(), LABELS)
    prepared = model.named_steps["preprocess"].transform(mixed())
    # one number, three categories (x, y, missing), one boolean, five numbers of the date, five words
    assert prepared.shape == (4, 15)
    np.testing.assert_allclose(prepared[:, 0].mean(), 0, atol=1e-12)
    np.testing.assert_array_equal(prepared[:, 1:4], [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(prepared[:, 4], [1, 0, 1, 1])
    np.testing.assert_array_equal((prepared[:, 10:] > 0).sum(axis=1), [2, 2, 0, 2])


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


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.CATEGORY, Kind.BOOLEAN, Kind.DATE])
def test_a_column_that_is_empty_in_the_rows_to_fit_on_is_borne(kind: Kind) -> None:
    dtype = {Kind.NUMBER: "float64", Kind.DATE: "datetime64[ns]"}.get(kind, "object")
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


def prepared(kinds: dict[str, Kind], table: pd.DataFrame, y: Any = LABELS, **features: Any) -> Any:
    model = build(kinds, LogisticRegression(), Features.model_validate(features)).fit(table, y)
    return model.named_steps["preprocess"].transform(table)


NUMBERS = pd.DataFrame({"n": [1.0, np.nan, 3.0, 8.0]})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"scale": "none"}, [1, 3, 3, 8]),
        ({"scale": "none", "impute": "mean"}, [1, 4, 3, 8]),
        ({"scale": "none", "impute": "most_frequent"}, [1, 1, 3, 8]),
        ({"scale": "none", "impute": "constant", "fill": -1}, [1, -1, 3, 8]),
        ({"scale": "minmax"}, [0, 2 / 7, 2 / 7, 1]),
        ({"scale": "robust"}, [-2 / 1.75, 0, 0, 5 / 1.75]),
    ],
)
def test_numbers_are_imputed_and_scaled_as_said(settings: dict[str, Any], expected: list[float]) -> None:
    np.testing.assert_allclose(prepared({"n": Kind.NUMBER}, NUMBERS, number=settings)[:, 0], expected)


def test_an_indicator_tells_where_a_number_was_missing() -> None:
    found = prepared({"n": Kind.NUMBER}, NUMBERS, number={"indicator": True, "scale": "none"})
    np.testing.assert_array_equal(found, [[1, 0], [3, 1], [3, 0], [8, 0]])


CATEGORIES = pd.DataFrame({"c": pd.Series(["x", "y", np.nan, "x"], dtype=object)})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"impute": "most_frequent"}, [[1, 0], [0, 1], [1, 0], [1, 0]]),
        ({"encode": "ordinal"}, [[1], [2], [0], [1]]),
        ({"encode": "ordinal", "rare": 2}, [[0], [1], [1], [0]]),
        ({"rare": 2}, [[1, 0], [0, 1], [0, 1], [1, 0]]),
        ({"max_categories": 2}, [[1, 0], [0, 1], [0, 1], [1, 0]]),
    ],
)
def test_categories_are_encoded_as_said(settings: dict[str, Any], expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(prepared({"c": Kind.CATEGORY}, CATEGORIES, category=settings), expected)


def test_a_category_is_encoded_by_the_target_where_that_is_said() -> None:
    table = pd.DataFrame({"c": ["x", "y"] * 50})
    found = prepared({"c": Kind.CATEGORY}, table, y=["a", "b"] * 50, category={"encode": "target"})
    assert found.shape == (100, 1)
    np.testing.assert_allclose(found[:2, 0], [0, 1], atol=0.02)
    again = prepared({"c": Kind.CATEGORY}, table, y=["a", "b"] * 50, category={"encode": "target"})
    np.testing.assert_array_equal(found, again)  # the folds are drawn by a seed


@pytest.mark.parametrize("encode", ["onehot", "ordinal", "target"])
def test_an_unknown_category_is_answered_however_it_is_encoded(encode: str) -> None:
    table, labels = pd.DataFrame({"c": ["x", "y"] * 10}), ["a", "b"] * 10
    features = Features.model_validate({"category": {"encode": encode}})
    model = build({"c": Kind.CATEGORY}, LogisticRegression(), features).fit(table, labels)
    assert model.predict(pd.DataFrame({"c": ["never seen"]}))[0] in labels


def test_a_missing_truth_value_is_what_it_is_said_to_be() -> None:
    table = pd.DataFrame({"b": pd.Series([True, True, np.nan, False], dtype=object)})
    kinds = {"b": Kind.BOOLEAN}
    assert prepared(kinds, table).ravel().tolist() == [1, 1, 1, 0]
    assert prepared(kinds, table, boolean={"impute": "constant"}).ravel().tolist() == [1, 1, 0, 0]


def test_parts_of_dates_are_those_that_are_said() -> None:
    table = pd.DataFrame({"d": pd.to_datetime(["2024-01-31", "2024-03-01", "2024-03-01", "2024-03-02"])})
    settings = {"parts": ["day", "dayofyear"], "cyclic": False, "scale": "none"}
    assert prepared({"d": Kind.DATE}, table, date=settings).tolist() == [[31, 31], [1, 61], [1, 61], [2, 62]]


def test_texts_are_counted_as_said() -> None:
    table = pd.DataFrame({"t": ["the red apple", "the green pear", "a red cherry", "red"]})
    words = prepared({"t": Kind.TEXT}, table, text={"ngrams": [1, 2], "stop_words": "english"})
    assert words.shape[1] == 8  # red, apple, green, pear, cherry, and three pairs
    assert prepared({"t": Kind.TEXT}, table, text={"max_features": 2}).shape[1] == 2
    letters = prepared({"t": Kind.TEXT}, table, text={"analyzer": "char", "ngrams": [2, 2], "min_df": 3})
    assert letters.shape[1] == 3  # re, ed and he


def test_a_column_may_be_prepared_otherwise_than_its_kind() -> None:
    table = pd.DataFrame({"n": [0.0, 1.0, 2.0, 3.0], "m": [0.0, 10.0, 20.0, 30.0], "k": [0.0, 1.0, 2.0, 4.0]})
    kinds = dict.fromkeys("nmk", Kind.NUMBER)
    found = prepared(kinds, table, number={"scale": "none"}, columns={"m": {"scale": "minmax"}})
    np.testing.assert_allclose(found, np.array([[0, 0, 0], [1, 1, 1 / 3], [2, 2, 2 / 3], [3, 4, 1]]))


def test_products_stand_beside_their_factors() -> None:
    table = pd.DataFrame({"n": [1.0, 2.0, 3.0, 4.0], "m": [1.0, 10.0, 100.0, np.nan]})
    kinds = dict.fromkeys("nm", Kind.NUMBER)
    plain = {"number": {"scale": "none"}}
    found = prepared(kinds, table, **plain, interactions=[{"columns": ["n", "m"]}])
    np.testing.assert_allclose(found, [[1, 1, 1], [2, 10, 20], [3, 100, 300], [4, 10, 40]])
    powers = prepared(kinds, table, **plain, interactions=[{"columns": ["n"], "powers": True, "degree": 3}])
    np.testing.assert_allclose(powers[:, 2:], [[1, 1], [4, 8], [9, 27], [16, 64]])


def test_a_transformer_of_the_users_own_takes_the_place_of_its_columns_kinds() -> None:
    chosen = {
        "class": "sklearn.preprocessing.KBinsDiscretizer",
        "columns": ["n"],
        "parameters": {"n_bins": 2, "encode": "ordinal", "strategy": "uniform"},
    }
    table = pd.DataFrame({"n": [0.0, 1.0, 9.0, 10.0], "m": [0.0, 1.0, 2.0, 3.0]})
    kinds = dict.fromkeys("nm", Kind.NUMBER)
    found = prepared(kinds, table, number={"scale": "none"}, transformers=[chosen])
    np.testing.assert_array_equal(found, [[0, 0], [1, 0], [2, 1], [3, 1]])
    alone = prepared({"n": Kind.NUMBER}, table[["n"]], transformers=[chosen])
    np.testing.assert_array_equal(alone, [[0], [0], [1], [1]])


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ({"columns": {"x": {}}}, "features.columns names 'x', which is no feature; expected some of n, c, b, d, t"),
        (
            {"interactions": [{"columns": ["n", "c"]}]},
            "features.interactions.0.columns names 'c', a category; expected numbers",
        ),
        (
            {"columns": {"n": {"encode": "target"}}},
            "features.columns.n does not fit kind number: encode is 'target'; Extra inputs are not permitted",
        ),
        (
            {"columns": {"c": {"encode": "target", "rare": 3}}},
            "features.columns.c does not fit kind category: rare is set beside encode target, which draws rare categories to the mean by itself; leave it out",
        ),
        (
            {"transformers": [{"class": "nowhere.Thing", "columns": ["n"]}]},
            "features.transformers.0.class is 'nowhere.Thing'; expected the import path of a class of an installed package, or of a module in --code_dir",
        ),
        (
            {"transformers": [{"class": "sklearn.nowhere.Thing", "columns": ["n"]}]},
            "features.transformers.0.class is 'sklearn.nowhere.Thing', which cannot be imported: No module named 'sklearn.nowhere'",
        ),
        (
            {"transformers": [{"class": "sklearn.linear_model.Ridge", "columns": ["n"]}]},
            "features.transformers.0.class is 'sklearn.linear_model.Ridge'; expected a class with scikit-learn's fit and transform",
        ),
        (
            {"transformers": [{"class": "sklearn.preprocessing.Binarizer", "columns": ["n"], "parameters": {"x": 1}}]},
            "features.transformers.0.parameters do not fit sklearn.preprocessing.Binarizer: Binarizer.__init__() got an unexpected keyword argument 'x'",
        ),
    ],
)
def test_what_does_not_fit_is_named(features: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(MIXED, LogisticRegression(), Features.model_validate(features))
    assert str(caught.value) == sentence


def test_nothing_of_training_is_in_it() -> None:
    model = build(MIXED, LogisticRegression()).fit(mixed(), LABELS)
    assert set(required_modules(model)) == set()


def test_every_setting_is_documented() -> None:
    page = Path("docs/training/features.md").read_text()
    nested = [f"{kind}.{key}" for kind, section in SECTIONS.items() for key in section.model_fields]
    keys = [*nested, "columns", "interactions", "transformers"]
    assert [key for key in keys if f"| `features.{key}` |" not in page] == []
