"""What tests see of a cluster, whichever it is: kubectl, helm, and the Gateway's address."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.cluster.harness.waiting import until
from tests.tools import ROOT, built, packaged

CHART: Final = ROOT / "helm" / "sklearn-kserve"

Object = dict[str, Any]


class CommandFailed(Exception):
    """A command failed; the message is what it printed."""


@dataclass(frozen=True)
class Cluster:
    """
    A cluster with KServe in Standard mode, Istio's Gateway, and our image.

    Parameters
    ----------
    kubeconfig : Path
    gateway : str
        Host and port of the Gateway, as this machine reaches it.
    """

    kubeconfig: Path
    gateway: str

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it printed."""
        return self._run(packaged("kubectl"), *args, stdin=stdin)

    def helm(self, *args: str, stdin: str | None = None) -> str:
        """Run Helm and return what it printed."""
        return self._run(built("helm4") / "helm", *args, stdin=stdin)

    def get(self, *args: str) -> Object:
        """Return an object, or the list of them, as `kubectl get` gives it."""
        found: Object = json.loads(self.kubectl("get", "--output=json", *args))
        return found

    def apply(self, *objects: Object) -> None:
        """Apply objects as users do."""
        self.kubectl("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def _run(self, program: Path, *args: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            [program, *args],
            input=stdin,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"{program.name} {' '.join(args)}:\n{done.stdout}{done.stderr}".strip())
        return done.stdout


def _marks(metadata: Object, pod: Object) -> set[str]:
    """Return what tells one pod from another: its annotations, and the image, arguments and variables of its server."""
    server = pod["containers"][0]
    parts = [*metadata.get("annotations", {}).items(), *server.get("env", []), server["image"], server.get("args", [])]
    return {json.dumps(part, sort_keys=True) for part in parts}


@dataclass(frozen=True)
class Namespace:
    """
    A namespace of the cluster, and releases of the chart in it.

    Parameters
    ----------
    cluster : Cluster
    name : str
    """

    cluster: Cluster
    name: str

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl(f"--namespace={self.name}", *args, stdin=stdin)

    def get(self, *args: str) -> Object:
        """Return an object of the namespace, or the list of them."""
        return self.cluster.get(f"--namespace={self.name}", *args)

    def apply(self, *objects: Object) -> None:
        """Apply objects in the namespace."""
        self.kubectl("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def helm(self, command: str, *args: str, stdin: str | None = None) -> str:
        """Run a command of Helm in the namespace."""
        return self.cluster.helm(command, f"--namespace={self.name}", *args, stdin=stdin)

    def release(self, name: str, values: Mapping[str, Any] | None = None, *args: str) -> str:
        """Install or upgrade a release, and wait until each of its models is ready and its rollout at its end."""
        said = self.helm("upgrade", "--install", name, str(CHART), "--values=-", *args, stdin=json.dumps(values or {}))
        self.settled()
        return said

    def settled(self, timeout_seconds: int = 120) -> None:
        """Wait until each model's Deployment is what the release says, its rollout is at its end, and the model ready."""
        timeout = f"--timeout={timeout_seconds}s"
        models = {found["metadata"]["name"]: found["spec"]["predictor"] for found in self.get("isvc")["items"]}
        # Their generation does not tell: KServe reports that of the Deployment.
        until("KServe has seen the release", lambda: self._follow(models), timeout_seconds)
        for name in models:
            self.kubectl("rollout", "status", timeout, f"deployment/{name}-predictor")
        # Nor by `kubectl wait`, which takes that generation for the model's own.
        until("every model is ready", self._ready, timeout_seconds)

    def _ready(self) -> bool:
        """Whether each model says that it is ready."""
        states = [found.get("status", {}).get("conditions", []) for found in self.get("isvc")["items"]]
        return all(any(each["type"] == "Ready" and each["status"] == "True" for each in state) for state in states)

    def _follow(self, predictors: Mapping[str, Object]) -> bool:
        """Whether there is a Deployment for each predictor, made of what it says by now."""
        made = {found["metadata"]["name"]: found["spec"]["template"] for found in self.get("deployments")["items"]}
        for name, predictor in predictors.items():
            template = made.get(f"{name}-predictor")
            if template is None or not _marks(predictor, predictor) <= _marks(template["metadata"], template["spec"]):
                return False
        return True

    def host(self, model: str, domain: str = "example.com") -> str:
        """Return the host that a model has at the Gateway."""
        return f"{model}-{self.name}.{domain}"

    def objects(self) -> set[str]:
        """Return what is in the namespace, by kind and name, but for what its own controllers put there and events."""
        kinds = [
            kind
            for kind in self.cluster.kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").split()
            if not kind.startswith("events") and "metrics.k8s.io" not in kind
        ]
        return set(self.kubectl("get", ",".join(kinds), "--output=name", "--ignore-not-found").split())

    def python(self, pod: str, code: str, *args: str) -> str:
        """Run Python in a pod's server container."""
        return self.kubectl("exec", pod, "--container=kserve-container", "--", "python", "-c", code, *args)


@contextmanager
def made(cluster: Cluster, name: str, level: str = "restricted") -> Iterator[Namespace]:
    """Make a namespace that has a level of Pod Security, for as long as the context lasts."""
    labels = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "audit", "warn")}
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    # Pods are refused before it has one.
    cluster.kubectl("wait", "--for=create", f"--namespace={name}", "serviceaccount/default")
    yield Namespace(cluster, name)
    cluster.kubectl("delete", "namespace", name)
