"""Ask a server by one of tritonclient's clients: ``python -m tests.clients.scripts.triton http|grpc PORT``."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from tests.clients.asked import BIRDS, COLUMNS, MATRIX, NAP, PATIENCE_SECONDS, POINTS, SLEEPER
from tests.clients.scripts.recording import Recording

_DATATYPES = {"O": "BYTES", "f4": "FP32", "f8": "FP64", "i8": "INT64"}

Questions = dict[str, Callable[[], Any]]


class Asking:
    """
    A client, and the shortest way to put a question to it.

    Parameters
    ----------
    client : module
        ``tritonclient.http`` or ``tritonclient.grpc``, whose classes bear the same names.
    url : str
    options
        Of the client.
    """

    def __init__(self, client: ModuleType, url: str, **options: Any) -> None:
        self._client = client
        self.url = url
        self.server = client.InferenceServerClient(url, **options)

    def other(self, **options: Any) -> "Asking":
        """Return a client like this one, but for its options."""
        return Asking(self._client, self.url, **options)

    def birds(self, *outputs: Any, **options: Any) -> dict[str, Any]:
        """Ask about the birds, each column a tensor."""
        inputs = [self.tensor(name, values) for name, values in COLUMNS.items()]
        return self.answer(BIRDS, inputs, *outputs, **options)

    def points(self, *outputs: Any, name: str = "input-0", values: Any = MATRIX, **options: Any) -> dict[str, Any]:
        """Ask about the points, all in a tensor."""
        return self.answer(POINTS, [self.tensor(name, values)], *outputs, **options)

    def nap(self, **options: Any) -> dict[str, Any]:
        """Ask the model that takes its time."""
        return self.answer(SLEEPER, [self.tensor("input-0", NAP)], **options)

    def answer(self, model: str, inputs: list[Any], *outputs: Any, **options: Any) -> dict[str, Any]:
        """Ask a model, and return all of its answer that a user of the client sees."""
        result = self.server.infer(model, inputs, outputs=list(outputs) or None, **options)
        response = result.get_response()
        if not isinstance(response, dict):
            response = {
                "id": response.id,
                "model_name": response.model_name,
                "model_version": response.model_version,
                "outputs": [{"name": output.name} for output in response.outputs],
            }
        values = {output["name"]: result.as_numpy(output["name"]) for output in response["outputs"]}
        return {"values": values, **response}

    def tensor(self, name: str, values: Any, **options: Any) -> Any:
        """Return an input."""
        datatype = _DATATYPES[values.dtype.str.lstrip("<|")]
        made = self._client.InferInput(name, list(values.shape), datatype)
        made.set_data_from_numpy(values, **options)
        return made

    def wants(self, name: str, **options: Any) -> Any:
        """Return a requested output."""
        return self._client.InferRequestedOutput(name, **options)


def alike(asking: Asking, as_json: dict[str, bool]) -> Questions:
    """Return what both clients are asked in the same words; gRPC's hands messages out as JSON only if told."""
    server = asking.server
    float32 = MATRIX.astype(np.float32)
    return {
        "live": server.is_server_live,
        "ready": server.is_server_ready,
        "model ready": lambda: server.is_model_ready(BIRDS),
        "version ready": lambda: server.is_model_ready(BIRDS, "1"),
        "unknown version ready": lambda: server.is_model_ready(BIRDS, "9"),
        "unknown model ready": lambda: server.is_model_ready("fish"),
        "server metadata": lambda: server.get_server_metadata(**as_json),
        "metadata": lambda: server.get_model_metadata(BIRDS, **as_json),
        "metadata of a version": lambda: server.get_model_metadata(POINTS, "1", **as_json),
        "metadata of an unknown model": lambda: server.get_model_metadata("fish"),
        "index": lambda: server.get_model_repository_index(**as_json),
        "statistics before": lambda: server.get_inference_statistics(POINTS, "1", **as_json),
        "points": asking.points,
        "statistics after": lambda: server.get_inference_statistics(POINTS, "1", **as_json),
        "statistics of a model": lambda: server.get_inference_statistics(BIRDS, **as_json),
        "statistics of all": lambda: server.get_inference_statistics(**as_json),
        "birds": asking.birds,
        "version": lambda: asking.birds(model_version="1"),
        "unknown version": lambda: asking.birds(model_version="9"),
        "id": lambda: asking.points(request_id="a request"),
        "two outputs": lambda: asking.birds(asking.wants("predict_proba"), asking.wants("predict")),
        "unknown output": lambda: asking.points(asking.wants("colour")),
        "float32": lambda: asking.points(values=float32),
        "integers": lambda: asking.points(values=np.arange(9).reshape(3, 3)),
        "missing where none may be": lambda: asking.points(values=np.array([[1.0, 2.0, np.nan]])),
        "too few columns": lambda: asking.points(values=MATRIX[:, :2]),
        "unknown column": lambda: asking.answer(BIRDS, [asking.tensor("wings", MATRIX[:, 0])]),
        "text in a number": lambda: asking.answer(
            BIRDS, [asking.tensor(name, np.array(["a"], dtype=object)) for name in COLUMNS]
        ),
        "late": lambda: asking.points(timeout=1),
        "in time": lambda: asking.points(timeout=20_000_000),
        "load": lambda: server.load_model(POINTS),
        "unload": lambda: server.unload_model(POINTS),
        "ready after unload": lambda: server.is_model_ready(POINTS),
    }


