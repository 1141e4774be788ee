"""Publishing: from a fitted estimator and a sample of its input, or from a network, to a version's directory."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as version_of
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final

from model.artifact.acceleration import find_engine
from model.artifact.commit import git_commit
from model.artifact.digest import opened, sha256
from model.artifact.dump import read_back, write_estimator
from model.artifact.engines import read_program
from model.artifact.golden import check_engine, check_golden
from model.artifact.manifest import MANIFEST_FILE, EstimatorFile, FileFormat, Manifest, Requirement
from model.artifact.metrics import checked_metrics
from model.artifact.modules import required_modules
from model.artifact.names import check_model_name, is_file_name
from model.artifact.networks import record_golden_rows
from model.artifact.pins import current_environment
from model.artifact.profiling import record_profile
from model.artifact.sampling import record_golden, sample_tensors
from model.artifact.seal import SIGNATURE_FILE
from model.artifact.signing import make_signature
from model.artifact.staging import Staging, staging
from model.engine import engine_of
from model.engine.network import OnnxNetwork
from model.errors import ArtifactError
from model.signature.answers import quiet
from model.signature.infer import infer_signature
from model.signature.sample import Sample

_NETWORK_FILE: Final = "model.onnx"

Files = Mapping[str, Callable[[BinaryIO], object]]
"""What writes each file of a version, by its name."""
Told = Mapping[str, Callable[[Manifest], bytes]]
"""What makes a file from the manifest, by its name."""
Beside = Mapping[str, bytes | Callable[[Manifest], bytes]]
"""Files beside the model; one that is made from the manifest is given that, but for such files themselves."""
Check = Callable[[Path, Manifest], None]
"""What looks at the files as they were written, before they become a version."""


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
    beside = _checked_files(extra_files or {})
    signature = infer_signature(estimator, sample)
    golden = record_golden(estimator, signature, sample)
    rows = sample_tensors(signature, sample)
    found = find_engine(estimator, signature, rows, golden) if accelerate else None
    file = f"model.{file_format}"
    told = {each: content for each, content in beside.items() if callable(content)}
    files = {each: _bytes(content) for each, content in beside.items() if not callable(content)} | {
        file: partial(write_estimator, estimator, file_format)
    }
    if found and found.content is not None:
        files[f"model.{found.record.name}"] = _bytes(found.content)
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
    return _published(root, name, files, describe, private_key, told=told, check=_survives)


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
    return _published(root, name, {_NETWORK_FILE: _bytes(content)}, describe, private_key)


def _published(
    root: Path,
    name: str,
    files: Files,
    describe: "partial[Manifest]",
    private_key: Path | None,
    *,
    told: Told = MappingProxyType({}),
    check: Check = lambda *_: None,
) -> Path:
    """Write a version, and return its directory; ``describe`` is its manifest but for what all versions say alike."""
    described = partial(describe, name=name, created=datetime.now(UTC), environment=current_environment())
    try:
        with staging(root / name) as stage:
            return _written(stage, files, described, private_key, told=told, check=check)
    except OSError as error:
        raise ArtifactError(
            f"{root / name} can't be written: {error.strerror or error}; nothing was published, make room or mend the permissions."
        ) from error


def _written(
    stage: Staging,
    files: Files,
    describe: "partial[Manifest]",
    private_key: Path | None,
    *,
    told: Told,
    check: Check,
) -> Path:
    for name, write in files.items():
        stage.write(name, write)
    described = partial(describe, files={name: _digest(stage.path / name) for name in files})
    check(stage.path, described(version=1))

    def describe_version(version: int) -> None:
        manifest = described(version=version)
        for name, tell in told.items():
            stage.write(name, _bytes(tell(manifest)))
        digests = {name: _digest(stage.path / name) for name in told}
        whole = manifest.model_copy(update={"files": {**manifest.files, **digests}})
        stage.write(MANIFEST_FILE, _bytes(whole.to_json()))
        if private_key is not None:
            signature, _ = make_signature(stage.path, private_key)
            stage.write(SIGNATURE_FILE, _bytes(signature))

    return stage.become(describe_version)


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


def _bytes(content: bytes) -> Callable[[BinaryIO], object]:
    return lambda file: file.write(content)


def _digest(path: Path) -> str:
    with opened(path) as file:
        return sha256(file)


def _checked_files(files: Beside) -> Beside:
    for name in files:
        if not is_file_name(name) or name == MANIFEST_FILE or name.startswith("model."):
            raise ArtifactError(
                f"{name!r} can't be the name of a file beside the model; "
                f"expected letters, digits, '.', '_' and '-', and neither {MANIFEST_FILE} nor model.*."
            )
    return files


def _full_name(estimator: Any) -> str:
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"
