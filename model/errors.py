"""
The errors a caller can meet, one tree for both protocols.

::

    ServingError                    500  INTERNAL             the model raised
    ├── InvalidInput                400  INVALID_ARGUMENT     malformed body, name, shape, datatype or value
    │   └── UnsupportedEncoding     415  UNIMPLEMENTED        a compression that is not decoded here
    ├── Unauthenticated             401  UNAUTHENTICATED      no credentials, or wrong ones
    ├── PermissionDenied            403  PERMISSION_DENIED    the operator has not allowed this
    ├── NotFound                    404  NOT_FOUND            unknown model, version or path
    │   └── MethodNotAllowed        405  UNIMPLEMENTED        a path that exists, asked with another method
    ├── TooLarge                    413  RESOURCE_EXHAUSTED   body or rows over the limit
    ├── Overloaded                  429  RESOURCE_EXHAUSTED   too many requests in flight; retry later
    ├── NotReady                    503  UNAVAILABLE          model not ready, or drain time over; retry later
    ├── SourceUnavailable           503  UNAVAILABLE          what a model looks up can't be had; retry later
    └── DeadlineExceeded            504  DEADLINE_EXCEEDED    the deadline passed; work whose turn had not come was not run

    ArtifactError                   a file, manifest or setting the operator has to mend (exit code 1)
    └── UntrustedArtifact           refused before anything was unpickled

The message of each is one sentence for the client. It never holds a traceback or the name of an exception.
"""

from http import HTTPStatus
from typing import ClassVar


class ServingError(Exception):
    """
    A request that can't be answered.

    Attributes
    ----------
    http_status : HTTPStatus
        Status of the REST answer.
    grpc_status : str
        Name of the member of ``grpc.StatusCode``; a name, so that this module imports no gRPC.
    retry_after_seconds : int or None
        Sent as ``Retry-After`` where trying again later can help.
    """

    http_status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    grpc_status: ClassVar[str] = "INTERNAL"
    retry_after_seconds: ClassVar[int | None] = None


class InvalidInput(ServingError):
    """The request is malformed, or does not fit the model's signature."""

    http_status = HTTPStatus.BAD_REQUEST
    grpc_status = "INVALID_ARGUMENT"


class UnsupportedEncoding(InvalidInput):
    """The body comes in an encoding that is not decoded here."""

    http_status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    grpc_status = "UNIMPLEMENTED"  # as gRPC's document on compression wants it


class Unauthenticated(ServingError):
    """The request carries no credentials, or wrong ones."""

    http_status = HTTPStatus.UNAUTHORIZED
    grpc_status = "UNAUTHENTICATED"


class PermissionDenied(ServingError):
    """The operator has not allowed this operation."""

    http_status = HTTPStatus.FORBIDDEN
    grpc_status = "PERMISSION_DENIED"


class NotFound(ServingError):
    """No such model, version or path."""

    http_status = HTTPStatus.NOT_FOUND
    grpc_status = "NOT_FOUND"


class MethodNotAllowed(NotFound):
    """The path exists, but not for this HTTP method."""

    http_status = HTTPStatus.METHOD_NOT_ALLOWED
    grpc_status = "UNIMPLEMENTED"

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class TooLarge(ServingError):
    """The body or the number of rows is over the operator's limit."""

    http_status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    grpc_status = "RESOURCE_EXHAUSTED"


class Overloaded(ServingError):
    """Too many requests are in flight."""

    http_status = HTTPStatus.TOO_MANY_REQUESTS
    grpc_status = "RESOURCE_EXHAUSTED"
    retry_after_seconds = 1


class NotReady(ServingError):
    """The model is not ready, or the server has finished draining."""

    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_status = "UNAVAILABLE"
    retry_after_seconds = 1


class SourceUnavailable(ServingError):
    """The model looks something up, and the source of that does not answer."""

    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_status = "UNAVAILABLE"
    retry_after_seconds = 1


class DeadlineExceeded(ServingError):
    """The deadline passed: work whose turn had not come was not run, and nobody waits for work that has begun."""

    http_status = HTTPStatus.GATEWAY_TIMEOUT
    grpc_status = "DEADLINE_EXCEEDED"


class ArtifactError(Exception):
    """An artifact, a sample or a setting that the operator has to mend."""


class UntrustedArtifact(ArtifactError):
    """An artifact refused before anything in it was unpickled."""
