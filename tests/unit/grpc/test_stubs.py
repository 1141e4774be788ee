"""The messages on the wire are those of KServe's and of Triton's clients, whose modules may share our process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

import model.grpc
from model.grpc import open_inference_pb2 as pb

DIRECTORY: Final = Path(model.grpc.__file__).parent

CLIENTS: Final = {
    "kserve": "kserve.protocol.grpc.grpc_predict_v2_pb2",
    "tritonclient": "tritonclient.grpc.service_pb2",
}
# In a process of its own, for the two clients' modules exclude each other.
DESCRIBE: Final = """
import importlib, json, sys
from model.grpc import open_inference_pb2 as ours
theirs = importlib.import_module(sys.argv[1])

def fields(message):
    yield from ((message.full_name, f.number, f.name, f.type, f.is_repeated) for f in message.fields)
    for nested in message.nested_types:
        yield from fields(nested)

def methods(module):
    service = module.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    return {m.name: [m.input_type.full_name, m.output_type.full_name] for m in service.methods}

request = ours.ModelInferRequest(model_name="m", raw_input_contents=[b"12"])
request.inputs.add(name="x", datatype="INT16", shape=[1]).parameters["content_type"].string_param = "np"
print(json.dumps({
    "fields": [field for m in theirs.DESCRIPTOR.message_types_by_name.values() for field in fields(m)],
    "methods": methods(theirs),
    "there": theirs.ModelInferRequest.FromString(request.SerializeToString()).SerializeToString(True).hex(),
    "here": request.SerializeToString(True).hex(),
    "distinct": theirs.ModelInferRequest is not ours.ModelInferRequest,
}))
"""
# KServe's model_name is where Triton's repository_name is; the servicer takes a name from either.
DIFFERENT: Final = {"inference.RepositoryModelLoadRequest", "inference.RepositoryModelUnloadRequest"}
# What other clients call a field of ours; only numbers and types travel.
RENAMED: Final = {"isLoaded": "is_loaded", "isUnloaded": "is_unloaded"}


@pytest.fixture(scope="module", params=CLIENTS)
def client(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Tell what a client's generated module describes, imported beside ours."""
    command = [sys.executable, "-c", DESCRIBE, CLIENTS[request.param]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    described: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return described


def our_fields() -> dict[tuple[str, int], tuple[str, int, bool]]:
    found = {}
    messages = list(pb.DESCRIPTOR.message_types_by_name.values())
    while messages:
        message = messages.pop()
        messages.extend(message.nested_types)
        found.update({(message.full_name, f.number): (f.name, f.type, f.is_repeated) for f in message.fields})
    return found


def test_a_clients_module_can_share_the_process(client: dict[str, Any]) -> None:
    assert client["distinct"]


def test_a_client_reads_what_is_written_here(client: dict[str, Any]) -> None:
    assert client["there"] == client["here"]


def test_every_field_that_both_have_is_the_same_on_the_wire(client: dict[str, Any]) -> None:
    ours = our_fields()
    theirs = {
        (message, number): (RENAMED.get(name, name), kind, repeated)
        for message, number, name, kind, repeated in client["fields"]
        if message not in DIFFERENT
    }
    both = ours.keys() & theirs.keys()
    assert {field: ours[field] for field in both} == {field: theirs[field] for field in both}
    assert len(both) > 50


def test_the_same_field_is_not_under_another_number(client: dict[str, Any]) -> None:
    numbers = {(message, name): number for (message, number), (name, _, _) in our_fields().items()}
    moved = [
        (message, name)
        for message, number, name, *_ in client["fields"]
        if message not in DIFFERENT and numbers.get((message, name), number) != number
    ]
    assert moved == []


def test_every_method_that_both_have_takes_and_gives_the_same(client: dict[str, Any]) -> None:
    service = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    ours = {m.name: [m.input_type.full_name, m.output_type.full_name] for m in service.methods}
    both = ours.keys() & client["methods"].keys()
    assert {name: ours[name] for name in both} == {name: client["methods"][name] for name in both}
    assert "ModelInfer" in both


def test_the_compiled_files_are_those_of_the_definition(tmp_path: Path) -> None:
    compiled, types = tmp_path / "open_inference.binpb", tmp_path / "open_inference_pb2.pyi"
    subprocess.run(
        [
            sys.executable,
            *("-m", "grpc_tools.protoc"),
            f"--proto_path={DIRECTORY}",
            f"--descriptor_set_out={compiled}",
            f"--pyi_out={tmp_path}",
            "open_inference.proto",
        ],
        check=True,
        timeout=60,
    )
    committed = (DIRECTORY / compiled.name).read_bytes()
    assert FileDescriptorSet.FromString(committed) == FileDescriptorSet.FromString(compiled.read_bytes())
    assert (DIRECTORY / types.name).read_text() == types.read_text()
