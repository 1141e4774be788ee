"""
Networks of the user's own, fitted by torch through skorch.

This needs the extra ``torch``, and is imported only where a network is asked for. What is fitted is exported to ONNX, and so
is served without it::

    estimators   skorch's classifier and regressor, fitted as any other estimator is
    classes      what parameters name by import path
    export       from the fitted module to a graph that was seen to answer alike, and a checkpoint
"""

from training.fitting.networks.estimators import build

__all__ = ["build"]
