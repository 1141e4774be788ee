"""The commands of the registry: ``sklearn-kserve-train registry COMMAND --root ROOT``."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from training.registry import CHAMPION, Move, Registry, Version
from training.registry.description import describe, differences, flat, marked
from training.registry.tables import table, text
from training.retention import Retention
from training.tracking import Tracker
from training.work import Work

Answer = tuple[Any, str]
"""What a command has to say: to machines, as JSON values, and to people."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``registry`` and its commands to a command line."""
    parser = commands.add_parser(
        "registry",
        help="look at versions, promote one, go back",
        description="Look at versions and move their aliases.",
    )
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command, arguments in _COMMANDS.items():
        says = str(command.__doc__)
        name = command.__name__.strip("_")
        added = subcommands.add_parser(name, help=says[0].lower() + says[1:].rstrip("."), description=says)
        for argument in arguments:
            argument(added)
        added.add_argument(
            "--root",
            required=True,
            metavar="ROOT",
            help="model root: a directory, s3://bucket/prefix or gs://bucket/prefix",
        )
        added.add_argument("--json", action="store_true", help="answer in JSON")
        added.set_defaults(does=_answering(command))


def _answering(
    command: Callable[[Registry, argparse.Namespace], Answer],
) -> Callable[[argparse.Namespace], tuple[str, int]]:
    def answer(arguments: argparse.Namespace) -> tuple[str, int]:
        machines, people = command(Registry(arguments.root), arguments)
        return (json.dumps(machines, indent=2, ensure_ascii=False) if arguments.json else people), 0

    return answer


def _list(registry: Registry, arguments: argparse.Namespace) -> Answer:
    """List the versions of a model, or of all."""
    names = registry.names() if arguments.name is None else [arguments.name]
    found = [_row(registry, version) for name in names for version in registry.versions(name)]
    rows = [
        (each["name"], each["version"], ", ".join(each["aliases"]), each["created"][:16], text(each["metrics"]))
        for each in found
    ]
    return found, table(("NAME", "VERSION", "ALIASES", "CREATED", "METRICS"), rows)


def _row(registry: Registry, version: Version) -> dict[str, Any]:
    aliases = registry.aliases(version.name)
    manifest = registry.manifest(version)
    return {
        "name": version.name,
        "version": version.number,
        "aliases": sorted(alias for alias, number in aliases.items() if number == str(version.number)),
        "created": manifest.created.isoformat(timespec="seconds"),
        "metrics": manifest.metrics,
    }


def _show(registry: Registry, arguments: argparse.Namespace) -> Answer:
    """Show what is known of a version: its data, configuration, metrics, environment and signature."""
    found = describe(registry, registry.version(arguments.name, arguments.version))
    return found, table(("", ""), [(key, text(value)) for key, value in flat(found)])


def _diff(registry: Registry, arguments: argparse.Namespace) -> Answer:
    """Show in what two versions differ."""
    one, other = (registry.version(arguments.name, called) for called in (arguments.version, arguments.other))
    found = differences(describe(registry, one), describe(registry, other))
    rows = [(each.key, text(each.before), text(each.after)) for each in found]
    return [each._asdict() for each in found], table(("", str(one), str(other)), rows)


def _history(registry: Registry, arguments: argparse.Namespace) -> Answer:
    """Show every move of the aliases of a model: who, when, from where, where to, why."""
    moves = registry.history(arguments.name)
    rows = [
        (move.at.isoformat(" ", "seconds"), move.alias, move.before, move.after, move.kind, move.by, move.why)
        for move in moves
    ]
    people = table(("WHEN", "ALIAS", "FROM", "TO", "KIND", "BY", "WHY"), rows)
    return [move.model_dump(mode="json") for move in moves], people


def _promote(registry: Registry, arguments: argparse.Namespace) -> Answer:
    """Let a version be champion."""
    version = registry.version(arguments.name, arguments.version)
    move = registry.move(arguments.name, CHAMPION, version, why=arguments.why, by=arguments.by)
    if move is None:
        return None, f"nothing to do: {version} is champion"
    return move.model_dump(mode="json"), _moved(arguments.name, move)


