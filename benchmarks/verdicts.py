"""What was to be reached, and whether it was."""

from statistics import median
from typing import Final

from benchmarks.comparison import Line, better_stock, lines
from benchmarks.results import Run
from benchmarks.workloads import OURS

ECHO_TARGET: Final = 0.5
STOCK_START: Final = "kserve"
"""Whose cold start and memory are not to be exceeded."""


def verdicts(run: Run) -> list[str]:
    """Return a sentence for each target that the run can tell of."""
    found = [verdict for line in lines(run) for verdict in (_rate(line), _share(line), _p99(run, line)) if verdict]
    return found + _starts(run)


def _rate(line: Line) -> str | None:
    target = line.workload.target_of(line.server)
    if not target or line.against_stock is None:
        return None
    reached = line.against_stock.median
    return _verdict(
        f"{line.workload.title}, {line.server}",
        f"{reached:.1f} × the better stock server",
        f"≥ {target:g} ×",
        reached >= target,
    )


def _share(line: Line) -> str | None:
    if line.server != OURS or line.of_echo is None or line.workload.protocol != "rest" or line.workload.rows > 1:
        return None
    share = line.of_echo.median
    return _verdict(line.workload.title, f"{share:.2f} of the bare echo", f"≥ {ECHO_TARGET:g}", share >= ECHO_TARGET)


def _p99(run: Run, line: Line) -> str | None:
    measured = run.workloads[line.workload.name]
    better = better_stock(measured)
    if not line.workload.lower_p99 or line.server != OURS or better is None:
        return None
    theirs = median(one.p99_ms for one in measured[better])
    return _verdict(line.workload.title, f"p99 {line.p99_ms:.2f} ms", f"< {theirs:.2f} ms", line.p99_ms < theirs)


def _starts(run: Run) -> list[str]:
    if OURS not in run.starts or STOCK_START not in run.starts:
        return []
    ours, theirs = run.starts[OURS], run.starts[STOCK_START]
    cold = [median(start.cold_start_seconds for start in starts) for starts in (ours, theirs)]
    rss = [median(start.rss_mib for start in starts) for starts in (ours, theirs)]
    return [
        _verdict("Cold start to ready", f"{cold[0]:.2f} s", f"≤ {cold[1]:.2f} s, KServe's", cold[0] <= cold[1]),
        _verdict("RSS at rest", f"{rss[0]:.0f} MiB", f"≤ {rss[1]:.0f} MiB, KServe's", rss[0] <= rss[1]),
    ]


def _verdict(what: str, reached: str, target: str, met: bool) -> str:  # noqa: FBT001 -- it is the verdict itself
    return f"{what}: {reached}; target {target}: {'met' if met else '**not met**'}"
