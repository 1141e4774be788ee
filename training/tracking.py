"""
MLflow, told of what the registry holds. Nothing is ever read back from it but what it was told of.

The registry decides; MLflow shows it to people: a run with parameters, metrics, tags and files for each version, and a
registered model whose aliases follow.
"""

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from model.artifact import Manifest
from model.errors import ArtifactError
from training.config.tracking import USER_ELSEWHERE, Tracking
from training.errors import RegistryError, TrackingError
from training.registry import ALIASES, Registry, Version
from training.registry.description import describe, flat
from training.registry.tables import text

if TYPE_CHECKING:
    from mlflow import MlflowClient

_VERSION: Final = "sklearn-kserve.version"
_MODEL: Final = "sklearn-kserve.model.sha256"
"""Tags that tell a version, also from one of the same name and number in another root."""
_DECISION: Final = "decision.json"
_STRANGE: Final = re.compile(r"[^\w.\- /:]")
"""What MLflow has in no name of a parameter or metric."""
_LONGEST_VALUE: Final = 6000
_MOST_AT_ONCE: Final = 100
"""Parameters in one request."""
_SETTINGS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Unless the environment says otherwise; by its own defaults MLflow's client tries for minutes."""

Key = tuple[str, str]

log = logging.getLogger(__name__)


class Tracker:
    """
    An MLflow server.

    Parameters
    ----------
    uri : str
        Tracking URI, which is also that of its model registry.
    registry : Registry
        What MLflow is told of.
    experiment : str, optional
        By default the name of each model.

    Raises
    ------
    TrackingError
        The URI names a user.
    """

    def __init__(self, uri: str, registry: Registry, *, experiment: str | None = None) -> None:
        if "@" in urlsplit(uri).netloc:  # said without the URI, which is said and recorded elsewhere
            raise TrackingError(f"MLflow's URI has a name or password in it; {USER_ELSEWHERE}.")
        self._uri = uri
        self._registry = registry
        self._experiment = experiment

    def mirror(self, name: str) -> list[Version]:
        """
        Tell MLflow of every version of a model that it does not know, and let its aliases name what they name here.

        Done again it does what is missing, so that it does not matter when MLflow was down.

        Returns
        -------
        versions : list of Version
            Those that it did not know.

        Raises
        ------
        TrackingError
            MLflow does not answer, or refuses; the registry is as it was.
        RegistryError, ArtifactError
            A version can't be read, or is damaged.
        """
        try:
            return _Mirror(_client(self._uri), self._registry, name, self._experiment or name).all()
        except (RegistryError, ArtifactError, TrackingError):
            raise
        except Exception as error:  # of as many kinds as MLflow has stores
            said = str(error).strip().partition("\n")[0]
            raise TrackingError(
                f"MLflow at {self._uri} could not be told of {name}: {said}; the registry holds it all the same, and "
                f"MLflow is told by the next run, or by: registry mirror."
            ) from error


def tell(tracking: Tracking, registry: Registry, name: str) -> None:
    """
    Tell the MLflow that a configuration names, if it names one, of what it does not know.

    Raises
    ------
    TrackingError
        It can't be told, and is required; else that is logged, for it may be told later.
    """
    if tracking.mlflow is None:
        return
    try:
        Tracker(tracking.mlflow, registry, experiment=tracking.experiment).mirror(name)
    except TrackingError as error:
        if tracking.required:
            raise
        log.warning("%s", error)


