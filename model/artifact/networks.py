"""Publishing networks: an ONNX file is a version of its own, without an estimator."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

from model.artifact.commit import git_commit
from model.artifact.digest import opened, sha256
from model.artifact.golden import check_engine
from model.artifact.manifest import (
    MANIFEST_FILE,
    EstimatorFile,
    Golden,
    Manifest,
    Requirement,
)
from model.artifact.metrics import checked_metrics
from model.artifact.names import check_model_name
from model.artifact.pins import current_environment
from model.artifact.seal import SIGNATURE_FILE
from model.artifact.signing import make_signature
from model.artifact.staging import Staging, staging
from model.codec.json_tensor import tensor_to_json
from model.engine.network import OnnxNetwork
from model.errors import ArtifactError
from model.signature import Inputs
from model.signature.answers import quiet
from model.signature.outputs import encode, methods_of
from model.tensors import Tensor

_FILE: Final = "model.onnx"
_MOST_VALUES: Final = 20_000
"""Values of one tensor beyond which golden rows are left out, lest the manifest outgrow the network."""


def publish_network(
    content: bytes,
    *,
    name: str,
    root: Path,
    metrics: Mapping[str, float] | None = None,
    private_key: Path | None = None,
) -> Path:
    """
    Write a new version of a model that is a network.

    Its golden rows are made up, for a graph tells what it takes.

    Parameters
    ----------
    content : bytes
        Of an ``.onnx`` file.
    name : str
        Of the model.
    root : Path
        Versions are written to ``<root>/<name>/<version>/``.
    metrics : mapping of str to float, optional
    private_key : Path, optional
        Sign the version with it; see ``sign_version``.

    Returns
    -------
    directory : Path
        Of the version, one higher than the highest so far.

    Raises
    ------
    ArtifactError
        onnxruntime does not run it, the key can't be used, or it can't be written.
    """
    check_model_name(name)
    network = OnnxNetwork(content, "The network")
    golden = record_golden_rows(network)
    describe = partial(
        Manifest,
        name=name,
        created=datetime.now(UTC),
        git_commit=git_commit(),
        environment=current_environment(),
        modules={"onnxruntime": Requirement(distribution="onnxruntime", version=version_of("onnxruntime"))},
        signature=network.signature,
        metrics=checked_metrics(metrics or {}),
        golden=golden,
        estimator=EstimatorFile(class_="onnx.ModelProto", file=_FILE, format="onnx"),
    )
    try:
        with staging(root / name) as stage:
            return _written(stage, content, describe, private_key)
    except OSError as error:
        raise ArtifactError(
            f"{root / name} can't be written: {error.strerror or error}; nothing was published, make room or mend the permissions."
        ) from error


def _written(stage: Staging, content: bytes, describe: "partial[Manifest]", private_key: Path | None) -> Path:
    stage.write(_FILE, lambda file: file.write(content))
    with opened(stage.path / _FILE) as file:
        files = {_FILE: sha256(file)}

    def describe_version(version: int) -> None:
        text = describe(version=version, files=files).to_json()
        stage.write(MANIFEST_FILE, lambda file: file.write(text))
        if private_key is not None:
            signature, _ = make_signature(stage.path, private_key)
            stage.write(SIGNATURE_FILE, lambda file: file.write(signature))

    return stage.become(describe_version)


def made_up_rows(network: OnnxNetwork) -> Golden | None:
    """Return rows to warm a network up on, without answers; None if it takes none that can be made up."""
    golden = record_golden_rows(network)
    return Golden(inputs=golden.inputs) if golden.inputs else None


def record_golden_rows(network: OnnxNetwork) -> Golden:
    """Return made-up rows and what a network answers to them; nothing at all if it takes none that can be made up."""
    table, signature = network.made_up(), network.signature
    inputs = [Tensor(c.name, c.datatype, table.arrays[c.name]) for c in signature.inputs if c.datatype is not None]
    try:
        with quiet():
            outputs = encode(signature.outputs, network.run(table, methods_of(signature.outputs)))
        golden = Golden(inputs=tuple(map(_json, inputs)), outputs=tuple(map(_json, outputs)))
        check_engine(network, Inputs(signature), signature, golden)
    except Exception:  # noqa: BLE001 -- sizes or values that go together are more than a graph tells
        return Golden(inputs=())
    return golden


def _json(tensor: Tensor) -> dict[str, Any]:
    if tensor.data.size > _MOST_VALUES:
        raise ArtifactError(f"{tensor.name!r} holds {tensor.data.size} values; expected at most {_MOST_VALUES}.")
    return tensor_to_json(tensor)
