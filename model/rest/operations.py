"""From one route to its operations in the OpenAPI document; what takes a model's own body has one per model."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self

from model.dataplane import DataPlane
from model.errors import InvalidInput, NotFound, NotReady
from model.keys import Client
from model.rest.model_schemas import infer_schema, instances_schema, rows_schema
from model.rest.network_schemas import network_schema, network_takes
from model.rest.routes import Route
from model.rest.schemas import SCHEMAS, STRING, Schema, reference
from model.signature.schema import Layout, Signature

_BODIES: Final[dict[str, Callable[[Signature], Schema]]] = {
    "InferRequest": infer_schema,
    "Rows": rows_schema,
    "V1Instances": instances_schema,
}
_STATUSES: Final = {
    400: "The request is malformed or does not fit the model; the sentence names the column.",
    401: "No key, or a wrong one.",
    403: "The key is not for this, or the operator has not turned it on.",
    404: "No such model or version.",
    413: "The body or the number of rows is over the limit.",
    415: "A Content-Encoding other than gzip, deflate and identity.",
    429: "Too many requests are in flight; try again later.",
    500: "The server or the model failed; the log has the cause.",
    503: "The model is not ready, or the server is stopping; try again later.",
    504: "The deadline passed.",
}
_TAGS: Final = (
    ("/predict", "Predict"),
    ("/v2/repository", "Repository"),
    ("/v2", "Open Inference Protocol (V2)"),
    ("/v1", "V1 protocol"),
    ("/", "Server"),
)
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Served:
    """
    The models as they are served to a client at one time.

    Parameters
    ----------
    signatures : dict of (name, version) to Signature
        With an empty version that of the version which answers by default.
    default : str
        The model that answers where none is named; empty where there is no such.
    """

    signatures: dict[tuple[str, str], Signature]
    default: str

    @classmethod
    def by(cls, dataplane: DataPlane, client: Client) -> Self:
        """Ask the data plane."""
        pairs = dict.fromkeys(
            pair for name, version in dataplane.models(client) for pair in ((name, ""), (name, version))
        )
        try:
            default = dataplane.default_model(client)
        except InvalidInput:
            default = ""
        signatures: dict[tuple[str, str], Signature] = {}
        for pair in pairs:
            # Models are loaded in a thread: one that was there a moment ago may have gone.
            with suppress(NotFound, NotReady):
                signatures[pair] = dataplane.signature(client, *pair)
        return cls(signatures, default)

    def names(self) -> list[str]:
        """Return the models."""
        return list(dict.fromkeys(name for name, _ in self.signatures))

    def versions(self) -> list[str]:
        """Return the versions there are, of whichever model."""
        return list(dict.fromkeys(version for _, version in self.signatures if version))


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: its path, what stands there, and the schemas that it brings with it."""

    path: str
    item: dict[str, Any]
    schemas: dict[str, Schema] = field(default_factory=dict)


def operations(route: Route, served: Served, *, keys: bool) -> Iterator[Operation]:
    """
    Yield the operations of a route.

    Parameters
    ----------
    route : Route
    served : Served
    keys : bool
        Whether clients need a key.
    """
    if route.body not in _BODIES:
        yield Operation(route.path, _item(route, route.path, keys=keys) | _parameters(route, served))
        return
    for name, version in _takers(route, served):
        signature = served.signatures[name, version]
        if not _takes(route.body, signature):
            continue
        path = route.path.replace("{model}", name).replace("{version}", version)
        schema = "-".join(filter(None, (route.body, name, version)))
        item = _item(route, path, keys=keys) | {"requestBody": _request_body(schema, required=True)}
        yield Operation(path, item, {schema: _body(route.body, signature)})


def _takes(body: str, signature: Signature) -> bool:
    if signature.layout is Layout.TENSORS:
        return network_takes(body, signature)
    return body != "Rows" or signature.named or len(signature.inputs) == 1


def _body(body: str, signature: Signature) -> Schema:
    return network_schema(body, signature) if signature.layout is Layout.TENSORS else _BODIES[body](signature)


def _takers(route: Route, served: Served) -> list[tuple[str, str]]:
    """Return the models, or versions, that a route with a body of theirs stands for."""
    if "{model}" not in route.path:
        return [pair for pair in served.signatures if pair == (served.default, "")]
    versions = "{version}" in route.path
    return [(name, version) for name, version in served.signatures if bool(version) is versions]


def _item(route: Route, path: str, *, keys: bool) -> dict[str, Any]:
    statuses = {status: _refusal(status, route) for status in _refusals(route, keys=keys)}
    success = {"description": "Done.", "content": _content(route), "headers": _headers()}
    item: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', path)}".rstrip("_"),
        "summary": route.summary,
        "tags": [next(tag for start, tag in _TAGS if path.startswith(start))],
        "responses": {"200": success} | {str(status): refusal for status, refusal in statuses.items()},
    }
    if keys:
        item["security"] = [] if route.public else [{"bearer": []}]
    if route.body and route.body not in _BODIES:
        item["requestBody"] = _request_body(route.body, required=False)
    return item


def _refusals(route: Route, *, keys: bool) -> Iterator[int]:
    """Yield the error statuses that a route can answer with."""
    yield from (400, 500)
    if keys and not route.public:
        yield from (401, 403)
    if "{model}" in route.path:
        yield 404
    if route.body:
        yield from (413, 415)
    if route.body in _BODIES:
        yield from (429, 504)
    if route.answer in {"Loaded", "Unloaded"}:
        yield 403
    yield 503


def _refusal(status: int, route: Route) -> dict[str, Any]:
    schema = reference("Error")
    if status == 503 and route.answer in {"Ready", "ModelReady"}:  # noqa: PLR2004 -- HTTP's own number
        schema = {"anyOf": [reference(route.answer), schema]}
    return {"description": _STATUSES[status], "content": {_JSON: {"schema": schema}}, "headers": _headers()}


def _content(route: Route) -> dict[str, Any]:
    if route.answer not in SCHEMAS:
        return {media: {"schema": STRING} for media in route.answer.split()}
    content: dict[str, Any] = {_JSON: {"schema": reference(route.answer)}}
    if route.answer == "InferResponse":
        content["application/octet-stream"] = {"schema": {}}
    return content


def _headers() -> dict[str, Any]:
    return {"X-Request-ID": {"schema": STRING}}


def _request_body(schema: str, *, required: bool) -> dict[str, Any]:
    return {"required": required, "content": {_JSON: {"schema": reference(schema)}}}


def _parameters(route: Route, served: Served) -> dict[str, Any]:
    values = {"model": served.names(), "version": served.versions()}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": STRING | ({"enum": known} if known else {})}
        for name, known in values.items()
        if f"{{{name}}}" in route.path
    ]
    return {"parameters": parameters} if parameters else {}
