"""
One request's way through a model: decode, validate, run, encode.

It is counted and timed here, whatever becomes of it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import structlog

from model.admission import Admission
from model.call import PROTOCOLS, Call
from model.errors import ServingError, TooLarge
from model.logs import log_request
from model.metrics import Load, Metrics, ServableMetrics
from model.queue import Queue
from model.servable import Servable
from model.settings import Settings
from model.signature import Signature
from model.tensors import InferRequest, InferResponse
from model.threads import in_thread

_LARGE_BYTES: Final = 65_536
"""Bodies from this size on are decoded in a thread: JSON of it holds the event loop for about a millisecond."""
_LARGE_VALUES: Final = 8_192
"""Answers from this many values on are encoded in a thread, for the same reason."""
_CLIENT_CLOSED_REQUEST: Final = 499

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Passage:
    """Who answers a request, when it passed each stage in ``time.perf_counter()`` seconds, and what became of it."""

    received: float
    servable: Servable | None = None
    counters: ServableMetrics | None = None
    decoded: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    rows: int = 0
    code: int = 200


class _Lane:
    """What the requests to one servable share: the queue, and the counters of each protocol."""

    __slots__ = ("counters", "queue")

    def __init__(self, queue: Queue, counters: Mapping[str, ServableMetrics]) -> None:
        self.queue = queue
        self.counters = counters


class Inference:
    """
    Takes requests through the models that answer them.

    Parameters
    ----------
    metrics : Metrics
    settings : Settings
    executor : Executor
        Runs what may not hold the event loop.

    Attributes
    ----------
    admission : Admission
        Of all requests.
    """

    def __init__(self, metrics: Metrics, settings: Settings, executor: Executor) -> None:
        self._metrics = metrics
        self._settings = settings
        self._executor = executor
        self.admission = Admission(settings.max_in_flight)
        self._lanes: WeakKeyDictionary[Servable, _Lane] = WeakKeyDictionary()
        metrics.watch(self._load)

    async def answer(
        self,
        select: Callable[[], Servable],
        decode: Callable[[Signature], InferRequest],
        encode: Callable[[InferRequest, InferResponse], T],
        call: Call,
    ) -> T:
        """
        Answer a request.

        Parameters
        ----------
        select : callable
            Finds what answers.
        decode : callable
            Reads the body, for what has this signature.
        encode : callable
            Writes the answer to a request.
        call : Call

        Raises
        ------
        ServingError
            One of its kinds; see ``model.errors``.
        """
        passage = _Passage(call.started)
        try:
            servable = passage.servable = select()
            lane = self._lane(servable)
            passage.counters = lane.counters[call.protocol]
            call.expire_within(self._settings.request_timeout_seconds)
            self.admission.enter()
            try:
                return await self._answer(servable, lane.queue, passage, call, decode=decode, encode=encode)
            finally:
                self.admission.leave()
        except ServingError as error:
            passage.code = error.http_status
            self._metrics.rejected(error)
            if type(error) is ServingError:
                name = passage.servable.name if passage.servable else ""
                _log.error("model failed", model=name, request_id=call.request_id, exc_info=error)
            raise
        except asyncio.CancelledError:
            passage.code = _CLIENT_CLOSED_REQUEST
            raise
        except Exception:
            passage.code = 500
            raise
        finally:
            self._observe(call, passage)

    async def _answer(
        self,
        servable: Servable,
        queue: Queue,
        passage: _Passage,
        call: Call,
        *,
        decode: Callable[[Signature], InferRequest],
        encode: Callable[[InferRequest, InferResponse], T],
    ) -> T:
        def decoded() -> tuple[InferRequest, Any]:
            request = decode(servable.signature)
            if request.parameters:
                call.shorten(request.parameters)
            return request, servable.inputs.decode(request)

        small = call.size_bytes < _LARGE_BYTES
        request, table = decoded() if small else await in_thread(self._executor, decoded, call.deadline)
        passage.rows = self._checked_rows(len(table))
        outputs = servable.outputs.select(request.outputs)
        passage.decoded = time.perf_counter()
        job = await queue.answer(servable, table, outputs, deadline=call.deadline, small=small)
        passage.started, passage.finished = job.started, job.finished
        drift = self._metrics.drift.of(servable.name, servable.version, servable.artifact.profile)
        if drift is not None:
            drift.offer(request.inputs, job.tensors, call.size_bytes)
        response = InferResponse(servable.name, servable.version, job.tensors, request.id)
        if sum(tensor.data.size for tensor in job.tensors) < _LARGE_VALUES:
            return encode(request, response)
        return await in_thread(self._executor, lambda: encode(request, response), call.deadline)

    def _lane(self, servable: Servable) -> _Lane:
        lane = self._lanes.get(servable)
        if lane is None:
            name, version = servable.name, servable.version
            # Taken once: a version that is unloaded takes its counters with it, requests in flight or not.
            counters = {protocol: self._metrics.of(name, version, protocol) for protocol in PROTOCOLS}
            queue = Queue(
                self._executor,
                max_batch_rows=self._settings.max_batch_rows,
                limit=self._settings.max_queue,
                observe=self._metrics.runs(name, version),
            )
            lane = self._lanes[servable] = _Lane(queue, counters)
        return lane

    def _load(self) -> Load:
        """Return how busy the models are, for the metrics."""
        waiting: dict[tuple[str, str], int] = {}
        for servable, lane in self._lanes.items():
            key = (servable.name, servable.version)
            waiting[key] = waiting.get(key, 0) + len(lane.queue)
        return Load(self.admission.in_flight, self.admission.limit, waiting, self._settings.max_queue)

    def _checked_rows(self, rows: int) -> int:
        if rows > self._settings.max_rows:
            raise TooLarge(
                f"The request has {rows} rows; expected at most {self._settings.max_rows}, so send fewer at once."
            )
        return rows

    def _observe(self, call: Call, passage: _Passage) -> None:
        """Count what has become of a request."""
        end = time.perf_counter()
        seconds = end - passage.received
        servable = passage.servable
        if passage.counters is None:
            self._metrics.unrouted(call.protocol, passage.code)
        else:
            passage.counters.observe(
                passage.code,
                seconds,
                rows=passage.rows,
                queue_seconds=passage.started - passage.decoded,
                decode_seconds=passage.decoded - passage.received,
                predict_seconds=passage.finished - passage.started,
                encode_seconds=end - passage.finished,
            )
        if self._settings.enable_latency_logging:
            log_request(
                request_id=call.request_id,
                protocol=call.protocol,
                client=call.client.id,
                model=servable.name if servable else "",
                version=servable.version if servable else "",
                code=passage.code,
                rows=passage.rows,
                duration_ms=seconds * 1000,
            )
