"""The manifest: what a version says about itself, and what vouches for its files."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from model.artifact.digest import content
from model.artifact.names import is_file_name, is_model_name
from model.codec.json_tensor import tensor_from_json
from model.drift import Profile
from model.engine.record import EngineRecord
from model.errors import InvalidInput, UntrustedArtifact
from model.signature import Signature

MANIFEST_FILE: Final = "manifest.json"
SCHEMA_VERSION: Final = 1

FileFormat = Literal["joblib", "skops"]
"""What estimators are written as."""


def _plain_file(name: str) -> str:
    if not is_file_name(name) or name == MANIFEST_FILE:
        msg = f"{name!r} is no plain file name"
        raise ValueError(msg)
    return name


def _name(name: str) -> str:
    if not is_model_name(name):
        msg = f"{name!r} is no model name"
        raise ValueError(msg)
    return name


def _tensor(item: dict[str, Any]) -> dict[str, Any]:
    try:
        tensor_from_json(item)
    except InvalidInput as error:
        raise ValueError(str(error)) from error
    return item


FileName = Annotated[str, AfterValidator(_plain_file)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Release = Annotated[str, Field(pattern=r"^\d+\.\d+")]
JsonTensor = Annotated[dict[str, Any], AfterValidator(_tensor)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EstimatorFile(_Part):
    """
    The fitted estimator, or the network.

    Parameters
    ----------
    class_ : str
        Full name of its class; ``class`` in JSON. Information: the file itself names what it is made of.
    file : str
        One of the manifest's files.
    format : {"joblib", "skops", "onnx"}
    """

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    class_: Annotated[str, Field(alias="class")]
    file: FileName
    format: FileFormat | Literal["onnx"]


class Requirement(_Part):
    """
    Where a module came from when the estimator was published.

    Parameters
    ----------
    distribution, version : str
        As ``pip`` names them.
    """

    distribution: str
    version: str


class Environment(_Part):
    """
    What the estimator was published under.

    Parameters
    ----------
    python : str
        Version, such as ``3.11.7``.
    packages : dict of str to str
        Version per distribution; scikit-learn and NumPy are always among them.
    """

    python: Release
    packages: dict[str, Release]

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        for distribution in ("scikit-learn", "numpy"):
            if distribution not in self.packages:
                msg = f"{distribution} is not among the packages"
                raise ValueError(msg)
        return self


class Golden(_Part):
    """
    Rows of the sample and what the estimator answered to them.

    Parameters
    ----------
    inputs, outputs : tuple of dict
        V2 tensors in JSON. An output that JSON can't carry is left out.
    lookups : dict
        What the sources of look-ups said of the keys in these rows: by the name of the look-up and the key, the values
        in the order of its columns, or None for an unknown key. Golden rows are answered from it, never from a source.
    """

    inputs: tuple[JsonTensor, ...]
    outputs: tuple[JsonTensor, ...] = ()
    lookups: dict[str, dict[str, tuple[float | str | bool | None, ...] | None]] = {}


class Manifest(_Part):
    """
    All that ``manifest.json`` holds.

    Parameters
    ----------
    schema_version : int
    name : str
    version : int
    created : datetime
        UTC.
    git_commit : str or None
        Of the working directory that it was published from.
    estimator : EstimatorFile
    files : dict of str to str
        sha256 of every file but the manifest, in hex.
    environment : Environment
    modules : dict of str to Requirement or None
        Top-level modules that the estimator is made of, besides those of Python, scikit-learn and NumPy; None where
        no installed distribution has them, for they are the user's own.
    signature : Signature
    metrics : dict of str to float
    golden : Golden
    engine : EngineRecord or None
        What answers in scikit-learn's place, or why nothing does; None where nobody has looked for it.
    profile : Profile or None
        What the sample looks like, for drift to be seen; None where it is too small, and of older versions.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Annotated[str, AfterValidator(_name)]
    version: Annotated[int, Field(ge=1)]
    created: AwareDatetime
    git_commit: str | None = None
    estimator: EstimatorFile
    files: dict[FileName, Sha256]
    environment: Environment
    modules: dict[str, Requirement | None]
    signature: Signature
    metrics: dict[str, FiniteFloat]
    golden: Golden
    engine: EngineRecord | None = None
    profile: Profile | None = None

    @model_validator(mode="after")
    def _vouches_for_what_runs(self) -> Self:
        if self.estimator.file not in self.files:
            msg = f"the estimator's file {self.estimator.file!r} is not among the files"
            raise ValueError(msg)
        if self.engine is not None and self.engine.file is not None and self.engine.file not in self.files:
            msg = f"the engine's file {self.engine.file!r} is not among the files"
            raise ValueError(msg)
        return self

    def to_json(self) -> bytes:
        """Return the manifest as it is written."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_manifest(directory: Path) -> Manifest:
    """
    Read the manifest of a version; nothing else of it is looked at.

    Raises
    ------
    UntrustedArtifact
        It is missing, damaged, or of a schema that this build does not read.
    """
    path = directory / MANIFEST_FILE
    return manifest_of(content(path), path)


def manifest_of(data: bytes, path: Path) -> Manifest:
    """
    Return the manifest that a file holds.

    Raises
    ------
    UntrustedArtifact
        See ``read_manifest``.
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UntrustedArtifact(f"{path} is not JSON ({error}); {_ADVICE}") from error
    found = document.get("schema_version") if isinstance(document, dict) else None
    if type(found) is not int or found != SCHEMA_VERSION:
        raise UntrustedArtifact(
            f"{path} has schema_version {found!r}, and this build reads schema_version {SCHEMA_VERSION}; "
            f"publish the model again with this build, or serve it with the one it was published by."
        )
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        raise UntrustedArtifact(f"{path} is no valid manifest: {_fault(error)}; {_ADVICE}") from error


_ADVICE: Final = "copy the artifact again, or publish it anew."


def _fault(error: ValidationError) -> str:
    """Return the first of pydantic's findings as half a sentence that names the field."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message


__all__ = [
    "MANIFEST_FILE",
    "SCHEMA_VERSION",
    "Environment",
    "EstimatorFile",
    "FileFormat",
    "Golden",
    "Manifest",
    "Requirement",
    "manifest_of",
    "read_manifest",
]
