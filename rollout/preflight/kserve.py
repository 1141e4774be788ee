"""KServe: its controller, and what its ConfigMap says about how models are deployed and reached."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from rollout.preflight.report import Finding, Install, fine, guarded, missing, warning

CONTROLLER: Final = "kserve-controller-manager"
CONFIGURATION: Final = "inferenceservice-config"
MINIMUM: Final = (0, 17)
NATIVE_CANARY: Final = (0, 21)
"""The first release that gives ``spec.canary`` its share of the requests; 0.20 takes the field and sends nothing."""


def kserve(install: Install) -> Iterator[Finding]:
    """
    Check KServe's controller and its settings.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        Nothing where the release has no InferenceService.
    """
    if not install.release.services and not install.release.of_kind("ServingRuntime", "ClusterServingRuntime"):
        return
    yield from guarded(_controller(install), f"KServe's controller in {install.kserve_namespace}")
    yield from guarded(_settings(install), f"KServe's ConfigMap in {install.kserve_namespace}")


def settings(install: Install) -> dict[str, Any] | None:
    """
    Read KServe's ConfigMap.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Returns
    -------
    dict or None
        Its parts ``deploy`` and ``ingress``; None where there is no such ConfigMap.

    Raises
    ------
    ClusterError
        It can't be read.
    """
    found = install.cluster.find("v1", "configmaps", CONFIGURATION, install.kserve_namespace)
    if found is None:
        return None
    return {part: json.loads(found["data"].get(part) or "{}") for part in ("deploy", "ingress")}


def _controller(install: Install) -> Iterator[Finding]:
    namespace = install.kserve_namespace
    found = install.cluster.find("apps/v1", "deployments", CONTROLLER, namespace)
    native = [each["metadata"]["name"] for each in install.release.services if each["spec"].get("canary")]
    if found is None:
        yield warning(
            f"KServe's controller is no Deployment {CONTROLLER} in {namespace}; if it runs elsewhere, say where in --kserve-namespace."
        )
        return
    if not found.get("status", {}).get("availableReplicas"):
        yield missing(
            f"KServe's controller has no available pod, so nothing would be deployed; see kubectl --namespace {namespace} describe deployment {CONTROLLER}."
        )
    image = next(
        (each["image"] for each in found["spec"]["template"]["spec"]["containers"] if each["name"] == "manager"), ""
    )
    numbers = re.search(r":v?(\d+)\.(\d+)[^:/]*$", image.partition("@")[0])
    least = NATIVE_CANARY if native else MINIMUM
    wanted = ".".join(map(str, least))
    why = " for canary.method native (use canary.method route with this one)" if native else ""
    if not numbers:
        yield warning(f"KServe's version can't be told from the image {image!r}; {wanted} or newer is needed{why}.")
    elif (int(numbers[1]), int(numbers[2])) < least:
        yield missing(f"KServe is {numbers[1]}.{numbers[2]}, and {wanted} or newer is needed{why}; upgrade KServe.")
    else:
        yield fine(f"KServe {numbers[1]}.{numbers[2]} runs in {namespace}.")


def _settings(install: Install) -> Iterator[Finding]:
    found = settings(install)
    if found is None:
        yield missing(
            f"There is no ConfigMap {CONFIGURATION} in {install.kserve_namespace}; install KServe, or say in --kserve-namespace where it is."
        )
        return
    mode = found["deploy"].get("defaultDeploymentMode", "Knative")
    if install.release.of_kind("ServingRuntime", "ClusterServingRuntime") and mode not in {"Standard", "RawDeployment"}:
        yield warning(
            f"KServe deploys by {mode} what does not say otherwise, so InferenceServices of your own that use the runtime want the annotation serving.kserve.io/deploymentMode: Standard."
        )
    if install.release.knative or not install.release.exposed:
        yield fine(f"KServe's default mode is {mode}; each model of the release says its own.")
        return
    native = [each for each in install.release.services if each["spec"].get("canary")]
    if found["ingress"].get("disableIngressCreation"):
        yield warning(
            "KServe makes no routes (disableIngressCreation), so models are reached in the cluster alone; turn route.enabled on to have the release's."
        )
    elif not found["ingress"].get("enableGatewayApi") and native:
        yield missing(
            "KServe splits traffic by the Gateway API alone, and enableGatewayApi is off in its ConfigMap; turn it on, or use canary.method route."
        )
    elif not found["ingress"].get("enableGatewayApi"):
        yield warning(
            "KServe routes to models by Ingress, for enableGatewayApi is off in its ConfigMap; turn that on for gRPC and canaries, or turn route.enabled on."
        )
    else:
        yield fine(f"KServe's default mode is {mode}, and it routes by the Gateway API.")
