"""Our model inside KServe's own model server, unmodified, asked by KServe's own clients and by plain HTTP."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.clients.asked import COLUMNS, GRAMS_PER_MILLIMETRE, MATRIX, rows
from tests.clients.conftest import Answers, Run
from tests.clients.models import Models
from tests.clients.plain import Connection, Reply, head, request
from tests.servers import REPOSITORY

START_SECONDS = 90


class Ports(NamedTuple):
    """Where KServe's server listens."""

    http: int
    grpc: int


@pytest.fixture(scope="module")
def ports(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    ports = _free_ports()
    log = tmp_path_factory.mktemp("kserve") / "log"
    command = [sys.executable, "-m", "tests.clients.scripts.kserve_server", str(models.root)]
    command += ["--http_port", str(ports.http), "--grpc_port", str(ports.grpc)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(process, ports, log)
        yield ports
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()


@pytest.fixture(scope="module")
def answers(ports: Ports, run: Run) -> Answers:
    return run("kserve_sdk", ports.http, ports.grpc)


@pytest.fixture
def connection(ports: Ports) -> Iterator[Connection]:
    with Connection(ports.http) as connection:
        yield connection


@pytest.mark.parametrize(
    "question", ["v1 live", "v1 model ready", "v2 ready", "v2 model ready", "grpc ready", "grpc model ready"]
)
def test_it_is_ready_once_loaded(answers: Answers, question: str) -> None:
    assert answers[question] is True


def test_v1_rows_are_answered_as_by_the_estimator(answers: Answers, models: Models) -> None:
    assert answers["v1 birds"] == {"predictions": models.of_birds()}


def test_v1_lists_are_answered_as_by_the_estimator(answers: Answers, models: Models) -> None:
    assert answers["v1 points"]["predictions"] == pytest.approx(models.of_points(), rel=1e-12)


def test_v1_takes_the_content_type_that_curl_sends(connection: Connection, models: Models) -> None:
    body = json.dumps({"instances": rows()}).encode()
    content_type = "Content-Type: application/x-www-form-urlencoded"
    connection.send(request("/v1/models/birds:predict", content_type, body=body))
    assert connection.reply().json() == {"predictions": models.of_birds()}


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


@pytest.mark.parametrize("protocol", ["v2", "grpc"])
def test_outputs_are_chosen_by_name(answers: Answers, models: Models, protocol: str) -> None:
    assert answers.values(f"{protocol} two outputs") == models.of_birds()
    probabilities = np.array(answers.values(f"{protocol} two outputs", "predict_proba"))
    assert probabilities == pytest.approx(np.array(models.of_birds("predict_proba")), rel=1e-12)


@pytest.mark.parametrize("protocol", ["v2", "grpc"])
def test_the_id_is_echoed(answers: Answers, protocol: str) -> None:
    assert answers[f"{protocol} id"]["id"] == "a request"


def test_the_answer_names_its_version(answers: Answers) -> None:
    assert answers["grpc birds"]["model_version"] == "2"


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("v1 wrong shape", "Input 'input-0' has shape [1, 2]; expected [n, 3]."),
        ("v1 no rows", "expected a list of at least one row"),
        ("v2 wrong shape", "Input 'input-0' has shape [3, 2]; expected [n, 3]."),
        ("v2 unknown output", "Output 'colour' is unknown"),
        ("grpc wrong shape", "Input 'input-0' has shape [3, 2]; expected [n, 3]."),
        ("grpc unknown output", "Output 'colour' is unknown"),
        ("grpc missing where none may be", "Column '2' has a missing value"),
    ],
)
def test_a_fault_of_the_client_is_its_own_with_our_sentence(answers: Answers, question: str, sentence: str) -> None:
    message = answers.error(question)[1]
    assert ("INVALID_ARGUMENT" if question.startswith("grpc") else "400 Bad Request") in message
    assert sentence in message


def test_a_failure_of_the_model_says_nothing_of_its_cause(connection: Connection) -> None:
    reply = _post(connection, "/v1/models/sleeper:predict", {"instances": [[1e300]]})
    assert reply.status == 500
    assert "log has the cause" in reply.json()["error"]
    assert "Overflow" not in reply.body.decode()


def test_a_slow_answer_leaves_the_server_responsive(ports: Ports, connection: Connection) -> None:
    connection.send(request("/v1/models/sleeper:predict", body=b'{"instances": [[1.5]]}'))
    with Connection(ports.http) as other:
        other.send(head("/v2/health/live", method="GET"))
        assert other.reply().json() == {"live": True}
        assert not connection.is_readable()
    assert connection.reply().json() == {"predictions": [1.5]}


def test_metadata_describe_inputs_and_outputs(connection: Connection) -> None:
    connection.send(head("/v2/models/birds", method="GET"))
    metadata = connection.reply().json()
    assert [tensor["name"] for tensor in metadata["inputs"]] == list(COLUMNS)
    assert metadata["inputs"][2] == {"name": "island", "datatype": "BYTES", "shape": [-1, 1]}
    assert metadata["outputs"][0] == {"name": "predict", "datatype": "BYTES", "shape": [-1]}


def test_a_subclass_adds_a_feature_to_v1_rows(connection: Connection, models: Models) -> None:
    unbilled = [{name: value for name, value in row.items() if name != "bill"} for row in rows()]
    reply = _post(connection, "/v1/models/unbilled:predict", {"instances": unbilled})
    assert reply.json() == {"predictions": models.of_birds(bill=COLUMNS["mass"] / GRAMS_PER_MILLIMETRE)}


def test_a_subclass_adds_a_feature_to_v2_tensors(connection: Connection, models: Models) -> None:
    tensors = [
        {"name": "mass", "shape": [3], "datatype": "FP64", "data": COLUMNS["mass"].tolist()},
        {"name": "island", "shape": [3], "datatype": "BYTES", "data": COLUMNS["island"].tolist()},
    ]
    reply = _post(connection, "/v2/models/unbilled/infer", {"inputs": tensors})
    (output,) = reply.json()["outputs"]
    assert output["data"] == models.of_birds(bill=COLUMNS["mass"] / GRAMS_PER_MILLIMETRE)


def test_too_few_values_are_the_client_s_fault(connection: Connection) -> None:
    tensor = {"name": "x", "shape": [3, 3], "datatype": "FP64", "data": MATRIX[:2].tolist()}
    reply = _post(connection, "/v2/models/points/infer", {"inputs": [tensor]})
    assert reply.status == 400
    assert "its shape [3, 3] needs" in reply.json()["error"]


def _post(connection: Connection, target: str, document: dict[str, Any]) -> Reply:
    connection.send(request(target, "Content-Type: application/json", body=json.dumps(document).encode()))
    return connection.reply()


def _free_ports() -> Ports:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        return Ports(*(taken.getsockname()[1] for taken in sockets))


def _wait(process: "subprocess.Popen[bytes]", ports: Ports, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    for port in ports:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
