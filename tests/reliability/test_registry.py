"""The registry's aliases, and the rule by which a real server chooses a version: the two say the same."""

from functools import partial
from pathlib import Path

from tests.protocol.encodings import document, infer_path
from tests.protocol.wires import Clients
from tests.reliability.conftest import Serve, until
from tests.reliability.test_hot_swap import WATCH, ask, asked, becomes, publish_number
from training.registry import CHALLENGER, CHAMPION, Registry, Version

one, two = Version("number", 1), Version("number", 2)


def publish(registry: Registry, version: Version) -> None:
    write = partial(publish_number, name=version.name, version=version.number)
    assert registry.publish(version.name, write) == version


def test_the_champion_answers_and_the_challenger_where_it_is_named(serve: Serve, tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    publish(registry, one)
    registry.move("number", CHAMPION, one)
    clients = serve("--model_root", tmp_path, *WATCH)
    assert asked(clients, "number") == "1"

    publish(registry, two)
    registry.move("number", CHALLENGER, two)
    until(lambda: answers(clients, "2"), "version 2 answers where it is named")
    assert asked(clients, "number", "2") == "2"
    assert asked(clients, "number") == "1"

    registry.move("number", CHAMPION, two, why="better")
    becomes(clients, "number", 2)
    registry.rollback("number", why="worse")
    becomes(clients, "number", 1)
    assert asked(clients, "number", "2") == "2"
    assert registry.aliases("number") == {"champion": "1", "challenger": "2"}


def test_without_aliases_both_say_the_newest(serve: Serve, tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    for version in (one, two):
        publish(registry, version)
    clients = serve("--model_root", tmp_path, *WATCH)
    assert asked(clients, "number") == str(registry.versions("number")[-1].number) == "2"


def answers(clients: Clients, version: str) -> bool:
    return clients.post(infer_path("number", version), document(ask("number", version))).status_code == 200
