"""tritonclient, over HTTP and over gRPC, asks a running server what its users ask."""

from typing import Any

import numpy as np
import pytest

from tests.clients.asked import MATRIX, NAP
from tests.clients.conftest import Answers, Run
from tests.clients.models import Models
from tests.servers import ServerProcess

STATUSES = {
    "http": {400: "400", 403: "403", 404: "404", 504: "504"},
    "grpc": {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 504: "DEADLINE_EXCEEDED"},
}


@pytest.fixture(scope="module")
def http(server: ServerProcess, run: Run) -> Answers:
    return run("triton", "http", server.http_port)


@pytest.fixture(scope="module")
def grpc(server: ServerProcess, run: Run) -> Answers:
    return run("triton", "grpc", server.grpc_port)


@pytest.fixture(params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def answers(protocol: str, request: pytest.FixtureRequest) -> Answers:
    asked: Answers = request.getfixturevalue(protocol)
    return asked


@pytest.mark.parametrize("question", ["live", "ready", "model ready", "version ready"])
def test_health_is_true(answers: Answers, question: str) -> None:
    assert answers[question] is True


@pytest.mark.parametrize("question", ["unknown model ready", "unknown version ready"])
def test_what_is_unknown_is_not_ready(http: Answers, grpc: Answers, question: str) -> None:
    assert http[question] is False
    assert "NOT_FOUND" in grpc.error(question)[1]


def test_server_metadata_names_the_extensions(answers: Answers) -> None:
    metadata = answers["server metadata"]
    assert metadata["name"] == "sklearn-kserve"
    assert set(metadata["extensions"]) == {"binary_tensor_data", "model_repository", "statistics"}


def test_metadata_describe_columns_and_outputs(answers: Answers) -> None:
    metadata = _whole_numbers(answers["metadata"])
    assert metadata["versions"] == ["1", "2"]
    assert metadata["platform"] == "sklearn_joblib"
    assert metadata["inputs"] == [
        {"name": "bill", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "mass", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "island", "datatype": "BYTES", "shape": [-1, 1]},
    ]
    assert metadata["outputs"][:2] == [
        {"name": "predict", "datatype": "BYTES", "shape": [-1]},
        {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 3]},
    ]


def test_metadata_of_a_version_describe_the_matrix(answers: Answers) -> None:
    metadata = _whole_numbers(answers["metadata of a version"])
    assert metadata["inputs"] == [{"name": "input-0", "datatype": "FP64", "shape": [-1, 3]}]


def test_index_lists_every_version(answers: Answers) -> None:
    index = answers["index"]
    lines = index["models"] if isinstance(index, dict) else index
    assert [(line["name"], line["version"], line["state"]) for line in lines] == [
        ("birds", "1", "READY"),
        ("birds", "2", "READY"),
        ("points", "1", "READY"),
        ("sleeper", "1", "READY"),
    ]


def test_statistics_count_requests_and_rows(answers: Answers) -> None:
    (before,) = _whole_numbers(answers["statistics before"])["model_stats"]
    (after,) = _whole_numbers(answers["statistics after"])["model_stats"]
    assert (after["name"], after["version"]) == ("points", "1")
    assert after["inference_count"] - before.get("inference_count", 0) == len(MATRIX)
    assert after["execution_count"] - before.get("execution_count", 0) == 1
    assert after["last_inference"] > before.get("last_inference", 0)
    spent = {name: stage["ns"] for name, stage in after["inference_stats"].items() if name != "fail"}
    assert all(spent.values())


@pytest.mark.parametrize(
    ("question", "versions"),
    [
        ("statistics of a model", [("birds", "1"), ("birds", "2")]),
        ("statistics of all", [("birds", "1"), ("birds", "2"), ("points", "1"), ("sleeper", "1")]),
    ],
)
def test_statistics_are_per_version(answers: Answers, question: str, versions: list[tuple[str, str]]) -> None:
    assert [(model["name"], model["version"]) for model in answers[question]["model_stats"]] == versions


@pytest.mark.parametrize("question", ["points", "in time"])
def test_a_matrix_is_answered_as_by_the_estimator(answers: Answers, models: Models, question: str) -> None:
    assert answers.values(question) == pytest.approx(models.of_points(), rel=1e-12)


@pytest.mark.parametrize("question", ["birds", "gzip", "deflate"])
def test_strings_and_missing_numbers_are_answered_as_by_the_estimator(
    answers: Answers, models: Models, question: str
) -> None:
    assert answers.values(question) == models.of_birds()


def test_the_newest_version_answers_by_default(answers: Answers) -> None:
    assert answers["birds"]["model_version"] == "2"


