"""Ask a model over gRPC whether it is ready, and what it says of a row: grpc.py ADDRESS MODEL ROW."""

import json
import sys
from typing import Any

import grpc
from google.protobuf.message import Message

from model.grpc import open_inference_pb2 as pb

address, model, row = sys.argv[1:]
with grpc.insecure_channel(address) as channel:

    def call(method: str, request: Message) -> Any:
        """Call a method by name; its answer's type follows from it."""
        answer = getattr(pb, f"{method}Response")
        path = f"/inference.GRPCInferenceService/{method}"
        invoke = channel.unary_unary(path, type(request).SerializeToString, answer.FromString)
        return invoke(request, timeout=30, wait_for_ready=True)

    ready = call("ModelReady", pb.ModelReadyRequest(name=model))
    if not ready.ready:
        sys.exit(f"{model} is not ready")
    print(f"{model} is ready")
    if values := json.loads(row):
        request = pb.ModelInferRequest(model_name=model)
        for column in call("ModelMetadata", pb.ModelMetadataRequest(name=model)).inputs:
            tensor = request.inputs.add(name=column.name, datatype=column.datatype, shape=[1])
            value = values[column.name]
            if column.datatype == "BYTES":
                tensor.contents.bytes_contents.append(value.encode())
            else:
                tensor.datatype = "FP64"
                tensor.contents.fp64_contents.append(value)
        print(call("ModelInfer", request))
