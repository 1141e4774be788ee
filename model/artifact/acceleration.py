"""Finding the engine of a version: when it is published, or later, when its engine changes and nothing else."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.artifact.golden import check_engine
from model.artifact.loading import LoadPolicy, load
from model.artifact.manifest import MANIFEST_FILE, Golden, Manifest
from model.artifact.seal import SIGNATURE_FILE, is_signed
from model.artifact.staging import write_file
from model.codec.json_tensor import tensor_from_json
from model.engine import EngineName, EngineRecord, engine_of, program_of
from model.engine.acceleration import ENGINES, Accelerated, accelerate
from model.errors import ArtifactError
from model.lookup.recall import recalled
from model.signature import Signature
from model.signature.answers import quiet
from model.tensors import Tensor


@quiet()
def find_engine(
    estimator: Any,
    signature: Signature,
    rows: Sequence[Tensor],
    golden: Golden,
    engines: Sequence[EngineName] = ENGINES,
) -> Accelerated:
    """
    Look for the fastest engine that answers as an estimator does, golden rows above all.

    Parameters
    ----------
    estimator : fitted estimator
    signature : Signature
    rows : sequence of Tensor
        Rows that it answers, as a client sends them.
    golden : Golden
    engines : sequence of str
        Those to try.
    """
    found = accelerate(estimator, signature, rows, engines)
    if found.content is None:
        return found
    program = program_of(found.record, found.content, estimator)
    inputs, engine = engine_of(found.record, program, estimator, signature)
    try:
        check_engine(engine, inputs, signature, golden)
    except ArtifactError as error:
        refused = {**found.record.refused, found.record.name: str(error).rstrip(".")}
        others = [name for name in engines if name not in refused]
        again = find_engine(estimator, signature, rows, golden, others)
        record = again.record.model_copy(update={"refused": refused | again.record.refused})
        return Accelerated(record, again.content)
    return found


def accelerate_version(
    directory: Path, engines: Sequence[EngineName] = ENGINES, *, skops_trusted: tuple[str, ...] = ()
) -> Manifest:
    """
    Look for a faster engine for a published version, and let it have that.

    The version is verified first, and is whole at any moment: the engine's file is written beside what is there, then
    the manifest is replaced. Accelerating again changes nothing unless another engine is found. A signed version stays
    as it was signed.

    Parameters
    ----------
    directory : Path
        Of the version.
    engines : sequence of str
        Those to try.
    skops_trusted : tuple of str
        See ``LoadPolicy``.

    Returns
    -------
    Manifest
        As it stands now.

    Raises
    ------
    UntrustedArtifact
        The version is not what its manifest says.
    ArtifactError
        It can't be loaded here, or not be written to; or it is signed.
    """
    if is_signed(directory):
        raise ArtifactError(
            f"{directory} is signed, and another engine would make its signature void; "
            f"take {SIGNATURE_FILE} away, accelerate, then sign it anew: sklearn-kserve sign."
        )
    artifact = load(directory, policy=LoadPolicy(require_manifest=True, skops_trusted=skops_trusted))
    manifest = artifact.manifest
    if manifest is None or manifest.estimator.format == "onnx":
        raise ArtifactError(
            f"{directory} holds an ONNX graph, which onnxruntime runs as it is; there is no other engine."
        )
    rows = [tensor_from_json(item) for item in manifest.golden.inputs]
    with recalled(manifest.golden.lookups):
        found = find_engine(artifact.estimator, manifest.signature, rows, manifest.golden, engines)
    if _says_the_same(found.record, manifest):
        return manifest
    try:
        return _changed(directory, manifest, found)
    except OSError as error:
        raise ArtifactError(
            f"{directory} can't be written: {error.strerror or error}; the version is as it was, "
            f"make room or mend the permissions."
        ) from error


def _says_the_same(record: EngineRecord, manifest: Manifest) -> bool:
    """Whether an engine is the one that the manifest has, whatever this run has measured."""
    if manifest.engine is None:
        return False
    measured = {"parity": None, "file": None}
    return record.model_copy(update=measured) == manifest.engine.model_copy(update=measured)


def _changed(directory: Path, manifest: Manifest, found: Accelerated) -> Manifest:
    """Write an engine's file and a manifest that vouches for it, and remove the file of the engine before."""
    old = manifest.engine.file if manifest.engine else None
    files = {name: digest for name, digest in manifest.files.items() if name != old}
    record = found.record
    if found.content is not None:
        digest = hashlib.sha256(found.content).hexdigest()
        record = record.model_copy(update={"file": _free_name(directory, record.name, digest)})
        files[str(record.file)] = digest
        write_file(directory, str(record.file), found.content)
    changed = Manifest.model_validate(manifest.model_copy(update={"engine": record, "files": files}).model_dump())
    write_file(directory, MANIFEST_FILE, changed.to_json())
    if old is not None and old not in files:
        (directory / old).unlink(missing_ok=True)
    return changed


def _free_name(directory: Path, engine: str, digest: str) -> str:
    """Return a name under which no other file stands: until the manifest is replaced, it vouches for what is there."""
    name = f"model.{engine}"
    return f"model.{digest[:12]}.{engine}" if (directory / name).exists() else name
