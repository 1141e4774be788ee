"""Publishing: from a fitted estimator and a sample of its input, or from a network, to a version's directory."""

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

from model.artifact.acceleration import find_engine
from model.artifact.commit import git_commit
from model.artifact.digest import opened
from model.artifact.draft import Draft, Tell, Write, content_of
from model.artifact.dump import read_back, write_estimator
from model.artifact.engines import read_program
from model.artifact.golden import check_engine, check_golden
from model.artifact.manifest import MANIFEST_FILE, EstimatorFile, FileFormat, Manifest, Requirement
from model.artifact.metrics import checked_metrics
from model.artifact.modules import required_modules
from model.artifact.names import check_model_name, is_file_name
from model.artifact.networks import record_golden_rows
from model.artifact.profiling import record_profile
from model.artifact.sampling import record_golden, sample_tensors
from model.engine import engine_of
from model.engine.network import OnnxNetwork
from model.errors import ArtifactError
from model.signature.answers import quiet
from model.signature.infer import infer_signature
from model.signature.sample import Sample

_NETWORK_FILE: Final = "model.onnx"

Beside = Mapping[str, bytes | Tell]
"""Files beside the model, of their content or of what makes them from the manifest."""


def publish(
    estimator: Any,
    sample: Sample,
    *,
    name: str,
    root: Path,
    metrics: Mapping[str, float] | None = None,
    file_format: FileFormat = "joblib",
    code_commit: str | None = None,
    extra_files: Beside | None = None,
    accelerate: bool = True,
    private_key: Path | None = None,
) -> Path:
    """
    Write a new version of a model.

    The directory appears under its number whole or not at all, after the estimator was read back from its file and
    has answered the golden rows as before; no version is ever overwritten.

    Parameters
    ----------
    estimator : fitted estimator
        Any object with ``predict``, ``transform`` or another of scikit-learn's methods.
    sample : DataFrame or ndarray of shape (n_samples, n_features), or sequence of str
        Rows of its input, a few hundred if there are so many: the signature, the golden rows and the profile that
        drift is told by are read from them.
    name : str
        Of the model.
    root : Path
        Versions are written to ``<root>/<name>/<version>/``.
    metrics : mapping of str to float, optional
    file_format : {"joblib", "skops"}
    code_commit : str, optional
        Git commit of the code that fitted the estimator; by default that of the working directory, if there is one.
    extra_files : mapping of str to bytes or callable, optional
        Files to be vouched for as well. One that tells of the version, such as ``card.html``, is made by a callable:
        it is given the manifest as it will be, but for such files, and once more if another version has taken its
        number.
    accelerate : bool
        Look for a faster engine that answers as scikit-learn does. Where there is none, scikit-learn serves, and the
        manifest says why.
    private_key : Path, optional
        Sign the version with it, so that it is never there unsigned; see ``sign_version``.

    Returns
    -------
    directory : Path
        Of the version, one higher than the highest so far.

    Raises
    ------
    ArtifactError
        The sample does not fit, the estimator can't be written or does not survive it, the key can't be used, or the
        disk is full.
    """
    check_model_name(name)
    told, files = _beside(extra_files or {})
    signature = infer_signature(estimator, sample)
    golden = record_golden(estimator, signature, sample)
    rows = sample_tensors(signature, sample)
    found = find_engine(estimator, signature, rows, golden) if accelerate else None
    file = f"model.{file_format}"
    files[file] = partial(write_estimator, estimator, file_format)
    if found and found.content is not None:
        files[f"model.{found.record.name}"] = content_of(found.content)
    describe = partial(
        Manifest,
        git_commit=code_commit or git_commit(),
        modules=required_modules(estimator),
        signature=signature,
        metrics=checked_metrics(metrics or {}),
        golden=golden,
        engine=found.record if found else None,
        profile=record_profile(estimator, signature, rows),
        estimator=EstimatorFile(class_=_full_name(estimator), file=file, format=file_format),
    )
    return Draft(describe, files, told, _survives).publish(name, root, private_key)


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
    describe = partial(
        Manifest,
        git_commit=git_commit(),
        modules={"onnxruntime": Requirement(distribution="onnxruntime", version=version_of("onnxruntime"))},
        signature=network.signature,
        metrics=checked_metrics(metrics or {}),
        golden=record_golden_rows(network),
        estimator=EstimatorFile(class_="onnx.ModelProto", file=_NETWORK_FILE, format="onnx"),
    )
    return Draft(describe, {_NETWORK_FILE: content_of(content)}).publish(name, root, private_key)


@quiet()
def _survives(directory: Path, manifest: Manifest) -> None:
    """Read the estimator back, and its engine, and let both answer the golden rows."""
    with opened(directory / manifest.estimator.file) as file:
        estimator = read_back(file, manifest.estimator.format)
    program = read_program(directory, manifest, estimator)
    inputs, engine = engine_of(manifest.engine, program, estimator, manifest.signature)
    try:
        check_golden(estimator, manifest.signature, manifest.golden)
        check_engine(engine, inputs, manifest.signature, manifest.golden)
    except ArtifactError as error:
        raise ArtifactError(
            f"The estimator does not survive being written as {manifest.estimator.format}: "
            f"{str(error).rstrip('.')}; nothing was published, mend how its class is pickled."
        ) from error


def _beside(files: Beside) -> tuple[dict[str, Tell], dict[str, Write]]:
    """Return what is made from the manifest, and what is not, under names that are free."""
    for name in files:
        if not is_file_name(name) or name == MANIFEST_FILE or name.startswith("model."):
            raise ArtifactError(
                f"{name!r} can't be the name of a file beside the model; "
                f"expected letters, digits, '.', '_' and '-', and neither {MANIFEST_FILE} nor model.*."
            )
    told = {name: content for name, content in files.items() if callable(content)}
    return told, {name: content_of(content) for name, content in files.items() if not callable(content)}


def _full_name(estimator: Any) -> str:
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"
