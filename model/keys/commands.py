"""The command ``key``."""

import argparse
import sys
from pathlib import Path

from model.keys.file import add_key, new_key


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a command line; see `model.artifact.commands.add_parsers`."""
    parser = subparsers.add_parser(
        "key", help="make an API key", description="Make an API key; it is printed once, and only its hash is kept."
    )
    parser.add_argument("--id", required=True, help="letters, digits, dashes and underscores; is logged")
    parser.add_argument("--model", action="append", default=[], help="that it is for; may be repeated (all)")
    parser.add_argument("--admin", action="store_true", help="may load and unload its models")
    parser.add_argument("--file", type=Path, help="to add its hash to; without it the hash is printed")
    parser.set_defaults(func=key_command)


def key_command(args: argparse.Namespace) -> int:
    """Make a key, print it, and keep or print its hash."""
    text, key = new_key(args.id, args.model, admin=args.admin)
    if args.file is not None:
        add_key(args.file, key)
    sys.stdout.write(f"{text}\n")
    if args.file is None:
        sys.stdout.write(f"{key.to_json().decode()}\n")
    return 0
