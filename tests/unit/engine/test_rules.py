"""Every rule of lowering passes the gate, as a whole and without skl2onnx."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx import load_model_from_string
from sklearn import linear_model as lm
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.cross_decomposition import PLSCanonical
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, RandomizedSearchCV
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from tests.unit.engine.conftest import find

pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

GENERATOR = np.random.default_rng(11)
X = GENERATOR.normal(size=(120, 4)).round(4)
POSITIVE = np.abs(X)
HOLED = np.where(GENERATOR.random(X.shape) < 0.1, np.nan, X)
TWO = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(np.int64)
THREE = np.array(["low", "middle", "high"])[np.digitize(X[:, 0] + X[:, 1], [-0.7, 0.7])]
SCORE = X[:, 0] * 3 + np.sin(X[:, 1])
COUNTS = np.exp(X[:, 0] / 2).round()
BOTH = np.column_stack([SCORE, X[:, 2] ** 2])
MIXED = pd.DataFrame(
    {
        "length": HOLED[:, 0],
        "mass": X[:, 1],
        "island": np.array(["Biscoe", "Dream", "Torgersen"])[np.arange(120) % 3],
        "rank": np.arange(120) % 4,
        "tagged": np.arange(120) % 2 == 0,
    }
)
MIXED.loc[::17, "island"] = None


def _columns(**more: Any) -> ColumnTransformer:
    strings = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OrdinalEncoder())
    return make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["length", "mass"]),
        (strings, ["island"]),
        (OneHotEncoder(drop="first"), ["rank"]),
        **more,
    )


def _passed(step: Any) -> Any:
    """Let what a transformer makes show in an answer."""
    return make_pipeline(step, lm.Ridge())


RULES: dict[str, tuple[Callable[[], Any], Any, Any]] = {
    # Linear models
    "elastic_net": (lambda: lm.ElasticNet(0.1), X, SCORE),
    "lasso": (lambda: lm.Lasso(0.1), X, SCORE),
    "multi_task": (lambda: lm.MultiTaskLasso(0.1), X, BOTH),
    "huber": (lm.HuberRegressor, X, SCORE),
    "sgd_regressor": (lambda: lm.SGDRegressor(random_state=0), X, SCORE),
    "linear_svr": (lambda: LinearSVR(random_state=0), X, SCORE),
    "poisson": (lm.PoissonRegressor, X, COUNTS),
    "gamma": (lm.GammaRegressor, X, COUNTS + 1),
    "tweedie": (lambda: lm.TweedieRegressor(power=0), X, SCORE),
    "logistic_of_three": (lm.LogisticRegression, X, THREE),
    "lda_by_eigen": (lambda: LinearDiscriminantAnalysis(solver="eigen"), X, THREE),
    "lda_by_lsqr": (lambda: LinearDiscriminantAnalysis(solver="lsqr"), X, TWO),
    "sgd_of_two": (lambda: lm.SGDClassifier(loss="log_loss", random_state=0), X, TWO),
    "sgd_hinge": (lambda: lm.SGDClassifier(random_state=0), X, THREE),
    "perceptron": (lambda: lm.Perceptron(random_state=0), X, THREE),
    "ridge_classifier": (lm.RidgeClassifier, X, TWO),
    "linear_svc_of_three": (lambda: LinearSVC(random_state=0), X, THREE),
    "pls_canonical": (PLSCanonical, X, BOTH),
    # Trees
    "tree_regressor": (lambda: DecisionTreeRegressor(random_state=0), HOLED, SCORE),
    "tree_of_two_targets": (lambda: DecisionTreeRegressor(random_state=0), X, BOTH),
    "extra_tree": (lambda: ExtraTreeClassifier(random_state=0), X, THREE),
    "extra_tree_regressor": (lambda: ExtraTreeRegressor(random_state=0), X, SCORE),
    "stump": (lambda: DecisionTreeClassifier(max_depth=1, max_features=1, random_state=0), X, TWO),
    "leaf": (lambda: DecisionTreeClassifier(min_samples_split=1000), X, THREE),
    "forest_with_shares": (lambda: RandomForestClassifier(9, min_samples_leaf=7, random_state=0), HOLED, THREE),
    "forest_of_two_targets": (lambda: RandomForestRegressor(4, random_state=0), X, BOTH),
    "extra_trees_regressor": (lambda: ExtraTreesRegressor(4, random_state=0), X, SCORE),
    "boosted_three": (lambda: GradientBoostingClassifier(n_estimators=4, random_state=0), X, THREE),
    "boosted_exponential": (lambda: GradientBoostingClassifier(loss="exponential", n_estimators=4), X, TWO),
    "boosted_from_zero": (lambda: GradientBoostingClassifier(init="zero", n_estimators=4), X, TWO),
    "boosted_regressor": (lambda: GradientBoostingRegressor(n_estimators=4, loss="quantile"), X, SCORE),
    "histogram_of_three": (lambda: HistGradientBoostingClassifier(max_iter=4), HOLED, THREE),
    "histogram_poisson": (lambda: HistGradientBoostingRegressor(max_iter=4, loss="poisson"), X, COUNTS),
    "histogram_by_position": (
        lambda: HistGradientBoostingClassifier(max_iter=4, categorical_features=[3]),
        np.column_stack([X[:, :3], np.arange(120) % 5]),
        TWO,
    ),
    "isolation_forest_of_some": (lambda: IsolationForest(n_estimators=5, max_features=2, random_state=0), X, None),
    # Transformers
    "min_max": (lambda: MinMaxScaler(clip=True), X, None),
    "max_abs": (MaxAbsScaler, X, None),
    "robust": (RobustScaler, HOLED, None),
    "robust_uncentered": (lambda: RobustScaler(with_centering=False), X, None),
    "unscaled": (lambda: StandardScaler(with_std=False), X, None),
    "binarizer": (lambda: Binarizer(threshold=0.1), X, None),
    "normalizer_l1": (lambda: Normalizer("l1"), X, None),
    "normalizer_l2": (lambda: Normalizer("l2"), X, None),
    "normalizer_max": (lambda: Normalizer("max"), X, None),
    "imputer": (lambda: SimpleImputer(strategy="median", add_indicator=True), HOLED, None),
    "imputer_of_a_mark": (lambda: _passed(SimpleImputer(missing_values=-1)), np.where(np.isnan(HOLED), -1, X), SCORE),
    "polynomials": (lambda: PolynomialFeatures(3), X, None),
    "interactions": (lambda: PolynomialFeatures(2, interaction_only=True, include_bias=False), X, None),
    "whitened": (lambda: PCA(3, whiten=True, svd_solver="full"), X, None),
    "svd": (lambda: TruncatedSVD(2, algorithm="arpack", random_state=0), X, None),
    "k_best": (lambda: _passed(SelectKBest(k=2)), X, TWO),
    "rfe": (lambda: _passed(RFE(lm.Ridge(), n_features_to_select=2)), X, SCORE),
    "from_model": (lambda: _passed(SelectFromModel(lm.Lasso(0.1))), X, SCORE),
    "variance": (lambda: VarianceThreshold(0.5), X, None),
    "logarithm": (lambda: _passed(FunctionTransformer(np.log1p)), POSITIVE, SCORE),
    "root": (lambda: _passed(FunctionTransformer(np.sqrt)), POSITIVE, SCORE),
    "unchanged": (lambda: _passed(FunctionTransformer()), X, SCORE),
    "union": (lambda: FeatureUnion([("a", "passthrough"), ("b", MaxAbsScaler()), ("c", "drop")]), X, None),
    "weighed_union": (
        lambda: FeatureUnion([("a", PCA(2)), ("b", MaxAbsScaler())], transformer_weights={"b": 2.0}),
        X,
        None,
    ),
    # Columns of several kinds
    "columns": (lambda: make_pipeline(_columns(), lm.Ridge()), MIXED, SCORE),
    "columns_and_the_rest": (lambda: make_pipeline(_columns(remainder="passthrough"), lm.Ridge()), MIXED, SCORE),
    "columns_to_trees": (
        lambda: make_pipeline(_columns(), RandomForestClassifier(4, random_state=0)),
        MIXED,
        THREE,
    ),
    "target_encoder": (
        lambda: make_pipeline(
            make_column_transformer((TargetEncoder(cv=KFold(3)), ["island"]), ("passthrough", ["mass", "tagged"])),
            lm.Ridge(),
        ),
        MIXED.assign(island=MIXED["island"].fillna("none")),
        SCORE,
    ),
    "columns_of_columns": (
        lambda: make_pipeline(
            make_column_transformer((StandardScaler(), [0, 2]), remainder="passthrough"),
            make_column_transformer((MinMaxScaler(), [1]), remainder="passthrough"),
            lm.Ridge(),
        ),
        X,
        SCORE,
    ),
    # Made of others
    "voting_hard": (
        lambda: VotingClassifier([("a", lm.LogisticRegression()), ("b", GaussianNB())], weights=[2, 1]),
        X,
        THREE,
    ),
    "voting_regressor": (lambda: VotingRegressor([("a", lm.Ridge()), ("b", lm.Lasso(0.1))], weights=[1, 3]), X, SCORE),
    "stacking_of_two": (
        lambda: StackingClassifier([("a", GaussianNB()), ("b", LinearSVC())], cv=2, passthrough=True),
        X,
        TWO,
    ),
    "stacking_regressor": (lambda: StackingRegressor([("a", lm.Ridge()), ("b", lm.Lasso(0.1))], cv=2), X, SCORE),
    "bagging": (lambda: BaggingClassifier(n_estimators=3, max_features=2, random_state=0), X, TWO),
    "bagging_regressor": (lambda: BaggingRegressor(lm.Ridge(), n_estimators=3, random_state=0), X, SCORE),
    "calibrated_three": (lambda: CalibratedClassifierCV(LinearSVC(), cv=2), X, THREE),
    "calibrated_two": (lambda: CalibratedClassifierCV(LinearSVC(), cv=2, ensemble=False), X, TWO),
    "multi_output_regressor": (lambda: MultiOutputRegressor(lm.Ridge()), X, BOTH),
    "multi_output_by_sign": (lambda: MultiOutputClassifier(LinearSVC()), X, np.column_stack([TWO, 1 - TWO])),
    "target_by_exponent": (
        lambda: TransformedTargetRegressor(lm.Ridge(), func=np.log1p, inverse_func=np.expm1),
        X,
        COUNTS,
    ),
    "search": (
        lambda: RandomizedSearchCV(lm.Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0),
        X,
        SCORE,
    ),
    # Kernels, networks, Bayes, clusters
    "svc_linear": (lambda: SVC(kernel="linear"), X, THREE),
    "svc_poly": (lambda: SVC(kernel="poly", coef0=1.0), X, TWO),
    "svc_sigmoid": (lambda: SVC(kernel="sigmoid"), X, THREE),
    "svc_one_by_one": (lambda: SVC(decision_function_shape="ovo"), X, THREE),
    "nu_svc": (lambda: NuSVC(nu=0.2), X, THREE),
    "nu_svr": (NuSVR, X, SCORE),
    "svr_poly": (lambda: SVR(kernel="poly", degree=2), X, SCORE),
    "one_class": (lambda: OneClassSVM(gamma=0.1), X, None),
    "mlp_of_two": (lambda: MLPClassifier((3,), activation="logistic", max_iter=5, random_state=0), X, TWO),
    "mlp_tanh": (lambda: MLPClassifier((4, 3), activation="tanh", max_iter=5, random_state=0), X, THREE),
    "mlp_regressor": (lambda: MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0), X, SCORE),
    "mlp_identity": (
        lambda: MLPRegressor(hidden_layer_sizes=(4,), activation="identity", max_iter=5, random_state=0),
        X,
        BOTH,
    ),
    "multinomial": (MultinomialNB, POSITIVE, THREE),
    "complement": (ComplementNB, POSITIVE, THREE),
    "bernoulli": (lambda: BernoulliNB(binarize=0.2), X, THREE),
    "clusters": (lambda: make_pipeline(StandardScaler(), KMeans(4, n_init=1, random_state=0)), X, None),
}


@pytest.mark.parametrize("name", RULES)
def test_the_gate_is_passed(name: str) -> None:
    make, rows, target = RULES[name]
    estimator = make().fit(rows, target)
    mine = find(estimator, rows, ["onnx"])
    record = mine.record
    assert record.refused.keys() <= {"predict_log_proba"}, record.refused
    assert (record.name, record.from_step) == ("onnx", 0)
    methods = {output.method for output in mine.signature.outputs}
    assert methods - set(record.methods) <= {"predict_log_proba", "score_samples"}
    assert record.parity is not None
    assert max(record.parity.differences.values()) < 1e-6


RARE = np.where(np.arange(120) == 7, "unique", THREE)


@pytest.mark.parametrize(("target", "unseen"), [(TWO, 0), (THREE, 0), (RARE, 1)])
def test_trees_whose_leaves_are_of_one_class_are_counted_to_the_last_bit(target: Any, unseen: int) -> None:
    forest = RandomForestClassifier(6, max_samples=60, random_state=1).fit(X, target)
    assert np.count_nonzero(forest.predict_proba(X).max(axis=0) == 0) == unseen
    mine = find(forest, X, ["onnx"])
    assert mine.record.parity is not None
    assert mine.record.parity.differences["predict_proba"] == 0.0
    assert mine.content is not None
    # Nothing that looks up what a leaf answers.
    assert "CumSum" not in {node.op_type for node in load_model_from_string(mine.content).graph.node}


REFUSED: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "initial": (lambda: GradientBoostingClassifier(init=GaussianNB()), TWO, "starts from another estimator"),
    "link": (lambda: MLPClassifier((2,), max_iter=5), np.column_stack([TWO, 1 - TWO]), "fitted on several labels"),
    "ties": (lambda: SVC(break_ties=True), THREE, "SVC breaks ties"),
    "kernel": (lambda: SVC(kernel=lambda a, b: a @ b.T), THREE, "SVC has the kernel "),
    "isotonic": (lambda: CalibratedClassifierCV(GaussianNB(), method="isotonic"), TWO, "calibrates by isotonic"),
    "quantiles": (
        lambda: TransformedTargetRegressor(lm.Ridge(), transformer=MinMaxScaler()),
        SCORE,
        "TransformedTargetRegressor undoes MinMaxScaler",
    ),
    "encoded_late": (
        lambda: make_pipeline(StandardScaler(), Binarizer(), OneHotEncoder(), lm.LogisticRegression()),
        TWO,
        "OneHotEncoder encodes what an earlier step computes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_rule_does_not_cover_is_named(name: str) -> None:
    make, target, reason = REFUSED[name]
    record = find(make().fit(X, target), X, ["onnx"]).record
    assert reason in record.refused["onnx"]


@pytest.mark.parametrize(
    ("library", "name", "options", "target"),
    [
        ("xgboost", "XGBClassifier", {}, TWO),
        ("xgboost", "XGBClassifier", {}, np.digitize(X[:, 0], [-0.5, 0.5])),
        ("xgboost", "XGBRFClassifier", {}, TWO),
        ("xgboost", "XGBRegressor", {"objective": "count:poisson"}, COUNTS),
        ("lightgbm", "LGBMClassifier", {"verbose": -1}, TWO),
        ("lightgbm", "LGBMClassifier", {"verbose": -1}, THREE),
        ("lightgbm", "LGBMRegressor", {"verbose": -1, "objective": "poisson"}, COUNTS),
    ],
)
def test_boosting_libraries_pass_the_gate(library: str, name: str, options: dict[str, Any], target: Any) -> None:
    module = pytest.importorskip(library)
    estimator = getattr(module, name)(n_estimators=5, n_jobs=1, **options).fit(HOLED, target)
    record = find(estimator, HOLED, ["onnx"]).record
    assert record.name == "onnx", record.refused
    assert record.parity is not None
    assert record.parity.rows["split"] > 0
    assert max(record.parity.differences.values()) < 1e-6


@pytest.mark.parametrize(
    ("library", "name", "options", "reason"),
    [
        ("xgboost", "XGBRegressor", {"booster": "gblinear"}, "no plain ensemble of trees"),
        ("xgboost", "XGBRegressor", {"missing": -1.0}, "no plain ensemble of trees"),
        ("xgboost", "XGBRegressor", {"objective": "reg:logistic"}, "has the objective reg:logistic"),
        ("lightgbm", "LGBMRegressor", {"zero_as_missing": True, "verbose": -1}, "takes zeros for missing values"),
        ("lightgbm", "LGBMRegressor", {"linear_tree": True, "verbose": -1}, "leaves are linear models"),
        ("lightgbm", "LGBMRegressor", {"objective": "cross_entropy", "verbose": -1}, "the objective cross_entropy"),
        (
            "lightgbm",
            "LGBMRegressor",
            {"boosting_type": "rf", "subsample": 0.5, "subsample_freq": 1, "verbose": -1},
            "no plain boosted ensemble",
        ),
    ],
)
def test_what_is_no_plain_ensemble_is_named(library: str, name: str, options: dict[str, Any], reason: str) -> None:
    module = pytest.importorskip(library)
    target = TWO.astype(float)
    record = find(getattr(module, name)(n_estimators=3, n_jobs=1, **options).fit(X, target), X, ["onnx"]).record
    assert reason in record.refused["onnx"]
