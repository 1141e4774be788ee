"""The command line: ``sklearn-kserve-train run --config FILE --root DIRECTORY``."""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from model.errors import ArtifactError
from training.config import load_config
from training.errors import TrainingError
from training.run import Outcome, run

PROGRAM: Final = "sklearn-kserve-train"


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
        0 done or nothing to do, 1 refused or failed. Wrong usage exits with 2.
    """
    arguments = _parser().parse_args(argv)
    with _progress():
        try:
            outcome = run(load_config(arguments.config), arguments.root, base=arguments.config.parent)
        except (TrainingError, ArtifactError) as error:
            return _failed(str(error))
        except OSError as error:  # such as a disk that is full
            return _failed(f"{error.filename or arguments.root}: {error.strerror or error}")
    print(_summary(outcome))  # noqa: T201 -- standard output is where a command's result belongs
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Train models and publish them as versions.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "run",
        help="read, clean, split, fit, evaluate and publish",
        description="Train the model of a configuration file and publish it as a new version, "
        "unless the same data and configuration have been published already.",
    )
    command.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML file; see docs/training.md")
    command.add_argument(
        "--root",
        type=Path,
        required=True,
        metavar="DIRECTORY",
        help="model root: versions go to <root>/<name>/<version>/",
    )
    return parser


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


def _failed(sentence: str) -> int:
    print(f"{PROGRAM}: {sentence}", file=sys.stderr)  # noqa: T201 -- standard error is where a command complains
    return 1


def _summary(outcome: Outcome) -> str:
    if not outcome.published:
        return f"nothing to do: {outcome.version} holds the same data and configuration"
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in outcome.metrics.items())
    return f"published {outcome.version}: {metrics}"
