"""
Whether a model is to be trained anew, and why; then the same steps as any run.

::

    retraining    the decision, its record, and the steps
    due           what the registry, the work directory and the signals come to
    decision      how signals are weighed
    watch         the signal of drift: who is asked, and what that means
    signal        the signals of data, configuration, code and age
    champion      the version that they are compared with
    exposition, prometheus    what servers, and what Prometheus, tell of drift
    drift         how far is too far
    http          one question, answered in time or not at all
"""

from training.retrain.retraining import Result, retrain

__all__ = ["Result", "retrain"]