class _Mirror:
    def __init__(self, client: "MlflowClient", registry: Registry, name: str, experiment: str) -> None:
        self._client = client
        self._registry = registry
        self._name = name
        self._experiment = experiment

    def all(self) -> list[Version]:
        manifests = {version: self._registry.manifest(version) for version in self._registry.versions(self._name)}
        known = dict(self._known())
        new = [version for version, manifest in manifests.items() if _key(version, manifest) not in known]
        for version in new:
            known[_key(version, manifests[version])] = self._record(version, manifests[version])
        numbers = {str(version.number): known[_key(version, manifest)] for version, manifest in manifests.items()}
        if numbers:
            self._alias(numbers)
        return new

    def _known(self) -> Iterator[tuple[Key, str]]:
        token = None
        while token != "":
            page = self._client.search_model_versions(f"name='{self._name}'", page_token=token)
            for found in page:
                yield (found.tags.get(_VERSION, ""), found.tags.get(_MODEL, "")), str(found.version)
            token = page.token or ""

    def _record(self, version: Version, manifest: Manifest) -> str:
        described = describe(self._registry, version)
        number, model = _key(version, manifest)
        tags = {
            _VERSION: number,
            _MODEL: model,
            "sklearn-kserve.root": self._registry.root,
            "sklearn-kserve.snapshot.sha256": described["data"].get("sha256", ""),
            "sklearn-kserve.decision": self._decision(version, manifest),
            "mlflow.source.git.commit": manifest.git_commit or "",
        }
        tags = {key: value for key, value in tags.items() if value}
        run = self._client.create_run(self._experiment_id(), run_name=str(version), tags=tags)
        run_id = run.info.run_id
        self._log(run_id, described["configuration"], manifest.metrics)
        self._client.log_artifacts(run_id, str(self._registry.fetch(version)))
        self._client.set_terminated(run_id)
        if not list(self._client.search_registered_models(f"name='{self._name}'")):
            self._client.create_registered_model(self._name)
        added = self._client.create_model_version(self._name, source=run.info.artifact_uri, run_id=run_id, tags=tags)
        return str(added.version)

    def _log(self, run_id: str, configuration: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric, Param  # noqa: PLC0415 -- an extra

        # All of them, uncut, are in run.json, which is among the files.
        named = {_plain(key): text(value)[:_LONGEST_VALUE] for key, value in flat(configuration)}
        params = [Param(key, value) for key, value in named.items()]
        for start in range(0, len(params), _MOST_AT_ONCE):
            self._client.log_batch(run_id, params=params[start : start + _MOST_AT_ONCE])
        self._client.log_batch(run_id, metrics=[Metric(_plain(key), value, 0, 0) for key, value in metrics.items()])

    def _decision(self, version: Version, manifest: Manifest) -> str:
        if _DECISION not in manifest.files:
            return ""
        decision = json.loads(self._registry.read(version, _DECISION))
        return "accepted" if decision.get("accepted") else f"refused: {text(decision.get('reasons'))}"

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        return found.experiment_id if found is not None else str(self._client.create_experiment(self._experiment))

    def _alias(self, numbers: Mapping[str, str]) -> None:
        """Let each alias name MLflow's own number of the version that it names here."""
        here = self._registry.aliases(self._name)
        there = {alias: str(number) for alias, number in self._client.get_registered_model(self._name).aliases.items()}
        for alias in ALIASES:
            wanted = numbers.get(here.get(alias, ""))
            if wanted is not None and wanted != there.get(alias):
                self._client.set_registered_model_alias(self._name, alias, wanted)
            elif wanted is None and alias in there:
                self._client.delete_registered_model_alias(self._name, alias)


def _key(version: Version, manifest: Manifest) -> Key:
    return str(version.number), manifest.files[manifest.estimator.file]


def _plain(name: str) -> str:
    return _STRANGE.sub("_", name)


def _client(uri: str) -> "MlflowClient":
    for key, value in _SETTINGS.items():
        os.environ.setdefault(key, value)
    try:
        from mlflow import MlflowClient  # noqa: PLC0415 -- an extra, and it takes its time
    except ModuleNotFoundError as error:
        raise TrackingError(
            f"MLflow at {uri} could not be told: the package {error.name} is not installed; "
            f"pip install 'sklearn-kserve[mlflow]'."
        ) from error
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


__all__ = ["Tracker", "tell"]
