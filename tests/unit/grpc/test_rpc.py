import logging
import time

import grpc
import numpy as np
import pytest
import structlog
from google.protobuf.message import Message

from model.call import Call
from model.datatypes import Datatype
from model.errors import (
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    NotReady,
    Overloaded,
    PermissionDenied,
    ServingError,
    TooLarge,
    Unauthenticated,
)
from model.grpc import open_inference_pb2 as pb
from model.tensors import Tensor
from tests.unit.grpc.fakes import KEY, Client, FakeDataPlane, failing, raw_request

Code = grpc.StatusCode


def remaining(call: Call) -> float:
    assert call.deadline is not None
    return call.deadline - time.monotonic()


@pytest.mark.parametrize(
    ("error", "code", "retry_after"),
    [
        (ServingError("The model failed."), Code.INTERNAL, None),
        (InvalidInput("Column 'bill' is missing."), Code.INVALID_ARGUMENT, None),
        (Unauthenticated("Send a key."), Code.UNAUTHENTICATED, None),
        (PermissionDenied("This is turned off."), Code.PERMISSION_DENIED, None),
        (NotFound("There is no such model."), Code.NOT_FOUND, None),
        (TooLarge("Send fewer rows."), Code.RESOURCE_EXHAUSTED, None),
        (Overloaded("Try again."), Code.RESOURCE_EXHAUSTED, "1"),
        (NotReady("Try again."), Code.UNAVAILABLE, "1"),
        (DeadlineExceeded("Too late."), Code.DEADLINE_EXCEEDED, None),
    ],
)
def test_an_error_is_answered_with_its_status_and_sentence(
    client: Client, dataplane: FakeDataPlane, error: ServingError, code: Code, retry_after: str | None
) -> None:
    dataplane.error = error
    with failing() as failure:
        client.infer(raw_request())
    assert (failure.code, failure.details) == (code, str(error))
    assert failure.metadata.get("retry-after") == retry_after


def test_an_unforeseen_error_is_logged_and_told_to_nobody(client: Client, dataplane: FakeDataPlane) -> None:
    dataplane.error = ZeroDivisionError("the value 4711")
    with structlog.testing.capture_logs() as logs, failing() as failure:
        client.infer(raw_request(), metadata=(("x-request-id", "r-1"),))
    assert failure.code is Code.INTERNAL
    assert failure.details == "The server failed to answer; see its log for request r-1."
    (entry,) = logs
    assert (entry["log_level"], entry["request_id"]) == ("error", "r-1")
    assert entry["exc_info"] is dataplane.error


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x02\xff\xfe"], ids=["truncated", "a name that is not UTF-8"])
def test_a_body_that_is_no_message_is_invalid(client: Client, body: bytes) -> None:
    with failing() as failure:
        client.infer(body)
    assert failure.code is Code.INVALID_ARGUMENT
    assert "not a valid inference.ModelInferRequest" in failure.details


def test_an_unknown_method_is_unimplemented(client: Client) -> None:
    with failing() as failure:
        client.method("ModelStreamInfer", pb.ModelInferResponse)(raw_request(), timeout=20)
    assert failure.code is Code.UNIMPLEMENTED


def test_the_request_id_comes_back_with_an_answer(client: Client, dataplane: FakeDataPlane) -> None:
    _, call = client.infer_with_call(raw_request(), metadata=(("x-request-id", "r-2"),))
    assert ("x-request-id", "r-2") in call.trailing_metadata()
    assert dataplane.calls[0].request_id == "r-2"


def test_the_request_id_comes_back_with_an_error(client: Client, dataplane: FakeDataPlane) -> None:
    dataplane.error = NotFound("There is no such model.")
    with failing() as failure:
        client.infer(raw_request(), metadata=(("x-request-id", "r-3"),))
    assert failure.metadata["x-request-id"] == "r-3"


def test_a_call_without_a_request_id_is_given_one_of_its_own(client: Client, dataplane: FakeDataPlane) -> None:
    client.infer(raw_request())
    client.infer(raw_request())
    first, second = (call.request_id for call in dataplane.calls)
    assert first.isascii()
    assert first.isprintable()
    assert 16 < len(first) < 32
    assert first != second


def test_a_long_request_id_is_replaced(client: Client, dataplane: FakeDataPlane) -> None:
    client.infer(raw_request(), metadata=(("x-request-id", "r" * 128),))
    client.infer(raw_request(), metadata=(("x-request-id", "r" * 129),))
    kept, replaced = (call.request_id for call in dataplane.calls)
    assert kept == "r" * 128
    assert 16 < len(replaced) < 32