def of_http(asking: Asking) -> Questions:
    """Return what the HTTP client alone can ask."""
    json: dict[str, Any] = {"binary_data": False}

    def in_json(name: str, values: Any) -> Any:
        return asking.tensor(name, values, **json)

    whole = {name: values[[0, 2]] for name, values in COLUMNS.items()}
    return {
        "json": lambda: asking.answer(POINTS, [in_json("x", MATRIX)], asking.wants("predict", **json)),
        "json in, binary out": lambda: asking.answer(POINTS, [in_json("x", MATRIX)]),
        "binary in, json out": lambda: asking.points(asking.wants("predict", **json)),
        "strings in json": lambda: asking.answer(
            BIRDS, [in_json(name, values) for name, values in whole.items()], asking.wants("predict", **json)
        ),
        "NaN in json": lambda: asking.answer(BIRDS, [in_json(name, values) for name, values in COLUMNS.items()]),
        "one output of two in json": lambda: asking.birds(
            asking.wants("predict", **json), asking.wants("predict_proba")
        ),
        "gzip": lambda: asking.birds(request_compression_algorithm="gzip"),
        "deflate": lambda: asking.birds(request_compression_algorithm="deflate"),
        "asks for gzip": lambda: asking.birds(response_compression_algorithm="gzip"),
        "asks for deflate": lambda: asking.birds(response_compression_algorithm="deflate"),
        "impatient": lambda: asking.other(network_timeout=PATIENCE_SECONDS).nap(),
        "patient": asking.nap,
        "async": lambda: (
            asking.server.async_infer(POINTS, [asking.tensor("x", MATRIX)]).get_result().as_numpy("predict")
        ),
    }


def of_grpc(asking: Asking) -> Questions:
    """Return what the gRPC client alone can ask."""
    return {
        "gzip": lambda: asking.birds(compression_algorithm="gzip"),
        "deflate": lambda: asking.birds(compression_algorithm="deflate"),
        "impatient": lambda: asking.nap(client_timeout=PATIENCE_SECONDS),
        "patient": lambda: asking.nap(client_timeout=20.0),
    }


def main(protocol: str, port: str) -> None:
    """Ask everything, and hand the answers back."""
    client = importlib.import_module(f"tritonclient.{protocol}")
    own, as_json = (of_http, {}) if protocol == "http" else (of_grpc, {"as_json": True})
    asking = Asking(client, f"127.0.0.1:{port}")
    recording = Recording()
    for name, question in (alike(asking, as_json) | own(asking)).items():
        recording.ask(name, question)
    asking.server.close()
    recording.hand_back()


if __name__ == "__main__":
    main(*sys.argv[1:])
