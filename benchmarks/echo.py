"""
The ceiling: bare uvicorn and bare grpc.aio, which parse a request and answer recorded bytes.

What stands between this and a server that answers by itself is the server's own work. It runs in this server's
environment, on the same versions of everything.
"""

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc
import orjson
import uvicorn
import uvloop

from model.grpc import open_inference_pb2 as pb

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

_MODEL_IN_PATH: Final = 3
_SERVICE: Final = "inference.GRPCInferenceService"


class Echo:
    """
    An ASGI application that answers ``/v2/models/<name>/infer`` with the content of the file ``<name>``.

    Parameters
    ----------
    answers : dict of str to bytes
    """

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Parse the body, and answer."""
        body = await _body(receive)
        if body:
            orjson.loads(body)
        answer = self._answers[scope["path"].split("/")[_MODEL_IN_PATH]] if body else b""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    return body


def grpc_server(answers: dict[str, bytes], port: int) -> grpc.aio.Server:
    """Return a gRPC server that answers ``ModelInfer`` for a model with the file of its name."""

    async def infer(body: bytes, _: object) -> bytes:
        return answers[pb.ModelInferRequest.FromString(body).model_name]

    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {"ModelInfer": grpc.unary_unary_rpc_method_handler(infer)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    return server


async def serve(answers: dict[str, bytes], http_port: int, grpc_port: int) -> None:
    """Serve until a signal."""
    rpc = grpc_server(answers, grpc_port)
    await rpc.start()
    config = uvicorn.Config(
        Echo(answers),
        port=http_port,
        http="httptools",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    await uvicorn.Server(config).serve()
    await rpc.stop(None)


def main() -> None:
    """Read the answers, and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--http_port", type=int, required=True)
    parser.add_argument("--grpc_port", type=int, required=True)
    args = parser.parse_args()
    answers = {file.name: file.read_bytes() for file in args.answers.iterdir()}
    uvloop.run(serve(answers, args.http_port, args.grpc_port))


if __name__ == "__main__":
    main()
