"""The commands ``publish``, ``inspect``, ``verify``, ``sign`` and ``accelerate``."""

import argparse
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from model.artifact.acceleration import accelerate_version
from model.artifact.bare import ONNX_SUFFIX
from model.artifact.bundle import read_keys
from model.artifact.digest import opened
from model.artifact.manifest import read_manifest
from model.artifact.publishing import publish, publish_network
from model.artifact.report import describe_engine, describe_manifest, summarize
from model.artifact.rows import read_rows
from model.artifact.seal import is_signed
from model.artifact.signing import sign_version
from model.artifact.unpickle import read_estimator
from model.artifact.verification import verify
from model.engine.acceleration import ENGINES
from model.errors import ArtifactError

Command = Callable[[argparse.Namespace], None]


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """
    Add the commands that handle artifacts to a command line.

    Each parser sets ``func``, a function of the parsed arguments that returns the exit code: 0 if done, 1 if refused.
    Wrong usage ends with 2 in argparse.
    """
    _add_publish(subparsers)
    inspecting = subparsers.add_parser("inspect", help="print the manifest of a version")
    inspecting.add_argument("directory", type=Path, metavar="VERSION_DIR")
    inspecting.add_argument("--json", action="store_true", help="print it as it is written")
    inspecting.set_defaults(func=inspect_command)
    verifying = subparsers.add_parser("verify", help="check every digest and every version pin of a version")
    verifying.add_argument("directory", type=Path, metavar="VERSION_DIR")
    verifying.add_argument(
        "--verify_key",
        action="append",
        default=[],
        type=Path,
        metavar="PUBLIC_PEM",
        help="refuse what no such key has signed; may be repeated",
    )
    verifying.add_argument("--code_dir", type=Path, help="directory of the model's own modules")
    verifying.set_defaults(func=verify_command)
    _add_sign(subparsers)
    _add_accelerate(subparsers)


