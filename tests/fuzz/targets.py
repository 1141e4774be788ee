"""
What reads what strangers send, each as a function of bytes.

A target passes where the reader refuses in a sentence of its own, or returns a value that reads the same when it is
written again; whatever else is raised is a finding.
"""

import asyncio
import contextlib
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from model.artifact import read_manifest
from model.artifact.manifest import MANIFEST_FILE
from model.codec import rows, v1, v2
from model.datatypes import NUMPY_DTYPES
from model.errors import ArtifactError, ServingError
from model.grpc import open_inference_pb2 as pb
from model.grpc import rpc
from model.grpc.codec import decode_request, encode_response, is_raw
from model.rest.body import read_body
from model.rest.upload import Upload
from model.settings import Settings
from model.tensors import InferRequest, InferResponse, Tensor
from tests.fuzz.connection import seen_by_the_application
from tests.fuzz.grpc_connection import answered, whole_calls

_MOST_BYTES_PER_BYTE: Final = 64
_MOST_BODY: Final = 100_000
_MOST_SAID: Final = 1000
_MOST_SAID_PER_BYTE: Final = 64
_COMPRESSED: Final = b"\1"


class Finding(AssertionError):
    """A reader did what it must not."""


def v2_json(data: bytes) -> None:
    """A V2 body that is JSON alone."""
    request = _read(lambda: v2.decode_request(data, model_name="m"), data)
    if request is not None:
        _comes_back_in_json(request.inputs)


def v2_binary(data: bytes) -> None:
    """A V2 body with tensors behind the JSON, whose length is in the first two bytes."""
    body, length = data[2:], int.from_bytes(data[:2])
    request = _read(lambda: v2.decode_request(body, model_name="m", json_length=length), data)
    if request is not None:
        _comes_back_in_json(request.inputs)
        _comes_back_in_binary(request.inputs)


def v1_instances(data: bytes) -> None:
    """A V1 body, for a model of two columns."""
    request = _read(lambda: v1.decode_request(data, columns=("a", "b")), data)
    if request is not None:
        _comes_back_in_json(request.inputs)


def rows_of_objects(data: bytes) -> None:
    """The body of ``/predict``."""
    request = _read(lambda: rows.decode_rows(data)[0], data)
    if request is not None:
        _comes_back_in_json(request.inputs)


def grpc_message(data: bytes) -> None:
    """A ``ModelInferRequest``."""

    def read() -> InferRequest:
        message = rpc.parse(pb.ModelInferRequest, data)
        return decode_request(message)

    request = _read(read, data)
    if request is None or not _writable(request.inputs):
        return
    raw = is_raw(pb.ModelInferRequest.FromString(data))
    answer = encode_response(InferResponse("m", "1", _plain(request.inputs)), raw=raw)
    again = pb.ModelInferRequest(model_name="m", raw_input_contents=answer.raw_output_contents)
    for output in answer.outputs:
        item = again.inputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if output.HasField("contents"):
            item.contents.CopyFrom(output.contents)
    _check_same(request.inputs, decode_request(again).inputs)


def compressed_body(data: bytes) -> None:
    """A compressed body; the first byte says how, and in pieces of which size it comes."""
    if not data:
        return
    encoding = (b"gzip", b"deflate")[data[0] & 1]
    size = (data[0] >> 1) + 1
    pieces = [data[start : start + size] for start in range(1, len(data), size)] or [b""]

    def feed() -> None:
        upload.feed(pieces.pop(0))
        if not pieces:
            upload.end()

    upload = Upload(feed)

    async def read() -> bytes | bytearray:
        return await read_body(upload, {b"content-encoding": encoding}, _MOST_BODY)

    with contextlib.suppress(ServingError):
        if len(asyncio.run(read())) > _MOST_BODY:
            raise Finding("a body over its limit")


