"""What tests of autoscalers ask: which there are, and how many pods."""

from tests.cluster.harness.cluster import Namespace, Object


def scalers(namespace: Namespace) -> list[Object]:
    """Return the autoscalers."""
    found: list[Object] = namespace.get("hpa")["items"]
    return found


def pods(namespace: Namespace) -> list[str]:
    """Return the predictors' pods, those that end included."""
    found = namespace.get("pods", "--selector=app.kubernetes.io/component=predictor")["items"]
    return [f"pod/{pod['metadata']['name']}" for pod in found]


def ready(namespace: Namespace, model: str) -> int:
    """Return how many pods of the namespace's only model are ready; as long as others start or end, -1."""
    status = namespace.get(f"deployment/{model}-predictor")["status"]
    # Pods that drain are no longer counted in it.
    count: int = status.get("readyReplicas", 0)
    return count if len(pods(namespace)) == count else -1


def rescaled(namespace: Namespace) -> str:
    """Return the autoscalers' events."""
    return namespace.kubectl("get", "events", "--field-selector=reason=SuccessfulRescale")


__all__ = ["pods", "ready", "rescaled", "scalers"]
