"""The command line: ``sklearn-kserve-train COMMAND --config FILE --root DIRECTORY``."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from model.errors import ArtifactError
from training import registrar
from training.config import load_config
from training.config.backend import Backend
from training.config.retrain import Drift
from training.errors import Refused, TrainingError
from training.imports import admit
from training.outcome import Outcome, measured
from training.run import Run
from training.steps import EVALUATE, FIT, VALIDATE
from training.steps.evaluate import read_decision, read_evaluation

PROGRAM: Final = "sklearn-kserve-train"
REFUSED: Final = 3
"""Exit code of a training that the gate refuses: who tries again at once finds that it is not tried twice."""

_Does: TypeAlias = Callable[[argparse.Namespace], tuple[str, int]]
"""What a command does: what is said of it, and the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Progress goes to standard error, the result to standard output.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; None for those of the process.

    Returns
    -------
    code : int
        0 done or nothing to do, unless ``--idle_code`` says another for that; 1 failed; 3 refused by the gate, as it would
        be again. Wrong usage exits with 2.
    """
    arguments = _parser().parse_args(argv)
    with _progress():
        try:
            said, code = arguments.does(arguments)
        except Refused as error:
            return _failed(str(error), REFUSED)
        except (TrainingError, ArtifactError) as error:
            return _failed(str(error))
        except OSError as error:  # such as a disk that is full
            return _failed(f"{error.filename or arguments.root}: {error.strerror or error}")
    try:
        print(said, flush=True)  # noqa: T201 -- standard output is where a command's result belongs
    except BrokenPipeError:  # Its reader, such as head, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(code)


def _run_of(arguments: argparse.Namespace) -> Run:
    config = load_config(arguments.config)
    if arguments.code_dir is not None:
        admit(arguments.code_dir)
    if arguments.backend:
        config = config.model_copy(update={"backend": config.backend.model_copy(update={"address": arguments.backend})})
    return Run(config, arguments.root, base=arguments.config.parent, work=arguments.work, repeats=arguments.snapshot)


def _run(run: Run) -> str:
    """All of these, one after the other: a version that exists already is not published again."""
    return _summary(run.all(), run)


def _ingest(run: Run) -> str:
    """Take a snapshot of the source, which the commands below go on from."""
    snapshot = run.ingest()
    return f"snapshot {snapshot.sha256}: {snapshot.bytes} bytes of {snapshot}"


def _validate(run: Run) -> str:
    """Clean the rows of the snapshot and hold them to the configuration."""
    return f"rows to learn from: {run.make(VALIDATE)}"


def _fit(run: Run) -> str:
    """Fit the pipeline on one part of the rows."""
    return f"fitted: {run.make(FIT)}"


def _evaluate(run: Run) -> str:
    """Measure it on the other part, and decide whether it may be published."""
    place = run.make(EVALUATE)
    decision = read_decision(place)
    verdict = "accepted" if decision.accepted else f"refused, for {'; '.join(decision.reasons)}"
    return f"{verdict}: {measured(read_evaluation(place).metrics)}"


def _publish(run: Run) -> str:
    """Publish it as a new version, unless it was refused or is there already."""
    return _summary(run.publish(), run)


def _promote(run: Run) -> str:
    """Make it champion, the version that answers by default, unless it has been that already."""
    version = run.promote()
    return f"champion: {run.registry.root}/{version}" if version else "nothing to do: it is champion, or has been"


def _retrain(arguments: argparse.Namespace) -> tuple[str, int]:
    from training.retrain import retrain  # noqa: PLC0415 -- asks by libraries that no other command needs

    run = _run_of(arguments)
    result = retrain(run, _watched(arguments, run.config.retrain.drift), dry_run=arguments.dry_run)
    if not result.decision.retrain:
        return f"nothing to do: {result.decision.because}", arguments.idle_code
    if result.outcome is None:
        return f"to be trained anew, for {result.decision.because}", 0
    return _summary(result.outcome, run), 0


def _watched(arguments: argparse.Namespace, configured: Drift) -> Drift:
    """Return who is asked about drift: whom the command line names, or else whom the configuration names."""
    if not (arguments.metrics_url or arguments.prometheus_url):
        return configured
    named = {"metrics_urls": tuple(arguments.metrics_url or ()), "prometheus_url": arguments.prometheus_url}
    return configured.model_copy(update=named)


def _card(arguments: argparse.Namespace) -> tuple[str, int]:
    from training.card import Documents, card  # noqa: PLC0415 -- jinja2, which no other command waits for

    page = card(Documents.of_version(arguments.version))
    if arguments.output is None:
        return page.decode().removesuffix("\n"), 0
    arguments.output.write_bytes(page)
    return f"written {arguments.output}", 0


_COMMANDS: Final[Mapping[str, Callable[[Run], str]]] = {
    "run": _run,
    "ingest": _ingest,
    "validate": _validate,
    "fit": _fit,
    "evaluate": _evaluate,
    "publish": _publish,
    "promote": _promote,
}
"""What each does, by its name; the docstring is its help."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Train models and publish them as versions. A step that was done is not done again.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        _add(commands, name, str(command.__doc__), partial(_plain, command))
    _add_retrain(commands)
    registrar.add_parser(commands)
    _add_card(commands)
    return parser


