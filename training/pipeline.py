"""The pipeline that becomes the artifact: preprocessing is part of it, so that serving needs no second copy."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from model.features import DateParts
from training.columns import MOST_CATEGORIES, Kind
from training.fitting.estimators import Estimator

MISSING: Final = "(missing)"
"""The category of a missing category."""


def build(kinds: Mapping[str, Kind], estimator: Estimator) -> Pipeline:
    """
    Put preprocessing by kind of column before an estimator.

    A pipeline is of scikit-learn's, numpy's and the server's own parts alone, so that it can be served where training is
    not installed. Missing values and unknown categories are answered, never an error.

    Parameters
    ----------
    kinds : mapping of str to Kind
        Of each column, in the order of the table.
    estimator : estimator, not fitted

    Returns
    -------
    pipeline : Pipeline, not fitted
    """
    return Pipeline([("preprocess", _preprocessing(kinds)), ("estimator", estimator)])


def _preprocessing(kinds: Mapping[str, Kind]) -> Estimator:
    if set(kinds.values()) == {Kind.NUMBER}:
        return _number()  # without a ColumnTransformer it takes a bare array as well, which is faster to serve
    return ColumnTransformer(
        [
            *((str(kind), make(), chosen) for kind, make in _TABLES.items() if (chosen := _of(kind, kinds))),
            *((f"text_{i}", _text(), [name]) for i, name in enumerate(_of(Kind.TEXT, kinds))),
        ]
    )


def _of(kind: Kind, kinds: Mapping[str, Kind]) -> list[str]:
    return [name for name, its in kinds.items() if its is kind]


def _number() -> Pipeline:
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())


def _category() -> Pipeline:
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value=MISSING, keep_empty_features=True),
        # Dense, for many estimators take nothing else; the limit keeps that from growing with the data.
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False),
    )


def _boolean() -> Pipeline:
    # In this order, for the imputer refuses booleans.
    return make_pipeline(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
        SimpleImputer(strategy="most_frequent", keep_empty_features=True),
    )


def _date() -> Pipeline:
    return make_pipeline(DateParts(), SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())


def _text() -> Pipeline:
    # The imputer gives a table of one column, and the vectorizer takes a list of texts.
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value=""),
        FunctionTransformer(np.ravel),
        TfidfVectorizer(),
    )


_TABLES: Final[Mapping[Kind, Callable[[], Pipeline]]] = {
    Kind.NUMBER: _number,
    Kind.CATEGORY: _category,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
}
"""What takes all columns of a kind at once."""
