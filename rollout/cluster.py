"""A live cluster, as plain objects: the one module that knows the Kubernetes client."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, Self

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException
from kubernetes.dynamic import DynamicClient
from kubernetes.utils import parse_quantity

from rollout.errors import ClusterError, Denied, Unreachable, UsageError

Object = dict[str, Any]

MANAGER: Final = "sklearn-kserve-preflight"
"""Whose fields a dry run says that they would be."""
METADATA_ALONE: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""What to ask for so that the data of a Secret stay where they are."""
_OF_THE_CALLER: Final = re.compile(r'User "[^"]*" cannot ')


@dataclass(frozen=True)
class Resource:
    """
    A kind as the API server serves it.

    Attributes
    ----------
    group : str
        Empty for the core group.
    plural : str
        Name in paths and in rules of RBAC.
    namespaced : bool
        Whether its objects live in namespaces.
    """

    group: str
    plural: str
    namespaced: bool


class Cluster:
    """
    The API server of a cluster.

    Parameters
    ----------
    api : ApiClient
        Where the API server is and who asks.
    namespace : str
        Namespace that the context names, or ``default``.
    timeout_seconds : float
        How long one answer may take.
    """

    def __init__(self, api: ApiClient, *, namespace: str = "default", timeout_seconds: float = 15) -> None:
        # The client's own discovery keeps what it has seen in a file; here the question is what there is now.
        self._client = DynamicClient(api, discoverer=lambda _client, _file: None)
        self._timeout_seconds = timeout_seconds
        self.address: str = api.configuration.host
        self.namespace = namespace
        self.resources = cache(self._resources)
        # Several checks look at the same namespace.
        self._object = cache(self._get)

    @classmethod
    def connect(cls, *, kubeconfig: str | None = None, context: str | None = None, timeout_seconds: float = 15) -> Self:
        """
        Find the cluster as kubectl does: the named file, ``$KUBECONFIG``, ``~/.kube/config``, or the pod's own.

        Parameters
        ----------
        kubeconfig : str or None
            File to read in the stead of kubectl's.
        context : str or None
            Context to take in the stead of the current one.
        timeout_seconds : float
            How long one answer may take.

        Returns
        -------
        Cluster
            Not asked anything yet.

        Raises
        ------
        UsageError
            There is no configuration, it can't be read, or it has no such context.
        """
        settings, namespace = Configuration(), "default"
        settings.retries = False
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        try:
            try:
                contexts, current = config.list_kube_config_contexts(kubeconfig)
                config.load_kube_config(kubeconfig, context, settings, persist_config=False)
                (named,) = [each for each in contexts if each["name"] == (context or current["name"])]
                namespace = named["context"].get("namespace") or namespace
            except ConfigException:
                if kubeconfig or context:
                    raise
                config.load_incluster_config(settings)
        except (ConfigException, OSError, yaml.YAMLError) as error:
            sentence = " ".join(str(error).split()).rstrip(".")
            raise UsageError(
                f"No cluster to ask, {sentence}; name a kubeconfig in --kubeconfig or KUBECONFIG, and one of its contexts in --context."
            ) from error
        return cls(ApiClient(settings), namespace=namespace, timeout_seconds=timeout_seconds)

    def version(self) -> str:
        """
        Return the API server's version, such as ``v1.35.4``.

        Returns
        -------
        str
            As the API server says it.

        Raises
        ------
        ClusterError
            It did not answer, or does not know the caller.
        """
        try:
            version: str = self._ask("GET", "/version")["gitVersion"]
        except Denied as error:
            sentence = str(error).rstrip(".")
            raise Denied(f"{self.address} says {sentence}; is it the right context?", error.status) from error
        return version

    def _resources(self, api_version: str) -> dict[str, Resource]:
        """Return what an API version serves, by kind; nothing where it is not served."""
        group = api_version.rpartition("/")[0]
        answer = self._get(_root(api_version)) or {"resources": []}
        return {
            each["kind"]: Resource(group, each["name"], each["namespaced"])
            for each in answer["resources"]
            if "/" not in each["name"]
        }

    def served_versions(self, group: str) -> list[str]:
        """
        Return the versions of an API group.

        Parameters
        ----------
        group : str
            Such as ``gateway.networking.k8s.io``.

        Returns
        -------
        list of str
            Such as ``v1``; none where the cluster does not know the group.

        Raises
        ------
        ClusterError
            There was another answer.
        """
        answer = self._get(f"/apis/{group}") or {"versions": []}
        return [each["version"] for each in answer["versions"]]

    def answers(self, api_version: str) -> bool:
        """
        Tell whether what stands behind an API version answers; an aggregated API may be registered and do not.

        Parameters
        ----------
        api_version : str
            Such as ``metrics.k8s.io/v1beta1``.

        Returns
        -------
        bool
            False where the cluster does not know it.

        Raises
        ------
        ClusterError
            It is known, and does not answer.
        """
        return self._get(_root(api_version)) is not None

    def find(self, api_version: str, plural: str, name: str, namespace: str = "") -> Object | None:
        """
        Return an object, or None where there is none, as it was when it was first asked for. Of a Secret the metadata alone.

        Parameters
        ----------
        api_version, plural : str
            Such as ``apps/v1`` and ``deployments``.
        name : str
            Its name.
        namespace : str
            Its namespace; empty for what belongs to the cluster.

        Returns
        -------
        dict or None
            The object as the API server has it.

        Raises
        ------
        Denied
            The caller may not read it.
        ClusterError
            There was another answer.
        """
        path = f"{_collection(api_version, plural, namespace)}/{name}"
        return self._object(path, accept=METADATA_ALONE if plural == "secrets" else "application/json")

    def every(self, api_version: str, plural: str, namespace: str = "", labels: str = "") -> list[Object]:
        """
        Return the objects of a kind.

        Parameters
        ----------
        api_version, plural : str
            Such as ``apps/v1`` and ``deployments``.
        namespace : str
            Empty for all of them.
        labels : str
            Selector of labels; empty for any.

        Returns
        -------
        list of dict
            None of them where the cluster does not know the kind.

        Raises
        ------
        Denied
            The caller may not read them.
        ClusterError
            There was another answer.
        """
        query = [("labelSelector", labels)] if labels else []
        answer = self._get(_collection(api_version, plural, namespace), query=query) or {"items": []}
        return list(answer["items"])

    def may(self, verb: str, resource: Resource, namespace: str = "") -> bool:
        """
        Ask whether the caller may do something.

        Parameters
        ----------
        verb : str
            Such as ``create``.
        resource : Resource
            To what.
        namespace : str
            Where; empty for what belongs to the cluster.

        Returns
        -------
        bool
            What the API server's authorizers say.

        Raises
        ------
        ClusterError
            There was no answer.
        """
        attributes = {"verb": verb, "group": resource.group, "resource": resource.plural, "namespace": namespace}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self._ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body)
        allowed: bool = answer["status"]["allowed"]
        return allowed

    def refusal(self, found: Object, resource: Resource) -> str:
        """
        Ask what the API server and its admission webhooks would say to an object, which is written nowhere.

        Parameters
        ----------
        found : dict
            The object.
        resource : Resource
            Its kind.

        Returns
        -------
        str
            Why it would be refused; empty where it would be taken.

        Raises
        ------
        Denied
            The caller may not write it.
        Unreachable
            There was no answer.
        """
        meta = dict(found["metadata"])
        namespace = meta["namespace"] if resource.namespaced else meta.pop("namespace") and ""
        path = f"{_collection(found['apiVersion'], resource.plural, namespace)}/{meta['name']}"
        body = {**found, "metadata": meta}
        query = [("dryRun", "All"), ("fieldManager", MANAGER), ("fieldValidation", "Strict"), ("force", "true")]
        try:
            self._ask("PATCH", path, body=body, query=query, content_type="application/apply-patch+yaml")
        except Unreachable:
            raise
        except ClusterError as error:
            # Webhooks, Pod Security and quotas refuse an object by 403 as well; only the authorizer speaks of the caller.
            if isinstance(error, Denied) and (error.status == 401 or _OF_THE_CALLER.search(str(error))):  # noqa: PLR2004 -- HTTP's number for it
                raise
            return str(error)
        return ""

    def _get(self, path: str, **options: Any) -> Object | None:
        """Return an answer, or None where there is nothing under the path."""
        try:
            return self._ask("GET", path, **options)
        except ClusterError as error:
            if error.status == 404:  # noqa: PLR2004 -- HTTP's number for it
                return None
            raise

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        query: list[tuple[str, str]] | None = None,
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> Object:
        try:
            answer: Object = self._client.request(
                method,
                path,
                body=body,
                query_params=query or [],
                header_params={"Accept": accept},
                content_type=content_type,
                serializer=lambda _client, data: data,
                _request_timeout=self._timeout_seconds,
            )
        except ApiException as error:
            raise _told(error, self.address) from error
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self.address} does not answer: {error}.") from error
        return answer


def quantity(amount: str | float) -> Decimal:
    """
    Return an amount of a resource as a number.

    Parameters
    ----------
    amount : str or float
        Such as ``500m`` or ``1Gi``.

    Returns
    -------
    Decimal
        In the resource's own unit: cores, bytes, pieces.
    """
    number: Decimal = parse_quantity(amount)
    return number


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _collection(api_version: str, plural: str, namespace: str) -> str:
    return f"{_root(api_version)}/{f'namespaces/{namespace}/' if namespace else ''}{plural}"


def _told(error: ApiException, address: str) -> ClusterError:
    """Return our error for the client's, with what the API server says."""
    if not error.status:  # the client's way to tell of TLS
        return Unreachable(f"{address} can't be trusted: {' '.join(str(error.reason).split())}.")
    message = _message(error.body) or f"{error.status} {error.reason}"
    return (Denied if error.status in {401, 403} else ClusterError)(message, error.status)


def _message(body: Any) -> str:
    try:
        status = json.loads(body)
    except (TypeError, ValueError):
        return ""
    return str(status.get("message", "")) if isinstance(status, Mapping) else ""
