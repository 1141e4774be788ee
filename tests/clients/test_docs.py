"""The page for people, read without a browser: it has to work where there is no way out to the internet."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from tests.clients.plain import Connection, Reply, head
from tests.servers import ServerProcess

FETCHED = {"action", "background", "data", "formaction", "href", "manifest", "ping", "poster", "src", "srcset"}
"""Attributes by which a page makes a browser ask for something."""


class Page(HTMLParser):
    """What stands in the attributes of a page, and in its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.fetched += [value or "" for name, value in attrs if name in FETCHED]

    def handle_data(self, data: str) -> None:
        if self._tag in self.inline:
            self.inline[self._tag].append(data)

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""


@pytest.fixture
def connection(server: ServerProcess) -> Iterator[Connection]:
    with Connection(server.http_port) as connection:
        yield connection


@pytest.fixture
def docs(connection: Connection) -> Reply:
    connection.send(head("/docs", method="GET"))
    return connection.reply()


@pytest.fixture
def text(docs: Reply) -> str:
    return docs.body.decode()


@pytest.fixture
def policy(docs: Reply) -> dict[str, list[str]]:
    directives = [directive.split() for directive in docs.headers["content-security-policy"].split(";")]
    return {name: sources for name, *sources in directives}


def test_it_is_a_page(docs: Reply, text: str) -> None:
    assert (docs.status, docs.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert text.startswith("<!doctype html>")


def test_no_address_of_another_host_stands_in_it(text: str) -> None:
    assert re.findall(r"(?:\b[a-z][a-z0-9+.-]*:)?//[\w\[].*", text, re.IGNORECASE) == []


def test_no_attribute_makes_a_browser_ask_elsewhere(text: str) -> None:
    fetched = Page(text).fetched
    assert fetched
    assert [address for address in fetched if not address.startswith(("data:", "#"))] == []


def test_styles_load_nothing(text: str) -> None:
    (style,) = Page(text).inline["style"]
    assert re.findall(r"@import|url\(", style) == []


def test_the_policy_lets_a_browser_ask_this_server_alone(policy: dict[str, list[str]]) -> None:
    assert policy["default-src"] == ["'none'"]
    assert policy["connect-src"] == ["'self'"]
    sources = {source for listed in policy.values() for source in listed if not source.startswith("'sha256-")}
    assert sources <= {"'none'", "'self'", "data:"}


@pytest.mark.parametrize("tag", ["script", "style"])
def test_the_policy_lets_the_page_s_own_code_run(text: str, policy: dict[str, list[str]], tag: str) -> None:
    (code,) = Page(text).inline[tag]
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert policy[f"{tag}-src"] == [f"'sha256-{digest}'"]


def test_the_document_it_shows_is_beside_it(connection: Connection, text: str) -> None:
    assert "openapi.json" in text
    connection.send(head("/openapi.json", method="GET"))
    assert connection.reply().json()["openapi"].startswith("3.1")
