"""An MLflow model directory with the sklearn flavor, read without MLflow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import yaml

from model.artifact.digest import opened
from model.artifact.pins import skew
from model.artifact.unpickle import Serialization
from model.datatypes import Datatype
from model.errors import ArtifactError
from model.signature import Column

MLMODEL_FILE: Final = "MLmodel"

_SERIALIZATIONS: Final[dict[str, Serialization]] = {"cloudpickle": "pickle", "pickle": "pickle", "skops": "skops"}
_TYPES: Final = {
    "boolean": (Datatype.BOOL, "bool"),
    "integer": (Datatype.INT32, "int64"),
    "long": (Datatype.INT64, "int64"),
    "float": (Datatype.FP32, "float64"),
    "double": (Datatype.FP64, "float64"),
    "string": (Datatype.BYTES, "object"),
    "datetime": (Datatype.BYTES, "datetime64[ns]"),
}
_WITHOUT_MISSING: Final = frozenset({"boolean", "integer", "long"})
"""Types that MLflow itself refuses a missing value of, unless the column is optional."""


@dataclass(frozen=True, slots=True)
class MLmodel:
    """
    What an MLflow model says about itself.

    Parameters
    ----------
    estimator : Path
        Inside the model's directory.
    serialization : {"pickle", "skops"}
    sklearn_version : str or None
    columns : tuple of Column or None
        None where the signature is one of tensors, or is missing: the estimator then tells more.
    example : Path or None
        Input example, inside the model's directory.
    """

    estimator: Path
    serialization: Serialization
    sklearn_version: str | None
    columns: tuple[Column, ...] | None
    example: Path | None

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence if the model was made with another scikit-learn."""
        here = version("scikit-learn")
        if self.sklearn_version in (None, here):
            return ()
        return (skew(str(self.estimator), "scikit-learn", str(self.sklearn_version), here),)


def read_mlmodel(directory: Path) -> MLmodel:
    """
    Read the ``MLmodel`` file of a directory.

    Raises
    ------
    ArtifactError
        It is damaged, has no sklearn flavor, or names a file outside the directory.

    References
    ----------
    MLflow documentation, "MLflow Models: Storage Format".
    """
    document = _document(directory / MLMODEL_FILE)
    flavor = _flavor(document, directory)
    return MLmodel(
        estimator=_inside(directory, flavor.get("pickled_model")),
        serialization=_serialization(flavor, directory),
        sklearn_version=str(flavor["sklearn_version"]) if flavor.get("sklearn_version") else None,
        columns=_columns(document, directory),
        example=_example(document, directory),
    )


def _document(path: Path) -> Mapping[str, Any]:
    with opened(path) as file:
        try:
            document = yaml.safe_load(file)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise ArtifactError(f"{path} is not YAML ({reason}); save the model with MLflow again.") from error
    if not isinstance(document, Mapping):
        raise ArtifactError(f"{path} holds no mapping; expected one with 'flavors'; save the model with MLflow again.")
    return document


def _flavor(document: Mapping[str, Any], directory: Path) -> Mapping[str, Any]:
    flavors = document.get("flavors")
    flavors = flavors if isinstance(flavors, Mapping) else {}
    flavor = flavors.get("sklearn")
    if not isinstance(flavor, Mapping):
        found = ", ".join(map(str, flavors)) or "none"
        raise ArtifactError(
            f"{directory / MLMODEL_FILE} has the flavors {found}; expected sklearn; save the model with mlflow.sklearn."
        )
    return flavor


def _serialization(flavor: Mapping[str, Any], directory: Path) -> Serialization:
    found = flavor.get("serialization_format", "pickle")
    if found not in _SERIALIZATIONS:
        raise ArtifactError(
            f"{directory / MLMODEL_FILE} has the serialization_format {found!r}; "
            f"expected one of {', '.join(_SERIALIZATIONS)}; save the model with mlflow.sklearn again."
        )
    return _SERIALIZATIONS[found]


def _inside(directory: Path, name: Any) -> Path:
    """Return a file of the directory, however it is linked, and refuse one that lies elsewhere."""
    if not isinstance(name, str) or not name:
        raise ArtifactError(
            f"{directory / MLMODEL_FILE} names no file as pickled_model; expected one; save the model with MLflow again."
        )
    path = (directory / name).resolve()
    if not path.is_relative_to(directory.resolve()):
        raise ArtifactError(
            f"{directory / MLMODEL_FILE} names {name!r}, which lies outside the model's directory; "
            f"expected a file inside; copy the model as a whole."
        )
    return path


def _example(document: Mapping[str, Any], directory: Path) -> Path | None:
    info = document.get("saved_input_example_info")
    name = info.get("artifact_path") if isinstance(info, Mapping) else None
    return None if name is None else _inside(directory, name)


def _columns(document: Mapping[str, Any], directory: Path) -> tuple[Column, ...] | None:
    signature = document.get("signature")
    text = signature.get("inputs") if isinstance(signature, Mapping) else None
    if text is None:
        return None
    try:
        specs = _specs(json.loads(text))
    except (TypeError, ValueError) as error:
        raise ArtifactError(
            f"{directory / MLMODEL_FILE} has a signature that is none of columns or tensors ({error}); "
            f"save the model with MLflow again."
        ) from error
    if not specs or any("tensor-spec" in spec or "name" not in spec for spec in specs):
        return None
    return tuple(map(_column, specs))


def _specs(document: Any) -> list[Mapping[str, Any]]:
    if not isinstance(document, list) or not all(isinstance(spec, Mapping) for spec in document):
        msg = "expected a list of objects"
        raise ValueError(msg)
    return document


def _column(spec: Mapping[str, Any]) -> Column:
    kind = spec.get("type")
    datatype, dtype = _TYPES.get(str(kind), (None, "object"))
    missing = kind not in _WITHOUT_MISSING or not spec.get("required", True)
    return Column(name=str(spec["name"]), datatype=datatype, dtype=dtype, missing=missing)


def in_fitted_order(columns: Sequence[Column], estimator: Any) -> tuple[Column, ...]:
    """Return columns in the order the estimator was fitted on, where it tells one that names them all."""
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    by_name = {column.name: column for column in columns}
    if len(names) != len(by_name) or set(names) != set(by_name):
        return tuple(columns)
    return tuple(by_name[name] for name in names)
