"""
One request's way through a model: decode, validate, run, encode.

It is counted and timed here, whatever becomes of it.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import structlog

from model.call import Call
from model.errors import ServingError, TooLarge
from model.logs import log_request
from model.metrics import Metrics, ServableMetrics
from model.queue import Admission, Turns, in_thread
from model.servable import Servable
from model.settings import Settings
from model.signature.outputs import encode as encode_outputs
from model.tensors import InferRequest, InferResponse, Tensor

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


class Inference:
    """
    Takes requests through the models that answer them.

    Parameters
    ----------
    metrics : Metrics
    settings : Settings
    executor : Executor
        Runs what may not hold the event loop.
    """

    def __init__(self, metrics: Metrics, settings: Settings, executor: Executor) -> None:
        self._metrics = metrics
        self._settings = settings
        self._executor = executor
        self._admission = Admission(settings.max_in_flight)
        self._turns: WeakKeyDictionary[Servable, Turns] = WeakKeyDictionary()
        metrics.watch(lambda: self._admission.in_flight, settings.max_in_flight)

    async def answer(
        self,
        select: Callable[[], Servable],
        decode: Callable[[], InferRequest],
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
            Reads the body.
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
            # Taken now: a version that is unloaded meanwhile takes its counters with it.
            passage.counters = self._metrics.of(servable.name, servable.version, call.protocol)
            call.expire_within(self._settings.request_timeout_seconds)
            with self._admission.admitted():
                return await self._answer(servable, decode, encode, call, passage)
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
        decode: Callable[[], InferRequest],
        encode: Callable[[InferRequest, InferResponse], T],
        call: Call,
        passage: _Passage,
    ) -> T:
        def decoded() -> tuple[InferRequest, Any]:
            request = decode()
            if request.parameters:
                call.shorten(request.parameters)
            return request, servable.inputs.decode(request)

        def run() -> list[Tensor]:
            passage.started = time.perf_counter()
            answers = servable.run(table, outputs)
            passage.finished = time.perf_counter()
            return encode_outputs(outputs, answers)

        def encoded() -> T:
            return encode(request, response)

        small = call.size_bytes < _LARGE_BYTES
        request, table = decoded() if small else await in_thread(self._executor, decoded, call.deadline)
        passage.rows = self._checked_rows(len(table))
        outputs = servable.outputs.select(request.outputs)
        passage.decoded = time.perf_counter()
        inline = small and servable.is_short(passage.rows, outputs)
        tensors = await self._turn(servable).run(run, inline=inline, deadline=call.deadline)
        response = InferResponse(servable.name, servable.version, tensors, request.id)
        if sum(tensor.data.size for tensor in tensors) < _LARGE_VALUES:
            return encoded()
        return await in_thread(self._executor, encoded, call.deadline)

    def _turn(self, servable: Servable) -> Turns:
        turns = self._turns.get(servable)
        if turns is None:
            turns = self._turns[servable] = Turns(self._executor)
        return turns

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
                model=servable.name if servable else "",
                version=servable.version if servable else "",
                code=passage.code,
                rows=passage.rows,
                duration_ms=seconds * 1000,
            )
