import pytest

from training.config.retrain import Drift
from training.retrain.drift import Told, beyond, mean

LIMITS = Drift()


def test_replicas_are_told_of_by_their_mean_as_the_alerts_have_it() -> None:
    together = mean([Told(900.0, {"length": 0.5, "width": 0.1}, 0.1), Told(600.0, {"length": 0.1}, 0.3), Told(20.0)])
    assert together == Told(900.0, {"length": 0.3, "width": 0.1}, 0.2)
    assert together.conclusive
    assert mean([]) == Told()
    assert not mean([Told(20.0)]).conclusive


@pytest.mark.parametrize(
    ("told", "limits", "sentence"),
    [
        (Told(900, {"length": 0.2, "width": 0.0}, 0.2), LIMITS, None),
        (Told(900, {"length": 0.21, "width": 0.5}), LIMITS, "width 0.50, length 0.21 of the input (more than 0.2)"),
        (Told(900, {"length": 0.3}), Drift(features=2), None),
        (Told(900, {"length": 0.3, "width": 0.3}), Drift(input_psi=0.4), None),
        (Told(900, {}, 0.25), LIMITS, "0.25 of the answers (more than 0.2)"),
        (
            Told(900, {"length": 0.6}, 0.7),
            Drift(input_psi=0.5, prediction_psi=0.6),
            "length 0.60 of the input (more than 0.5) and 0.70 of the answers (more than 0.6)",
        ),
        (Told(900, {"length": 0.6}, 0.7), Drift(features=2, prediction_psi=1), None),
    ],
)
def test_what_is_beyond_its_limit_is_said(told: Told, limits: Drift, sentence: str | None) -> None:
    assert beyond(told, limits) == sentence
