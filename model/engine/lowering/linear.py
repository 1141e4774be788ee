"""Linear models: a product with the coefficients, and what each class makes of it."""

from typing import Any

import numpy as np
from sklearn import linear_model as lm
from sklearn.cross_decomposition import PLSCanonical, PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import LinearSVC, LinearSVR

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Rows, rule
from model.engine.lowering.graph import Graph, Name
from model.engine.lowering.scores import flat, from_decision, logistic, softmax, two_sided

_TWO = 2


@rule(
    lm.ARDRegression,
    lm.BayesianRidge,
    lm.ElasticNet,
    lm.ElasticNetCV,
    lm.HuberRegressor,
    lm.Lars,
    lm.LarsCV,
    lm.Lasso,
    lm.LassoCV,
    lm.LassoLars,
    lm.LassoLarsCV,
    lm.LassoLarsIC,
    lm.LinearRegression,
    lm.MultiTaskElasticNet,
    lm.MultiTaskLasso,
    lm.OrthogonalMatchingPursuit,
    lm.OrthogonalMatchingPursuitCV,
    lm.PassiveAggressiveRegressor,
    lm.QuantileRegressor,
    lm.Ridge,
    lm.RidgeCV,
    lm.SGDRegressor,
    lm.TheilSenRegressor,
    LinearSVR,
)
def regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Predict the product."""
    graph, coefficients = lowering.graph, np.asarray(estimator.coef_)
    product = _product(graph, lowering.numbers(rows), np.atleast_2d(coefficients), estimator.intercept_)
    return {"predict": flat(graph, product) if coefficients.ndim == 1 else product}


@rule(lm.PoissonRegressor, lm.GammaRegressor, lm.TweedieRegressor)
def generalized(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Predict the inverse of the link of the product."""
    graph = lowering.graph
    link = type(estimator._base_loss.link).__name__  # noqa: SLF001 -- there is no public way to the link
    product = flat(graph, _product(graph, lowering.numbers(rows), np.atleast_2d(estimator.coef_), estimator.intercept_))
    if link not in {"IdentityLink", "LogLink"}:
        raise NotLowerable(f"{type(estimator).__name__} has the link {link}")
    return {"predict": graph.op("Exp", product) if link == "LogLink" else product}


@rule(PLSRegression, PLSCanonical)
def partial_least_squares(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Predict the product of the centered rows."""
    graph = lowering.graph
    tensor = lowering.numbers(rows)
    centered = graph.op("Sub", tensor, estimator._x_mean)  # noqa: SLF001 -- there is no public way to the mean
    product = _product(graph, centered, estimator.coef_, estimator.intercept_)
    scaled = graph.op("Div", centered, estimator._x_std)  # noqa: SLF001 -- likewise
    rotated = graph.op("MatMul", scaled, estimator.x_rotations_)
    single = estimator._predict_1d  # noqa: SLF001 -- whether the target had one dimension
    return {"predict": flat(graph, product) if single else product, "transform": rotated}


@rule(lm.LogisticRegression, lm.LogisticRegressionCV)
def logistic_regression(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Softmax of the scores, or the logistic function of the only one."""
    graph, scores = lowering.graph, _scores(lowering, estimator, rows)
    binary = len(estimator.classes_) <= _TWO
    probabilities = two_sided(graph, logistic(graph, scores)) if binary else softmax(graph, scores)
    return from_decision(graph, scores, binary=binary) | {"predict_proba": probabilities}


@rule(LinearDiscriminantAnalysis)
def discriminant(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Do as logistic regression, and project, too."""
    answers = logistic_regression(lowering, estimator, rows)
    if estimator.solver == "lsqr":
        return answers
    graph, tensor = lowering.graph, lowering.numbers(rows)
    centered = graph.op("Sub", tensor, estimator.xbar_) if estimator.solver == "svd" else tensor
    kept = estimator.scalings_
    projected = graph.op("MatMul", centered, kept)
    return answers | {"transform": graph.columns(projected, range(estimator._max_components))}  # noqa: SLF001 -- there is no public way to their number


@rule(lm.SGDClassifier)
def stochastic(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Label by the scores; probabilities come with some losses alone."""
    graph, scores = lowering.graph, _scores(lowering, estimator, rows)
    binary = len(estimator.classes_) == _TWO
    answers = from_decision(graph, scores, binary=binary)
    if estimator.loss != "log_loss":
        return answers
    shares = logistic(graph, scores)
    return answers | {"predict_proba": two_sided(graph, shares) if binary else one_versus_rest(graph, shares)}


@rule(
    LinearSVC,
    lm.PassiveAggressiveClassifier,
    lm.Perceptron,
    lm.RidgeClassifier,
    lm.RidgeClassifierCV,
)
def separating(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Label by the scores."""
    if len(np.shape(estimator.classes_)) != 1:
        raise NotLowerable(f"{type(estimator).__name__} was fitted on several targets")
    scores = _scores(lowering, estimator, rows)
    return from_decision(lowering.graph, scores, binary=len(estimator.classes_) == _TWO)


def one_versus_rest(graph: Graph, shares: Name) -> Name:
    """Divide by the sum of a row; where that is zero, all classes are equally likely."""
    total = graph.op("ReduceSum", shares, [1], keepdims=1)
    nothing = graph.op("Equal", total, 0.0)
    filled = graph.op("Where", nothing, 1.0, shares)
    return graph.op("Div", filled, graph.op("ReduceSum", filled, [1], keepdims=1))


def _scores(lowering: Lowering, estimator: Estimator, rows: Rows) -> Name:
    return _product(lowering.graph, lowering.numbers(rows), np.atleast_2d(estimator.coef_), estimator.intercept_)


def _product(graph: Graph, tensor: Name, coefficients: Any, intercept: Any) -> Name:
    if hasattr(coefficients, "toarray"):
        coefficients = coefficients.toarray()
    # In the layout of scikit-learn's own product, of which the last bits depend.
    product = graph.op("MatMul", tensor, np.asarray(coefficients, dtype=np.float64).T)
    return graph.op("Add", product, np.atleast_1d(np.asarray(intercept, dtype=np.float64)))
