"""The metrics of one server as Prometheus reads them."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from model.drift import Drift, Profile
from model.errors import (
    DeadlineExceeded,
    NotReady,
    Overloaded,
    PermissionDenied,
    ServingError,
    SourceUnavailable,
    TooLarge,
    Unauthenticated,
)
from model.metrics.families import (
    drift_families,
    lookup_families,
    model_families,
    request_families,
    server_families,
)
from model.metrics.series import (
    Load,
    LookupMetrics,
    ModelSeries,
    ModelStatistics,
    RunMetrics,
    ServableMetrics,
    VersionSeries,
)
from model.metrics.snapshot import drift_counts, page_of, registry_of, snapshot_of, statistics_in
from model.workers.snapshot import Snapshot

REASONS: Final[Mapping[type[ServingError], str]] = {
    DeadlineExceeded: "deadline",
    NotReady: "not_ready",
    Overloaded: "overloaded",
    PermissionDenied: "forbidden",
    SourceUnavailable: "lookup",
    TooLarge: "too_large",
    Unauthenticated: "unauthenticated",
}
"""What a request is turned away for without being wrong in itself, as ``inference_rejected_total`` names it."""

_Counts = dict[tuple[str, ...], int]
_OPENMETRICS: Final = "application/openmetrics-text"


class Metrics(Collector):
    """
    All that is counted in one server, in a registry of its own.

    The registry is not prometheus_client's default one, in which the KServe SDK has metrics of the same names. Labels
    are bounded: models and versions come from the repository, never from a request.

    Parameters
    ----------
    drift_half_life_seconds : float
        See ``Drift``.

    Attributes
    ----------
    drift : Drift
        What is told from the counts of all processes, and so is no collector of the registry.
    """

    def __init__(self, drift_half_life_seconds: float = 0.0) -> None:
        self.drift = Drift(drift_half_life_seconds)
        self._lock = threading.Lock()
        self._models: dict[str, ModelSeries] = {}
        self._versions: dict[tuple[str, str], VersionSeries] = {}
        self._unrouted: _Counts = {}
        self._loads: _Counts = {}
        self._swaps: _Counts = {}
        self._rejected: _Counts = {(reason,): 0 for reason in REASONS.values()}
        self._load: Callable[[], Load] = Load
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._registry.register(self)

    def watch(self, load: Callable[[], Load]) -> None:
        """Show how busy the models are, which ``load`` tells when the page is asked for."""
        self._load = load

    def of(self, model: str, version: str, protocol: str) -> ServableMetrics:
        """
        Return the counters of a version over a protocol, the same ones at each call.

        Parameters
        ----------
        model, version : str
            As the repository names them, never as a request does; ``version`` is empty for a model without versions.
        protocol : str
            ``rest`` or ``grpc``.
        """
        with self._lock:
            series = self._version(model, version)
            if protocol not in series.protocols:
                series.protocols[protocol] = ServableMetrics(series, self._lock)
            return series.protocols[protocol]

    def runs(self, model: str, version: str) -> RunMetrics:
        """Return the counter of a version's runs."""
        with self._lock:
            return RunMetrics(self._version(model, version), self._lock)

    def lookups(self, model: str, version: str, lookup: str) -> LookupMetrics:
        """Return the counter of a look-up of a version, all its results from 0 on."""
        with self._lock:
            series = self._version(model, version)
            if lookup not in series.lookups:
                series.lookups[lookup] = LookupMetrics(self._lock)
            return series.lookups[lookup]

    def unrouted(self, protocol: str, code: int) -> None:
        """Count an inference request that reached no model, such as one for an unknown name, under empty labels."""
        with self._lock:
            _increment(self._unrouted, protocol, str(int(code)))

    def rejected(self, error: ServingError) -> None:
        """Count a request that was turned away; an error that is not among ``REASONS`` is none."""
        reason = REASONS.get(type(error))
        if reason is not None:
            with self._lock:
                _increment(self._rejected, reason)

    @contextmanager
    def loading(self, model: str) -> Iterator[None]:
        """Count an attempt to load a version of a model that the repository knows; a failure passes through."""
        try:
            yield
        except BaseException:
            self._count_load(model, failure=1)
            raise
        self._count_load(model, success=1)

    def loaded(
        self,
        model: str,
        version: str,
        *,
        sha256: str,
        sklearn: str,
        engine: str,
        verified: bool,
        created: float | None = None,
        profile: Profile | None = None,
    ) -> None:
        """
        Tell that a version is now served, in place of what was there under its name.

        Parameters
        ----------
        model, version : str
        sha256 : str
            Hex digest of the estimator file.
        sklearn : str
            The scikit-learn version it was fitted with; empty where that is not known.
        engine : str
            What answers: ``sklearn``, ``onnx`` or ``treelite``.
        verified : bool
            Whether a manifest vouches for it.
        created : float or None
            When it was published, in seconds since the epoch; None where no manifest tells.
        profile : Profile or None
            What drift is told by.
        """
        self.drift.watch(model, version, profile)
        with self._lock:
            series = self._version(model, version)
            series.info = {"sha256": sha256, "sklearn": sklearn, "engine": engine, "verified": str(verified).lower()}
            series.loaded_at = time.time()
            series.created = created

    def swapped(self, model: str, *, success: int = 0, failure: int = 0) -> None:
        """
        Tell that a model was looked at while it answered.

        Parameters
        ----------
        model : str
        success : int
            1 if another version answers by default now.
        failure : int
            Versions that were found and refused, while what answered before goes on.
        """
        with self._lock:
            _increment(self._swaps, model, "success", by=success)
            _increment(self._swaps, model, "failure", by=failure)

    def remove(self, model: str, version: str) -> None:
        """Drop the series of an unloaded version; a request still in flight counts into nothing."""
        self.drift.forget(model, version)
        with self._lock:
            self._versions.pop((model, version), None)
            if all(name != model for name, _ in self._versions):
                self._models.pop(model, None)

    def statistics(self, model: str, version: str, total: Snapshot | None = None) -> ModelStatistics:
        """
        Return what has been done with a version that the repository knows, over all protocols.

        Parameters
        ----------
        model, version : str
        total : Snapshot or None
            What all processes of this server have counted, where it has several.
        """
        counted = statistics_in(total, model, version) if total else None
        if counted is not None:
            return counted
        with self._lock:
            return self._version(model, version).statistics()

    def snapshot(self) -> Snapshot:
        """Return all that is counted here as plain numbers, to be added to those of other processes."""
        with self._lock:
            statistics = [series.statistics() for series in self._versions.values() if series.info]
        return snapshot_of(self._registry.collect(), statistics, self.drift)

    def page(self, accept: str | None = None, total: Snapshot | None = None) -> tuple[bytes, str]:
        """
        Write the metrics.

        Parameters
        ----------
        accept : str or None
            The request's ``Accept`` header.
        total : Snapshot or None
            What all processes of this server have counted, where it has several.

        Returns
        -------
        body : bytes
        content_type : str
            OpenMetrics where it is accepted, else the text format.
        """
        told = drift_families(self.drift, drift_counts(self.drift, total))
        registry = page_of(self._registry if total is None else registry_of(total), told)
        if accept is not None and _OPENMETRICS in accept.lower():
            body = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]  # no types upstream
            return body, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4

    def collect(self) -> Iterator[Metric]:
        """Yield the families; called by the registry."""
        with self._lock:
            families = [
                *request_families(self._versions, self._unrouted),
                *lookup_families(self._versions),
                *model_families(self._models, self._versions, self._loads, self._swaps),
                *server_families(self._load(), self._versions, self._rejected),
            ]
        yield from families

    def _version(self, model: str, version: str) -> VersionSeries:
        key = (model, version)
        if key not in self._versions:
            self._versions[key] = VersionSeries(model, version, self._models.setdefault(model, ModelSeries()))
        return self._versions[key]

    def _count_load(self, model: str, *, success: int = 0, failure: int = 0) -> None:
        # Both results from the start, so that the first failure shows as an increase.
        with self._lock:
            _increment(self._loads, model, "success", by=success)
            _increment(self._loads, model, "failure", by=failure)


def _increment(counts: _Counts, *label: str, by: int = 1) -> None:
    counts[label] = counts.get(label, 0) + by
