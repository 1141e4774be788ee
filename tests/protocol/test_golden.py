"""Every kind of model over every protocol and encoding: the same answer, and the estimator's own."""

import json
from typing import Any

import numpy as np
import pytest

from tests.protocol import zoo
from tests.protocol.encodings import document, infer_path, same
from tests.protocol.layouts import (
    CASES,
    CASES_OF_ANY_SIZE,
    OWN,
    Case,
    ask,
    check,
    instances,
    named,
    outputs_of,
    own_answer,
    rows_for,
    table,
)
from tests.protocol.wires import JSON_IN, WIRES, Clients, carries


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_encoding_gives_the_estimators_answer(clients: Clients, case: Case) -> None:
    rows = rows_for(case.model, gaps=False)
    request = ask(clients, case, rows, outputs_of(clients, case.model))
    answers = {name: wire(clients, request) for name, wire in WIRES.items() if carries(name, request)}
    assert set(answers) == set(WIRES)
    check(answers["json_flat"], case.model, rows)
    different = [name for name, answer in answers.items() if not same(answer, answers["json_flat"])]
    assert different == []


@pytest.mark.parametrize("model", ["mixed_columns", "hist_gradient_boosting", "hist_gradient_boosting_category"])
@pytest.mark.parametrize("wire", JSON_IN)
def test_missing_values_of_every_datatype_travel_as_null(clients: Clients, model: str, wire: str) -> None:
    rows = rows_for(model, gaps=True)
    assert rows.isna().any(axis=None)
    request = ask(clients, Case(model, "columns"), rows, outputs_of(clients, model))
    check(WIRES[wire](clients, request), model, rows)


@pytest.mark.parametrize("model", ["mixed_columns", "k_means", "one_hot_encoder", "multi_output_linear", "ridge"])
def test_no_output_named_is_the_first_alone(clients: Clients, model: str) -> None:
    rows = rows_for(model, gaps=False)
    request = ask(clients, Case(model, "columns"), rows, ())
    answers = [wire(clients, request) for wire in WIRES.values()]
    for answer in answers:
        assert list(answer.outputs) == ["transform" if model == "one_hot_encoder" else "predict"]
        check(answer, model, rows)


@pytest.mark.parametrize("case", CASES_OF_ANY_SIZE, ids=str)
def test_a_large_request_is_answered_like_a_small_one(clients: Clients, case: Case) -> None:
    """The bodies are large enough to be decoded and encoded beside the event loop, and so are their answers."""
    X = zoo.subject(case.model).X
    rows = table(X, [i % len(X) for i in range(4000)])
    request = ask(clients, case, rows, outputs_of(clients, case.model))
    answers = {name: wire(clients, request) for name, wire in WIRES.items() if carries(name, request)}
    assert len(json.dumps(document(request))) > 65_536
    check(answers["json_flat"], case.model, rows)
    assert [name for name, answer in answers.items() if not same(answer, answers["json_flat"])] == []


@pytest.mark.parametrize("wire", WIRES)
def test_infinite_answers_travel_where_there_is_a_form_for_them(clients: Clients, wire: str) -> None:
    rows = rows_for("decision_tree", gaps=False)
    request = ask(clients, Case("decision_tree", "single"), rows, ("predict_log_proba",))
    if wire in {"json_flat", "json_nested", "json_gzipped", "binary_in"}:
        response = clients.post(infer_path("decision_tree"), document(request))
        assert response.status_code == 400
        assert response.json()["error"].startswith("Output 'predict_log_proba' holds an infinite value")
        return
    got = WIRES[wire](clients, request).outputs["predict_log_proba"]
    with np.errstate(divide="ignore"):
        expected = own_answer("decision_tree", rows, "predict_log_proba")
    assert np.isneginf(expected).any()
    np.testing.assert_array_equal(got.array(), expected)


def jsonable(values: Any) -> Any:
    return json.loads(json.dumps(values.tolist()).replace("NaN", "null"))


ROWS_OF = ("mixed_columns", "fish", "logistic_regression_boolean_labels", "ridge", "strange_names", "float_labels")
V1_CASES = [(model, form) for model in (*zoo.FAMILIES, *OWN) for form in ("lists", "objects")]


@pytest.mark.parametrize(("model", "form"), [c for c in V1_CASES if c[1] == "lists" or named(c[0])])
def test_v1_gives_the_estimators_answer(clients: Clients, model: str, form: str) -> None:
    rows = rows_for(model, gaps=form == "objects")
    response = clients.post(f"/v1/models/{model}:predict", {"instances": instances(model, rows, form)})
    assert response.status_code == 200, response.text
    (predictions,) = response.json().values()
    output = outputs_of(clients, model)[0]
    expected = jsonable(own_answer(model, rows, output))
    assert np.shape(predictions) == np.shape(expected)
    if isinstance(np.ravel(expected)[0], float):
        np.testing.assert_allclose(predictions, expected, rtol=1e-12, atol=1e-14)
    else:
        assert predictions == expected


@pytest.mark.parametrize("model", ROWS_OF)
def test_rows_are_answered_with_prediction_and_probabilities(clients: Clients, model: str) -> None:
    rows = rows_for(model, gaps=True)
    objects = instances(model, rows, "objects")
    response = clients.post(f"/predict/{model}", objects)
    assert response.status_code == 200, response.text
    answers = response.json()
    estimator = zoo.subject(model).estimator
    assert [answer["prediction"] for answer in answers] == pytest.approx(own_answer(model, rows, "predict").tolist())
    for answer in answers:
        assert (answer["model"], answer["version"]) == (model, "1")
    if hasattr(estimator, "predict_proba"):
        labels = [json.dumps(label) if isinstance(label, bool) else str(label) for label in estimator.classes_.tolist()]
        probabilities = [dict(zip(labels, row, strict=True)) for row in own_answer(model, rows, "predict_proba")]
        assert [answer["probabilities"] for answer in answers] == [pytest.approx(row) for row in probabilities]
    else:
        assert all("probabilities" not in answer for answer in answers)
    alone = clients.post(f"/predict/{model}", objects[0]).json()
    assert alone.keys() == answers[0].keys()
    assert alone["prediction"] == pytest.approx(answers[0]["prediction"])
