"""The translation of istio.py leaves out nothing that the chart says."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy import istio, istio_routes
from tests.deploy.istio_parts import Identity
from tests.deploy.rendering import CASES, CHART, objects, values_of

KINDS = {*istio.KINDS, "HTTPRoute"}
OURS = Identity(CHART, CHART, CHART)


def translated(rendered: list[Any]) -> None:
    """Translate for every proxy that there is."""
    for each in rendered:
        if each["kind"] == "HTTPRoute":
            for parent in each["spec"]["parentRefs"]:
                istio.listener(istio.gateway(**parent), rendered, {})
        elif each["kind"] == "InferenceService":
            istio.listener(istio.sidecar(each), rendered, {}, identity=OURS)
    istio_routes.routes("http.80", rendered)


def keyed(values: dict[str, Any]) -> dict[str, Any]:
    """Return values whose keys, if they have any, are in them: what Envoy is to fetch, istiod fetches first."""
    if values.get("auth", {}).pop("jwksUri", None) or values.get("auth", {}).get("issuer"):
        values["auth"]["jwks"] = '{"keys": []}'
    return values


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every object inside an object."""
    if isinstance(node, dict):
        yield path
    for key, each in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(each, (*path, key))


@pytest.mark.parametrize("case", CASES)
def test_what_the_chart_says_to_istio_is_translated(case: str) -> None:
    translated(objects(keyed(values_of(case))))


FREE = {"targetRefs", "selector", "workloadSelector", "value"}
"""Fields that are compared as a whole, or are Envoy's own, who refuses what it doesn't know."""


@pytest.mark.parametrize("case", ["auth", "canary", "rate-limit", "rate-limit-pods"])
def test_a_field_that_it_does_not_know_is_refused(case: str) -> None:
    rendered = objects(keyed(values_of(case)))
    taken = []
    for index, each in enumerate(rendered):
        for path in places(each["spec"], ("spec",)) if each["kind"] in KINDS else ():
            changed = copy.deepcopy(rendered)
            inner: Any = changed[index]
            for name in path:
                inner = inner[name]
            inner["surprise"] = "x"
            try:
                translated(changed)
            except (TypeError, AssertionError):
                continue
            taken.append((each["kind"], path))
    assert [(kind, path) for kind, path in taken if not FREE & {*path}] == []


@pytest.mark.parametrize("kind", ["Telemetry", "DestinationRule"])
def test_a_kind_that_it_does_not_know_is_refused(kind: str) -> None:
    rendered = objects(keyed(values_of("canary")))
    with pytest.raises(TypeError, match=kind):
        translated([*rendered, {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {}, "spec": {}}])
