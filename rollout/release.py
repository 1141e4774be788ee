"""What an install would create: the chart as Helm renders it, or objects that something else has rendered."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from rollout.errors import UsageError

Object = dict[str, Any]

MODE: Final = "serving.kserve.io/deploymentMode"
INTERNAL: Final = {"networking.kserve.io/visibility": "cluster-local"}
HELM_SECONDS: Final = 60


@dataclass(frozen=True)
class Release:
    """
    The objects that an install would create.

    Attributes
    ----------
    namespace : str
        Where those go that name no namespace.
    objects : tuple of dict
        The objects, without the hooks of Helm.
    by_helm : bool
        Whether Helm creates them, which keeps its own records.
    """

    namespace: str
    objects: tuple[Object, ...]
    by_helm: bool

    @classmethod
    def rendered(
        cls,
        name: str,
        chart: str,
        namespace: str,
        *,
        kubernetes: str,
        files: Sequence[Path] = (),
        settings: Sequence[str] = (),
    ) -> Self:
        """
        Render a chart by the ``helm`` on the PATH, which is the one that would install it.

        Parameters
        ----------
        name : str
            Name of the release.
        chart : str
            Directory, archive or ``oci://`` address of the chart.
        namespace : str
            Namespace of the release.
        kubernetes : str
            Version of Kubernetes to render for; without, Helm takes the one that it was built with.
        files : sequence of Path
            Files of values, as ``helm --values``.
        settings : sequence of str
            Single values, as ``helm --set``.

        Returns
        -------
        Release
            What Helm would create.

        Raises
        ------
        UsageError
            There is no Helm, or it refuses the values.
        """
        values = [part for file in files for part in ("--values", str(file))]
        single = [part for setting in settings for part in ("--set", setting)]
        common = ["--namespace", namespace, "--kube-version", kubernetes]
        command = ["helm", "template", name, chart, *common, *values, *single]
        try:
            done = subprocess.run(  # noqa: S603 -- no shell, and Helm reads what it is given as what it is
                command, capture_output=True, text=True, check=False, timeout=HELM_SECONDS
            )
        except FileNotFoundError as error:
            raise UsageError(
                "No helm on the PATH to render the chart with; install Helm 3 or 4, or give rendered objects in --manifests."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"helm has not rendered {chart} within {HELM_SECONDS} s; is it a chart?") from error
        if done.returncode:
            raise UsageError(f"helm refuses the values: {' '.join(done.stderr.split()).removeprefix('Error: ')}")
        return cls.read(done.stdout, namespace, by_helm=True)

    @classmethod
    def read(cls, text: str, namespace: str, *, by_helm: bool = False) -> Self:
        """
        Read objects that are rendered already, such as by ``kubectl kustomize``.

        Parameters
        ----------
        text : str
            YAML of any number of documents.
        namespace : str
            For what names none.
        by_helm : bool
            Whether Helm is to create them.

        Returns
        -------
        Release
            The objects, each with its namespace.

        Raises
        ------
        UsageError
            It is no YAML, holds something else than objects, or nothing.
        """
        try:
            documents = [each for each in yaml.safe_load_all(text) if each]
            every = [each for document in documents for each in _unfolded(document)]
            found = tuple(_placed(each, namespace) for each in every if not _hook(each))
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            sentence = " ".join(str(error).split())
            raise UsageError(f"What is to be installed is no list of Kubernetes objects ({sentence}).") from error
        if not found:
            raise UsageError("What is to be installed holds no object.")
        return cls(namespace, found, by_helm)

    def of_kind(self, *kinds: str) -> list[Object]:
        """
        Return the objects of some kinds.

        Parameters
        ----------
        *kinds : str
            Such as ``HTTPRoute``.

        Returns
        -------
        list of dict
            In the order of the rendering.
        """
        return [each for each in self.objects if each["kind"] in kinds]

    def holds(self, kind: str, name: str, namespace: str) -> bool:
        """
        Tell whether the install itself brings an object.

        Parameters
        ----------
        kind, name, namespace : str
            Which; a kind of the cluster has no namespace, and is found by its name.

        Returns
        -------
        bool
            Whether it is among the objects.
        """
        return any(
            each["metadata"]["name"] == name and each["metadata"].get("namespace", namespace) == namespace
            for each in self.of_kind(kind)
        )

    @property
    def knative(self) -> bool:
        """Whether a model is to be deployed by Knative."""
        return any(each["metadata"].get("annotations", {}).get(MODE) == "Knative" for each in self.services)

    @property
    def services(self) -> list[Object]:
        """The InferenceServices."""
        return self.of_kind("InferenceService")

    @property
    def exposed(self) -> list[Object]:
        """The InferenceServices that KServe itself is to route to."""
        return [each for each in self.services if not INTERNAL.items() <= each["metadata"].get("labels", {}).items()]

    def pods(self) -> Iterator["Pod"]:
        """
        Describe the pods that would run.

        Yields
        ------
        Pod
            One for each predictor, runtime and job.
        """
        for each in self.objects:
            namespace, spec = each["metadata"].get("namespace", self.namespace), each.get("spec") or {}
            match each["kind"]:
                case "InferenceService":
                    predictor = spec["predictor"]
                    count = int(predictor.get("minReplicas", 1))
                    yield Pod(each, namespace, predictor, predictor.get("labels", {}), count)
                case "ServingRuntime":
                    yield Pod(each, namespace, spec, spec.get("labels", {}), 0)
                case "CronJob":
                    template = spec["jobTemplate"]["spec"]["template"]
                    labels = template.get("metadata", {}).get("labels", {})
                    yield Pod(each, namespace, template["spec"], labels, 0)


@dataclass(frozen=True)
class Pod:
    """
    A pod that an object of the release describes.

    Attributes
    ----------
    owner : dict
        The object.
    namespace : str
        Where it runs.
    spec : dict
        Its specification, as far as the object gives it.
    labels : dict
        Its labels.
    count : int
        How many there are to begin with.
    """

    owner: Object
    namespace: str
    spec: Object
    labels: dict[str, str]
    count: int

    @property
    def sidecar(self) -> bool:
        """Whether Istio is asked to put its proxy beside the server."""
        return self.labels.get("sidecar.istio.io/inject") == "true"

    @property
    def containers(self) -> list[Object]:
        """The containers of its own."""
        return [*self.spec.get("initContainers", []), *self.spec.get("containers", [])]


def _unfolded(document: Object) -> list[Object]:
    return document["items"] if document["kind"] == "List" else [document]


def _hook(found: Object) -> bool:
    return "helm.sh/hook" in found["metadata"].get("annotations", {})


def _placed(found: Object, namespace: str) -> Object:
    """Return the object with a namespace; the API server knows which kinds have none."""
    if not {"apiVersion", "kind"} <= found.keys():
        raise KeyError("apiVersion and kind")
    return {**found, "metadata": {"namespace": namespace, **found["metadata"]}}
