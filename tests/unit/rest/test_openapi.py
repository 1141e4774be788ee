import re
from typing import Any

import jsonschema_rs
import orjson
import pytest

from model.datatypes import Datatype
from model.errors import NotFound
from model.keys import ANYONE, Client
from model.rest.routes import ROUTES
from model.signature import Column, Layout, Output, Signature
from tests.unit.rest.conftest import SIGNATURE, FakeDataPlane, Running, Serve

pytestmark = pytest.mark.asyncio

KINDS = Signature(
    layout=Layout.FRAME,
    named=True,
    inputs=(
        Column(name="count", datatype=Datatype.INT64, dtype="int64", minimum=1, maximum=4),
        Column(name="flag", datatype=Datatype.BOOL, dtype="bool"),
        Column(name="when", datatype=Datatype.BYTES, dtype="datetime64[ns]"),
        Column(name="grade", datatype=Datatype.INT64, dtype="category", categories=(3, 5)),
        Column(name="what", datatype=None, dtype="object", missing=True),
        Column(name="half", datatype=Datatype.FP16, missing=True),
    ),
    outputs=(Output(name="transform", method="transform", shape=(-1, -1)),),
)


async def document_of(running: Running) -> dict[str, Any]:
    answer = await running.client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    document: dict[str, Any] = answer.json()
    return document


def bodies(document: dict[str, Any]) -> list[tuple[str, dict[str, Any], Any]]:
    """Return path, schema (with the components it refers to) and example of each body that a model takes."""
    schemas = document["components"]["schemas"]
    found = []
    for path, methods in document["paths"].items():
        if "requestBody" in methods.get("post", {}):
            name = methods["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
            schema = schemas[name]
            if "examples" in schema:
                found.append((path, schema | {"components": document["components"]}, schema["examples"][0]))
    return found


async def test_every_example_fits_its_schema_and_is_answered(running: Running, plane: FakeDataPlane) -> None:
    plane.signatures["kinds", "1"] = plane.signatures["kinds", ""] = KINDS
    found = bodies(await document_of(running))
    assert {path for path, _, _ in found} == {
        "/predict",
        "/predict/kinds",
        "/predict/penguins",
        "/predict/texts",
        "/v1/models/kinds:predict",
        "/v1/models/numbers:predict",
        "/v1/models/penguins:predict",
        "/v1/models/texts:predict",
        "/v2/models/kinds/infer",
        "/v2/models/kinds/versions/1/infer",
        "/v2/models/numbers/infer",
        "/v2/models/penguins/infer",
        "/v2/models/penguins/versions/3/infer",
        "/v2/models/texts/infer",
    }
    for path, schema, example in found:
        assert jsonschema_rs.is_valid(schema, example), path
        answer = await running.client.post(path, json=example)
        assert answer.status_code == 200, (path, answer.text)


async def test_answers_fit_their_schemas(running: Running, plane: FakeDataPlane) -> None:
    plane.repository_api = True
    document = await document_of(running)
    checked = 0
    for path, methods in document["paths"].items():
        for method, item in methods.items():
            url = path.replace("{model}", "penguins").replace("{version}", "3")
            schema = (item.get("requestBody") or {}).get("content", {}).get("application/json", {}).get("schema", {})
            body = document["components"]["schemas"].get(schema.get("$ref", "").split("/")[-1], {})
            example = body.get("examples", [None])[0]
            answer = await running.client.request(method, url, content=orjson.dumps(example) if example else None)
            documented = item["responses"][str(answer.status_code)]["content"]
            media = documented[answer.headers["content-type"].split(";")[0]]["schema"]
            if answer.headers["content-type"] == "application/json":
                assert jsonschema_rs.is_valid(media | {"components": document["components"]}, answer.json()), path
                checked += 1
    assert checked > 20


async def test_a_row_tells_its_columns(running: Running) -> None:
    row = (await document_of(running))["components"]["schemas"]["Rows-penguins"]["anyOf"][0]
    assert row["required"] == ["mass", "island"]
    assert row["additionalProperties"] is False
    assert row["properties"]["mass"] == {"type": "number", "description": "In training from 2 to 8."}
    assert row["properties"]["island"]["type"] == ["string", "null"]
    assert row["properties"]["island"]["examples"] == ["Dream", "Torgersen"]


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row | {"other": 1},
        lambda row: {"mass": row["mass"]},
        lambda row: row | {"mass": "heavy"},
        lambda row: row | {"mass": None},
        lambda row: [],
        lambda row: [row, 1],
        lambda row: 1,
    ],
)
async def test_what_the_schema_refuses_the_server_refuses(running: Running, change: Any) -> None:
    found = {path: (schema, example) for path, schema, example in bodies(await document_of(running))}
    schema, example = found["/predict/penguins"]
    changed = change(example)
    assert not jsonschema_rs.is_valid(schema, changed)
    assert (await running.client.post("/predict/penguins", json=changed)).status_code == 400


