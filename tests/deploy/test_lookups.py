"""Look-ups: the server is given the addresses of their sources by Secrets, and let out to them."""

import re
from typing import Any

import pandas as pd
import pytest
from helm_python import HelmError

from model.lookup.transformer import Lookup
from tests.deploy.matrix import put
from tests.deploy.rendering import ROOT, container, files, of_kind, values_of

SERVER, JOB = "demo-sklearn-kserve", "demo-sklearn-kserve-retraining"
SECRETS = [{"secretRef": {"name": "features"}}]
PEERS = [
    {"podSelector": {"matchLabels": {"app": "postgresql"}}},
    {"ipBlock": {"cidr": "10.20.0.0/16"}},
]


def let_out(values: dict[str, Any] | None, policy: str = SERVER) -> list[dict[str, Any]]:
    """Return the rules of a policy to anywhere but DNS."""
    rules: list[dict[str, Any]] = of_kind("NetworkPolicy", values)[policy]["spec"]["egress"]
    return [rule for rule in rules if {port["port"] for port in rule["ports"]} != {53}]


def job(values: dict[str, Any]) -> dict[str, Any]:
    (found,) = of_kind("CronJob", values).values()
    (training,) = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return dict(training)


def test_should_not_render_when_disabled() -> None:
    assert "envFrom" not in container()
    assert let_out(None) == []
    assert let_out(values_of("retraining"), JOB) == []


def test_the_server_has_the_addresses_from_secrets() -> None:
    assert container(values_of("lookups"), "customers")["envFrom"] == SECRETS


def test_the_pods_are_let_out_to_the_sources_and_nowhere_else() -> None:
    ports = [{"port": port, "protocol": "TCP"} for port in (5432, 6379)]
    assert let_out(values_of("lookups")) == [{"to": PEERS, "ports": ports}]


def test_a_runtime_s_pods_have_them_too() -> None:
    values = {**values_of("lookups"), "runtime": {"create": True}}
    (runtime,) = of_kind("ServingRuntime", values).values()
    assert runtime["spec"]["containers"][0]["envFrom"] == SECRETS


def test_the_job_that_trains_anew_asks_the_same_sources() -> None:
    values = {**values_of("retraining-bucket"), "lookups": values_of("lookups")["lookups"]}
    assert job(values)["envFrom"] == [*SECRETS, {"secretRef": {"name": "bucket-credentials"}}]
    assert let_out(values, JOB)[0] == let_out(values_of("lookups"))[0]


def test_without_a_policy_there_is_nobody_to_let_the_pods_out() -> None:
    values = {**put(values_of("lookups"), "lookups.to", []), "networkPolicy": {"enabled": False}}
    assert container(values, "customers")["envFrom"] == SECRETS
    assert of_kind("NetworkPolicy", values) == {}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lookups": {"secrets": ["features"]}}, "networkPolicy lets the pods out to no source"),
        ({"lookups": {"secrets": ["features"], "to": PEERS, "ports": []}}, "lookups.to without lookups.ports"),
    ],
)
def test_what_would_reach_no_source_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HelmError, match=re.escape(sentence)):
        files(values)


def test_who_lets_the_pods_out_otherwise_need_not_say_it_again() -> None:
    values = {"lookups": {"secrets": ["features"]}, "networkPolicy": {"egress": [{"ports": [{"port": 3306}]}]}}
    assert let_out(values) == [{"ports": [{"port": 3306}]}]


def test_the_page_names_the_values_and_a_variable_that_a_lookup_takes() -> None:
    page = (ROOT / "docs" / "lookups.md").read_text()
    assert {"lookups.secrets", "lookups.to", "lookups.ports"} <= set(re.findall(r"lookups\.\w+", page))
    (variable,) = set(re.findall(r"--from-literal=(\w+)=", page))
    Lookup(name="a", key="a", columns={"b": "number"}, address=variable, table="c").fit(pd.DataFrame({"a": [1]}))
