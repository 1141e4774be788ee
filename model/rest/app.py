"""The application: path to route, key, handler, and every error to its status."""

import asyncio

import structlog

from model.dataplane import DataPlane
from model.errors import NotReady, ServingError
from model.rest.answer import Answer, failure, refusal
from model.rest.openapi import Document
from model.rest.request import Request, Service
from model.rest.routes import ROUTES, Route, Router

_log = structlog.get_logger(__name__)


class RestApp:
    """
    The REST front-end: answers requests, and knows nothing of connections.

    Parameters
    ----------
    dataplane : DataPlane
    max_body_bytes : int
        Limit of a body as sent, and of it decompressed; beyond it the answer is 413.
    enable_docs : bool
        Whether ``/docs`` is there.
    keys : bool
        Whether clients need a key. For the OpenAPI document alone: the data plane is what checks them.

    Attributes
    ----------
    service : Service
        What requests share.
    draining : bool
        Set by who is about to stop the server: each answer then tells its client to connect anew, elsewhere.
    """

    def __init__(
        self,
        dataplane: DataPlane,
        *,
        max_body_bytes: int,
        enable_docs: bool = True,
        keys: bool = False,
    ) -> None:
        routes = tuple(route for route in ROUTES if enable_docs or route.path != "/docs")
        document = Document(routes, dataplane, max_body_bytes=max_body_bytes, keys=keys)
        self.service = Service(dataplane, max_body_bytes, document.render)
        self._router = Router(routes)
        self.draining = False

    async def __call__(self, request: Request) -> Answer:
        """Answer one request, whatever comes of it."""
        try:
            return await self._route(request).handler(request)
        except ServingError as error:
            return refusal(error)
        except asyncio.CancelledError:
            # The client is gone, and takes no answer; or the server stops, and its grace is over.
            return refusal(NotReady("The server stopped before it could answer; try again elsewhere."))
        except Exception:  # noqa: BLE001 -- whatever it is, the client gets one sentence
            request_id = request.id.decode()
            _log.exception("request failed", request_id=request_id, protocol="rest")
            return failure(request_id)

    def _route(self, request: Request) -> Route:
        """Find what a request leads to, and let its client in."""
        found = self._router.find(request.path)
        route = found.route(request.method, request.path)
        request.model = found.model
        request.version = found.version
        if not route.public:
            request.authorize()
        return route
