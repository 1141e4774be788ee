"""Metrics as plain numbers and back; ``model.workers.snapshot`` adds them up in between."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from model.metrics.series import Duration, ModelStatistics
from model.workers.snapshot import Snapshot, label_key


def snapshot_of(families: Iterable[Metric], statistics: Iterable[ModelStatistics]) -> Snapshot:
    """
    Take metrics apart.

    Parameters
    ----------
    families : iterable of Metric
    statistics : iterable of ModelStatistics
        Of the versions that are served.
    """
    return {
        "families": {
            family.name: {
                "type": family.type,
                "help": family.documentation,
                "samples": {label_key(sample.name, sample.labels): sample.value for sample in family.samples},
            }
            for family in families
        },
        "statistics": {label_key(counted.name, counted.version): asdict(counted) for counted in statistics},
    }


def registry_of(snapshot: Snapshot) -> CollectorRegistry:
    """Return a registry that gives a snapshot's families."""
    registry = CollectorRegistry()
    registry.register(_Collector(snapshot))
    return registry


def statistics_in(snapshot: Snapshot, model: str, version: str) -> ModelStatistics | None:
    """Return the statistics of a version, if the snapshot has them."""
    counted: dict[str, Any] | None = snapshot["statistics"].get(label_key(model, version))
    if counted is None:
        return None
    values: dict[str, Any] = {
        name: Duration(**value) if isinstance(value, dict) else value for name, value in counted.items()
    }
    return ModelStatistics(**values)


class _Collector(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Yield the families; called by the registry."""
        for name, described in self._snapshot["families"].items():
            family = Metric(name, described["help"], described["type"])
            for key, value in described["samples"].items():
                sample, labels = orjson.loads(key)
                family.add_sample(sample, labels, value)
            yield family
