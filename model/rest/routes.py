"""
The table of routes, and how a path is looked up in it.

To add a route is to add its line: the 405s, the keys and the OpenAPI document follow from it.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from model.errors import MethodNotAllowed, NotFound
from model.rest import pages, repository, rows, v1, v2
from model.rest.answer import Answer
from model.rest.request import Request

Handler = Callable[[Request], Awaitable[Answer]]

# A directory's name is no longer than this.
_NAME: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,254}"
_PATH_MOST: Final = 1024
_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Route:
    """
    One operation.

    Parameters
    ----------
    method : str
        A ``GET`` is a ``HEAD`` too.
    path : str
        May hold ``{model}`` and ``{version}``.
    handler : callable
    summary : str
        For the OpenAPI document.
    answer : str
        Schema of a JSON answer (see ``model.rest.schemas``), or else its media types.
    body : str
        Schema of the body, empty where it has none.
    public : bool
        Whether it needs no key.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answer: str
    body: str = ""
    public: bool = False


M: Final = "/v2/models/{model}"
V: Final = "/v2/models/{model}/versions/{version}"

ROUTES: Final = (
    Route("POST", f"{M}/infer", v2.infer, "Run a model on tensors", "InferResponse", "InferRequest"),
    Route("POST", f"{V}/infer", v2.infer, "Run a version on tensors", "InferResponse", "InferRequest"),
    Route("POST", "/predict/{model}", rows.predict, "Predict rows", "Predictions", "Rows"),
    Route("POST", "/predict", rows.predict, "Predict rows by the default model", "Predictions", "Rows"),
    Route("POST", "/v1/models/{model}:predict", v1.predict, "Run a model on rows", "V1Predictions", "V1Instances"),
    Route("GET", "/v1/models", v1.models, "Name the models that can answer", "V1Models"),
    Route("GET", "/v1/models/{model}", v1.model_ready, "Whether a model can answer", "ModelReady"),
    Route("GET", "/v2", v2.server_metadata, "Describe the server", "ServerMetadata"),
    Route("GET", "/v2/health/live", v2.live, "Whether the server lives", "Live", public=True),
    Route("GET", "/v2/health/ready", v2.ready, "Whether every model can answer", "Ready", public=True),
    Route("GET", "/v2/models/stats", v2.statistics, "Statistics of all models", "Statistics"),
    Route("GET", M, v2.model_metadata, "Describe a model", "ModelMetadata"),
    Route("GET", V, v2.model_metadata, "Describe a version", "ModelMetadata"),
    Route("GET", f"{M}/ready", v2.model_ready, "Whether a model can answer", "ModelReady", public=True),
    Route("GET", f"{V}/ready", v2.model_ready, "Whether a version can answer", "ModelReady", public=True),
    Route("GET", f"{M}/stats", v2.statistics, "Statistics of a model", "Statistics"),
    Route("GET", f"{V}/stats", v2.statistics, "Statistics of a version", "Statistics"),
    Route("POST", "/v2/repository/index", repository.index, "List the versions", "RepositoryIndex", "IndexRequest"),
    Route("POST", "/v2/repository/models/{model}/load", repository.load, "Load a model", "Loaded", "LoadRequest"),
    Route(
        "POST", "/v2/repository/models/{model}/unload", repository.unload, "Unload a model", "Unloaded", "UnloadRequest"
    ),
    Route("GET", "/metrics", pages.metrics, "Metrics for Prometheus", "text/plain application/openmetrics-text"),
    Route("GET", "/openapi.json", pages.openapi, "This document", "Document"),
    Route("GET", "/docs", pages.docs, "A page that shows this document", "text/html", public=True),
    Route("GET", "/", pages.root, "Whether the server lives", "Alive", public=True),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a path leads to: its routes by method, and the names in it, empty where it has none."""

    methods: dict[str, Route]
    model: str = ""
    version: str = ""

    def route(self, method: str, path: str) -> Route:
        """
        Return the route for a method.

        Raises
        ------
        MethodNotAllowed
        """
        route = self.methods.get(method)
        if route is not None:
            return route
        allow = ", ".join(self.methods)
        raise MethodNotAllowed(f"{method} is not allowed on {path}; expected {allow.replace(', ', ' or ')}.", allow)


class Router:
    """
    Finds what a path leads to.

    Parameters
    ----------
    routes : iterable of Route
        Where two paths match, the first counts.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods = by_path.setdefault(route.path, {})
            methods[route.method] = route
            if route.method == "GET":
                methods["HEAD"] = route
        self._patterns = [(_pattern(path), methods) for path, methods in by_path.items()]
        self._known: dict[str, Found] = {}

    def find(self, path: str) -> Found:
        """
        Look a path up; a slash at its end does not matter.

        Raises
        ------
        NotFound
        """
        found = self._known.get(path)
        return found if found is not None else self._search(path)

    def _search(self, path: str) -> Found:
        if len(path) <= _PATH_MOST:
            bare = path.removesuffix("/") or "/"
            for pattern, methods in self._patterns:
                if match := pattern.fullmatch(bare):
                    return self._remember(path, Found(methods, **match.groupdict()))
        raise NotFound(f"There is nothing at {path[:100]!r}; /openapi.json lists what there is.")

    def _remember(self, path: str, found: Found) -> Found:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[path] = found
        return found


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", rf"(?P<\1>{_NAME})", re.escape(path)), re.ASCII)
