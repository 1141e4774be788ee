"""What prepares columns of one kind, made of scikit-learn's own parts and of `model.features`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from model.features import DateParts
from training.config.features import (
    BooleanFeatures,
    CategoryFeatures,
    DateFeatures,
    NumberFeatures,
    Prepared,
    TextFeatures,
)

Transformer = Any
"""Any object with scikit-learn's methods."""

MISSING: Final = "(missing)"
"""The category of a missing category."""
UNKNOWN: Final = -1
"""Position of a category that was not there in training."""

_FOLDS: Final = 5
"""Parts of the rows, each of which is encoded by the targets of the others."""

_SCALERS: Final[Mapping[str, Callable[[], Transformer]]] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
}


def make(how: Prepared, seed: int) -> Pipeline:
    """
    Make what prepares the columns that are prepared alike.

    Missing values and unknown categories are answered, never an error.

    Parameters
    ----------
    how : Prepared
    seed : int
        Of what draws random numbers.

    Returns
    -------
    transformer : Pipeline, not fitted
    """
    if isinstance(how, CategoryFeatures):
        return make_pipeline(_category_imputer(how), _encoder(how, seed))
    return _MAKERS[type(how)](how)


def number(how: NumberFeatures) -> Pipeline:
    """Make what prepares numbers."""
    imputer = _imputer(how, add_indicator=how.indicator)
    return make_pipeline(imputer, *_scaler(how))


def _imputer(how: NumberFeatures | DateFeatures, **settings: bool) -> SimpleImputer:
    fill = {"fill_value": how.fill} if how.impute == "constant" else {}
    return SimpleImputer(strategy=how.impute, keep_empty_features=True, **fill, **settings)


def _scaler(how: NumberFeatures | DateFeatures) -> list[Transformer]:
    return [] if how.scale == "none" else [_SCALERS[how.scale]()]


def _category_imputer(how: CategoryFeatures) -> SimpleImputer:
    fill = {"fill_value": MISSING} if how.impute == "constant" else {}
    return SimpleImputer(strategy=how.impute, keep_empty_features=True, **fill)


def _encoder(how: CategoryFeatures, seed: int) -> Transformer:
    if how.encode == "target":
        return TargetEncoder(cv=KFold(_FOLDS, shuffle=True, random_state=seed))
    if how.encode == "ordinal":
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=UNKNOWN, min_frequency=how.rare)
    # Dense, for many estimators take nothing else; the limit keeps that from growing with the data.
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=how.max_categories,
        min_frequency=how.rare,
        sparse_output=False,
    )


def _boolean(how: BooleanFeatures) -> Pipeline:
    fill = {"fill_value": float(how.fill)} if how.impute == "constant" else {}
    # In this order, for the imputer refuses booleans.
    return make_pipeline(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
        SimpleImputer(strategy=how.impute, keep_empty_features=True, **fill),
    )


def _date(how: DateFeatures) -> Pipeline:
    return make_pipeline(DateParts(how.parts, cyclic=how.cyclic), _imputer(how), *_scaler(how))


def _text(how: TextFeatures) -> Pipeline:
    # The imputer gives a table of one column, and the vectorizer takes a list of texts.
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value=""),
        FunctionTransformer(np.ravel),
        TfidfVectorizer(
            analyzer=how.analyzer,
            ngram_range=how.ngrams,
            max_features=how.max_features,
            min_df=how.min_df,
            max_df=how.max_df,
            stop_words=how.stop_words,
            sublinear_tf=how.sublinear_tf,
        ),
    )


_MAKERS: Final[Mapping[type[Prepared], Callable[[Any], Pipeline]]] = {
    NumberFeatures: number,
    BooleanFeatures: _boolean,
    DateFeatures: _date,
    TextFeatures: _text,
}