def _plain(command: Callable[[Run], str], arguments: argparse.Namespace) -> tuple[str, int]:
    return command(_run_of(arguments)), 0


def _add(commands: Any, name: str, says: str, does: _Does) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(
        name, help=says[0].lower() + says[1:].partition(".")[0], description=says
    )
    added.set_defaults(does=does)
    added.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML file; see docs/training/")
    added.add_argument(
        "--root",
        required=True,
        metavar="DIRECTORY",
        help="model root: versions go to <root>/<name>/<version>/",
    )
    added.add_argument(
        "--work",
        type=Path,
        metavar="DIRECTORY",
        help="where snapshots and the files of steps are kept; default <root>/.runs",
    )
    added.add_argument(
        "--snapshot",
        metavar="SHA256",
        help="an earlier snapshot, to repeat what was done with it; default: read the source, or go on from the newest",
    )
    added.add_argument(
        "--code_dir",
        type=Path,
        metavar="DIRECTORY",
        help="modules of your own that the configuration may name; the server takes the same flag",
    )
    added.add_argument(
        "--backend",
        type=_cluster,
        metavar="dask://HOST:PORT",
        help="scheduler of a dask cluster that fits; default: here",
    )
    return added


def _add_retrain(commands: Any) -> None:
    says = "Decide whether to train anew, say why, and if so do all of these; see docs/training/retraining.md."
    added = _add(commands, "retrain", says, _retrain)
    asked = added.add_mutually_exclusive_group()
    asked.add_argument(
        "--metrics_url",
        type=_address,
        action="append",
        metavar="URL",
        help="page of metrics of a server that may tell of drift; once for each replica",
    )
    asked.add_argument("--prometheus_url", type=_address, metavar="URL", help="Prometheus that may know of drift")
    added.add_argument("--dry-run", action="store_true", help="leave it at the decision and its record")
    added.add_argument(
        "--idle_code",
        type=int,
        default=0,
        metavar="CODE",
        help="exit code where there is nothing to do; default 0",
    )


def _add_card(commands: Any) -> None:
    says = "Make the model card of a version that has none, from its manifest and what lies beside it."
    added = commands.add_parser("card", help=says[0].lower() + says[1:].rstrip("."), description=says)
    added.set_defaults(does=_card, root="the card")
    added.add_argument("version", type=Path, metavar="VERSION_DIR", help="directory of the version")
    added.add_argument("--output", type=Path, metavar="FILE", help="where to write it; default standard output")


def _cluster(text: str) -> str:
    try:
        return str(Backend(address=text).address)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no cluster; expected dask://HOST:PORT") from error


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; expected http://… or https://…")
    return text


@contextmanager
def _progress() -> Iterator[None]:
    """Show the log of training, and of nothing else, on standard error."""
    logger = logging.getLogger("training")
    handler, level = logging.StreamHandler(sys.stderr), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _failed(sentence: str, code: int = 1) -> int:
    print(f"{PROGRAM}: {sentence}", file=sys.stderr)  # noqa: T201 -- standard error is where a command complains
    return code


def _summary(outcome: Outcome, run: Run) -> str:
    place = f"{run.registry.root}/{outcome.version}"
    if not outcome.published:
        return f"nothing to do: {place} holds the same data and configuration"
    return f"published {place}: {measured(outcome.metrics)}"
