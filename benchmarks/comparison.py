"""The figures of a run set against each other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.results import Measurement, Run
from benchmarks.stats import Summary, ratio
from benchmarks.workloads import CEILING, STOCK, WORKLOADS, Workload

Measured = Mapping[str, Sequence[Measurement]]


@dataclass(frozen=True, slots=True)
class Line:
    """
    One server in one workload, by its medians.

    Parameters
    ----------
    workload : Workload
    server : str
    rate : Summary
        Requests per second.
    p50_ms, p99_ms, cpu_us : float
    against_stock : Summary or None
        Requests per second as a multiple of the better stock server's.
    cpu_against_stock : float or None
        CPU time per request of the thriftier stock server, as a multiple of this one's. Other work on the machine takes
        from the rates, but hardly from this.
    of_echo : Summary or None
        Requests per second as a share of the bare echo's.
    """

    workload: Workload
    server: str
    rate: Summary
    p50_ms: float
    p99_ms: float
    cpu_us: float
    against_stock: Summary | None
    cpu_against_stock: float | None
    of_echo: Summary | None


def lines(run: Run) -> list[Line]:
    """Return a line for each server in each workload, in their order."""
    return [
        _line(workload, server, measured)
        for workload in WORKLOADS
        for measured in [run.workloads.get(workload.name, {})]
        for server in measured
    ]


def better_stock(measured: Measured) -> str | None:
    """Return the name of the stock server that answers more requests per second, None if there is none."""
    found = [name for name in STOCK if name in measured]
    return max(found, key=lambda name: median(_rates(measured[name])), default=None)


def _line(workload: Workload, server: str, measured: Measured) -> Line:
    own = measured[server]
    rates = _rates(own)
    better = better_stock(measured)
    cpu_us = _cpu_us(own)
    return Line(
        workload,
        server,
        Summary.of(rates),
        median(one.p50_ms for one in own),
        median(one.p99_ms for one in own),
        cpu_us,
        ratio(rates, _rates(measured[better])) if better else None,
        min(_cpu_us(measured[name]) for name in STOCK if name in measured) / cpu_us if better else None,
        ratio(rates, _rates(measured[CEILING])) if CEILING in measured and server != CEILING else None,
    )


def _rates(measured: Iterable[Measurement]) -> list[float]:
    return [one.requests_per_second for one in measured]


def _cpu_us(measured: Iterable[Measurement]) -> float:
    return median(one.cpu_us for one in measured)
