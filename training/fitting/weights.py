"""What each row counts in fitting."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from training.config import Config
from training.errors import ConfigurationError
from training.fitting.sample import Sample


def weights(sample: Sample, config: Config) -> dict[str, Any]:
    """
    Return the weights that a recipe is fitted with, by its arguments.

    Those of classes come apart from those of rows, for probabilities are calibrated by the rows as they are.

    Parameters
    ----------
    sample : Sample
        Rows to fit on.
    config : Config

    Returns
    -------
    weights : dict
        ``sample_weight`` and ``class_factor``, each an ndarray of shape (n_samples,), where there are such.

    Raises
    ------
    ConfigurationError
        A class is weighed that no row has.
    """
    found = {} if sample.weights is None else {"sample_weight": sample.weights.to_numpy()}
    chosen = config.class_weight
    if chosen is None:
        return found
    if isinstance(chosen, Mapping):
        chosen = _known(chosen, sample.y.unique())
    return {**found, "class_factor": compute_sample_weight(chosen, sample.y)}


def _known(chosen: Mapping[Any, float], labels: Any) -> dict[Any, float]:
    """Return the weight of every class, 1 where none is told."""
    unknown = [label for label in chosen if label not in labels]
    if unknown:
        known = ", ".join(sorted(map(str, labels)))
        raise ConfigurationError(
            f"class_weight names class '{unknown[0]}', which no row to fit on has; they have {known}"
        )
    return {**dict.fromkeys(np.asarray(labels).tolist(), 1.0), **chosen}
