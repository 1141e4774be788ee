"""A run as Markdown: ratios first, and beside each how far the repetitions lie apart."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from benchmarks.comparison import Line, lines
from benchmarks.results import Run
from benchmarks.stats import Summary
from benchmarks.sweeps import Point, Sweep
from benchmarks.training import Cost, TrainingRun
from benchmarks.verdicts import verdicts
from benchmarks.workloads import OURS

_HEAD: Final = ("work", "server", "× stock", "× by CPU", "req/s", "noise", "p50 ms", "p99 ms", "CPU µs", "of echo")
_STARTS_HEAD: Final = ("server", "cold start s", "noise", "RSS MiB")
_NOTHING: Final = "–"


def table(run: Run) -> str:
    """Return what was found: a table of the workloads, one of the starts, and how this server does by its targets."""
    parts = [
        _headline(run),
        markdown(_HEAD, [_cells(line) for line in lines(run)]),
        markdown(_STARTS_HEAD, _start_cells(run)),
        "\n".join(f"- {verdict}" for verdict in verdicts(run)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def sweep_table(found: Sweep) -> str:
    """Return a sweep as Markdown."""
    head = ("model", found.name, "req/s", "p50 ms", "p99 ms", "CPU µs", "cold start s", "RSS MiB")
    return markdown(head, [_point_cells(point) for point in found.points])


def training_table(run: TrainingRun) -> str:
    """Return what training costs as rows grow, as Markdown."""
    head = ("step", "rows", "s", "CPU s", "peak RSS MiB", "× the file")
    return f"{_place(run)}; {_load(run)}\n\n{markdown(head, [_cost_cells(cost, run.data_mib[cost.rows]) for cost in run.costs])}\n"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, numbers to the right."""
    align = [":--" if name in {"work", "server", "stage", "step", "model"} else "--:" for name in head]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, align, *rows))


def _cost_cells(cost: Cost, file_mib: float) -> tuple[str, ...]:
    return (
        cost.step,
        f"{cost.rows:,}",
        f"{cost.seconds:.1f}",
        f"{cost.cpu_seconds:.1f}",
        f"{cost.peak_rss_mib:,.0f}",
        f"{cost.peak_rss_mib / file_mib:.1f}",
    )


def _headline(run: Run) -> str:
    rounds = max((len(starts) for starts in run.starts.values()), default=0)
    loads = f"{rounds} round(s) of {run.seconds:g} s, {run.concurrency} connections or streams"
    return f"{_place(run)}; {loads}; {_load(run)}"


def _place(run: Run | TrainingRun) -> str:
    machine = run.machine
    return f"{run.date}, {machine.cpu}, {machine.cores} cores, {machine.system}, Python {machine.python}"


def _load(run: Run | TrainingRun) -> str:
    return f"load average {run.machine.load_before:g} before, {run.machine.load_after:g} after."


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.workload.title,
        f"**{line.server}**" if line.server == OURS else line.server,
        _times(line.against_stock),
        _NOTHING if line.cpu_against_stock is None else f"{line.cpu_against_stock:.2f}",
        f"{line.rate.median:,.0f}",
        f"±{line.rate.noise:.0%}",
        f"{line.p50_ms:.2f}",
        f"{line.p99_ms:.2f}",
        f"{line.cpu_us:,.0f}",
        f"{line.of_echo.median:.2f}" if line.of_echo else _NOTHING,
    )


def _point_cells(point: Point) -> tuple[str, ...]:
    measured = point.measurement
    return (
        point.model,
        f"{point.value:,}",
        f"{measured.requests_per_second:,.0f}",
        f"{measured.p50_ms:.2f}",
        f"{measured.p99_ms:.2f}",
        f"{measured.cpu_us:,.0f}",
        f"{point.cold_start_seconds:.2f}",
        f"{point.rss_mib:.0f}",
    )


def _start_cells(run: Run) -> list[tuple[str, ...]]:
    return [
        (name, f"{cold.median:.2f}", f"±{cold.noise:.0%}", f"{median(start.rss_mib for start in starts):.0f}")
        for name, starts in run.starts.items()
        for cold in [Summary.of([start.cold_start_seconds for start in starts])]
    ]


def _times(summary: Summary | None) -> str:
    if summary is None:
        return _NOTHING
    digits = 1 if summary.median >= 10 else 2  # noqa: PLR2004 -- three digits, whatever the size
    return f"{summary.median:.{digits}f} ({summary.low:.{digits}f}–{summary.high:.{digits}f})"
