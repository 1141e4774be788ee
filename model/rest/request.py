"""One request, as handlers see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from model.call import Call, new_request_id
from model.dataplane import DataPlane
from model.errors import InvalidInput, ServingError
from model.keys import NOBODY, Client
from model.rest.body import Body, read_body
from model.rest.deadline import client_deadline
from model.rest.head import Headers
from model.rest.upload import Upload

_REQUEST_ID_MOST: Final = 128
_LENGTH_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Service:
    """
    What all requests share.

    Parameters
    ----------
    dataplane : DataPlane
    max_body_bytes : int
        Limit of a body as sent, and of it decompressed.
    openapi : callable
        Returns the OpenAPI document for a client.
    """

    dataplane: DataPlane
    max_body_bytes: int
    openapi: Callable[[Client], bytes]


class Request:
    """
    A request whose body is read on demand.

    Parameters
    ----------
    service : Service
    method, path : str
        The path without its query, decoded.
    headers : dict of bytes
    upload : Upload
        The body, as it comes.
    keep_alive : bool
        Whether the client wants to use its connection again.
    interim : bool
        Whether it understands interim answers.

    Attributes
    ----------
    dataplane : DataPlane
    client : Client
        Who asks, once it is authorized.
    model, version : str
        From the path; empty where it names none.
    id : bytes
        The client's ``X-Request-ID`` if it is printable and short, else a new one.
    """

    __slots__ = (
        "client",
        "dataplane",
        "headers",
        "id",
        "interim",
        "keep_alive",
        "method",
        "model",
        "path",
        "service",
        "upload",
        "version",
    )

    def __init__(
        self,
        service: Service,
        method: str,
        path: str,
        headers: Headers,
        upload: Upload,
        *,
        keep_alive: bool = True,
        interim: bool = True,
    ) -> None:
        self.service = service
        self.dataplane = service.dataplane
        self.method = method
        self.path = path
        self.headers = headers
        self.upload = upload
        self.keep_alive = keep_alive
        self.interim = interim
        sent_id = headers.get(b"x-request-id")
        self.id = sent_id if sent_id and _is_request_id(sent_id) else new_request_id().encode()
        self.client = NOBODY
        self.model = ""
        self.version = ""

    async def inference_body(self) -> Body:
        """
        Read the body of a request for the path's model, unless it is in vain: a refusal does not wait for the upload.

        Raises
        ------
        Overloaded
        ServingError
            See `body`.
        """
        if self.dataplane.full:
            await self.dataplane.refuse(self.model, self.version, self.call(0))
        return await self.body()

    async def body(self) -> Body:
        """Read the body, decompressed; see `read_body` for what it raises."""
        try:
            return await read_body(self.upload, self.headers, self.service.max_body_bytes)
        except ServingError as error:
            self.dataplane.refused(error)
            raise

    def authorize(self) -> None:
        """
        Learn who asks, by their key.

        Raises
        ------
        Unauthenticated
        """
        header = self.headers.get(b"authorization")
        self.client = self.dataplane.authorize(None if header is None else header.decode("latin-1"))

    def json_length(self, body: Body) -> int | None:
        """
        Return how many bytes of the body are JSON, by ``Inference-Header-Content-Length``; None means all.

        Raises
        ------
        InvalidInput
            The header is not a number, or more than the body has.
        """
        header = self.headers.get(b"inference-header-content-length")
        if header is None:
            return None
        if not header.isdigit() or len(header) > _LENGTH_DIGITS or int(header) > len(body):
            got = header[:40].decode("latin-1")
            raise InvalidInput(
                f"Inference-Header-Content-Length is {got!r}; expected the length of the JSON part, "
                f"at most the {len(body)} bytes of the decompressed body."
            )
        return int(header)

    def call(self, size_bytes: int) -> Call:
        """Return what the data plane has to know of this request beside its body, which has that size."""
        return Call("rest", self.id.decode(), client_deadline(self.headers), size_bytes, self.client)


def _is_request_id(sent: bytes) -> bool:
    return len(sent) <= _REQUEST_ID_MOST and sent.isascii() and sent.decode().isprintable()