@pytest.mark.parametrize("letter", ["a", "%", "é", "🐧"])
def test_a_sentence_too_long_for_a_header_is_cut_and_the_status_stays(
    client: Client, dataplane: FakeDataPlane, letter: str
) -> None:
    dataplane.error = InvalidInput(letter * 50_000)
    with failing() as failure:
        client.infer(raw_request())
    assert failure.code is Code.INVALID_ARGUMENT
    assert failure.details.startswith(letter * 500)
    assert failure.details.endswith("…")


def test_the_clients_deadline_reaches_the_data_plane(client: Client, dataplane: FakeDataPlane) -> None:
    client.infer(raw_request())
    (call,) = dataplane.calls
    assert call.protocol == "grpc"
    assert 10 < remaining(call) < 20.5  # gRPC rounds it up


def test_no_deadline_stays_none(client: Client, dataplane: FakeDataPlane) -> None:
    client.method("ModelInfer", pb.ModelInferResponse)(raw_request())
    assert dataplane.calls[0].deadline is None


def test_the_size_of_the_body_reaches_the_data_plane(client: Client, dataplane: FakeDataPlane) -> None:
    request = raw_request()
    client.infer(request)
    assert dataplane.calls[0].size_bytes == request.ByteSize()


def test_an_answer_over_the_limit_is_an_error_not_a_hang(client: Client, dataplane: FakeDataPlane) -> None:
    dataplane.outputs = [Tensor("big", Datatype.FP64, np.zeros(200_000))]
    with failing() as failure:
        client.infer(raw_request())
    assert failure.code is Code.RESOURCE_EXHAUSTED


PROTECTED: list[tuple[str, Message]] = [
    ("ServerMetadata", pb.ServerMetadataRequest()),
    ("ModelMetadata", pb.ModelMetadataRequest(name="penguins")),
    ("ModelInfer", raw_request()),
    ("ModelStatistics", pb.ModelStatisticsRequest()),
    ("RepositoryIndex", pb.RepositoryIndexRequest()),
    ("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="penguins")),
    ("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name="penguins")),
]
OPEN: list[tuple[str, Message]] = [
    ("ServerLive", pb.ServerLiveRequest()),
    ("ServerReady", pb.ServerReadyRequest()),
    ("ModelReady", pb.ModelReadyRequest(name="penguins")),
]


def test_every_method_is_either_protected_or_open() -> None:
    methods = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
    assert {name for name, _ in PROTECTED + OPEN} == set(methods)


@pytest.mark.parametrize(("method", "request_"), PROTECTED, ids=[name for name, _ in PROTECTED])
@pytest.mark.parametrize("credentials", [None, "Bearer wrong"])
def test_a_protected_method_needs_the_key(
    client: Client, dataplane: FakeDataPlane, method: str, request_: Message, credentials: str | None
) -> None:
    dataplane.key = KEY
    metadata = () if credentials is None else (("authorization", credentials),)
    with failing() as failure:
        client.method(method, pb.ModelInferResponse)(request_, timeout=20, metadata=metadata)
    assert failure.code is Code.UNAUTHENTICATED
    assert "Bearer" in failure.details
    assert dataplane.asked == []


@pytest.mark.parametrize(("method", "request_"), PROTECTED, ids=[name for name, _ in PROTECTED])
def test_the_key_opens_a_protected_method(
    client: Client, dataplane: FakeDataPlane, method: str, request_: Message
) -> None:
    dataplane.key = KEY
    _, outcome = client.unparsed(method).with_call(
        request_.SerializeToString(), timeout=20, metadata=(("authorization", KEY),)
    )
    assert outcome.code() is Code.OK


@pytest.mark.parametrize(("method", "request_"), OPEN, ids=[name for name, _ in OPEN])
def test_probes_need_no_key(client: Client, dataplane: FakeDataPlane, method: str, request_: Message) -> None:
    dataplane.key = KEY
    assert client.unparsed(method)(request_.SerializeToString(), timeout=20) == b"\x08\x01"


def test_a_key_is_asked_for_before_the_body_is_read(client: Client, dataplane: FakeDataPlane) -> None:
    dataplane.key = KEY
    with failing() as failure:
        client.infer(b"\xff")
    assert failure.code is Code.UNAUTHENTICATED


def test_grpc_itself_has_nothing_to_log_about_an_error(
    client: Client, dataplane: FakeDataPlane, caplog: pytest.LogCaptureFixture
) -> None:
    dataplane.error = ValueError("the value 4711")
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs(), failing():
        client.infer(raw_request())
    assert "4711" not in caplog.text
