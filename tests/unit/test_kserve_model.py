"""SklearnModel as KServe's SDK calls it, without the SDK's server."""

import asyncio
import pickle
import time
from pathlib import Path
from typing import Any, Self

import joblib
import kserve
import numpy as np
import pandas as pd
import pytest
from kserve.errors import InferenceError, InvalidInput, ModelNotReady
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.infer_type import RequestedOutput
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.artifact import publish, sign_version
from model.errors import ArtifactError
from model.kserve_model import SklearnModel
from tests.signing import key_pair

BIRDS = pd.DataFrame({"mass": [3.7, 5.0, 4.1, 5.5] * 5, "island": ["Dream", "Biscoe"] * 10})
SPECIES = np.array(["Adelie", "Gentoo"] * 10)
ROWS = [{"mass": 3.7, "island": "Dream"}, {"mass": 5.5, "island": "Biscoe"}]


class Sluggish(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Counts how many requests it answers at once, each for a moment, and fails on a negative number."""

    running = 0
    most = 0

    def fit(self, X: Any, y: Any = None) -> Self:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        if X[0, 0] < 0:
            raise RuntimeError("a secret of the model")
        Sluggish.running += 1
        Sluggish.most = max(Sluggish.most, Sluggish.running)
        time.sleep(0.05)
        Sluggish.running -= 1
        return X[:, 0]


@pytest.fixture(scope="module")
def classifier() -> Any:
    columns = make_column_transformer((StandardScaler(), ["mass"]), (OneHotEncoder(), ["island"]))
    return make_pipeline(columns, LogisticRegression()).fit(BIRDS, SPECIES)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, classifier: Any) -> Path:
    root = tmp_path_factory.mktemp("models")
    publish(classifier, BIRDS, name="birds", root=root)
    return root


@pytest.fixture
def model(root: Path) -> SklearnModel:
    model = SklearnModel("birds", root / "birds" / "1")
    model.load()
    return model


@pytest.fixture
def sluggish(tmp_path: Path) -> SklearnModel:
    joblib.dump(Sluggish().fit(np.ones((2, 1))), tmp_path / "model.joblib")
    model = SklearnModel("sluggish", tmp_path)
    model.load()
    Sluggish.running = Sluggish.most = 0
    return model


def ask(model: SklearnModel, payload: Any) -> Any:
    return asyncio.run(model.predict(payload))


def birds(**parameters: Any) -> kserve.InferRequest:
    inputs = [
        kserve.InferInput("mass", [2], "FP64", [3.7, 5.5]),
        kserve.InferInput("island", [2, 1], "BYTES", ["Dream", "Biscoe"]),
    ]
    return kserve.InferRequest("birds", inputs, **parameters)


def over_grpc(**fields: Any) -> kserve.InferRequest:
    inputs: list[dict[str, Any]] = [
        {"name": "mass", "shape": [2], "datatype": "FP64"},
        {"name": "island", "shape": [2], "datatype": "BYTES"},
    ]
    if "raw_input_contents" not in fields:
        inputs[0]["contents"] = {"fp64_contents": [3.7, 5.5]}
        inputs[1]["contents"] = {"bytes_contents": fields.pop("islands", [b"Dream", b"Biscoe"])}
    return kserve.InferRequest.from_grpc(pb.ModelInferRequest(model_name="birds", inputs=inputs, **fields))


def values(answer: Any) -> dict[str, list[Any]]:
    return {output.name: output.data for output in answer.outputs}


def test_it_is_ready_once_loaded(root: Path) -> None:
    model = SklearnModel("birds", root / "birds" / "1")
    assert not model.ready
    assert model.load() is True
    assert model.ready


def test_it_says_that_it_was_not_loaded(root: Path) -> None:
    with pytest.raises(ModelNotReady, match=r"Call load\(\) first"):
        ask(SklearnModel("birds", root), {"instances": ROWS})


def test_nothing_is_loaded_without_a_manifest_where_one_is_required(tmp_path: Path, classifier: Any) -> None:
    joblib.dump(classifier, tmp_path / "model.joblib")
    with pytest.raises(ArtifactError, match="manifest"):
        SklearnModel("birds", tmp_path, require_manifest=True).load()


def test_nothing_is_loaded_unsigned_where_a_key_is_given(tmp_path: Path, classifier: Any) -> None:
    key = key_pair(tmp_path, "own")
    version = publish(classifier, BIRDS, name="birds", root=tmp_path / "root")
    model = SklearnModel("birds", version, verify_keys=[key.public])
    with pytest.raises(ArtifactError, match="is unsigned"):
        model.load()
    sign_version(version, key.private)
    elsewhere = pickle.loads(pickle.dumps(model))  # as KServe's server sends it to its workers
    assert elsewhere.load()


def test_what_sklearnserver_serves_is_loaded(tmp_path: Path, classifier: Any) -> None:
    joblib.dump(classifier, tmp_path / "model.joblib")
    model = SklearnModel("birds", tmp_path)
    model.load()
    assert ask(model, {"instances": ROWS}) == {"predictions": ["Adelie", "Gentoo"]}
    assert ask(model, birds()).model_version is None


@pytest.mark.parametrize(
    "payload",
    [
        {"instances": ROWS},
        {"inputs": ROWS},
        {"instances": [list(row.values()) for row in ROWS]},
        {"instances": [{"mass": np.float64(3.7), "island": "Dream"}, {"mass": np.float64(5.5), "island": "Biscoe"}]},
        b'{"instances": [[3.7, "Dream"], [5.5, "Biscoe"]]}',
    ],
    ids=["instances", "inputs", "lists", "numpy", "bytes"],
)
def test_v1_is_answered_in_v1(model: SklearnModel, payload: Any) -> None:
    assert ask(model, payload) == {"predictions": ["Adelie", "Gentoo"]}


def test_v2_is_answered_in_v2(model: SklearnModel) -> None:
    answer = ask(model, birds(request_id="a request"))
    assert (answer.id, answer.model_name, answer.model_version) == ("a request", "birds", "1")
    assert values(answer) == {"predict": ["Adelie", "Gentoo"]}


def test_an_answer_has_an_id_even_if_the_request_had_none(model: SklearnModel) -> None:
    assert ask(model, birds()).id


def test_outputs_are_chosen_by_name(model: SklearnModel, classifier: Any) -> None:
    wanted = [RequestedOutput("predict_proba"), RequestedOutput("predict")]
    answer = ask(model, birds(request_outputs=wanted))
    assert list(values(answer)) == ["predict_proba", "predict"]
    expected = classifier.predict_proba(pd.DataFrame(ROWS)).ravel()
    assert values(answer)["predict_proba"] == pytest.approx(expected.tolist())


def test_a_preprocess_step_may_leave_arrays(model: SklearnModel) -> None:
    request = birds()
    request.inputs[0].data = np.array([3.7, 5.5])
    assert values(ask(model, request)) == {"predict": ["Adelie", "Gentoo"]}


def test_grpc_contents_are_answered(model: SklearnModel) -> None:
    answer = ask(model, over_grpc()).to_grpc()
    assert list(answer.outputs[0].contents.bytes_contents) == [b"Adelie", b"Gentoo"]


def test_grpc_raw_contents_are_answered_raw(model: SklearnModel) -> None:
    islands = b"\x05\0\0\0Dream\x06\0\0\0Biscoe"
    answer = ask(model, over_grpc(raw_input_contents=[np.array([3.7, 5.5]).tobytes(), islands])).to_grpc()
    assert list(answer.raw_output_contents) == [b"\x06\0\0\0Adelie\x06\0\0\0Gentoo"]


def test_parameters_come_over_grpc(model: SklearnModel) -> None:
    parameters = {"content_type": pb.InferParameter(string_param="np")}
    with pytest.raises(InvalidInput, match="expected a single tensor"):
        ask(model, over_grpc(parameters=parameters))


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ({"instances": [{"mass": 3.7}]}, "Column 'island' is missing"),
        ({}, "The body has no instances"),
        ([1], "expected a JSON object"),
        (b"{", "not valid JSON"),
        (over_grpc(islands=[b"\xff", b"Dream"]), "Input 'island' holds bytes that are not UTF-8"),
        (over_grpc(raw_input_contents=[b"\0" * 15, b""]), "Input 'mass' comes with 15 bytes"),
        (birds(request_outputs=[RequestedOutput("colour")]), "Output 'colour' is unknown"),
        (kserve.InferRequest("birds", [kserve.InferInput("mass", [1], "FP99", [1.0])]), "FP99"),
        (kserve.InferRequest("birds", []), "Column 'mass' is missing"),
    ],
)
def test_a_fault_of_the_client_is_invalid_input(model: SklearnModel, payload: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        ask(model, payload)


def test_a_failure_of_the_model_is_an_inference_error_without_its_cause(sluggish: SklearnModel) -> None:
    with pytest.raises(InferenceError, match="log has the cause") as caught:
        ask(sluggish, {"instances": [[-1.0]]})
    assert "secret" not in str(caught.value)


def test_requests_run_one_at_a_time_and_leave_the_event_loop_free(sluggish: SklearnModel) -> None:
    async def ask_all() -> int:
        asked = [asyncio.create_task(sluggish.predict({"instances": [[float(i)]]})) for i in range(4)]
        ticks = 0
        while not all(task.done() for task in asked):
            await asyncio.sleep(0.005)
            ticks += 1
        assert [task.result() for task in asked] == [{"predictions": [float(i)]} for i in range(4)]
        return ticks

    assert asyncio.run(ask_all()) > 4
    assert Sluggish.most == 1


def test_a_request_whose_client_leaves_keeps_its_turn_until_the_model_is_done(sluggish: SklearnModel) -> None:
    async def leave_and_ask() -> None:
        for row in range(2):
            gone = asyncio.create_task(sluggish.predict({"instances": [[float(row)]]}))
            await asyncio.sleep(0.005)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
        assert await sluggish.predict({"instances": [[3.0]]}) == {"predictions": [3.0]}

    asyncio.run(leave_and_ask())
    assert Sluggish.most == 1


@pytest.mark.parametrize(
    ("variable", "arguments", "output"),
    [
        ("", {}, "predict"),
        ("true", {}, "predict_proba"),
        ("True", {}, "predict_proba"),
        ("false", {}, "predict"),
        ("true", {"predict_proba": False}, "predict"),
        ("false", {"predict_proba": True}, "predict_proba"),
    ],
)
def test_predict_proba_is_what_kserve_s_variable_says(
    root: Path, monkeypatch: pytest.MonkeyPatch, variable: str, arguments: dict[str, Any], output: str
) -> None:
    monkeypatch.setenv("PREDICT_PROBA", variable)
    model = SklearnModel("birds", root / "birds" / "1", **arguments)
    model.load()
    assert list(values(ask(model, birds()))) == [output]


def test_types_describe_inputs_and_outputs(model: SklearnModel) -> None:
    assert model.get_input_types() == [
        {"name": "mass", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "island", "datatype": "BYTES", "shape": [-1, 1]},
    ]
    assert model.get_output_types()[:2] == [
        {"name": "predict", "datatype": "BYTES", "shape": [-1]},
        {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
    ]


def test_it_goes_to_another_process_as_kserve_s_workers_need(model: SklearnModel) -> None:
    assert ask(pickle.loads(pickle.dumps(model)), {"instances": ROWS}) == {"predictions": ["Adelie", "Gentoo"]}
