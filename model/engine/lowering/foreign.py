"""What has no rule here: skl2onnx's graph, set into ours."""

import copy
from collections.abc import Sequence

import numpy as np
from onnx import ModelProto
from sklearn.base import is_classifier, is_regressor

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Rows, fallback, full_name
from model.engine.lowering.graph import OPSET
from model.signature.answers import quiet


@fallback
def foreign(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Let skl2onnx convert an estimator, in float64."""
    one_target = len(np.shape(getattr(estimator, "classes_", [0]))) == 1
    if not (full_name(estimator).startswith("sklearn.") and one_target and hasattr(estimator, "n_features_in_")):
        raise NotLowerable(f"there is no graph for {full_name(estimator)}")
    tensor = lowering.numbers(rows)
    outputs = lowering.graph.include(_converted(estimator), tensor)
    lowering.foreign.add(full_name(estimator))
    return _named(lowering, estimator, outputs)


def _converted(estimator: Estimator) -> ModelProto:
    try:
        from skl2onnx import convert_sklearn  # noqa: PLC0415 -- an extra, needed by few models
        from skl2onnx.common.data_types import DoubleTensorType  # noqa: PLC0415 -- likewise
    except ModuleNotFoundError as error:
        raise NotLowerable(f"there is no graph for {full_name(estimator)} without skl2onnx") from error
    plain = _with_plain_labels(estimator)
    types = [("X", DoubleTensorType([None, estimator.n_features_in_]))]
    options = {id(plain): {"zipmap": False}} if is_classifier(estimator) else None
    try:
        with quiet():
            model: ModelProto = convert_sklearn(plain, initial_types=types, options=options, target_opset=OPSET)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise NotLowerable(f"skl2onnx does not convert {full_name(estimator)}: {reason}") from error
    return model


def _with_plain_labels(estimator: Estimator) -> Estimator:
    """Return a classifier whose labels are their own positions, so that no strings pass through the graph."""
    if not is_classifier(estimator):
        return estimator
    plain = copy.copy(estimator)
    plain.classes_ = np.arange(len(estimator.classes_))
    return plain


def _named(lowering: Lowering, estimator: Estimator, outputs: Sequence[str]) -> Answers:
    if is_classifier(estimator):
        return dict(zip(("predict:index", "predict_proba"), outputs, strict=True))
    if is_regressor(estimator) or hasattr(estimator, "predict"):
        return {"predict": lowering.graph.op("Reshape", outputs[0], [-1])}
    return {"transform": outputs[0]}
