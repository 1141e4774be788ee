"""Hashes behind Redis' protocol, for tests where no Redis is: a socket that redis-py itself talks to."""

import json
import socketserver
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

Hashes = dict[str, dict[str, str]]
_OK: Final = b"+OK\r\n"


class HashServer(socketserver.ThreadingTCPServer):
    """
    Answers ``HMGET`` of what ``hashes`` holds, on a port of 127.0.0.1.

    Attributes
    ----------
    hashes : dict
        Fields and values by name; what is no dict is answered as a value of another type.
    asked : list of str
        Names of the hashes that were asked for.
    delay_seconds : float
        How long each answer takes.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hashes: Hashes, port: int = 0) -> None:
        self.hashes = hashes
        self.asked: list[str] = []
        self.delay_seconds = 0.0
        super().__init__(("127.0.0.1", port), _Connection)

    @property
    def url(self) -> str:
        """As redis-py takes it."""
        return f"redis://127.0.0.1:{self.server_address[1]}/0"

    def answer(self, command: str, name: str, fields: list[str]) -> bytes:
        """Return what Redis says to a command."""
        if command == "HELLO":
            return _map({"server": "redis", "version": "7.0.0", "proto": name or "2"})
        if command != "HMGET":
            return _OK
        time.sleep(self.delay_seconds)
        self.asked.append(name)
        kept: Mapping[str, str] = self.hashes.get(name, {})
        if not isinstance(kept, dict):
            return b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        return f"*{len(fields)}\r\n".encode() + b"".join(_text(kept.get(field)) for field in fields)


class _Connection(socketserver.StreamRequestHandler):
    server: HashServer

    def handle(self) -> None:
        while line := self.rfile.readline():
            words = [self._word() for _ in range(int(line[1:]))]
            self.wfile.write(self.server.answer(words[0].upper(), words[1] if words[1:] else "", words[2:]))

    def _word(self) -> str:
        size = int(self.rfile.readline()[1:])
        return self.rfile.read(size + 2)[:-2].decode()


def _text(value: str | None) -> bytes:
    return b"_\r\n" if value is None else f"${len(value.encode())}\r\n{value}\r\n".encode()


def _map(values: Mapping[str, str]) -> bytes:
    pairs = b"".join(_text(name) + (b":3\r\n" if name == "proto" else _text(value)) for name, value in values.items())
    return f"%{len(values)}\r\n".encode() + pairs


@contextmanager
def hash_server(hashes: Hashes, port: int = 0) -> Iterator[HashServer]:
    """Run one in a thread."""
    with HashServer(hashes, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    HashServer(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])).serve_forever()