def http_connection(data: bytes) -> None:
    """What comes over a connection: however it is cut into pieces, the application sees the same requests."""
    whole = seen_by_the_application([data])
    bytewise = seen_by_the_application([data[i : i + 1] for i in range(len(data))])
    halved = seen_by_the_application([data[: len(data) // 2], data[len(data) // 2 :]])
    if not whole == bytewise == halved:
        raise Finding(f"{whole} and {halved} and {bytewise}")


def grpc_connection(data: bytes) -> None:
    """What comes over a connection of gRPC: what is answered well came whole, and little is held or said."""
    whole = whole_calls(data)
    for pieces in (
        [data],
        [data[: len(data) // 2], data[len(data) // 2 :]],
        [data[i : i + 1] for i in range(len(data))],
    ):
        good, written, held = answered(pieces)
        for stream, answer in good:
            if answer != whole.get(stream) and whole.get(stream, b"")[:1] != _COMPRESSED:
                raise Finding(f"{answer!r} for {whole.get(stream)!r}")
        if written > _MOST_SAID + _MOST_SAID_PER_BYTE * len(data):
            raise Finding(f"{written} bytes of answers to {len(data)} bytes")
        if held > 2 * len(data):
            raise Finding(f"{held} bytes held of {len(data)} bytes")


def manifest(data: bytes) -> None:
    """A ``manifest.json``."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / MANIFEST_FILE).write_bytes(data)
        try:
            read = read_manifest(directory)
        except ArtifactError as refusal:
            _check_sentence(str(refusal))
            return
        (directory / MANIFEST_FILE).write_bytes(read.to_json())
        if read_manifest(directory) != read:
            raise Finding("another manifest")


def settings(data: bytes) -> None:
    """Flags, split at line ends; behind an empty line, the environment."""
    flags, _, variables = data.decode(errors="replace").replace("\0", "").partition("\n\n")
    pairs = (line.partition("=") for line in variables.splitlines())
    environ = {f"SKLEARN_KSERVE_{name}": value for name, _, value in pairs}
    out = io.StringIO()
    try:
        with contextlib.redirect_stderr(out), contextlib.redirect_stdout(out):
            Settings.from_sources(flags.splitlines(), environ)
    except SystemExit as end:
        if end.code not in {0, 2} or "Traceback" in out.getvalue():
            raise Finding(f"exit code {end.code}: {out.getvalue()}") from end


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        v2_json,
        v2_binary,
        v1_instances,
        rows_of_objects,
        grpc_message,
        compressed_body,
        http_connection,
        grpc_connection,
        manifest,
        settings,
    )
}


def _read(read: Callable[[], InferRequest], data: bytes) -> InferRequest | None:
    """Read, and return None for a refusal that is one."""
    try:
        request = read()
    except ServingError as refusal:
        if not 400 <= refusal.http_status < 500:
            raise Finding(f"{refusal.http_status} for what a client sent: {refusal}") from refusal
        _check_sentence(str(refusal))
        return None
    held = sum(tensor.data.nbytes for tensor in request.inputs)
    if held > _MOST_BYTES_PER_BYTE * len(data) + 1024:
        raise Finding(f"{held} bytes of tensors from {len(data)} bytes")
    return request


def _check_sentence(sentence: str) -> None:
    if "\n" in sentence or not sentence.endswith((".", "…")) or len(sentence) > 5000:
        raise Finding(f"no sentence: {sentence!r}")


def _writable(tensors: Sequence[Tensor]) -> bool:
    """Whether a model could have answered with them: an integer beside a null is a float here, a key may be empty."""
    return all(
        tensor.name
        and tensor.data.dtype == NUMPY_DTYPES[tensor.datatype]
        and not any(value is None for value in _objects(tensor))
        for tensor in tensors
    )


def _objects(tensor: Tensor) -> list[Any]:
    return tensor.data.ravel().tolist() if tensor.data.dtype == object else []


def _plain(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [Tensor(tensor.name, tensor.datatype, np.ascontiguousarray(tensor.data)) for tensor in tensors]


def _comes_back_in_json(tensors: Sequence[Tensor]) -> None:
    """Write the inputs as an answer in JSON, which has no infinity, and read it as a request."""
    if not _writable(tensors) or any(_has_infinity(tensor) for tensor in tensors):
        return
    body, _ = v2.encode_response(InferResponse("m", "1", _plain(tensors)), InferRequest("m", "", []))
    _check_same(tensors, v2.decode_request(_as_request(body)).inputs)


def _comes_back_in_binary(tensors: Sequence[Tensor]) -> None:
    if not _writable(tensors):
        return
    asked = InferRequest("m", "", [], parameters={"binary_data_output": True})
    body, length = v2.encode_response(InferResponse("m", "1", _plain(tensors)), asked)
    if length is None:
        raise Finding("an answer in JSON where binary was asked for")
    head = _as_request(body[:length])
    _check_same(tensors, v2.decode_request(head + body[length:], json_length=len(head)).inputs)


def _as_request(head: bytes) -> bytes:
    document = orjson.loads(head)
    return orjson.dumps({"inputs": document["outputs"]})


def _has_infinity(tensor: Tensor) -> bool:
    return tensor.data.dtype.kind == "f" and bool(np.isinf(tensor.data).any())


def _check_same(sent: Sequence[Tensor], got: Sequence[Tensor]) -> None:
    for before, after in zip(sent, got, strict=True):
        if (before.name, before.datatype, before.data.shape) != (after.name, after.datatype, after.data.shape):
            raise Finding(f"{after} came back for {before}")
        np.testing.assert_array_equal(after.data, before.data)
