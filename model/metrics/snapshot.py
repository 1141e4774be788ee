"""Metrics as plain numbers and back; ``model.workers.snapshot`` adds them up in between."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from model.drift import Drift
from model.metrics.series import Duration, ModelStatistics
from model.workers.snapshot import Snapshot, label_key

Counts = npt.NDArray[np.float64]


def snapshot_of(families: Iterable[Metric], statistics: Iterable[ModelStatistics], drift: Drift) -> Snapshot:
    """
    Take metrics apart.

    Parameters
    ----------
    families : iterable of Metric
    statistics : iterable of ModelStatistics
        Of the versions that are served.
    drift : Drift
        Only its counts: what they tell is worked out of those of all processes together.
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
        "drift": {label_key(*key, monitor.digest): monitor.counts().round(3).tolist() for key, monitor in drift},
    }


def drift_counts(drift: Drift, total: Snapshot | None) -> dict[tuple[str, str], Counts]:
    """Return what is counted for drift by model and version: of all processes, where there are several."""
    if total is None:
        return {key: monitor.counts() for key, monitor in drift}
    counted = total.get("drift", {})
    found = {key: counted.get(label_key(*key, monitor.digest)) for key, monitor in drift}
    return {key: np.array(counts) for key, counts in found.items() if counts is not None}


def registry_of(snapshot: Snapshot) -> CollectorRegistry:
    """Return a registry that gives a snapshot's families."""
    registry = CollectorRegistry()
    registry.register(_Collector(snapshot))
    return registry


def page_of(registry: CollectorRegistry, families: Iterable[Metric]) -> CollectorRegistry:
    """Return a registry that gives all of another one, and these families."""
    page = CollectorRegistry()
    page.register(_Page(registry, families))
    return page


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


class _Page(Collector):
    def __init__(self, registry: CollectorRegistry, families: Iterable[Metric]) -> None:
        self._registry = registry
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield the families; called by the registry."""
        yield from self._registry.collect()
        yield from self._families
