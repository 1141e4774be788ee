"""
The command `sklearn-kserve`.

Exit codes: 0 done or nothing to do, 1 refused or failed, 2 wrong usage. What a command needs is imported when it runs,
so that help comes at once and a command needs no other's packages.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from model import __version__
from model.errors import ArtifactError
from model.writer import open_standard_streams

COMMANDS: Final = {
    "serve": "serve models over REST and gRPC; the default",
    "publish": "turn a fitted estimator into a version that can be served",
    "inspect": "show what a version holds",
    "verify": "check a version against its manifest, and its signature against a key",
    "sign": "sign a version with your own key",
    "accelerate": "look for a faster engine for a published version",
    "key": "make an API key",
}


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a command.

    Parameters
    ----------
    argv : sequence of str or None
        Without the program's name; None means this process's.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    SystemExit
        With 2 for wrong usage, with 0 after ``--help`` and ``--version``.
    """
    open_standard_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = _command(arguments)
    try:
        if command == "serve":
            return _serve(arguments[1:] if arguments[:1] == ["serve"] else arguments)
        return _run(command, arguments)
    except ArtifactError as error:
        return _failed(str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "model":
            raise
        extra = "pip install 'sklearn-kserve[serve]'" if command == "serve" else "install it and try again"
        return _failed(f"{command} needs the package {error.name}, which is not installed: {extra}")


def _command(arguments: Sequence[str]) -> str:
    """Return the command asked for: flags alone are the server's, but for the two that ask about the program."""
    first = arguments[0] if arguments else ""
    if first in {"-h", "--help", "--version"}:
        return ""
    return "serve" if not first or first.startswith("-") else first


def _serve(arguments: Sequence[str]) -> int:
    from model.cpus import limit_threads, share  # noqa: PLC0415 -- see the module's docstring
    from model.settings import Settings  # noqa: PLC0415

    settings = Settings.from_sources(arguments, os.environ)
    from model import logs  # noqa: PLC0415 -- after the settings, whose mistakes are told at once
    from model.workers.link import Link  # noqa: PLC0415

    link = Link.inherited(os.environ)
    supervisor = settings.workers > 1 and link is None
    logs.configure_process(settings.log_level, worker=link.worker if link else None, alone=not supervisor)
    if supervisor:
        from model.workers.supervisor import supervise  # noqa: PLC0415

        return supervise(settings)

    limit_threads(share(settings.workers, settings.threads).calculation)

    # Read by gRPC's core when it is imported: it would write lines to stderr, none of JSON, of what our errors tell.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from model.server import serve  # noqa: PLC0415 -- after the limit, which BLAS reads when it is loaded

    return serve(settings, link)


def _run(command: str, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="sklearn-kserve", description="Serve scikit-learn models on KServe or alone.")
    parser.add_argument("--version", action="version", version=f"sklearn-kserve {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    if command == "key":
        from model.keys.commands import add_parser  # noqa: PLC0415 -- see the module's docstring

        add_parser(subparsers)
    elif command in COMMANDS:
        from model.artifact.commands import add_parsers  # noqa: PLC0415 -- see the module's docstring

        add_parsers(subparsers)
    else:
        for name, text in COMMANDS.items():
            subparsers.add_parser(name, help=text)
    namespace = parser.parse_args(arguments)
    code: int = namespace.func(namespace)
    return code


def _failed(message: str) -> int:
    sys.stderr.write(f"sklearn-kserve: {message}\n")
    return 1
