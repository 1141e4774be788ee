"""Estimator families that the service has to carry: each fitted in a moment, on rows that tests may send."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from model.signature.sample import Sample

ROWS = 40


class Family(NamedTuple):
    """
    One kind of estimator and the rows it is fitted on.

    Parameters
    ----------
    id : str
    make : callable
        Returns it unfitted.
    X : DataFrame, ndarray of shape (n_samples, n_features) or list of str
    y : ndarray or None
    """

    id: str
    make: Callable[[], Any]
    X: Sample
    y: Any = None


def _numbers() -> pd.DataFrame:
    generator = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "length": generator.normal(40, 5, ROWS).round(2),
            "depth": generator.normal(17, 2, ROWS).round(2),
            "mass": generator.normal(4.2, 0.8, ROWS).round(3),
        }
    )


def _holed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with a value missing here and there."""
    return frame.mask(np.arange(frame.size).reshape(frame.shape) % 7 == 3)


def _with_counts() -> pd.DataFrame:
    return NUMBERS.assign(eggs=np.arange(ROWS) % 4)


def _penguins() -> pd.DataFrame:
    """Return strings, booleans, integers and floats, each of them missing somewhere but the integers."""
    frame = _with_counts()
    frame["island"] = pd.Series(["Biscoe", "Dream", "Torgersen", np.nan] * (ROWS // 4), dtype=object)
    frame["sex"] = pd.Series(["female", "male", None, "male", "female"] * (ROWS // 5), dtype=object)
    frame["tagged"] = [True, False] * (ROWS // 2)
    frame["ringed"] = pd.Series([True, False, False, np.nan] * (ROWS // 4), dtype=object)
    frame.loc[3, "mass"] = np.nan
    return frame[["island", "length", "tagged", "mass", "sex", "eggs", "ringed"]]


def _categorical() -> pd.DataFrame:
    return NUMBERS[["length", "mass"]].assign(
        island=pd.Categorical(["Biscoe", "Dream", None, "Torgersen"] * (ROWS // 4)),
        rank=pd.Categorical(np.arange(ROWS) % 3 + 1),
    )


def _dated() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "hatched": pd.date_range("2023-05-01", periods=ROWS, freq="31h"),
            "weighed": pd.date_range("2024-02-27 06:30", periods=ROWS, freq="D")[::-1],
        }
    )


NUMBERS = _numbers()
ARRAY = NUMBERS.to_numpy()
PENGUINS = _penguins()
TEXTS = ["good fish today", "bad weather", "good weather, bad fish", "pêche à midi 🐟"] * (ROWS // 4)
SCORE: npt.NDArray[np.float64] = NUMBERS["length"].to_numpy() - 2 * NUMBERS["depth"].to_numpy()
TARGET: npt.NDArray[np.int64] = (np.median(SCORE) < SCORE).astype(np.int64)
SPECIES: npt.NDArray[Any] = np.array(["Adelie", "Chinstrap", "Gentoo"])[
    np.digitize(SCORE, np.quantile(SCORE, [0.3, 0.6]))
]
COLOURS: npt.NDArray[Any] = np.column_stack([np.where(TARGET, "black", "white"), SPECIES]).astype(object)
MARKS: npt.NDArray[np.int64] = np.column_stack(
    [TARGET, NUMBERS["mass"] > NUMBERS["mass"].median(), np.arange(ROWS) % 2]
)
CATEGORICAL = _categorical()


def _mixed_columns() -> Pipeline:
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["length", "mass", "eggs"]),
            ("strings", texts, ["island"]),
            ("sexes", OneHotEncoder(), ["sex"]),
            ("flags", "passthrough", ["tagged"]),
            ("rings", SimpleImputer(strategy="most_frequent"), ["ringed"]),
        ]
    )
    return make_pipeline(columns, FunctionTransformer(np.asarray, kw_args={"dtype": np.float64}), LogisticRegression())


def _dates() -> Pipeline:
    seconds = FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "int64"})
    return make_pipeline(seconds, StandardScaler(), LogisticRegression())


def _text_column() -> Pipeline:
    columns = ColumnTransformer([("words", CountVectorizer(), "note"), ("numbers", "passthrough", ["length"])])
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


def _unnamed_columns() -> Pipeline:
    columns = ColumnTransformer([("strings", OneHotEncoder(), [0]), ("numbers", SimpleImputer(), [1, 2])])
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


def _voting() -> VotingClassifier:
    return VotingClassifier([("lda", LinearDiscriminantAnalysis()), ("nb", GaussianNB())], voting="soft")


def _stacking() -> StackingClassifier:
    return StackingClassifier(
        [("tree", DecisionTreeClassifier(max_depth=2, random_state=0)), ("nb", GaussianNB())], cv=2
    )


def _xgboost_classifier() -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=4, max_depth=2, n_jobs=1, enable_categorical=True)


def _xgboost_regressor() -> Any:
    from xgboost import XGBRegressor

    return XGBRegressor(n_estimators=4, max_depth=2, n_jobs=1)


def _lightgbm_classifier() -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=4, min_child_samples=2, n_jobs=1, verbose=-1)


def _lightgbm_regressor() -> Any:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(n_estimators=4, min_child_samples=2, n_jobs=1, verbose=-1)


_OBJECTS: npt.NDArray[Any] = PENGUINS[["island", "length", "mass"]].fillna({"island": "Dream"}).to_numpy(dtype=object)
_STRINGS = PENGUINS[["island"]].assign(sex=["female", "male"] * (ROWS // 2)).fillna({"island": "Dream"})
_UNION = FeatureUnion([("pca", PCA(2, svd_solver="full")), ("scaled", StandardScaler())])

FAMILIES: tuple[Family, ...] = (
    # Classifiers
    Family("logistic_regression", LogisticRegression, NUMBERS, TARGET),
    Family("logistic_regression_string_labels", lambda: LogisticRegression(max_iter=2000), NUMBERS, SPECIES),
    Family("logistic_regression_boolean_labels", LogisticRegression, NUMBERS, TARGET == 1),
    Family("svc", SVC, ARRAY, SPECIES),
    Family("linear_svc", lambda: make_pipeline(StandardScaler(), LinearSVC()), NUMBERS, TARGET),
    Family("decision_tree", lambda: DecisionTreeClassifier(max_depth=3, random_state=0), _with_counts(), SPECIES),
    Family("random_forest", lambda: RandomForestClassifier(5, random_state=0), NUMBERS, TARGET),
    Family("extra_trees", lambda: ExtraTreesClassifier(5, random_state=0), ARRAY, SPECIES),
    Family("gradient_boosting", lambda: GradientBoostingClassifier(n_estimators=3, random_state=0), NUMBERS, TARGET),
    Family("hist_gradient_boosting", lambda: HistGradientBoostingClassifier(max_iter=3), _holed(NUMBERS), SPECIES),
    Family("hist_gradient_boosting_category", lambda: HistGradientBoostingRegressor(max_iter=3), CATEGORICAL, SCORE),
    Family("k_neighbors", lambda: KNeighborsClassifier(3), ARRAY, SPECIES),
    Family("gaussian_nb", GaussianNB, NUMBERS, SPECIES),
    Family("text_pipeline", lambda: make_pipeline(TfidfVectorizer(), MultinomialNB()), TEXTS, SPECIES),
    Family("mlp", lambda: MLPClassifier((4,), tol=1.0, n_iter_no_change=2, random_state=0), ARRAY, SPECIES),
    Family("sgd", lambda: SGDClassifier(loss="log_loss", random_state=0), NUMBERS, SPECIES),
    Family("linear_discriminant_analysis", LinearDiscriminantAnalysis, NUMBERS, SPECIES),
    Family("voting", _voting, NUMBERS, SPECIES),
    Family("stacking", _stacking, NUMBERS, SPECIES),
    Family("calibrated", lambda: CalibratedClassifierCV(GaussianNB(), cv=2), NUMBERS, TARGET),
    Family("grid_search", lambda: GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3]}, cv=2), NUMBERS, SPECIES),
    # Several targets
    Family("multi_output_classifier", lambda: MultiOutputClassifier(GaussianNB()), NUMBERS, COLOURS),
    Family("multi_output_forest", lambda: RandomForestClassifier(5, random_state=0), NUMBERS, COLOURS),
    Family("multilabel_neighbors", lambda: KNeighborsClassifier(3), ARRAY, MARKS),
    Family("classifier_chain", lambda: ClassifierChain(GaussianNB()), NUMBERS, MARKS),
    # Regressors
    Family("ridge", Ridge, NUMBERS, SCORE),
    Family("random_forest_regressor", lambda: RandomForestRegressor(5, random_state=0), NUMBERS, SCORE),
    Family("svr", SVR, ARRAY, SCORE),
    Family("multi_output_linear", LinearRegression, NUMBERS, np.column_stack([SCORE, SCORE**2])),
    Family(
        "transformed_target", lambda: TransformedTargetRegressor(Ridge(), transformer=StandardScaler()), NUMBERS, SCORE
    ),
    Family("isotonic_regression", lambda: IsotonicRegression(out_of_bounds="clip"), ARRAY[:, :1], SCORE),
    Family("pls_regression", PLSRegression, NUMBERS, SCORE),
    # Clusters, densities and outliers
    Family("k_means", lambda: KMeans(3, n_init=1, random_state=0), NUMBERS),
    Family("mini_batch_k_means", lambda: MiniBatchKMeans(3, n_init=1, random_state=0), ARRAY),
    Family("gaussian_mixture", lambda: GaussianMixture(2, random_state=0), NUMBERS),
    Family("isolation_forest", lambda: IsolationForest(n_estimators=5, random_state=0), NUMBERS),
    Family("local_outlier_factor", lambda: LocalOutlierFactor(5, novelty=True), ARRAY),
    Family("one_class_svm", OneClassSVM, NUMBERS),
    Family("kernel_density", KernelDensity, ARRAY),
    # Transformers
    Family("pca", lambda: PCA(2, svd_solver="full"), NUMBERS),
    Family("standard_scaler", StandardScaler, ARRAY),
    Family("feature_union", lambda: _UNION, NUMBERS),
    Family("one_hot_encoder", OneHotEncoder, _STRINGS),
    Family("ordinal_encoder", OrdinalEncoder, _STRINGS),
    Family("tfidf_vectorizer", TfidfVectorizer, TEXTS),
    # Columns of several kinds
    Family("mixed_columns", _mixed_columns, PENGUINS, SPECIES),
    Family("dates", _dates, _dated(), TARGET),
    Family("text_column", _text_column, NUMBERS[["length"]].assign(note=TEXTS), TARGET),
    Family("unnamed_mixed_columns", _unnamed_columns, _OBJECTS, SPECIES),
    Family("unnamed_strings", lambda: make_pipeline(OneHotEncoder(), MultinomialNB()), _STRINGS.to_numpy(), TARGET),
    # Other libraries
    Family("xgboost_classifier", _xgboost_classifier, CATEGORICAL, TARGET),
    Family("xgboost_regressor", _xgboost_regressor, _holed(NUMBERS), SCORE),
    Family("lightgbm_classifier", _lightgbm_classifier, CATEGORICAL, SPECIES),
    Family("lightgbm_regressor", _lightgbm_regressor, ARRAY, SCORE),
)


@cache
def fitted(family_id: str) -> Any:
    """Return a family's estimator, fitted once for all tests; do not change it."""
    family = by_id(family_id)
    return family.make().fit(family.X, family.y)


def by_id(family_id: str) -> Family:
    return next(family for family in FAMILIES if family.id == family_id)