def _rollback(registry: Registry, arguments: argparse.Namespace) -> Answer:
    """Let the champion before be champion again."""
    move = registry.rollback(arguments.name, why=arguments.why, by=arguments.by)
    return move.model_dump(mode="json"), _moved(arguments.name, move)


def _moved(name: str, move: Move) -> str:
    return f"{name}: {move.alias} {text(move.before)} -> {move.after}"


def _mirror(registry: Registry, arguments: argparse.Namespace) -> Answer:
    """Tell MLflow of the versions and aliases that it does not know."""
    new = Tracker(arguments.mlflow, registry, experiment=arguments.experiment).mirror(arguments.name)
    told = ", ".join(map(str, new))
    return [version.number for version in new], f"{arguments.mlflow} was told of {told or 'no version that is new'}"


def _gc(registry: Registry, arguments: argparse.Namespace) -> Answer:
    """Remove old versions, and with --work the snapshots and steps that no version refers to."""
    names = registry.names() if arguments.name is None else [arguments.name]
    before = datetime.now(UTC) - timedelta(hours=arguments.hours)
    collections = [registry.collection(name, newest=arguments.keep, before=before) for name in names]
    collected = [each.plan() if arguments.dry_run else each.collect() for each in collections]
    surplus = _surplus(registry, {each.name: each.removed for each in collected}, arguments)
    machines = {
        "dry_run": arguments.dry_run,
        "models": [asdict(each) for each in collected],
        "work": [str(path) for path in surplus],
    }
    rows = [(each.name, text(sorted(each.kept)), text(each.removed), text(each.leftovers)) for each in collected]
    verb = "would be removed" if arguments.dry_run else "removed"
    lines = [table(("NAME", "KEPT", verb.upper(), "OF KILLED PUBLISHERS"), rows)]
    return machines, "\n".join([*lines, *(f"{verb}: {path}" for path in surplus)])


def _surplus(registry: Registry, removed: Mapping[str, Sequence[int]], arguments: argparse.Namespace) -> list[Path]:
    work = Work.of(registry.root, arguments.work)
    if work is None:
        return []
    kept = (
        version
        for name in registry.names()
        for version in registry.versions(name)
        if version.number not in removed.get(name, ())
    )
    marks = (marked(registry, version, registry.manifest(version)) for version in kept)
    retention = Retention(work, tuple(mark for mark in marks if "snapshot" in mark))
    return retention.surplus() if arguments.dry_run else retention.remove()


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the model")


def _any_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="name of the model; all of them if it is left out")


def _version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help="its number, or an alias: champion or challenger")


def _other(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("other", metavar="VERSION", help="the other one")


def _reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--why", default="", metavar="TEXT", help="for the record")
    parser.add_argument("--by", metavar="WHO", help="for the record; by default user@host")


def _told(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mlflow", required=True, metavar="URI", help="tracking URI, such as http://mlflow:5000")
    parser.add_argument("--experiment", metavar="NAME", help="by default the name of the model")


def _what_goes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep", type=int, default=5, metavar="N", help="keep so many of the newest versions; default 5"
    )
    parser.add_argument("--work", type=Path, metavar="DIRECTORY", help="work directory; by default <root>/.runs")
    parser.add_argument(
        "--hours",
        type=float,
        default=24,
        metavar="H",
        help="an upload to a bucket that began longer ago is dead; default 24",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")


_COMMANDS: Final[
    Mapping[Callable[[Registry, argparse.Namespace], Answer], Sequence[Callable[[argparse.ArgumentParser], None]]]
] = {
    _list: (_any_name,),
    _show: (_name, _version),
    _diff: (_name, _version, _other),
    _history: (_name,),
    _promote: (_name, _version, _reason),
    _rollback: (_name, _reason),
    _mirror: (_name, _told),
    _gc: (_any_name, _what_goes),
}
"""The arguments of each command; its name is the function's, and its docstring the help."""


__all__ = ["add_parser"]
