"""A server that says what it is told to, and remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, bytes]


@dataclass
class Asked:
    """
    What a server was asked.

    Parameters
    ----------
    url : str
    queries : list of dict
    keys : list of str
        What came as ``Authorization``.
    """

    url: str
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], Answer | None]) -> Iterator[Asked]:
    """Answer each GET; with None as the answer the handler has written what there is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.queries.append(parse_qs(urlsplit(self.path).query))
            asked.keys.append(self.headers.get("Authorization", ""))
            if (said := answer(self)) is not None:
                self.send_response(said[0])
                self.send_header("Content-Length", str(len(said[1])))
                self.end_headers()
                self.wfile.write(said[1])

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        asked = Asked(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield asked
        server.shutdown()
        thread.join()
