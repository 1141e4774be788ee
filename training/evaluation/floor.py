"""The worst metrics that a model is published with."""

from collections.abc import Iterator, Mapping

from training.config import Config
from training.evaluation.decision import Check
from training.metrics import METRICS


def check_floor(metrics: Mapping[str, float], config: Config) -> Iterator[Check]:
    """Hold each metric that has a floor against it."""
    for name, floor in config.floor.items():
        side = "least" if METRICS[name].higher_is_better else "most"
        yield Check(
            name="floor",
            passed=METRICS[name].meets(metrics[name], floor),
            sentence=f"{name} is {metrics[name]:.4g}, expected at {side} {floor:g}",
            figures={"metric": name, "value": metrics[name], "floor": floor},
        )
