"""KServe's own REST client, in V1 and V2, and its gRPC client ask a running server what their users ask."""

import numpy as np
import pytest

from tests.clients.asked import BIRDS, NAP
from tests.clients.conftest import Answers, Run
from tests.clients.models import Models
from tests.servers import ServerProcess


@pytest.fixture(scope="module")
def answers(server: ServerProcess, run: Run) -> Answers:
    return run("kserve_sdk", server.http_port, server.grpc_port)


@pytest.fixture(params=["v2", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize(
    "question",
    [
        "v1 live",
        "v1 model ready",
        "v2 live",
        "v2 ready",
        "v2 model ready",
        "grpc live",
        "grpc ready",
        "grpc model ready",
    ],
)
def test_health_is_true(answers: Answers, question: str) -> None:
    assert answers[question] is True


def test_an_unknown_model_is_not_ready(answers: Answers) -> None:
    assert answers["v2 unknown model ready"] is False
    assert "404 Not Found" in answers.error("v1 unknown model ready")[1]
    assert "NOT_FOUND" in answers.error("grpc unknown model ready")[1]


def test_v1_rows_are_answered_as_by_the_estimator(answers: Answers, models: Models) -> None:
    assert answers["v1 birds"] == {"predictions": models.of_birds()}


def test_v1_lists_are_answered_as_by_the_estimator(answers: Answers, models: Models) -> None:
    assert answers["v1 points"]["predictions"] == pytest.approx(models.of_points(), rel=1e-12)


@pytest.mark.parametrize(
    "question", ["v2 points", "v2 binary points", "v2 points to binary", "grpc points", "grpc binary points"]
)
def test_a_matrix_is_answered_as_by_the_estimator(answers: Answers, models: Models, question: str) -> None:
    assert answers.values(question) == pytest.approx(models.of_points(), rel=1e-12)


@pytest.mark.parametrize("question", ["v2 birds", "v2 NaN", "v2 binary birds", "grpc birds", "grpc binary birds"])
def test_strings_and_missing_numbers_are_answered_as_by_the_estimator(
    answers: Answers, models: Models, question: str
) -> None:
    assert answers.values(question) == models.of_birds()


def test_outputs_come_in_the_order_asked_for(answers: Answers, models: Models, protocol: str) -> None:
    assert list(answers[f"{protocol} two outputs"]["values"]) == ["predict_proba", "predict"]
    assert answers.values(f"{protocol} two outputs") == models.of_birds()
    probabilities = np.array(answers.values(f"{protocol} two outputs", "predict_proba"))
    assert probabilities == pytest.approx(np.array(models.of_birds("predict_proba")), rel=1e-12)


def test_the_id_is_echoed(answers: Answers, protocol: str) -> None:
    assert answers[f"{protocol} id"]["id"] == "a request"


def test_the_answer_names_the_model(answers: Answers, protocol: str) -> None:
    assert answers[f"{protocol} birds"]["model_name"] == BIRDS


def test_a_version_answers_by_its_number(answers: Answers, models: Models) -> None:
    assert answers["grpc version"]["model_version"] == "1"
    assert answers.values("grpc version") == models.of_birds(version="1")


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("wrong shape", "expected [n, 3]."),
        ("unknown output", "Output 'colour' is unknown"),
        ("unknown model", "Model 'fish' is unknown; expected one of 'birds', 'points', 'sleeper'."),
    ],
)
def test_an_error_reaches_the_user_as_our_sentence(
    answers: Answers, protocol: str, question: str, sentence: str
) -> None:
    status = {
        "v2": "404 Not Found" if question == "unknown model" else "400 Bad Request",
        "grpc": "NOT_FOUND" if question == "unknown model" else "INVALID_ARGUMENT",
    }[protocol]
    raised, message = answers.error(f"{protocol} {question}")
    assert raised == {"v2": "HTTPStatusError", "grpc": "AioRpcError"}[protocol]
    assert status in message
    assert sentence in message


@pytest.mark.parametrize(
    ("question", "status", "sentence"),
    [
        ("wrong shape", "400 Bad Request", "expected [n, 3]."),
        ("unknown model", "404 Not Found", "Model 'fish' is unknown"),
        ("no rows", "400 Bad Request", "expected a list of at least one row"),
    ],
)
def test_an_error_reaches_the_user_of_v1_as_our_sentence(
    answers: Answers, question: str, status: str, sentence: str
) -> None:
    raised, message = answers.error(f"v1 {question}")
    assert raised == "HTTPStatusError"
    assert status in message
    assert sentence in message


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("unknown version", "NOT_FOUND"),
        ("missing where none may be", "INVALID_ARGUMENT"),
        ("impatient", "DEADLINE_EXCEEDED"),
    ],
)
def test_grpc_has_the_status_of_the_fault(answers: Answers, question: str, status: str) -> None:
    assert f"StatusCode.{status}" in answers.error(f"grpc {question}")[1]


def test_a_client_that_went_away_leaves_the_model_to_others(answers: Answers, protocol: str) -> None:
    assert answers.error(f"{protocol} impatient")[0] == {"v2": "ReadTimeout", "grpc": "AioRpcError"}[protocol]
    assert answers.values(f"{protocol} patient") == NAP.tolist()[0]
