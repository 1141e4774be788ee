"""What is fitted by one library and answers by another: a network leaves torch here, and is a graph from then on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Export:
    """
    A fitted network as it will be served.

    Parameters
    ----------
    estimator : NetworkClassifier or NetworkRegressor
        Answers as the network does.
    checkpoint : bytes
        Of a file that whoever wants to go on from the network can load with torch.
    record : mapping
        How it was exported, as JSON values.
    """

    estimator: Any
    checkpoint: bytes
    record: Mapping[str, Any]


def exported(pipeline: Pipeline, X: pd.DataFrame) -> tuple[Pipeline, Export | None]:
    """
    Put the export of a network in its place, at the end of a pipeline or within its calibration.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; one that does not end in a network stays as it is.
    X : DataFrame of shape (n_samples, n_features)
        Rows that both have to answer alike.

    Returns
    -------
    pipeline : Pipeline
    export : Export or None

    Raises
    ------
    FitError
        The network has no graph, or one that answers otherwise.
    """
    *before, (name, last) = pipeline.steps
    network = getattr(last, "estimator", last)
    if not hasattr(network, "export"):
        return pipeline, None
    export: Export = network.export(Pipeline(before).transform(X))
    if network is last:
        return Pipeline([*before, (name, export.estimator)]), export
    last.estimator = export.estimator
    for member in last.calibrated_classifiers_:
        member.estimator = export.estimator
    return pipeline, export
