"""A verified artifact, loaded: the estimator and all that is known about it."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from model.artifact.bundle import VerifyKey
from model.artifact.digest import sha256
from model.artifact.engines import usable_program
from model.artifact.manifest import Golden, Manifest
from model.artifact.mlflow import MLmodel, in_fitted_order
from model.artifact.networks import made_up_rows
from model.artifact.unpickle import Serialization, Unpickled, read_estimator
from model.artifact.verification import Kind, Verified, examined
from model.drift import Profile
from model.engine import Engine, Program, engine_of
from model.engine.network import OnnxNetwork
from model.lookup.found import LooksUp
from model.signature import Inputs, Signature
from model.signature.guess import guess_signature


@dataclass(frozen=True, slots=True)
class LoadPolicy:
    """
    What the operator lets in.

    Parameters
    ----------
    require_manifest : bool
        Refuse what no manifest vouches for.
    skops_trusted : tuple of str
        Full names of types that skops files may hold, besides those that skops itself trusts.
    keys : tuple of VerifyKey
        Refuse what none of them has signed; empty, signatures are not looked at.
    """

    require_manifest: bool = False
    skops_trusted: tuple[str, ...] = ()
    keys: tuple[VerifyKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """
    One loaded version.

    Parameters
    ----------
    estimator : object
        None for a network.
    signature : Signature
    manifest : Manifest or None
    golden : Golden or None
        An MLflow input example is one without outputs, and so are rows made up for a network.
    name, version : str or None
        By the manifest.
    sha256 : str
        Of the estimator's file, in hex.
    file_format : {"joblib", "pickle", "skops", "onnx"}
    kind : {"sklearn-kserve", "sklearnserver", "mlflow", "onnx"}
    verified : bool
        Whether a manifest vouches for every file.
    sklearn_version : str or None
        That the estimator was made with; None where nothing tells.
    warnings : tuple of str
        Sentences for the operator.
    program : Program or None
        That answers in scikit-learn's place.
    network : OnnxNetwork or None
        What there is in place of an estimator.
    lookups : tuple of LooksUp
        What the estimator looks up while it answers.
    """

    estimator: Any
    signature: Signature
    manifest: Manifest | None
    golden: Golden | None
    name: str | None
    version: str | None
    sha256: str
    file_format: Serialization
    kind: Kind
    verified: bool
    sklearn_version: str | None
    warnings: tuple[str, ...]
    program: Program | None = None
    network: OnnxNetwork | None = None
    lookups: tuple[LooksUp, ...] = ()

    @property
    def profile(self) -> Profile | None:
        """What drift is told by; None where no manifest has it."""
        return self.manifest.profile if self.manifest else None

    def engine(self) -> tuple[Inputs, Engine]:
        """Return what makes tables of requests, and the engine that answers those."""
        if self.network is not None:
            return Inputs(self.signature), self.network
        return engine_of(self.manifest.engine if self.manifest else None, self.program, self.estimator, self.signature)


def load(directory: Path, *, policy: LoadPolicy) -> Artifact:
    """
    Verify an artifact and load it.

    Parameters
    ----------
    directory : Path
        A published version, a directory of KServe's sklearnserver, an MLflow model, or an ONNX file's directory.
    policy : LoadPolicy

    Raises
    ------
    UntrustedArtifact
        Refused before anything was unpickled.
    ArtifactError
        It can't be loaded here, or does not tell what its input is.
    """
    with examined(directory, require_manifest=policy.require_manifest, keys=policy.keys) as (verified, file):
        digest = sha256(file) if verified.manifest is None else verified.manifest.files[verified.estimator.name]
        if verified.serialization == "onnx":
            return _network(verified, OnnxNetwork(file.read(), str(verified.estimator)), digest)
        unpickled = read_estimator(file, str(verified.estimator), verified.serialization, policy.skops_trusted)
    if verified.manifest is not None:
        return _published(verified, verified.manifest, unpickled, digest)
    return _bare(verified, unpickled, digest)


def _published(verified: Verified, manifest: Manifest, unpickled: Unpickled, digest: str) -> Artifact:
    program, warnings = usable_program(verified.directory, manifest, unpickled.estimator)
    return Artifact(
        estimator=unpickled.estimator,
        signature=manifest.signature,
        manifest=manifest,
        golden=manifest.golden,
        name=manifest.name,
        version=str(manifest.version),
        sha256=digest,
        file_format=verified.serialization,
        kind=verified.kind,
        verified=True,
        sklearn_version=manifest.environment.packages["scikit-learn"],
        warnings=tuple(dict.fromkeys((*verified.warnings, *unpickled.warnings, *warnings))),
        program=program,
        lookups=unpickled.lookups,
    )


def _network(verified: Verified, network: OnnxNetwork, digest: str) -> Artifact:
    manifest = verified.manifest
    return Artifact(
        estimator=None,
        signature=network.signature,
        manifest=manifest,
        golden=manifest.golden if manifest else made_up_rows(network),
        name=manifest.name if manifest else None,
        version=str(manifest.version) if manifest else None,
        sha256=digest,
        file_format="onnx",
        kind=verified.kind,
        verified=verified.verified,
        sklearn_version=None,
        warnings=verified.warnings,
        network=network,
    )


def _bare(verified: Verified, unpickled: Unpickled, digest: str) -> Artifact:
    signature, golden, warnings = _described(verified.mlmodel, unpickled.estimator)
    return Artifact(
        estimator=unpickled.estimator,
        signature=signature,
        manifest=None,
        golden=golden,
        name=None,
        version=None,
        sha256=digest,
        file_format=verified.serialization,
        kind=verified.kind,
        verified=False,
        sklearn_version=_sklearn_version(verified.mlmodel, unpickled),
        lookups=unpickled.lookups,
        warnings=tuple(dict.fromkeys((*verified.warnings, *unpickled.warnings, *warnings))),
    )


def _described(mlmodel: MLmodel | None, estimator: Any) -> tuple[Signature, Golden | None, tuple[str, ...]]:
    if mlmodel is None or mlmodel.columns is None:
        signature = guess_signature(estimator)
    else:
        signature = guess_signature(estimator, in_fitted_order(mlmodel.columns, estimator))
    if mlmodel is None or mlmodel.example is None:
        return signature, None, ()
    from model.artifact.example import example_rows  # noqa: PLC0415 -- pandas, which other artifacts do without

    return example_rows(mlmodel.example, signature, estimator)


def _sklearn_version(mlmodel: MLmodel | None, unpickled: Unpickled) -> str | None:
    """Return what is known: scikit-learn warns of every other version that one of its own estimators comes from."""
    if mlmodel is not None and mlmodel.sklearn_version is not None:
        return mlmodel.sklearn_version
    if unpickled.sklearn_version is not None:
        return unpickled.sklearn_version
    own = type(unpickled.estimator).__module__.startswith("sklearn.")
    return version("scikit-learn") if own else None
