import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model.artifact import Artifact, LoadPolicy, load, verify
from model.artifact.mlflow import read_mlmodel
from model.datatypes import Datatype
from model.errors import ArtifactError
from model.signature import Layout
from model.signature.inputs import Inputs
from model.tensors import InferRequest, Tensor
from tests.processes import unmeasured

X = np.random.default_rng(0).normal(size=(20, 2))
Y = np.where(X[:, 0] > 0, "p", "q")

SAVE = """
import sys
import joblib
import mlflow.sklearn
from mlflow.models import infer_signature

for name, (estimator, rows, serialization) in joblib.load(sys.argv[1]).items():
    mlflow.sklearn.save_model(
        estimator,
        f"{sys.argv[2]}/{name}",
        signature=infer_signature(rows, estimator.predict(rows)),
        input_example=rows.head(3) if hasattr(rows, "head") else rows[:3],
        serialization_format=serialization,
        pip_requirements=["scikit-learn"],
        skops_trusted_types=["numpy.dtype"] if serialization == "skops" else None,
    )
"""


@pytest.fixture(scope="module")
def saved(pipeline: Pipeline, sample: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that MLflow itself has saved, in a process of its own for the warnings it gives."""
    import joblib

    directory = tmp_path_factory.mktemp("mlflow")
    estimators = {
        "frame": (pipeline, sample, "cloudpickle"),
        "skops": (pipeline, sample, "skops"),
        "array": (LogisticRegression().fit(X, Y), X, "pickle"),
        "renamed": (LogisticRegression().fit(X, Y), pd.DataFrame(X, columns=["u", "v"]), "cloudpickle"),
    }
    joblib.dump(estimators, directory / "estimators.joblib")
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SAVE, directory / "estimators.joblib", directory],
        check=True,
        cwd=directory,
        env=unmeasured(),
        capture_output=True,
    )
    return directory


def loaded(directory: Path, *trusted: str) -> Artifact:
    return load(directory, policy=LoadPolicy(skops_trusted=trusted))


class TestSavedByMlflow:
    def test_columns_come_from_its_signature(self, saved: Path, pipeline: Pipeline, sample: pd.DataFrame) -> None:
        artifact = loaded(saved / "frame")
        assert (artifact.kind, artifact.file_format, artifact.verified) == ("mlflow", "pickle", False)
        assert [(c.name, c.datatype, c.missing) for c in artifact.signature.inputs] == [
            ("length", Datatype.FP64, True),
            ("count", Datatype.INT64, False),
            ("island", Datatype.BYTES, True),
        ]
        assert artifact.signature.inputs[2].categories == ("Biscoe", "Dream")
        assert artifact.signature.layout is Layout.FRAME
        assert artifact.sklearn_version == sklearn.__version__
        assert len(artifact.warnings) == 1
        assert np.array_equal(artifact.estimator.predict(sample), pipeline.predict(sample))

    def test_its_example_is_what_warms_up(self, saved: Path, sample: pd.DataFrame) -> None:
        golden = loaded(saved / "frame").golden
        assert golden is not None
        assert [item["name"] for item in golden.inputs] == ["length", "count", "island"]
        assert golden.inputs[0]["data"] == sample["length"][:3].tolist()
        assert golden.outputs == ()

    def test_its_default_format_is_read(self, saved: Path, pipeline: Pipeline, sample: pd.DataFrame) -> None:
        artifact = loaded(saved / "skops", "numpy.dtype")
        assert (artifact.file_format, artifact.estimator.predict(sample).shape) == ("skops", (60,))
        assert [c.name for c in artifact.signature.inputs] == ["length", "count", "island"]

    def test_the_types_it_says_it_trusts_are_not_trusted_for_that(self, saved: Path) -> None:
        assert "numpy.dtype" in (saved / "skops" / "MLmodel").read_text()
        with pytest.raises(ArtifactError, match=r"types that are not trusted here: numpy\.dtype"):
            loaded(saved / "skops")

    def test_a_signature_of_tensors_is_what_the_estimator_tells(self, saved: Path) -> None:
        artifact = loaded(saved / "array")
        assert (artifact.signature.layout, artifact.signature.named) == (Layout.ARRAY, False)
        assert artifact.signature.outputs[0].labels == ("p", "q")
        assert artifact.golden is not None
        assert [(item["name"], item["shape"]) for item in artifact.golden.inputs] == [("input-0", [3, 2])]

    def test_an_estimator_fitted_on_an_array_is_given_one_though_its_columns_have_names(self, saved: Path) -> None:
        artifact = loaded(saved / "renamed")
        assert (artifact.signature.layout, artifact.signature.named) == (Layout.ARRAY, True)
        tensors = [Tensor(name, Datatype.FP64, X[:, i]) for i, name in enumerate("uv")]
        table = Inputs(artifact.signature).decode(InferRequest("", "", tensors[::-1]))
        assert isinstance(table, np.ndarray)
        assert np.array_equal(table, X)


def write(
    directory: Path,
    estimator: Any,
    *,
    columns: Sequence[dict[str, Any]] | None = None,
    example: Any = None,
    **flavor: Any,
) -> Path:
    """Write a model's directory by hand, as MLflow lays it out."""
    (directory / "model.pkl").write_bytes(pickle.dumps(estimator))
    document: dict[str, Any] = {
        "flavors": {
            "python_function": {"loader_module": "mlflow.sklearn"},
            "sklearn": {"pickled_model": "model.pkl", "serialization_format": "pickle", **flavor},
        }
    }
    if columns is not None:
        document["signature"] = {"inputs": json.dumps(columns), "outputs": None}
    if example is not None:
        document["saved_input_example_info"] = {"artifact_path": "input_example.json", "type": "dataframe"}
        (directory / "input_example.json").write_text(json.dumps(example))
    (directory / "MLmodel").write_text(yaml.safe_dump(document))
    return directory


class TestByHand:
    def test_without_a_signature_the_estimator_tells(self, tmp_path: Path) -> None:
        artifact = loaded(write(tmp_path, LogisticRegression().fit(X, Y)))
        assert (len(artifact.signature.inputs), artifact.golden) == (2, None)

    @pytest.mark.parametrize(
        ("spec", "datatype", "dtype", "missing"),
        [
            ({"type": "boolean"}, Datatype.BOOL, "bool", False),
            ({"type": "boolean", "required": False}, Datatype.BOOL, "bool", True),
            ({"type": "integer", "required": True}, Datatype.INT32, "int64", False),
            ({"type": "long"}, Datatype.INT64, "int64", False),
            ({"type": "long", "required": False}, Datatype.INT64, "int64", True),
            ({"type": "float"}, Datatype.FP32, "float64", True),
            ({"type": "double"}, Datatype.FP64, "float64", True),
            ({"type": "string"}, Datatype.BYTES, "object", True),
            ({"type": "datetime"}, Datatype.BYTES, "datetime64[ns]", True),
            ({"type": "any"}, None, "object", True),
        ],
    )
    def test_types_of_columns(
        self, tmp_path: Path, spec: dict[str, Any], datatype: Datatype | None, dtype: str, *, missing: bool
    ) -> None:
        write(tmp_path, None, columns=[{"name": "a", **spec}])
        columns = read_mlmodel(tmp_path).columns
        assert columns is not None
        assert [(c.name, c.datatype, c.dtype, c.missing) for c in columns] == [("a", datatype, dtype, missing)]

    def test_columns_are_put_in_the_order_of_the_fit(self, tmp_path: Path) -> None:
        estimator = LogisticRegression().fit(pd.DataFrame(X, columns=["a", "b"]), Y)
        columns = [{"name": "b", "type": "double"}, {"name": "a", "type": "double"}]
        artifact = loaded(
            write(tmp_path, estimator, columns=columns, example={"columns": ["b", "a"], "data": [[1, 2]]})
        )
        assert artifact.signature.names == ("a", "b")
        assert artifact.golden is not None
        assert [item["data"] for item in artifact.golden.inputs] == [[2.0], [1.0]]

    def test_missing_strings_are_written_as_in_the_fit(self, tmp_path: Path) -> None:
        rows = pd.DataFrame({"s": ["x", None, "y", "x"]})
        estimator = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(rows, [0, 1, 0, 1])
        artifact = loaded(write(tmp_path, estimator, columns=[{"name": "s", "type": "string"}]))
        assert artifact.signature.inputs[0].missing_as == "none"

    def test_texts(self, tmp_path: Path) -> None:
        estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["one two", "three"], [0, 1])
        artifact = loaded(
            write(tmp_path, estimator, columns=[{"name": "t", "type": "string"}], example={"data": [["one"]]})
        )
        assert artifact.signature.layout is Layout.TEXT
        assert artifact.golden is not None

    @pytest.mark.parametrize(
        "example",
        [
            {"columns": ["a", "b"], "data": [[1.0, 2.0]]},
            {"dataframe_split": {"columns": ["a", "b"], "data": [[1.0, 2.0]]}},
            {"inputs": [[1.0, 2.0]]},
            {"instances": [[1.0, 2.0]]},
            [[1.0, 2.0]],
        ],
    )
    def test_forms_of_the_example(self, tmp_path: Path, example: Any) -> None:
        golden = loaded(write(tmp_path, LogisticRegression().fit(X, Y), example=example)).golden
        assert golden is not None
        assert golden.inputs[0]["data"] == [1.0, 2.0]

    def test_outputs_are_those_the_example_is_answered_with(self, tmp_path: Path) -> None:
        rows = pd.DataFrame({"s": ["x", "y"] * 4, "n": range(1, 9)})
        estimator = OneHotEncoder().fit(rows)
        columns = [{"name": "s", "type": "string"}, {"name": "n", "type": "long"}]
        without = loaded(write(tmp_path, estimator, columns=columns)).signature
        with_example = loaded(write(tmp_path, estimator, columns=columns, example={"data": [["x", 3]]})).signature
        assert [output.shape for output in without.outputs] == [(-1, -1)]
        assert [output.shape for output in with_example.outputs] == [(-1, 10)]

    @pytest.mark.parametrize(
        ("example", "reason"),
        [
            ({"data": [[1.0]]}, "it has 1 columns where the model takes 2"),
            ({"data": [["x", "y"]]}, "can't be sent in a request|could not convert string|cannot"),
            ({"data": []}, "it holds no rows"),
            ({"rows": [[1.0, 2.0]]}, "it holds no rows"),
            ("text", "it holds no rows"),
        ],
    )
    def test_an_example_of_no_use_is_a_warning(self, tmp_path: Path, example: Any, reason: str) -> None:
        artifact = loaded(write(tmp_path, LogisticRegression().fit(X, Y), example=example))
        assert artifact.golden is None
        assert re.search(f"input_example.json is of no use for warming up: .*({reason}).*", artifact.warnings[-1])

    def test_a_missing_example_is_a_warning(self, tmp_path: Path) -> None:
        write(tmp_path, LogisticRegression().fit(X, Y), example=[[1.0, 2.0]])
        (tmp_path / "input_example.json").unlink()
        assert "input_example.json is missing" in loaded(tmp_path).warnings[-1]

    def test_another_scikit_learn_is_one_warning(self, tmp_path: Path) -> None:
        write(tmp_path, LogisticRegression().fit(X, Y), sklearn_version="1.0.2")
        content = (tmp_path / "model.pkl").read_bytes()
        (tmp_path / "model.pkl").write_bytes(content.replace(sklearn.__version__.encode(), b"1.0.2"))
        artifact = loaded(tmp_path)
        assert artifact.sklearn_version == "1.0.2"
        (warning,) = (warning for warning in artifact.warnings if "scikit-learn" in warning)
        assert f"model.pkl was made with scikit-learn 1.0.2, and {sklearn.__version__} runs here" in warning
        assert verify(tmp_path).warnings[1:] == (warning,)

    def test_a_file_in_a_directory_below(self, tmp_path: Path) -> None:
        write(tmp_path, LogisticRegression().fit(X, Y), pickled_model="data/model.pkl")
        (tmp_path / "data").mkdir()
        shutil.move(tmp_path / "model.pkl", tmp_path / "data" / "model.pkl")
        assert loaded(tmp_path).estimator.predict(X).tolist()[0] in {"p", "q"}


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ("{", "MLmodel is not YAML"),
            ("\x00", "MLmodel is not YAML"),
            ("!!python/object/apply:os.getcwd []", "MLmodel is not YAML"),
            ("text", "MLmodel holds no mapping"),
            ("flavors: 1", "has the flavors none; expected sklearn"),
            (
                "flavors: {xgboost: {}, python_function: {}}",
                "has the flavors xgboost, python_function; expected sklearn",
            ),
            ("flavors: {sklearn: {}}", "names no file as pickled_model"),
            ("flavors: {sklearn: {pickled_model: [1]}}", "names no file as pickled_model"),
            ("flavors: {sklearn: {pickled_model: ../m.pkl}}", r"names '\.\./m\.pkl', which lies outside"),
            ("flavors: {sklearn: {pickled_model: m.pkl}}", r"m\.pkl is missing"),
            ("flavors: {sklearn: {pickled_model: .}}", "is no regular file"),
            (
                "flavors: {sklearn: {pickled_model: m.pkl, serialization_format: onnx}}",
                "has the serialization_format 'onnx'; expected one of cloudpickle, pickle, skops",
            ),
        ],
    )
    def test_with_a_sentence(self, tmp_path: Path, content: str, sentence: str) -> None:
        (tmp_path / "MLmodel").write_text(content)
        with pytest.raises(ArtifactError, match=sentence):
            verify(tmp_path)

    @pytest.mark.parametrize("inputs", ["{", "5", '["a"]', '{"a": 1}'])
    def test_for_a_signature_that_is_none(self, tmp_path: Path, inputs: str) -> None:
        write(tmp_path, None)
        document = yaml.safe_load((tmp_path / "MLmodel").read_text())
        document["signature"] = {"inputs": inputs}
        (tmp_path / "MLmodel").write_text(yaml.safe_dump(document))
        with pytest.raises(ArtifactError, match="has a signature that is none of columns or tensors"):
            verify(tmp_path)