def _add_publish(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("publish", help="write a new version of a model from a fitted estimator")
    parser.add_argument(
        "estimator", type=Path, metavar="ESTIMATOR", help="your own joblib or pickle file, which is unpickled; or .onnx"
    )
    parser.add_argument("--name", required=True, help="of the model")
    parser.add_argument("--root", required=True, type=Path, help="versions are written to ROOT/NAME/VERSION")
    parser.add_argument("--sample", type=Path, metavar="ROWS", help=".csv or .parquet file of its input; not for .onnx")
    parser.add_argument("--target", metavar="COLUMN", help="column of the sample that is no input")
    parser.add_argument(
        "--format", default="joblib", choices=["joblib", "skops"], help="of the estimator (%(default)s)"
    )
    parser.add_argument(
        "--metric", action="append", default=[], type=_metric, metavar="NAME=VALUE", help="may be repeated"
    )
    parser.add_argument("--code_dir", type=Path, help="directory of the model's own modules")
    parser.add_argument(
        "--accelerate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="look for a faster engine that answers as scikit-learn does",
    )
    parser.add_argument("--private_key", type=Path, metavar="PEM", help="sign the version with it")
    parser.set_defaults(func=publish_command, usage_error=parser.error)


def _add_sign(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("sign", help="sign a version with your own key")
    parser.add_argument("directory", type=Path, metavar="VERSION_DIR")
    parser.add_argument(
        "--private_key", required=True, type=Path, metavar="PEM", help="of an elliptic curve, not encrypted"
    )
    parser.set_defaults(func=sign_command)


def _add_accelerate(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("accelerate", help="look for a faster engine for a version that is published")
    parser.add_argument("directory", type=Path, metavar="VERSION_DIR")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="to try; may be repeated (all)")
    parser.add_argument("--skops_trusted", action="append", default=[], metavar="TYPE", help="may be repeated")
    parser.add_argument("--code_dir", type=Path, help="directory of the model's own modules")
    parser.set_defaults(func=accelerate_command)


def _metric(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        msg = f"{text!r} is no NAME=VALUE with a number"
        raise argparse.ArgumentTypeError(msg) from None


def _exit_code(command: Command) -> Callable[[argparse.Namespace], int]:
    """Let a command answer with an exit code, and a refusal with one sentence on stderr."""

    @wraps(command)
    def run(args: argparse.Namespace) -> int:
        try:
            command(args)
        except ArtifactError as error:
            sys.stderr.write(f"sklearn-kserve: {error}\n")
            return 1
        return 0

    return run


@_exit_code
def publish_command(args: argparse.Namespace) -> None:
    """Publish an estimator or a network, and print the version's directory, then what it is."""
    _import_from(args.code_dir)
    directory = _published_network(args) if args.estimator.suffix == ONNX_SUFFIX else _published(args)
    sys.stdout.write(f"{directory}\n{summarize(read_manifest(directory))}")


def _published_network(args: argparse.Namespace) -> Path:
    if not args.estimator.is_file():
        raise ArtifactError(f"The network {args.estimator} is no file; check the path.")
    if args.sample is not None:
        args.usage_error("an ONNX file tells its own input: leave out --sample")
    content = args.estimator.read_bytes()
    return publish_network(
        content, name=args.name, root=args.root, metrics=dict(args.metric), private_key=args.private_key
    )


def _published(args: argparse.Namespace) -> Path:
    if args.sample is None:
        args.usage_error("an estimator does not tell its own input: --sample ROWS is required")
    sample = read_rows(args.sample, args.target)
    return publish(
        _own_estimator(args.estimator),
        sample,
        name=args.name,
        root=args.root,
        metrics=dict(args.metric),
        file_format=args.format,
        accelerate=args.accelerate,
        private_key=args.private_key,
    )


@_exit_code
def inspect_command(args: argparse.Namespace) -> None:
    """Print the manifest of a version, which is read but not held against the files."""
    manifest = read_manifest(args.directory)
    words = describe_manifest(manifest, signed=is_signed(args.directory))
    sys.stdout.write(manifest.to_json().decode() if args.json else words)


@_exit_code
def verify_command(args: argparse.Namespace) -> None:
    """Verify a version, and say so."""
    _import_from(args.code_dir)
    verified = verify(args.directory, require_manifest=True, keys=read_keys(args.verify_key))
    _warn(verified.warnings)
    if verified.signed_by is None and is_signed(args.directory):
        _warn((f"{args.directory} is signed, which was not looked at; give the public key: --verify_key.",))
    signed = f", signed with the key of {verified.signed_by.path}" if verified.signed_by else ""
    sys.stdout.write(f"verified: {args.directory}{signed}\n")


@_exit_code
def sign_command(args: argparse.Namespace) -> None:
    """Sign a version, and print the key's fingerprint."""
    key = sign_version(args.directory, args.private_key)
    sys.stdout.write(f"signed: {args.directory}, key {key.fingerprint[:16]}\n")


@_exit_code
def accelerate_command(args: argparse.Namespace) -> None:
    """Accelerate a published version, and print its engine."""
    _import_from(args.code_dir)
    manifest = accelerate_version(args.directory, args.engine or ENGINES, skops_trusted=tuple(args.skops_trusted))
    sys.stdout.write(describe_engine(manifest))


def _own_estimator(path: Path) -> Any:
    """Unpickle a file that the user names: their own, on their own machine."""
    if not path.is_file():
        raise ArtifactError(f"The estimator {path} is no file; check the path.")
    with opened(path) as file:
        unpickled = read_estimator(file, str(path), "joblib")
    _warn(unpickled.warnings)
    return unpickled.estimator


def _import_from(directory: Path | None) -> None:
    if directory is None:
        return
    if not directory.is_dir():
        raise ArtifactError(f"The code_dir {directory} is no directory; check the path.")
    sys.path.insert(0, str(directory.resolve()))


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        sys.stderr.write(f"sklearn-kserve: warning: {warning}\n")
