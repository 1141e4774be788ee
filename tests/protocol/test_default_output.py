"""KServe's variable ``PREDICT_PROBA``: probabilities for those who name no output."""

import pytest

from tests.protocol.conftest import Start
from tests.protocol.layouts import Case, ask, check, rows_for
from tests.protocol.wires import WIRES, Clients, Wire

OUTPUTS = {
    "fish": ["predict_proba"],
    "multi_output_forest": ["predict_proba_0", "predict_proba_1"],
    "ridge": ["predict"],
}


@pytest.fixture(scope="module")
def probable(start: Start) -> Clients:
    return start(*OUTPUTS, env={"PREDICT_PROBA": "true"})


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize(("model", "outputs"), OUTPUTS.items())
def test_probabilities_come_where_a_model_has_them(
    probable: Clients, model: str, outputs: list[str], wire: Wire
) -> None:
    rows = rows_for(model, gaps=False)
    answer = wire(probable, ask(probable, Case(model, "columns"), rows, ()))
    assert list(answer.outputs) == outputs
    check(answer, model, rows)


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_an_output_that_is_named_comes_as_ever(probable: Clients, wire: Wire) -> None:
    rows = rows_for("fish", gaps=False)
    answer = wire(probable, ask(probable, Case("fish", "columns"), rows, ("predict",)))
    assert list(answer.outputs) == ["predict"]
    check(answer, "fish", rows)
