"""The OpenAPI document: every route, with the schemas and examples of the models that are served."""

from collections.abc import Iterable
from typing import Any, Final

import orjson

from model import __version__
from model.dataplane import DataPlane
from model.keys import Client
from model.rest.operations import Served, operations
from model.rest.routes import Route
from model.rest.schemas import SCHEMAS

_ABOUT: Final = (
    "scikit-learn models by the Open Inference Protocol.\n\n"
    "Tensors may also be sent and asked for in binary (extension `binary_tensor_data`); the header "
    "`Inference-Header-Content-Length` tells how many bytes of the decoded body are JSON. The parameter `timeout` of a "
    "V2 request, in microseconds, and the header `x-envoy-expected-rq-timeout-ms` set a deadline. Bodies may be "
    "compressed (`Content-Encoding: gzip` or `deflate`), and have at most {limit} bytes. `X-Request-ID` is taken over "
    "into the log and the answer."
)
_KEPT: Final = 64
"""Documents of keys for different models."""


class Document:
    """
    The document, made when it is asked for and kept until the models change; for each set of models one.

    Parameters
    ----------
    routes : iterable of Route
    dataplane : DataPlane
    max_body_bytes : int
    keys : bool
        Whether clients need a key.
    """

    def __init__(self, routes: Iterable[Route], dataplane: DataPlane, *, max_body_bytes: int, keys: bool) -> None:
        self._routes = tuple(routes)
        self._dataplane = dataplane
        self._about = _ABOUT.format(limit=max_body_bytes)
        self._keys = keys
        self._rendered: dict[frozenset[str] | None, tuple[Served, bytes]] = {}

    def render(self, client: Client) -> bytes:
        """Return the document as JSON, with the models that a client may use."""
        served = Served.by(self._dataplane, client)
        kept = self._rendered.get(client.models)
        if kept is None or kept[0] != served:
            if len(self._rendered) >= _KEPT:
                self._rendered.clear()
            kept = self._rendered[client.models] = served, orjson.dumps(self._document(served))
        return kept[1]

    def _document(self, served: Served) -> dict[str, Any]:
        components: dict[str, Any] = {"schemas": dict(SCHEMAS)}
        if self._keys:
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        paths: dict[str, dict[str, Any]] = {}
        for route in self._routes:
            for operation in operations(route, served, keys=self._keys):
                components["schemas"] |= operation.schemas
                paths.setdefault(operation.path, {})[route.method.lower()] = operation.item
        info = {"title": "sklearn-kserve", "version": __version__, "description": self._about}
        return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}
