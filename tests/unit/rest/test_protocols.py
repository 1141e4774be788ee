import asyncio

import numpy as np
import orjson
import pytest

from tests.unit.rest.conftest import FakeDataPlane, Running
from tests.unit.rest.test_app import INFER, ROW

pytestmark = pytest.mark.asyncio


async def test_health_has_the_bodies_clients_read(running: Running, plane: FakeDataPlane) -> None:
    get = running.client.get
    assert (await get("/v2/health/live")).json() == {"live": True}
    assert (await get("/v2/health/ready")).json() == {"ready": True}
    assert (await get("/v2/models/penguins/ready")).json() == {"name": "penguins", "ready": True}
    assert (await get("/v2/models/penguins/versions/3/ready")).json() == {"name": "penguins", "ready": True}
    assert (await get("/v1/models/penguins")).json() == {"name": "penguins", "ready": True}
    plane.is_ready = False
    for path, body in [
        ("/v2/health/ready", {"ready": False}),
        ("/v2/models/penguins/ready", {"name": "penguins", "ready": False}),
        ("/v1/models/penguins", {"name": "penguins", "ready": False}),
    ]:
        answer = await get(path)
        assert (answer.status_code, answer.json()) == (503, body)
    assert (await get("/v2/health/live")).status_code == 200
    assert (await get("/v2/models/unknown/ready")).status_code == 404


async def test_metadata_leaves_out_what_there_is_not(running: Running) -> None:
    get = running.client.get
    assert (await get("/v2")).json() == {
        "name": "sklearn-kserve",
        "version": "1.2.3",
        "extensions": ["binary_tensor_data"],
    }
    mass = [{"name": "mass", "datatype": "FP64", "shape": [-1, 1]}]
    described = {"platform": "sklearn_joblib", "inputs": mass, "outputs": mass}
    assert (await get("/v2/models/penguins/versions/3")).json() == {"name": "penguins", "versions": ["3"], **described}
    assert (await get("/v2/models/numbers")).json() == {"name": "numbers", **described}