def test_a_version_answers_by_its_number(answers: Answers, models: Models) -> None:
    assert answers["version"]["model_version"] == "1"
    assert answers.values("version") == models.of_birds(version="1")
    assert answers.values("version") != models.of_birds(version="2")


def test_the_id_is_echoed(answers: Answers) -> None:
    assert answers["id"]["id"] == "a request"


def test_no_id_is_invented(answers: Answers) -> None:
    assert not answers["points"].get("id")


def test_outputs_come_in_the_order_asked_for(answers: Answers, models: Models) -> None:
    assert [output["name"] for output in answers["two outputs"]["outputs"]] == ["predict_proba", "predict"]
    assert answers.values("two outputs") == models.of_birds()
    probabilities = np.array(answers.values("two outputs", "predict_proba"))
    assert probabilities == pytest.approx(np.array(models.of_birds("predict_proba")), rel=1e-12)


@pytest.mark.parametrize(("question", "rel"), [("float32", 1e-6), ("integers", 1e-12)])
def test_any_number_goes_into_a_numeric_column(answers: Answers, models: Models, question: str, rel: float) -> None:
    asked = MATRIX if question == "float32" else [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert answers.values(question) == pytest.approx(models.points.predict(asked).tolist(), rel=rel)


@pytest.mark.parametrize(
    ("question", "status", "sentence"),
    [
        ("metadata of an unknown model", 404, "Model 'fish' is unknown; expected one of 'birds', 'points', 'sleeper'."),
        ("unknown version", 404, "Model 'birds' has no version '9'; expected one of '1', '2'."),
        ("unknown output", 400, "Output 'colour' is unknown; expected one of predict."),
        ("missing where none may be", 400, "Column '2' has a missing value (null or NaN) in row 0"),
        ("too few columns", 400, "Input 'input-0' has shape [3, 2]; expected [n, 3]."),
        ("unknown column", 400, "Column 'wings' is unknown; expected bill, mass, island."),
        ("text in a number", 400, "Column 'bill' is sent as BYTES; expected a number (FP64)."),
        ("late", 504, "The deadline passed"),
        ("load", 403, "Loading and unloading are off"),
        ("unload", 403, "Loading and unloading are off"),
    ],
)
def test_an_error_reaches_the_user_as_our_sentence(
    answers: Answers, protocol: str, question: str, status: int, sentence: str
) -> None:
    raised, message = answers.error(question)
    assert raised == "InferenceServerException"
    assert STATUSES[protocol][status] in message.partition("]")[0]
    assert sentence in message


def test_a_refused_unload_leaves_the_model_ready(answers: Answers) -> None:
    assert answers["ready after unload"] is True


@pytest.mark.parametrize("question", ["json", "json in, binary out", "binary in, json out"])
def test_tensors_travel_in_json_and_in_binary(http: Answers, models: Models, question: str) -> None:
    assert http.values(question) == pytest.approx(models.of_points(), rel=1e-12)
    (output,) = http[question]["outputs"]
    assert ("binary_data_size" in output.get("parameters", {})) is (question == "json in, binary out")


def test_an_output_in_json_beside_one_in_binary(http: Answers, models: Models) -> None:
    labels, probabilities = http["one output of two in json"]["outputs"]
    assert labels["data"] == models.of_birds()
    assert probabilities["parameters"] == {"binary_data_size": 72}


def test_strings_travel_in_json(http: Answers, models: Models) -> None:
    first, _, last = models.of_birds()
    assert http.values("strings in json") == [first, last]


def test_nan_in_json_is_refused_with_what_to_send(http: Answers) -> None:
    assert "send null for a missing value" in http.error("NaN in json")[1]


@pytest.mark.parametrize("question", ["asks for gzip", "asks for deflate"])
def test_a_client_that_would_like_compression_is_answered(http: Answers, models: Models, question: str) -> None:
    assert http.values(question) == models.of_birds()


def test_the_async_call_is_answered(http: Answers, models: Models) -> None:
    assert http["async"] == pytest.approx(models.of_points(), rel=1e-12)


def test_a_client_that_went_away_leaves_the_model_to_others(answers: Answers, protocol: str) -> None:
    raised, message = answers.error("impatient")
    assert {"http": "timed out", "grpc": "DEADLINE_EXCEEDED"}[protocol] in message, raised
    assert answers.values("patient") == NAP.tolist()[0]


def _whole_numbers(document: Any) -> Any:
    """Return JSON with numbers for the strings that protobuf writes 64-bit integers as."""
    if isinstance(document, dict):
        return {
            key: value if key in {"name", "version", "versions"} else _whole_numbers(value)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [_whole_numbers(item) for item in document]
    return int(document) if isinstance(document, str) and document.lstrip("-").isdigit() else document
