"""
Ask for the species of birds by KServe's own clients: ``python -m tests.cluster.kserve_client GATEWAY HOST``.

In a process of its own, for Triton's client describes the same messages. What was answered goes to stdout as JSON, by
protocol.
"""

import asyncio
import json
import sys

import numpy as np
from kserve import InferInput, InferRequest, InferResponse
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig

from tests.cluster.penguins import MODEL, birds, datatype


def request() -> InferRequest:
    """Return a request for birds of which everything is known, each column a tensor."""
    rows = birds().dropna()
    inputs = []
    for name in rows.columns:
        inputs.append(InferInput(name, [len(rows)], datatype(rows[name])))
        values = rows[name].to_numpy(object if datatype(rows[name]) == "BYTES" else np.float64)
        inputs[-1].set_data_from_numpy(values, binary_data=False)
    return InferRequest(MODEL, inputs)


async def rest(gateway: str, host: str) -> InferResponse:
    """Ask over REST."""
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        return await client.infer(f"http://{gateway}", request(), model_name=MODEL, headers={"Host": host})


async def grpc(gateway: str, host: str) -> InferResponse:
    """Ask over gRPC."""
    async with InferenceGRPCClient(gateway, channel_args=[("grpc.default_authority", host)]) as client:
        return await client.infer(request())


async def main(gateway: str, host: str) -> None:
    """Ask over both, and hand the answers back."""
    said = {ask.__name__: (await ask(gateway, host)).outputs[0].as_numpy().tolist() for ask in (rest, grpc)}
    json.dump(said, sys.stdout, default=bytes.decode)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
