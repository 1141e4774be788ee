"""As much of GCS's XML API as tells on what conditions the registry writes; fake-gcs-server, under `make test-system`, holds it to more."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.buckets import gcs_environment


class _Handler(BaseHTTPRequestHandler):
    """Objects with generations; a write whose condition does not hold is answered by 412."""

    server: "_Server"

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = self.headers.get("x-goog-if-generation-match")
        _, generation = self.server.objects.get(self._key(), (b"", 0))
        if wanted is not None and int(wanted) != generation:
            self._answer(412)
            return
        self.server.conditions.append(wanted)
        self.server.generation += 1
        self.server.objects[self._key()] = (data, self.server.generation)
        self._answer(200, generation=self.server.generation)

    def do_GET(self) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        if "list-type" in query:
            self._answer(200, self._listed(query.get("prefix", ""), query.get("delimiter")))
        elif self._key() in self.server.objects:
            data, generation = self.server.objects[self._key()]
            self._answer(200, data, generation=generation)
        else:
            self._answer(404)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).split("/", 2)[2]

    def _listed(self, prefix: str, delimiter: str | None) -> bytes:
        found = {key: data for key, (data, _) in self.server.objects.items() if key.startswith(prefix)}
        within = {key: re.match(f"{re.escape(prefix)}[^/]*/", key) if delimiter else None for key in found}
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(found[key])}</Size><ETag>x</ETag>"
            f"<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
            for key, match in within.items()
            if match is None
        )
        prefixes = sorted({match.group() for match in within.values() if match is not None})
        common = "".join(f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in prefixes)
        return f"<ListBucketResult>{contents}{common}</ListBucketResult>".encode()

    def _answer(self, status: int, data: bytes = b"", generation: int = 0) -> None:
        self.send_response(status)
        headers = {
            "Content-Length": str(len(data)),
            "ETag": f'"{generation}"',
            "x-goog-generation": str(generation),
            "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
        }
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)


class _Server(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, tuple[bytes, int]] = {}
        self.conditions: list[str | None] = []
        self.generation = 1000


@contextmanager
def noting_conditions(directory: Path) -> Iterator[tuple[Mapping[str, str], list[str | None]]]:
    """
    Serve GCS, and note on what condition each object was written.

    Yields
    ------
    environment : mapping of str to str
        By which it is found.
    conditions : list of str or None
        The generation that each write so far was made on the condition of.
    """
    with _Server() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield gcs_environment(f"http://127.0.0.1:{server.server_port}", directory), server.conditions
        finally:
            server.shutdown()
            thread.join()
