"""A network exported to ONNX is served as it is: no estimator, no conversion, its signature read from the graph."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.artifact import LoadPolicy, accelerate_version, load, publish_network, read_manifest, verify
from model.datatypes import Datatype
from model.errors import ArtifactError, InvalidInput, UntrustedArtifact
from model.metadata import model_metadata
from model.servable import Servable, load_servable
from model.signature import Layout
from model.signature.outputs import encode
from model.tensors import InferRequest, RequestedOutput, Tensor
from tests.unit.engine import networks

IMAGES = np.random.default_rng(1).normal(size=(5, 3, 4)).astype(np.float32)


def bare(directory: Path, content: bytes) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "model.onnx").write_bytes(content)
    return directory


def ask(servable: Servable, *tensors: Tensor, outputs: tuple[str, ...] = ()) -> dict[str, Tensor]:
    request = InferRequest("m", "", list(tensors), [RequestedOutput(name) for name in outputs])
    selected = servable.outputs.select(request.outputs)
    answers = servable.run(servable.inputs.decode(request), selected)
    return {tensor.name: tensor for tensor in encode(selected, answers)}


@pytest.fixture
def classifier(tmp_path: Path) -> Servable:
    return load_servable(bare(tmp_path / "m", networks.classifier()), "m", LoadPolicy())


class TestBareDirectory:
    def test_is_served_from_end_to_end(self, classifier: Servable) -> None:
        answers = ask(classifier, Tensor("image", Datatype.FP32, IMAGES), outputs=("probabilities", "label"))
        probabilities, labels = networks.answered(IMAGES)
        assert answers["probabilities"].datatype is Datatype.FP32
        assert answers["probabilities"].data.dtype == np.float32
        np.testing.assert_allclose(answers["probabilities"].data, probabilities, rtol=1e-5)
        assert answers["label"].datatype is Datatype.INT64
        assert answers["label"].data.tolist() == labels.tolist()

    def test_tells_its_signature(self, classifier: Servable) -> None:
        metadata = model_metadata(classifier, ())
        assert metadata.platform == "onnxruntime_onnx"
        assert [(t.name, t.datatype, t.shape) for t in metadata.inputs] == [("image", "FP32", (-1, 3, 4))]
        assert [(t.name, t.datatype, t.shape) for t in metadata.outputs] == [
            ("probabilities", "FP32", (-1, 3)),
            ("label", "INT64", (-1,)),
        ]
        assert classifier.signature.layout is Layout.TENSORS

    def test_is_unverified_and_says_so(self, tmp_path: Path) -> None:
        artifact = load(bare(tmp_path / "m", networks.classifier()), policy=LoadPolicy())
        assert (artifact.kind, artifact.file_format, artifact.verified) == ("onnx", "onnx", False)
        assert "has no manifest.json, so that nothing vouches for it" in artifact.warnings[0]

    def test_is_refused_where_a_manifest_is_required(self, tmp_path: Path) -> None:
        with pytest.raises(UntrustedArtifact, match=r"has no manifest\.json, and one is required here"):
            load(bare(tmp_path / "m", networks.classifier()), policy=LoadPolicy(require_manifest=True))

    def test_computes_the_outputs_asked_for_alone(self, classifier: Servable) -> None:
        assert list(ask(classifier, Tensor("image", Datatype.FP32, IMAGES))) == ["probabilities"]
        assert list(ask(classifier, Tensor("image", Datatype.FP32, IMAGES), outputs=("label",))) == ["label"]

    def test_was_tried_for_its_speed(self, classifier: Servable) -> None:
        assert classifier.inline_rows.keys() == {"probabilities", "label"}

    def test_beside_an_estimator_is_its_own_business(self, tmp_path: Path) -> None:
        import joblib
        from sklearn.linear_model import LinearRegression

        directory = bare(tmp_path / "m", networks.classifier())
        joblib.dump(LinearRegression().fit([[1.0], [2.0]], [1, 2]), directory / "model.joblib")
        assert load(directory, policy=LoadPolicy()).kind == "sklearnserver"

    def test_with_several_files_is_refused(self, tmp_path: Path) -> None:
        directory = bare(tmp_path / "m", networks.classifier())
        (directory / "other.onnx").write_bytes(b"")
        with pytest.raises(ArtifactError, match=r"holds model\.onnx, other\.onnx; expected a single estimator"):
            load(directory, policy=LoadPolicy())


class TestInputs:
    def test_of_several_kinds(self, tmp_path: Path) -> None:
        servable = load_servable(bare(tmp_path / "m", networks.embedder()), "m", LoadPolicy())
        tokens = np.array([[1, 2, 3], [4, 5, 6]])
        sent = [Tensor("weight", Datatype.FP64, np.array([1.0, 2.0])), Tensor("tokens", Datatype.INT32, tokens)]
        vector = ask(servable, *sent)["vector"].data
        expected = networks.EMBEDDING[tokens].mean(axis=1) * [[1], [2]]
        np.testing.assert_allclose(vector, expected, rtol=1e-5)

    @pytest.mark.parametrize(
        ("tokens", "weights", "sentence"),
        [
            ([[1, 99]], [1.0], "The network refuses these tensors; expected sizes that go together"),
            ([[1, 2]], [1.0, 2.0], "Input 'weight' has the size 2 where 'tokens' has 1; expected the same, which"),
        ],
    )
    def test_that_the_graph_refuses_are_the_clients_fault(
        self, tmp_path: Path, tokens: Any, weights: Any, sentence: str
    ) -> None:
        servable = load_servable(bare(tmp_path / "m", networks.embedder()), "m", LoadPolicy())
        weight = Tensor("weight", Datatype.FP32, np.array(weights, dtype=np.float32))
        with pytest.raises(InvalidInput, match=sentence):
            ask(servable, Tensor("tokens", Datatype.INT64, np.array(tokens)), weight)

    def test_of_strings_and_booleans(self, tmp_path: Path) -> None:
        servable = load_servable(bare(tmp_path / "m", networks.echo()), "m", LoadPolicy())
        text = Tensor("text", Datatype.BYTES, np.array(["Fisch über Bord 🐟", ""], dtype=object))
        answers = ask(servable, text, Tensor("flag", Datatype.BOOL, np.array([True, False])), outputs=("same", "other"))
        assert answers["same"].data.tolist() == ["Fisch über Bord 🐟", ""]
        assert answers["same"].datatype is Datatype.BYTES
        assert answers["other"].data.tolist() == [False, True]

    def test_of_a_fixed_number_of_rows(self, tmp_path: Path) -> None:
        servable = load_servable(bare(tmp_path / "m", networks.single()), "m", LoadPolicy())
        assert servable.inline_rows["y"] in {0, 1}
        with pytest.raises(InvalidInput, match=r"Input 'x' has shape \[2, 2\]; expected \[1, 2\]"):
            ask(servable, Tensor("x", Datatype.FP64, np.ones((2, 2))))

    def test_that_are_no_tensors_are_refused_when_loading(self, tmp_path: Path) -> None:
        with pytest.raises(ArtifactError, match=r"takes 'many' as seq\(tensor\(float\)\); expected tensors"):
            load(bare(tmp_path / "m", networks.optional()), policy=LoadPolicy())


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"model\.onnx can't be run by onnxruntime: .*; export the network again"):
        load(bare(tmp_path / "m", b"no graph"), policy=LoadPolicy())


def test_without_onnxruntime_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ArtifactError, match=r"needs onnxruntime, .*; install sklearn-kserve\[onnx\]"):
        load(bare(tmp_path / "m", networks.classifier()), policy=LoadPolicy())


class TestPublished:
    @pytest.fixture
    def version(self, tmp_path: Path) -> Path:
        return publish_network(networks.classifier(), name="images", root=tmp_path, metrics={"accuracy": 0.5})

    def test_is_verified_and_answers_golden_rows(self, version: Path) -> None:
        manifest = read_manifest(version)
        assert (manifest.estimator.format, manifest.estimator.file) == ("onnx", "model.onnx")
        assert manifest.modules.keys() == {"onnxruntime"}
        assert [tensor["shape"] for tensor in manifest.golden.inputs] == [[2, 3, 4]]
        assert [tensor["name"] for tensor in manifest.golden.outputs] == ["probabilities", "label"]
        assert verify(version, require_manifest=True).verified
        servable = load_servable(version, "images", LoadPolicy(require_manifest=True), version="1")
        assert (servable.version, servable.engine.name) == ("1", "onnx")

    def test_that_was_replaced_is_refused(self, version: Path) -> None:
        (version / "model.onnx").write_bytes(networks.embedder())
        with pytest.raises(UntrustedArtifact, match="was damaged or replaced"):
            load(version, policy=LoadPolicy())

    def test_that_takes_no_made_up_rows_has_no_golden_ones(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("model.artifact.networks._MOST_VALUES", 3)
        version = publish_network(networks.classifier(), name="images", root=tmp_path)
        assert read_manifest(version).golden.inputs == ()
        assert load_servable(version, "images", LoadPolicy()).inline_rows == {}

    def test_has_no_other_engine(self, version: Path) -> None:
        with pytest.raises(ArtifactError, match="holds an ONNX graph, which onnxruntime runs as it is"):
            accelerate_version(version)
