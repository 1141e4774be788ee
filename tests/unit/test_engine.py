"""What the engine answers is what the estimator answers."""

import numpy as np
import pandas as pd
import pytest

from model.engine import SklearnEngine
from tests.families import ARRAY, SPECIES, by_id, fitted


def test_each_method_is_answered_as_by_the_estimator() -> None:
    estimator = fitted("k_neighbors")
    answers = SklearnEngine(estimator).run(ARRAY, ["predict_proba", "predict"])
    assert list(answers) == ["predict_proba", "predict"]
    np.testing.assert_array_equal(answers["predict"], estimator.predict(ARRAY))
    np.testing.assert_array_equal(answers["predict_proba"], estimator.predict_proba(ARRAY))


def test_answers_come_as_they_are() -> None:
    estimator = fitted("one_hot_encoder")
    strings = pd.DataFrame(by_id("one_hot_encoder").X)
    answer = SklearnEngine(estimator).run(strings, ["transform"])["transform"]
    assert answer.format == "csr"
    several = SklearnEngine(fitted("multilabel_neighbors")).run(ARRAY, ["predict_proba"])["predict_proba"]
    assert [part.shape for part in several] == [(len(SPECIES), 2)] * 3


def test_nothing_is_called_that_was_not_asked_for() -> None:
    assert SklearnEngine(object()).run(ARRAY, []) == {}


def test_what_the_estimator_raises_passes() -> None:
    with pytest.raises(ValueError, match="X has 2 features"):
        SklearnEngine(fitted("k_neighbors")).run(ARRAY[:, :2], ["predict"])


def test_it_tells_its_name() -> None:
    assert SklearnEngine(object()).name == "sklearn"
