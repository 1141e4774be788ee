"""The commands that the chart's README says will pass and fail, before a real Envoy with the README's own values."""

import json
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
import yaml
from google.protobuf import json_format

from model.grpc import open_inference_pb2 as pb
from tests.deploy.mesh import SERVICE, Caller, Issuer, Mesh
from tests.deploy.rendering import CHART, objects
from tests.servers import ServerProcess

SECTION = (CHART / "README.md").read_text().split("## Who may call\n")[1].split("\n## ")[0]
COMMANDS: list[tuple[str, str]] = re.findall(r"^((?:curl|infer) .+?) +# (\w+)$", SECTION, re.MULTILINE)
VARIABLES: list[str] = re.findall(r'[A-Z]+=(?:"[^"]+"|\S+)', SECTION.split("```sh\n")[1].split("\n\n")[0])
ROWS: dict[str, Any] = json.loads(re.findall(r'`(\{"inputs".+\})`', SECTION)[0])
MODELS = [{"name": name, "storageUri": f"s3://models/{name}"} for name in ("iris", "churn")]


@pytest.fixture(scope="module")
def mesh(servers: Mapping[str, ServerProcess], issuer: Issuer, mesh_directory: Path) -> Iterator[Mesh]:
    values = yaml.safe_load(SECTION.split("```yaml\n")[1].split("```")[0])
    values["models"], values["auth"]["jwks"] = MODELS, issuer.keys
    with Mesh(mesh_directory / "readme", objects(values), servers) as found:
        yield found


ARGUMENTS = ArgumentParser()
ARGUMENTS.add_argument("-H", dest="header", default="")
ARGUMENTS.add_argument("-d", dest="sent")
ARGUMENTS.add_argument("address")


def test_there_are_commands_that_pass_and_some_that_fail_over_both_protocols() -> None:
    assert {expected for _, expected in COMMANDS} == {
        *("200", "401", "403"),
        *("OK", "Unauthenticated", "PermissionDenied"),
    }
    assert len(COMMANDS) == len(re.findall(r"^(?:curl|infer) ", SECTION, re.MULTILINE))


@pytest.mark.parametrize(("command", "expected"), COMMANDS)
def test_a_command_does_what_the_readme_says(mesh: Mesh, issuer: Issuer, command: str, expected: str) -> None:
    known = {"TOKEN": issuer.token(scope="infer"), "OLD_TOKEN": issuer.token(scope="infer", exp=1)}
    known |= {"ROWS": "rows", "MESSAGE": "message"}
    for name, _, value in (each.partition("=") for each in VARIABLES):
        known[name] = Template(value.strip('"')).substitute(known)
    tool, *words = shlex.split(Template(command).substitute(known))
    asked = ARGUMENTS.parse_args(words)
    address = urlsplit(asked.address if tool == "curl" else f"//{asked.address}")
    with Caller(
        mesh.port, asked.header.removeprefix("Authorization: Bearer ") or None, address.hostname or ""
    ) as caller:
        if tool == "curl":
            body = {"rows": ROWS, None: None}.get(asked.sent, {})
            assert str(caller.rest(address.path, "GET" if body is None else "POST", body).status_code) == expected
        else:
            code = caller.call(f"{SERVICE}/ModelInfer", message(caller.host.split("-")[0]))
            assert code is grpc.StatusCode[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", expected).upper()]


def message(model: str) -> pb.ModelInferRequest:
    """Return the rows as the README says that a message has them."""
    ((name, contents),) = re.findall(r'`"(contents)": (\{.+?\})`', SECTION)
    inputs = [
        {key: each for key, each in {**row, name: json.loads(contents)}.items() if key != "data"}
        for row in ROWS["inputs"]
    ]
    return json_format.ParseDict({"model_name": model, "inputs": inputs}, pb.ModelInferRequest())
