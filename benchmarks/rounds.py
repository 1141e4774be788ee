"""A run: each server in turn, round after round, in alternating order."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from benchmarks.candidates import Candidate
from benchmarks.errors import Void
from benchmarks.load import Figures, Generator
from benchmarks.machine import cores, describe, versions
from benchmarks.models import PROBE_ROWS, expected, prepare, sample
from benchmarks.results import Measurement, Run, Start
from benchmarks.servers import Server, served
from benchmarks.wire import Request
from benchmarks.workloads import CEILING, CONCURRENCY, OURS, WORKLOADS, Workload

Say = Callable[[str], None]

_REST_SECONDS: Final = 0.5


def measure(candidates: Mapping[str, Candidate], *, rounds: int, seconds: int, quick: bool, say: Say) -> Run:
    """
    Measure servers.

    Parameters
    ----------
    candidates : mapping of str to Candidate
        This server must be among them if the echo is.
    rounds : int
        Times that each server is started and measured.
    seconds : int
        Of each load.
    quick : bool
        Whether this is only for a look.
    say : callable
        Told what goes on.

    Raises
    ------
    Void
        A server did not start, answered wrongly or failed under load.
    """
    server_core, load_core = cores()
    before = os.getloadavg()[0]
    generator = Generator(load_core, CONCURRENCY, seconds)
    prepare(candidates.values())
    if CEILING in candidates:
        _record(candidates, server_core)
    run = Run(
        date=datetime.now(UTC).date(),
        quick=quick,
        seconds=seconds,
        concurrency=CONCURRENCY,
        machine=describe(before),
        versions={name: versions(candidate) for name, candidate in candidates.items()},
    )
    for number in range(rounds):
        for candidate in _order(candidates.values(), number):
            say(f"round {number + 1} of {rounds}: {candidate.name}")
            _visit(candidate, generator, server_core, run)
    run.machine = describe(before)
    return run


def _order(candidates: Iterable[Candidate], number: int) -> list[Candidate]:
    """Return the servers forwards and backwards in turn, so that a drift of the machine favours none."""
    ordered = list(candidates)
    return ordered[::-1] if number % 2 else ordered


def _visit(candidate: Candidate, generator: Generator, core: str, run: Run) -> None:
    """Start a server, and measure all that it can do."""
    with served(candidate, core) as server:
        tasks = [(workload, request) for workload in WORKLOADS if (request := _request(candidate, workload))]
        answers = [_checked(candidate, workload, request, server) for workload, request in tasks]
        time.sleep(_REST_SECONDS)
        start = Start(cold_start_seconds=server.cold_start_seconds, rss_mib=server.rss_mib())
        run.starts.setdefault(candidate.name, []).append(start)
        for (workload, request), answer in zip(tasks, answers, strict=True):
            measurement = _loaded(candidate, request, server, generator, answer)
            _checked(candidate, workload, request, server)
            by_server = run.workloads.setdefault(workload.name, {})
            by_server.setdefault(candidate.name, []).append(measurement)


def _loaded(candidate: Candidate, request: Request, server: Server, generator: Generator, answer: bytes) -> Measurement:
    before = server.cpu_seconds()
    figures = generator.drive(request, candidate.port(request.protocol, server.ports), answer)
    return measurement(figures, server.cpu_seconds() - before)


def measurement(figures: Figures, cpu_seconds: float) -> Measurement:
    """Return a load's figures per second and per request."""
    return Measurement(
        requests_per_second=round(figures.requests / figures.seconds, 1),
        p50_ms=round(figures.p50_ms, 3),
        p99_ms=round(figures.p99_ms, 3),
        cpu_us=round(cpu_seconds / figures.sent * 1e6, 1),
    )


def _request(candidate: Candidate, workload: Workload) -> Request | None:
    return candidate.ask(workload, sample(workload.rows))


def _checked(candidate: Candidate, workload: Workload, request: Request, server: Server) -> bytes:
    """Ask the request that is timed, and one with rows of both classes, which the echo has no answer to."""
    port = candidate.port(request.protocol, server.ports)
    probe = None if candidate.name == CEILING else candidate.ask(workload, sample(PROBE_ROWS))
    if probe is not None:
        check(candidate.name, workload, PROBE_ROWS, probe.labels(probe.ask(port)))
    answer = request.ask(port)
    check(candidate.name, workload, workload.rows, request.labels(answer))
    return answer


def check(name: str, workload: Workload, rows: int, labels: list[int]) -> None:
    """
    Compare a server's labels with scikit-learn's.

    Raises
    ------
    Void
        They differ.
    """
    right = expected(workload.model, sample(rows))
    if labels != right:
        raise Void(f"{name} answered {workload.name} with {labels}; expected {right}")


def _record(candidates: Mapping[str, Candidate], core: str) -> None:
    """Let this server write down the answers that the echo is to repeat."""
    own, echo = candidates[OURS], candidates[CEILING]
    with served(own, core) as server:
        for workload in WORKLOADS:
            request = _request(own, workload)
            if request is not None:
                (echo.directory / workload.name).write_bytes(_checked(own, workload, request, server))
