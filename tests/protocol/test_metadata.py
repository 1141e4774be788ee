"""What the server says of itself and of its models."""

from typing import Any

import pytest

from model import __version__
from model.grpc import open_inference_pb2 as pb
from tests.protocol import zoo
from tests.protocol.refusals import over_grpc, over_rest
from tests.protocol.wires import Clients

Tensor = tuple[str, str, list[int]]
EXTENSIONS = ["binary_tensor_data", "model_repository", "statistics"]
INPUTS: dict[str, list[Tensor]] = {
    "fish": [
        ("length", "FP64", [-1, 1]),
        ("eggs", "INT64", [-1, 1]),
        ("tagged", "BOOL", [-1, 1]),
        ("island", "BYTES", [-1, 1]),
    ],
    "plane": [("left", "FP64", [-1, 1]), ("right", "FP64", [-1, 1])],
    "dates": [("hatched", "BYTES", [-1, 1]), ("weighed", "BYTES", [-1, 1])],
    "k_neighbors": [("input-0", "FP64", [-1, 3])],
    "isotonic_regression": [("input-0", "FP64", [-1, 1])],
    "unnamed_strings": [("input-0", "BYTES", [-1, 2])],
    "text_pipeline": [("input-0", "BYTES", [-1])],
}
OUTPUTS: dict[str, list[Tensor]] = {
    "fish": [
        ("predict", "BYTES", [-1]),
        ("predict_proba", "FP64", [-1, 2]),
        ("predict_log_proba", "FP64", [-1, 2]),
        ("decision_function", "FP64", [-1]),
    ],
    "plane": [("predict", "FP64", [-1])],
    "k_means": [("predict", "INT64", [-1]), ("transform", "FP64", [-1, 3])],
    "isolation_forest": [
        ("predict", "INT64", [-1]),
        ("decision_function", "FP64", [-1]),
        ("score_samples", "FP64", [-1]),
    ],
    "logistic_regression_boolean_labels": [
        ("predict", "BOOL", [-1]),
        ("predict_proba", "FP64", [-1, 2]),
        ("predict_log_proba", "FP64", [-1, 2]),
        ("decision_function", "FP64", [-1]),
    ],
    "multi_output_forest": [
        ("predict", "BYTES", [-1, 2]),
        ("predict_proba_0", "FP64", [-1, 2]),
        ("predict_proba_1", "FP64", [-1, 3]),
        ("predict_log_proba_0", "FP64", [-1, 2]),
        ("predict_log_proba_1", "FP64", [-1, 3]),
    ],
    "multi_output_linear": [("predict", "FP64", [-1, 2])],
    "standard_scaler": [("transform", "FP64", [-1, 3])],
    "one_hot_encoder": [("transform", "FP64", [-1, 5])],
}


def tensors(items: Any) -> list[Tensor]:
    return [(item["name"], item["datatype"], item["shape"]) for item in items]


def messages(items: Any) -> list[Tensor]:
    return [(item.name, item.datatype, list(item.shape)) for item in items]


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_names_itself_and_its_extensions(clients: Clients, path: str) -> None:
    response = clients.rest.get(path)
    assert response.status_code == 200
    assert response.json() == {"name": "sklearn-kserve", "version": __version__, "extensions": EXTENSIONS}
    answer = clients.call("ServerMetadata", pb.ServerMetadataRequest())
    assert (answer.name, answer.version, list(answer.extensions)) == ("sklearn-kserve", __version__, EXTENSIONS)


@pytest.mark.parametrize("model", INPUTS)
def test_a_models_inputs_are_its_columns_or_one_matrix(clients: Clients, model: str) -> None:
    assert tensors(clients.rest.get(f"/v2/models/{model}").json()["inputs"]) == INPUTS[model]
    answer = clients.call("ModelMetadata", pb.ModelMetadataRequest(name=model))
    assert messages(answer.inputs) == INPUTS[model]


@pytest.mark.parametrize("model", OUTPUTS)
def test_a_models_outputs_are_the_estimators_methods(clients: Clients, model: str) -> None:
    assert tensors(clients.rest.get(f"/v2/models/{model}").json()["outputs"]) == OUTPUTS[model]
    answer = clients.call("ModelMetadata", pb.ModelMetadataRequest(name=model))
    assert messages(answer.outputs) == OUTPUTS[model]


@pytest.mark.parametrize("model", [*zoo.FAMILIES, *zoo.PARTS])
@pytest.mark.parametrize("version", ["", "1"])
def test_both_protocols_say_the_same_of_a_model(clients: Clients, model: str, version: str) -> None:
    response = clients.rest.get(f"/v2/models/{model}/versions/{version}" if version else f"/v2/models/{model}")
    assert response.status_code == 200
    body = response.json()
    assert list(body) == ["name", "versions", "platform", "inputs", "outputs"]
    assert (body["name"], body["versions"], body["platform"]) == (model, ["1"], "sklearn_joblib")
    answer = clients.call("ModelMetadata", pb.ModelMetadataRequest(name=model, version=version))
    assert (answer.name, list(answer.versions), answer.platform) == (model, ["1"], "sklearn_joblib")
    assert messages(answer.inputs) == tensors(body["inputs"])
    assert messages(answer.outputs) == tensors(body["outputs"])


@pytest.mark.parametrize(
    ("model", "version", "sentence"),
    [
        ("unknown", "", "Model 'unknown' is unknown; expected one of "),
        ("unknown", "1", "Model 'unknown' is unknown; expected one of "),
        ("plane", "2", "Model 'plane' has no version '2'; expected one of '1'."),
        ("plane", "01", "Model 'plane' has no version '01'; expected one of '1'."),
    ],
)
def test_what_there_is_not_is_not_found(clients: Clients, model: str, version: str, sentence: str) -> None:
    path = f"/v2/models/{model}/versions/{version}" if version else f"/v2/models/{model}"
    rest = over_rest(clients.rest.get(path))
    rpc = over_grpc(clients, "ModelMetadata", pb.ModelMetadataRequest(name=model, version=version))
    assert (rest.status, rpc.status) == (404, "NOT_FOUND")
    assert rest.sentence == rpc.sentence
    assert rest.sentence.startswith(sentence)