async def test_every_route_is_in_the_document(running: Running) -> None:
    paths = (await document_of(running))["paths"]
    for route in ROUTES:
        pattern = (
            re.escape(route.path).replace(r"\{model\}", "(penguins|{model})").replace(r"\{version\}", "(3|{version})")
        )
        found = [path for path in paths if re.fullmatch(pattern, path)]
        assert found, route.path
        assert all(route.method.lower() in paths[path] for path in found)


async def test_operation_ids_are_unique(running: Running) -> None:
    paths = (await document_of(running))["paths"]
    ids = [item["operationId"] for methods in paths.values() for item in methods.values()]
    assert len(set(ids)) == len(ids)


async def test_keys_are_documented_where_they_are_needed(serve: Serve) -> None:
    document = await document_of(await serve(keys=True))
    assert document["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, methods in document["paths"].items():
        for item in methods.values():
            public = path in {"/", "/docs", "/v2/health/live"} or path.endswith("/ready")
            assert item["security"] == ([] if public else [{"bearer": []}])
            assert ("401" in item["responses"]) is not public


async def test_without_keys_there_is_no_security(running: Running) -> None:
    document = await document_of(running)
    assert "securitySchemes" not in document["components"]
    assert all("401" not in item["responses"] for methods in document["paths"].values() for item in methods.values())


async def test_it_is_made_anew_only_when_the_models_change(running: Running, plane: FakeDataPlane) -> None:
    document = running.app.service.openapi
    first = document(ANYONE)
    assert document(ANYONE) is first
    del plane.signatures["texts", ""]
    second = document(ANYONE)
    assert b"texts" in first
    assert b"texts" not in second
    plane.signatures["penguins", "3"] = SIGNATURE.model_copy(update={"outputs": SIGNATURE.outputs[:1]})
    assert document(ANYONE) != second


async def test_a_client_sees_its_own_models_alone(running: Running) -> None:
    document = running.app.service.openapi
    own = Client("alice", frozenset({"texts"}))
    first = orjson.loads(document(own))
    assert "/v2/models/texts/infer" in first["paths"]
    assert not re.search("penguins|numbers", document(own).decode())
    assert b"penguins" in document(ANYONE)
    assert document(Client("bob", own.models)) is document(own)


async def test_without_a_default_model_predict_needs_a_name(running: Running, plane: FakeDataPlane) -> None:
    plane.default = ""
    paths = (await document_of(running))["paths"]
    assert "/predict" not in paths
    assert "/predict/penguins" in paths


async def test_without_models_it_is_still_valid(running: Running, plane: FakeDataPlane) -> None:
    plane.signatures.clear()
    document = await document_of(running)
    (parameter,) = document["paths"]["/v2/models/{model}"]["get"]["parameters"]
    assert parameter["schema"] == {"type": "string"}
    assert not bodies(document)


async def test_a_model_that_goes_away_meanwhile_is_left_out(
    running: Running, plane: FakeDataPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = plane.signature

    def signature(client: Client, name: str, version: str = "") -> Signature:
        if name == "texts":
            raise NotFound("Gone.")
        return known(client, name, version)

    monkeypatch.setattr(plane, "signature", signature)
    assert "/predict/texts" not in (await document_of(running))["paths"]
