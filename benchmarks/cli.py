"""``python -m benchmarks``: what there is to measure, and what to do with it."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks import training
from benchmarks.candidates import ENVIRONMENTS, HOME, REPOSITORY, Candidate, candidates
from benchmarks.chart import svg
from benchmarks.drift import THRESHOLD, every
from benchmarks.errors import Void
from benchmarks.load import missing_tools
from benchmarks.models import MODELS, publish_own, sample
from benchmarks.report import markdown, sweep_table, table, training_table
from benchmarks.results import Run
from benchmarks.rounds import measure
from benchmarks.stages import profile
from benchmarks.sweeps import SWEEPS, sweep
from benchmarks.training import MOST_ROWS, ROWS
from benchmarks.wire import v2
from benchmarks.workloads import CEILING, OURS

RESULTS: Final = HOME / "results"
CHART: Final = REPOSITORY / "docs" / "benchmarks.svg"
DOCUMENT: Final = REPOSITORY / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Do what the command line says.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit code: 0, or 1 if nothing could be measured.
    """
    args = _parser().parse_args(arguments)
    try:
        args.command(args)
    except (Void, OSError) as error:
        say(f"benchmarks: {error}")
        return 1
    return 0


def say(text: str) -> None:
    """Tell somebody who waits."""
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="measure the servers, print the table, keep the figures")
    run.add_argument("--quick", action="store_true", help="one round of one second, for a look")
    run.add_argument("--only", default="", metavar="NAME,…", help="measure these servers alone")
    run.add_argument("--rounds", type=int, help="times that each server is started")
    run.add_argument("--seconds", type=int, help="of each load")
    run.add_argument("--results", type=Path, default=RESULTS, help="directory for the figures")
    run.set_defaults(command=_run)
    for name, grow in SWEEPS.items():
        growing = commands.add_parser(name, help=(grow.__doc__ or "").rstrip("."))
        growing.add_argument("--seconds", type=int, default=2, help="of each load")
        growing.add_argument("--results", type=Path, default=RESULTS, help="directory for the figures")
        growing.set_defaults(command=_sweep, sweep=name)
    profile = commands.add_parser("profile", help="microseconds of each stage of a request, within one process")
    profile.add_argument("--rows", type=int, default=1)
    profile.add_argument("--repetitions", type=int, default=3000)
    profile.set_defaults(command=_profile)
    drift = commands.add_parser("drift", help="how often chance alone looks like drift, and how often drift does")
    drift.add_argument("--draws", type=int, default=10_000, help="of each kind")
    drift.set_defaults(command=_drift)
    steps = commands.add_parser("training", help="time and memory of each step of training as rows grow")
    steps.add_argument(
        "--rows", type=int, action="append", help=f"so many, once for each; by default {', '.join(map(str, ROWS))}"
    )
    steps.add_argument("--most", action="store_true", help=f"{MOST_ROWS:,} rows, too")
    steps.add_argument("--results", type=Path, default=RESULTS, help="directory for the figures")
    steps.set_defaults(command=_training)
    report = commands.add_parser("report", help="write the tables and the chart of kept figures into docs")
    report.add_argument("file", type=Path)
    report.set_defaults(command=_report)
    return parser


def _run(args: argparse.Namespace) -> None:
    _check_tools()
    rounds = args.rounds or (1 if args.quick else 3)
    seconds = args.seconds or (1 if args.quick else 5)
    found = measure(chosen(args.only), rounds=rounds, seconds=seconds, quick=args.quick, say=say)
    file = found.write(args.results)
    sys.stdout.write(table(found))
    say(f"kept in {file}")


def chosen(only: str) -> dict[str, Candidate]:
    """
    Return the servers to be measured.

    Parameters
    ----------
    only : str
        Names separated by commas; empty means all. The echo brings this server along, whose answers it repeats.

    Raises
    ------
    Void
        A name is of none.
    """
    every = candidates(ENVIRONMENTS / "models")
    names = set(only.split(",")) if only else set(every)
    if unknown := names - set(every):
        raise Void(f"there is no server {', '.join(sorted(unknown))}; expected some of {', '.join(every)}")
    if CEILING in names:
        names.add(OURS)
    return {name: candidate for name, candidate in every.items() if name in names}


def _sweep(args: argparse.Namespace) -> None:
    _check_tools()
    own = candidates(ENVIRONMENTS / "models")[OURS]
    found = sweep(args.sweep, own, args.seconds, lambda point: say(f"{point.model} at {point.value}"))
    sys.stdout.write(sweep_table(found) + "\n")
    say(f"kept in {found.write(args.results)}")


def _profile(args: argparse.Namespace) -> None:
    root = ENVIRONMENTS / "models" / "profile"
    shutil.rmtree(root, ignore_errors=True)
    publish_own(root, plain=False)
    for model in MODELS:
        stages = profile(root, model, v2("rest", model, sample(args.rows)), args.repetitions)
        cells = [(stage.name, f"{stage.microseconds:,.1f}") for stage in stages]
        sys.stdout.write(f"{model}, {args.rows} row(s)\n\n{markdown(('stage', 'µs'), cells)}\n\n")


def _drift(args: argparse.Namespace) -> None:
    heads = (
        "moved by (standard deviations)",
        "sample",
        "rows",
        "median PSI",
        "highest",
        "median KS",
        f"PSI > {THRESHOLD}",
    )
    cells = [
        (
            f"{found.shift:g}",
            f"{found.sample:,}",
            f"{found.served:,}",
            f"{found.median:.3f}",
            f"{found.highest:.3f}",
            f"{found.ks:.3f}",
            f"{found.rate:.2%}",
        )
        for found in every(args.draws)
    ]
    sys.stdout.write(markdown(heads, cells) + "\n")


def _training(args: argparse.Namespace) -> None:
    found = training.measure([*(args.rows or ROWS), *([MOST_ROWS] if args.most else [])], say)
    sys.stdout.write(training_table(found))
    say(f"kept in {found.write(args.results)}")


def _check_tools() -> None:
    tools = missing_tools()
    if tools:
        raise Void(f"{', '.join(tools)} not found; `make bench-setup` installs the load generators.")


def _report(args: argparse.Namespace) -> None:
    if args.file.stem.endswith(training.SUFFIX):
        found = training.TrainingRun.read(args.file)
        DOCUMENT.write_text(with_results(DOCUMENT.read_text(), training_table(found), "costs"))
        return
    run = Run.read(args.file)
    CHART.write_text(svg(run))
    DOCUMENT.write_text(with_results(DOCUMENT.read_text(), table(run), "results"))


def with_results(document: str, results: str, mark: str) -> str:
    """Return the document with what stands between two marks replaced."""
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, _, rest = document.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{results}{end}{after}"
