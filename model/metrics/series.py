"""
The numbers behind the metrics, kept as plain integers and floats.

prometheus_client's own counters take a lock and a dozen calls each, 10 µs for the eight series of one request. Here one
call counts it all under one lock, and the families are made when they are scraped.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from prometheus_client.utils import floatToGoString

SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the duration buckets; 0.1 s, the threshold of the service level objective, is one of them."""
ROWS: Final = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)
_FIRST_FAILURE: Final = 400


@dataclass(frozen=True, slots=True)
class Duration:
    """How often something was done, and the nanoseconds it took altogether."""

    count: int
    ns: int


@dataclass(frozen=True, slots=True)
class Load:
    """
    How busy the models are.

    Parameters
    ----------
    in_flight, in_flight_limit : int
        Requests being answered, and how many may be.
    waiting : dict of (model, version) to int
        Requests in each queue.
    queue_limit : int
        How many may be in each.
    """

    in_flight: int = 0
    in_flight_limit: int = 0
    waiting: Mapping[tuple[str, str], int] = field(default_factory=dict)
    queue_limit: int = 0


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """
    What has been done with one version of a model since it was loaded, over all protocols.

    Parameters
    ----------
    name, version : str
    last_inference_ms : int
        Milliseconds since the epoch; 0 before the first inference.
    inference_count : int
        Rows predicted.
    execution_count : int
        Times the model was run.
    success, fail : Duration
        Requests from first byte to last.
    queue, compute_input, compute_infer, compute_output : Duration
        Parts of the successful ones: waiting, decoding, predicting, encoding.

    References
    ----------
    Triton Inference Server, "Statistics Extension".
    """

    name: str
    version: str
    last_inference_ms: int
    inference_count: int
    execution_count: int
    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class Histogram:
    """
    Observations counted by bucket.

    Parameters
    ----------
    bounds : sequence of float
        Inclusive upper bounds, ascending; what lies above the last goes to ``+Inf``.
    """

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts, each with its bound as Prometheus writes it."""
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))


class ModelSeries:
    """KServe's three histograms, which know a model but no versions."""

    __slots__ = ("postprocess", "predict", "preprocess")

    def __init__(self) -> None:
        self.preprocess = Histogram(SECONDS)
        self.predict = Histogram(SECONDS)
        self.postprocess = Histogram(SECONDS)


class VersionSeries:
    """What is counted of one version of a model over all protocols; seconds are sums over requests."""

    def __init__(self, name: str, version: str, model: ModelSeries) -> None:
        self.name = name
        self.version = version
        self.model = model
        self.protocols: dict[str, ServableMetrics] = {}
        self.lookups: dict[str, LookupMetrics] = {}
        self.info: dict[str, str] = {}
        self.loaded_at = 0.0
        self.created: float | None = None
        self.queue_wait = Histogram(SECONDS)
        self.batch_rows = Histogram(ROWS)
        self.last_inference = 0.0
        self.rows = self.runs = self.succeeded = self.failed = 0
        self.success_seconds = self.fail_seconds = 0.0
        self.queue_seconds = self.decode_seconds = self.predict_seconds = self.encode_seconds = 0.0

    def statistics(self) -> ModelStatistics:
        """Return the counts as the statistics extension has them."""

        def successful(seconds: float) -> Duration:
            return Duration(self.succeeded, round(seconds * 1e9))

        return ModelStatistics(
            name=self.name,
            version=self.version,
            last_inference_ms=int(self.last_inference * 1000),
            inference_count=self.rows,
            execution_count=self.runs,
            success=successful(self.success_seconds),
            fail=Duration(self.failed, round(self.fail_seconds * 1e9)),
            queue=successful(self.queue_seconds),
            compute_input=successful(self.decode_seconds),
            compute_infer=successful(self.predict_seconds),
            compute_output=successful(self.encode_seconds),
        )


class RunMetrics:
    """
    Counts the runs of one version of a model, each of which may answer several requests.

    Made by ``Metrics.runs``; keep it instead of asking for it at each run.
    """

    __slots__ = ("_lock", "_version")

    def __init__(self, version: VersionSeries, lock: threading.Lock) -> None:
        self._version = version
        self._lock = lock

    def __call__(self, rows: int) -> None:
        """Count a run of so many rows, whatever came of it."""
        with self._lock:
            self._version.runs += 1
            self._version.batch_rows.observe(rows)


class LookupMetrics:
    """
    Counts what a look-up of one version of a model does; see ``model.lookup.found.Observer``.

    Made by ``Metrics.lookups``.
    """

    __slots__ = ("_lock", "duration", "keys", "queries")

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        # Each from the start, so that the first of a kind shows as an increase.
        self.keys = dict.fromkeys(("hit", "found", "unknown", "stale", "default", "failed"), 0)
        self.queries = dict.fromkeys(("success", "refused", "timeout", "error", "skipped"), 0)
        self.duration = Histogram(SECONDS)

    def answered(self, result: str, keys: int) -> None:
        """Count keys by where their rows came from."""
        with self._lock:
            self.keys[result] += keys

    def queried(self, result: str, seconds: float) -> None:
        """Count a query; one that was skipped has taken no time."""
        with self._lock:
            self.queries[result] += 1
            if result != "skipped":
                self.duration.observe(seconds)


class ServableMetrics:
    """
    Counts the requests of one version of a model over one protocol.

    Made by ``Metrics.of``; keep it instead of asking for it at each request.
    """

    __slots__ = ("_lock", "_version", "codes", "duration")

    def __init__(self, version: VersionSeries, lock: threading.Lock) -> None:
        self._version = version
        self._lock = lock
        self.codes: dict[int, int] = {}
        self.duration = Histogram(SECONDS)

    def observe(
        self,
        code: int,
        total_seconds: float,
        *,
        rows: int = 0,
        queue_seconds: float = 0.0,
        decode_seconds: float = 0.0,
        predict_seconds: float = 0.0,
        encode_seconds: float = 0.0,
    ) -> None:
        """
        Count one request when it has been answered.

        Parameters
        ----------
        code : int
            HTTP status, for gRPC its equivalent, so that one alert covers both. Of a failure, from 400 on, only the
            code and ``total_seconds`` are counted, for its other parts may not have happened.
        total_seconds : float
            From receiving the request to having its answer.
        rows : int
            Predicted.
        queue_seconds, decode_seconds, predict_seconds, encode_seconds : float
            Parts of the total.
        """
        with self._lock:
            self.codes[code] = self.codes.get(code, 0) + 1
            self.duration.observe(total_seconds)
            version = self._version
            if code >= _FIRST_FAILURE:
                version.failed += 1
                version.fail_seconds += total_seconds
                return
            version.last_inference = time.time()
            version.succeeded += 1
            version.rows += rows
            version.success_seconds += total_seconds
            version.queue_seconds += queue_seconds
            version.decode_seconds += decode_seconds
            version.predict_seconds += predict_seconds
            version.encode_seconds += encode_seconds
            version.queue_wait.observe(queue_seconds)
            version.model.preprocess.observe(decode_seconds)
            version.model.predict.observe(predict_seconds)
            version.model.postprocess.observe(encode_seconds)
