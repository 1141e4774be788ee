"""The ASGI application: path to route, key, handler, and every error to its status."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from model.dataplane import DataPlane
from model.errors import NotReady, ServingError
from model.rest.answer import Answer, failure, refusal
from model.rest.asgi import ClientDisconnected, Receive, Scope, Send
from model.rest.openapi import Document
from model.rest.request import Request, Service
from model.rest.routes import ROUTES, Router

_LINGER_SECONDS: Final = 2.0
"""How long a body that was refused is still read: a connection closed on unread bytes takes the answer with it."""

_log = structlog.get_logger(__name__)


class RestApp:
    """
    The REST front-end as an ASGI 3 application.

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
        self._service = Service(dataplane, max_body_bytes, document.render)
        self._router = Router(routes)
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive, self._service)
        try:
            answer = await self._answer(request, scope["method"], scope["path"])
        except ServingError as error:
            answer = refusal(error)
        except ClientDisconnected:
            return
        except asyncio.CancelledError:
            # The client is gone, and takes no answer; or the server stops, and its grace is over.
            answer = refusal(NotReady("The server stopped before it could answer; try again elsewhere."))
        except Exception:  # noqa: BLE001 -- whatever it is, the client gets one sentence
            request_id = request.id.decode()
            _log.exception("request failed", request_id=request_id, protocol="rest")
            answer = failure(request_id)
        await self._send(answer, request, scope["method"], send)

    async def _answer(self, request: Request, method: str, path: str) -> Answer:
        found = self._router.find(path)
        route = found.route(method, path)
        request.model = found.model
        request.version = found.version
        if not route.public:
            request.authorize()
        return await route.handler(request)

    async def _send(self, answer: Answer, request: Request, method: str, send: Send) -> None:
        body = answer.body
        headers = [
            (b"content-type", answer.content_type),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request.id),
            *answer.headers,
        ]
        if self.draining or answer.unread:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if method == "HEAD":
            body = b""
        await send({"type": "http.response.body", "body": body, "more_body": answer.unread})
        if answer.unread:
            await _linger(request, send)


async def _linger(request: Request, send: Send) -> None:
    with suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(_LINGER_SECONDS):
            await request.discard()
    await send({"type": "http.response.body", "body": b""})
