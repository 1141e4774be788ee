"""Ask a server by KServe's own clients: ``python -m tests.clients.scripts.kserve_sdk HTTP_PORT GRPC_PORT``."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import kserve
import numpy as np
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

from tests.clients.asked import BIRDS, COLUMNS, MATRIX, NAP, PATIENCE_SECONDS, POINTS, SLEEPER, rows
from tests.clients.scripts.recording import Recording

Questions = dict[str, Callable[[], Awaitable[Any]]]

_BINARY = {"binary_data_output": True}
_DATATYPES = {"O": "BYTES", "f": "FP64"}


def tensor(name: str, values: Any, *, binary: bool) -> kserve.InferInput:
    """Return an input, in binary or with its values as a list."""
    made = kserve.InferInput(name, list(values.shape), _DATATYPES[values.dtype.kind])
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def points(values: Any = MATRIX, *, binary: bool = False, **more: Any) -> kserve.InferRequest:
    """Ask about the points, all in a tensor."""
    return kserve.InferRequest(POINTS, [tensor("input-0", values, binary=binary)], **more)


def nap() -> kserve.InferRequest:
    """Ask the model that takes its time."""
    return kserve.InferRequest(SLEEPER, [tensor("input-0", NAP, binary=False)])


def birds(*outputs: str, binary: bool = False, model: str = BIRDS, **more: Any) -> kserve.InferRequest:
    """Ask about the birds, each column a tensor."""
    inputs = [tensor(name, values, binary=binary) for name, values in COLUMNS.items()]
    wanted = [RequestedOutput(name) for name in outputs] or None
    return kserve.InferRequest(model, inputs, request_outputs=wanted, **more)


def seen(response: kserve.InferResponse) -> dict[str, Any]:
    """Return all of an answer that a user of the client sees."""
    return {
        "id": response.id,
        "model_name": response.model_name,
        "model_version": response.model_version,
        "values": {output.name: output.as_numpy() for output in response.outputs},
    }


def of_v2(client: InferenceRESTClient, url: str) -> Questions:
    """Return what the REST client is asked in V2."""

    async def answer(request: kserve.InferRequest, **options: Any) -> dict[str, Any]:
        return seen(await client.infer(url, request, model_name=request.model_name, **options))

    with_null = birds()
    with_null.inputs[0].data = [row["bill"] for row in rows()]
    return {
        "live": lambda: client.is_server_live(url),
        "ready": lambda: client.is_server_ready(url),
        "model ready": lambda: client.is_model_ready(url, BIRDS),
        "unknown model ready": lambda: client.is_model_ready(url, "fish"),
        "points": lambda: answer(points()),
        "binary points": lambda: answer(points(binary=True)),
        "points to binary": lambda: answer(points(parameters=_BINARY)),
        "birds": lambda: answer(with_null),
        "binary birds": lambda: answer(birds(binary=True)),
        "NaN": lambda: answer(birds()),
        "two outputs": lambda: answer(birds("predict_proba", "predict", binary=True)),
        "id": lambda: answer(points(request_id="a request")),
        "wrong shape": lambda: answer(points(MATRIX[:, :2])),
        "unknown model": lambda: answer(birds(model="fish", binary=True)),
        "unknown output": lambda: answer(birds("colour", binary=True)),
        "impatient": lambda: answer(nap(), timeout=PATIENCE_SECONDS),
        "patient": lambda: answer(nap()),
    }


def of_v1(client: InferenceRESTClient, url: str) -> Questions:
    """Return what the REST client is asked in V1."""

    def answer(model: str, instances: Any) -> Awaitable[Any]:
        reply: Awaitable[Any] = client.infer(url, {"instances": instances}, model_name=model)
        return reply

    return {
        "live": lambda: client.is_server_live(url),
        "model ready": lambda: client.is_model_ready(url, BIRDS),
        "unknown model ready": lambda: client.is_model_ready(url, "fish"),
        "points": lambda: answer(POINTS, MATRIX.tolist()),
        "birds": lambda: answer(BIRDS, rows()),
        "wrong shape": lambda: answer(POINTS, [[1.0, 2.0]]),
        "unknown model": lambda: answer("fish", rows()),
        "no rows": lambda: answer(BIRDS, []),
    }


def of_grpc(client: InferenceGRPCClient) -> Questions:
    """Return what the gRPC client is asked."""

    async def answer(request: kserve.InferRequest, **options: Any) -> dict[str, Any]:
        return seen(await client.infer(request, **options))

    return {
        "live": client.is_server_live,
        "ready": client.is_server_ready,
        "model ready": lambda: client.is_model_ready(BIRDS),
        "unknown model ready": lambda: client.is_model_ready("fish"),
        "points": lambda: answer(points()),
        "binary points": lambda: answer(points(binary=True)),
        "birds": lambda: answer(birds()),
        "binary birds": lambda: answer(birds(binary=True)),
        "two outputs": lambda: answer(birds("predict_proba", "predict")),
        "id": lambda: answer(points(request_id="a request")),
        "version": lambda: answer(birds(model_version="1")),
        "unknown version": lambda: answer(birds(model_version="9")),
        "wrong shape": lambda: answer(points(MATRIX[:, :2])),
        "missing where none may be": lambda: answer(points(np.array([[1.0, 2.0, np.nan]]))),
        "unknown model": lambda: answer(birds(model="fish")),
        "unknown output": lambda: answer(birds("colour")),
        "impatient": lambda: answer(nap(), timeout=PATIENCE_SECONDS),
        "patient": lambda: answer(nap()),
    }


async def main(http_port: str, grpc_port: str) -> None:
    """Ask everything, and hand the answers back."""
    recording = Recording()
    url = f"http://127.0.0.1:{http_port}"
    v1, v2 = (InferenceRESTClient(RESTConfig(protocol=version)) for version in ("v1", "v2"))
    async with v1, v2, InferenceGRPCClient(f"127.0.0.1:{grpc_port}") as grpc:
        for protocol, asked in {"v1": of_v1(v1, url), "v2": of_v2(v2, url), "grpc": of_grpc(grpc)}.items():
            for name, question in asked.items():
                await recording.ask_async(f"{protocol} {name}", question)
    recording.hand_back()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
