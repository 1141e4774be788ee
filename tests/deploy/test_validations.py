"""The CRDs' own rules (CEL) are run on what the chart renders, and would find a fault."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.deploy import validations
from tests.deploy.rendering import CASES, SCHEMAS, faults, objects, values_of

Object = dict[str, Any]


def rules(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (each["rule"] for each in node.get("x-kubernetes-validations", ()))
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from rules(each)


RECORDED = sorted({rule for path in SCHEMAS.glob("*.json") for rule in rules(json.loads(path.read_text()))})


def test_every_rule_of_every_recorded_schema_can_be_run() -> None:
    assert len(RECORDED) > 50
    for rule in RECORDED:
        validations.program(rule)


def test_the_features_bring_most_rules_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    run: set[str] = set()
    compile_ = validations.program

    def noted(rule: str) -> Any:
        run.add(rule)
        return compile_(rule)

    monkeypatch.setattr(validations, "program", noted)
    for case in CASES:
        for each in objects(values_of(case)):
            assert faults(each) == []
    # The rest are about mesh-wide ports, redirects, fractions and CORS, which the chart never renders.
    assert len(run) >= 0.8 * len(RECORDED)


def one(case: str, kind: str) -> Object:
    return next(each for each in objects(values_of(case)) if each["kind"] == kind)


def rule(route: Object) -> Any:
    return route["spec"]["rules"][0]


@pytest.mark.parametrize(
    ("case", "kind", "break_it", "sentence"),
    [
        (
            "canary",
            "HTTPRoute",
            lambda found: rule(found)["matches"][0]["path"].update(type="PathPrefix", value="/v2//infer"),
            "must not contain '//'",
        ),
        (
            "canary",
            "HTTPRoute",
            lambda found: rule(found)["timeouts"].update(request="1s", backendRequest="2s"),
            "backendRequest timeout cannot be longer than request timeout",
        ),
        (
            "canary",
            "HTTPRoute",
            lambda found: rule(found)["backendRefs"][0].pop("port"),
            "Must have port for Service reference",
        ),
        (
            "canary",
            "HTTPRoute",
            lambda found: found["spec"]["parentRefs"].append(found["spec"]["parentRefs"][0]),
            "sectionName must be unique",
        ),
        (
            "canary",
            "HTTPRoute",
            lambda found: rule(found)["matches"][0].update(headers=2 * [{"name": "x-tester", "value": "yes"}]),
            "{'name': 'x-tester'} is there twice",
        ),
        (
            "auth",
            "AuthorizationPolicy",
            lambda found: found["spec"].update(
                selector={"matchLabels": {"a": "b"}}, targetRefs=[{"kind": "Gateway", "name": "gateway"}]
            ),
            "only one of targetRefs or selector can be set",
        ),
        (
            "auth",
            "RequestAuthentication",
            lambda found: found["spec"]["jwtRules"][0].update(jwksUri="ftp://login.example.com/keys"),
            "url must have scheme http:// or https://",
        ),
        (
            "auth",
            "RequestAuthentication",
            lambda found: found["spec"]["jwtRules"][0].update(jwksUri="keys"),
            "url must have scheme http:// or https:// (",
        ),
        (
            "auth",
            "PeerAuthentication",
            lambda found: found["spec"].update(selector={}, portLevelMtls={"8080": {"mode": "DISABLE"}}),
            "portLevelMtls requires selector",
        ),
        (
            "auth",
            "PeerAuthentication",
            lambda found: found["spec"]["selector"].update(matchLabels={"app": "*"}),
            "wildcard not allowed in label value match",
        ),
        (
            "keda",
            "ScaledObject",
            lambda found: found["spec"].update(minReplicaCount=3, maxReplicaCount=2),
            "minReplicaCount must be less than or equal to maxReplicaCount",
        ),
    ],
)
def test_a_broken_rule_is_found(case: str, kind: str, break_it: Callable[[Object], None], sentence: str) -> None:
    found = one(case, kind)
    assert faults(found) == []
    break_it(found)
    assert any(sentence in fault for fault in faults(found)), faults(found)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("namespace", "__namespace__"),
        ("port", "port"),
        ("a-b.c/d", "a__dash__b__dot__c__slash__d"),
        ("a__b", "a__underscores__b"),
    ],
)
def test_a_property_is_named_as_rules_write_it(name: str, written: str) -> None:
    assert validations.escaped(name) == written
