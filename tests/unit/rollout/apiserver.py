"""
An API server of HTTP, for the real Kubernetes client to ask.

A real one takes minutes to build, so here a small server stands for it: it tells of kinds as Kubernetes 1.35 and the
CRDs do (`discovery.json`, recorded), and answers from the objects it is given. What it can't do is admission: it refuses
what it is told to refuse. `tests/cluster` asks a real API server the same questions.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

TOKEN: Final = "the-operator"
APPLY: Final = "application/apply-patch+yaml"
Object = dict[str, Any]


@cache
def _recorded() -> dict[str, Object]:
    found: dict[str, Object] = json.loads((Path(__file__).parent / "discovery.json").read_text())
    return found


class ApiServer:
    """
    What the API server knows, and what it has been asked.

    Attributes
    ----------
    objects : dict of str to dict
        By path.
    denied : set of tuple of str
        Verbs and plurals that access reviews answer with no.
    forbidden : set of str
        Beginnings of paths that nobody may read.
    refused : dict of str to tuple of int and str
        What a dry run answers to a kind: status and message.
    broken : set of str
        Paths of aggregated APIs behind which nobody answers.
    asked : list of tuple of str
        Method, path and ``Accept`` of each request.
    """

    def __init__(self) -> None:
        self.version = "v1.35.4"
        self.discovery = dict(_recorded())
        self.objects: dict[str, Object] = {}
        self.denied: set[tuple[str, str]] = set()
        self.forbidden: set[str] = set()
        self.refused: dict[str, tuple[int, str]] = {}
        self.broken: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []

    def add(self, path: str, **parts: Any) -> Object:
        """Put an object under a path, such as ``/api/v1/namespaces/ml``."""
        found: Object = {"metadata": {"name": path.rpartition("/")[2]}, **parts}
        pieces = path.split("/")
        if "namespaces" in pieces and pieces[-2] != "namespaces":
            found["metadata"]["namespace"] = pieces[pieces.index("namespaces") + 1]
        self.objects[path] = found
        return found

    def remove(self, group: str) -> None:
        """Forget a group, as a cluster without its CRDs."""
        for path in [each for each in self.discovery if each.startswith(f"/apis/{group}/")]:
            del self.discovery[path]

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Object]:
        """Answer a request."""
        url = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked.append((method, url.path, headers.get("Accept", "")))
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        if method == "GET" and any(url.path.startswith(each) for each in self.forbidden):
            return _status(403, f'{url.path.rpartition("/")[2]} is forbidden: User "dev" cannot look there')
        if url.path in self.broken:
            return _status(503, "service unavailable")
        match method:
            case "GET":
                return self._get(url.path, query, headers.get("Accept", ""))
            case "POST" if url.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
                attributes = json.loads(body)["spec"]["resourceAttributes"]
                allowed = (attributes["verb"], attributes["resource"]) not in self.denied
                return 201, {**json.loads(body), "status": {"allowed": allowed}}
            case "PATCH" if query.get("dryRun") == "All" and headers["Content-Type"] == APPLY:
                return self._applied(url.path, json.loads(body))
        return _status(405, f"{method} {target} is nothing that a check asks for")

    def _get(self, path: str, query: dict[str, str], accept: str) -> tuple[int, Object]:
        if path == "/version":
            return 200, {"major": "1", "minor": "35", "gitVersion": self.version}
        if path in self.discovery:
            return 200, self.discovery[path]
        if path.count("/") == 2 and path.startswith("/apis/"):
            return self._group(path)
        if path in self.objects:
            found = self.objects[path]
            return 200, {
                "kind": "PartialObjectMetadata",
                "metadata": found["metadata"],
            } if "as=Partial" in accept else found
        if path.rpartition("/")[2] not in self._plurals():
            return _status(404, f'"{path.rpartition("/")[2]}" not found')
        return 200, {"items": [each for each in self._below(path) if _labelled(each, query.get("labelSelector", ""))]}

    def _group(self, path: str) -> tuple[int, Object]:
        versions = [each.removeprefix(f"{path}/") for each in self.discovery if each.startswith(f"{path}/")]
        if not versions:
            return _status(404, "the server could not find the requested resource")
        return 200, {"kind": "APIGroup", "name": path, "versions": [{"version": each} for each in versions]}

    def _plurals(self) -> set[str]:
        return {each["name"] for answer in self.discovery.values() for each in answer["resources"]}

    def _below(self, path: str) -> Iterator[Object]:
        root, _, plural = path.rpartition("/")
        for each, found in self.objects.items():
            parent, _, _ = each.rpartition("/")
            if parent == path or (parent.startswith(f"{root}/namespaces/") and parent.endswith(f"/{plural}")):
                yield found

    def _applied(self, path: str, found: Object) -> tuple[int, Object]:
        assert path.endswith(f"/{found['metadata']['name']}"), path
        assert ("/namespaces/" in path) == ("namespace" in found["metadata"]), path
        if found["kind"] in self.refused:
            return _status(*self.refused[found["kind"]])
        return 200, found


def _status(code: int, message: str) -> tuple[int, Object]:
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


def _labelled(found: Object, selector: str) -> bool:
    wanted = dict(each.split("=") for each in selector.split(",") if each)
    labels: dict[str, str] = found["metadata"].get("labels", {})
    return wanted.items() <= labels.items()


@contextmanager
def listening(state: ApiServer) -> Iterator[str]:
    """Serve on a free port; the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            code, found = state.answer(self.command, self.path, self.headers, body)
            data = json.dumps(found).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815 -- the names http.server calls

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
