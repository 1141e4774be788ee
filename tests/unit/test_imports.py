import subprocess
import sys

import pytest

from model.imports import without

_PROGRAM = """
import sys
from model.imports import import_sklearn
import_sklearn()
import sklearn.linear_model, sklearn.ensemble, sklearn.pipeline, sklearn.preprocessing, sklearn.compose
assert "pandas" not in sys.modules, "imported"
import pandas
from sklearn.linear_model import LinearRegression
frame = pandas.DataFrame({"length": [0.0, 1.0, 2.0]})
model = LinearRegression().fit(frame, frame["length"])
assert list(model.feature_names_in_) == ["length"], "a frame is not known as such"
"""


def test_scikit_learn_comes_without_pandas_and_knows_frames_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_module_left_out_can_be_imported_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with without("colorsys"), pytest.raises(ImportError):
        import colorsys
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)


def test_a_module_that_is_there_already_stays() -> None:
    import json

    with without("json"):
        assert sys.modules["json"] is json
    assert sys.modules["json"] is json