async def test_infers_in_json(running: Running, plane: FakeDataPlane) -> None:
    answer = await running.client.post("/v2/models/penguins/versions/3/infer", json=INFER | {"id": "7"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert "inference-header-content-length" not in answer.headers
    assert answer.json() == {
        "model_name": "penguins",
        "model_version": "3",
        "id": "7",
        "outputs": [{"name": "predict", "datatype": "BYTES", "shape": [1], "data": ["gentoo"]}],
    }
    (call,) = plane.calls
    assert (call.protocol, call.size_bytes) == ("rest", len(orjson.dumps(INFER | {"id": "7"})))


async def test_needs_no_content_type(running: Running) -> None:
    answer = await running.client.post("/v2/models/penguins/infer", content=orjson.dumps(INFER))
    assert "content-type" not in answer.request.headers
    assert answer.status_code == 200


def binary_request() -> tuple[bytes, bytes]:
    head = orjson.dumps(
        {
            "inputs": [{"name": "x", "shape": [3, 2], "datatype": "FP32", "parameters": {"binary_data_size": 24}}],
            "parameters": {"binary_data_output": True},
        }
    )
    return head, np.arange(6, dtype="<f4").tobytes()


async def test_infers_in_binary(running: Running, plane: FakeDataPlane) -> None:
    head, tail = binary_request()
    answer = await running.client.post(
        "/v2/models/numbers/infer", content=head + tail, headers={"Inference-Header-Content-Length": str(len(head))}
    )
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(len(answer.content))
    length = int(answer.headers["inference-header-content-length"])
    document = orjson.loads(answer.content[:length])
    assert document["outputs"][0]["parameters"] == {"binary_data_size": 24}
    np.testing.assert_array_equal(np.frombuffer(answer.content[length:], "<f8"), [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(plane.requests[0].inputs[0].data, np.arange(6).reshape(3, 2))


@pytest.mark.parametrize(
    "length", ["", "x", "-1", "1.0", "0x10", "²".encode("latin-1"), "9" * 5000, "0" * 5000, "0" * 18 + "9", "+5", "1_0"]
)
async def test_a_wrong_header_length_is_400(running: Running, length: str | bytes) -> None:
    answer = await running.client.post(
        "/v2/models/numbers/infer",
        content=b"{}",
        headers={b"Inference-Header-Content-Length": length if isinstance(length, bytes) else length.encode()},
    )
    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]


async def test_a_header_length_over_the_body_is_400(running: Running) -> None:
    head, tail = binary_request()
    headers = {"Inference-Header-Content-Length": str(len(head + tail) + 1)}
    answer = await running.client.post("/v2/models/numbers/infer", content=head + tail, headers=headers)
    assert answer.status_code == 400
    assert f"at most the {len(head + tail)} bytes" in answer.json()["error"]


async def test_statistics_are_as_tritonclient_reads_them(running: Running) -> None:
    once = {"count": 1, "ns": 2}
    stages = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
    expected = {
        "name": "penguins",
        "version": "3",
        "last_inference": 5,
        "inference_count": 7,
        "execution_count": 1,
        "inference_stats": dict.fromkeys(stages, once),
        "batch_stats": [],
    }
    for path in ("/v2/models/stats", "/v2/models/penguins/stats", "/v2/models/penguins/versions/3/stats"):
        assert (await running.client.get(path)).json() == {"model_stats": [expected]}
    assert (await running.client.get("/v2/models/unknown/stats")).status_code == 404


async def test_the_index_lists_versions(running: Running) -> None:
    ready = {"name": "penguins", "version": "3", "state": "READY", "reason": ""}
    gone = {"name": "numbers", "state": "UNAVAILABLE", "reason": "unloaded"}
    post = running.client.post
    assert (await post("/v2/repository/index")).json() == [ready, gone]
    assert (await post("/v2/repository/index", json={})).json() == [ready, gone]
    assert (await post("/v2/repository/index", json={"ready": True})).json() == [ready]
    answer = await post("/v2/repository/index", json={"ready": "yes"})
    assert answer.status_code == 400
    assert answer.json() == {"error": "The body has 'yes' as its ready; expected true or false."}


async def test_loading_is_the_data_planes_to_allow(running: Running, plane: FakeDataPlane) -> None:
    post = running.client.post
    assert (await post("/v2/repository/models/penguins/load")).status_code == 403
    assert (await post("/v2/repository/models/penguins/unload")).status_code == 403
    plane.repository_api = True
    answer = await post("/v2/repository/models/penguins/load", json={})
    assert (answer.status_code, answer.json()) == (200, {"name": "penguins", "load": True})
    answer = await post("/v2/repository/models/penguins/unload", json={"parameters": {"unload_dependents": False}})
    assert (answer.status_code, answer.json()) == (200, {"name": "penguins", "unload": True})
    assert (await post("/v2/repository/models/unknown/load")).status_code == 404
    answer = await post("/v2/repository/models/penguins/load", json={"parameters": {"config": "{}"}})
    assert answer.status_code == 400


async def test_v1(running: Running, plane: FakeDataPlane) -> None:
    assert (await running.client.get("/v1/models")).json() == {"models": ["penguins", "numbers", "texts"]}
    answer = await running.client.post("/v1/models/penguins:predict", json={"instances": [[5.3, "Dream"], [4.1, None]]})
    assert answer.json() == {"predictions": ["gentoo", "gentoo"]}
    assert [tensor.name for tensor in plane.requests[0].inputs] == ["mass", "island"]
    answer = await running.client.post("/v1/models/numbers:predict", json={"instances": [[5.3, 1]]})
    assert answer.json() == {"predictions": [0.0]}
    assert (await running.client.post("/v1/models/unknown:predict", json={"instances": [[1]]})).status_code == 404


async def test_rows(running: Running, plane: FakeDataPlane) -> None:
    answer = {
        "prediction": "gentoo",
        "probabilities": {"adelie": 0.25, "gentoo": 0.75},
        "model": "penguins",
        "version": "3",
    }
    assert (await running.client.post("/predict", json=ROW)).json() == answer
    assert (await running.client.post("/predict/penguins", json=[ROW, ROW])).json() == [answer, answer]
    assert [output.name for output in plane.requests[0].outputs] == ["predict", "predict_proba"]
    plain = {"prediction": 0.0, "model": "texts"}
    assert (await running.client.post("/predict/texts", json={"text": "hello"})).json() == plain


async def test_rows_without_a_default_model_are_400(running: Running, plane: FakeDataPlane) -> None:
    plane.default = ""
    answer = await running.client.post("/predict", json=ROW)
    assert answer.status_code == 400
    assert "penguins, numbers" in answer.json()["error"]


async def test_requests_on_many_connections_do_not_mix(running: Running) -> None:
    async def ask(i: int) -> str:

        answer = await running.client.post("/v2/models/penguins/infer", json=INFER | {"id": str(i)})
        return str(answer.json()["id"])

    assert await asyncio.gather(*map(ask, range(50))) == [str(i) for i in range(50)]
