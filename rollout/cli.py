"""
The command line: ``python -m rollout preflight``.

Exit codes: 0 nothing is missing, 1 something is, 2 something could not be checked, or wrong usage.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rollout.errors import RolloutError

PROGRAM: Final = "python -m rollout"
CHART: Final = "helm/sklearn-kserve"


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    The report goes to standard output, what keeps it from being made to standard error.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; None for those of the process.

    Returns
    -------
    code : int
        See the module. Wrong usage exits with 2.
    """
    arguments = _parser().parse_args(argv)
    try:
        return _preflight(arguments)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "rollout":
            raise
        return _failed(f"the package {error.name} is not installed: pip install 'sklearn-kserve[rollout]'")
    except (RolloutError, OSError) as error:
        return _failed(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Take releases to a live cluster.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "preflight",
        help="say what the cluster lacks, before the install",
        description="Check a live cluster for all that an install needs, and say what is missing. Nothing is written. "
        "Exit codes: 0 nothing is missing, 1 something is, 2 something could not be checked.",
    )
    command.add_argument(
        "-f",
        "--values",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="values, as for helm; may be repeated",
    )
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one value, as for helm")
    command.add_argument("--chart", default=CHART, help="the chart: a directory, an archive or oci:// (%(default)s)")
    command.add_argument("--release", default="sklearn-kserve", metavar="NAME", help="the release's name (%(default)s)")
    command.add_argument(
        "--manifests",
        metavar="FILE",
        help="objects rendered already, such as by kubectl kustomize; - reads standard input",
    )
    command.add_argument("-n", "--namespace", help="where to install; the context's by default")
    command.add_argument("--context", help="context of the kubeconfig; the current one by default")
    command.add_argument("--kubeconfig", metavar="FILE", help="as for kubectl")
    command.add_argument("--kserve-namespace", default="kserve", metavar="NAME", help="where KServe is (%(default)s)")
    command.add_argument("--timeout", type=float, default=15, metavar="SECONDS", help="for one answer (%(default)s)")
    command.add_argument("-o", "--output", choices=["text", "json"], default="text", help="(%(default)s)")
    return parser


def _preflight(arguments: argparse.Namespace) -> int:
    from rollout.cluster import Cluster  # noqa: PLC0415 -- help comes at once, and without the client
    from rollout.preflight import Install, rendered_for, run  # noqa: PLC0415 -- the same
    from rollout.release import Release  # noqa: PLC0415 -- the same

    cluster = Cluster.connect(
        kubeconfig=arguments.kubeconfig, context=arguments.context, timeout_seconds=arguments.timeout
    )
    namespace = arguments.namespace or cluster.namespace
    if arguments.manifests:
        text = sys.stdin.read() if arguments.manifests == "-" else Path(arguments.manifests).read_text()
        release = Release.read(text, namespace)
    else:
        release = Release.rendered(
            arguments.release,
            arguments.chart,
            namespace,
            kubernetes=rendered_for(cluster.version()),
            files=arguments.values,
            settings=arguments.set,
        )
    report = run(Install(cluster, release, arguments.kserve_namespace))
    print(json.dumps(report.as_json(), indent=2) if arguments.output == "json" else report.as_text())  # noqa: T201 -- standard output is where a command's result belongs
    return report.exit_code


def _failed(sentence: str) -> int:
    print(f"{PROGRAM}: {sentence}", file=sys.stderr)  # noqa: T201 -- standard error is where a command complains
    return 2
