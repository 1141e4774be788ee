"""Tokens at Istio's Gateway: who is let through to which model, over both protocols, and while keys change."""

import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import jwt
import pytest

from tests.cluster import tokens
from tests.cluster.asking import PROTOCOLS, Caller, Protocol, Steadily
from tests.cluster.harness.cluster import Cluster, Namespace
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, published
from tests.cluster.tokens import AUDIENCE, ISSUER, Key

OPEN, CLOSED = "numbers", "others"
"""The model that a group may ask, and one that is not in any rule of the group's."""

OK, UNKNOWN, DENIED = ("1", "1"), ("401", "UNAUTHENTICATED"), ("403", "PERMISSION_DENIED")


KEY, OTHER_KEY = tokens.key(), tokens.key()


def token(key: Key = KEY, **claims: Any) -> str:
    """Return a token that lets through, but for the claims that are said."""
    return tokens.token(key, **claims)


def values(*keys: Key) -> dict[str, Any]:
    """Return the values of a release that trusts some keys."""
    return {
        "models": [{"name": name, "storageUri": f"pvc://{CLAIM}/{name}/1"} for name in (OPEN, CLOSED)],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "auth": {
            "enabled": True,
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "jwks": tokens.jwks(*keys),
            "allow": [{"models": [OPEN], "claims": {"groups": ["risk", "pricing"]}}],
            # Sidecars need a container that `restricted` admits in no namespace.
            "pods": False,
        },
    }


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Iterator[str]:
    for name in (OPEN, CLOSED):
        published(namespace, name, versions=1)
    namespace.release("demo", values(KEY))
    yield "demo"
    namespace.helm("uninstall", "demo")


@pytest.fixture(scope="module", autouse=True)
def enforced(cluster: Cluster, namespace: Namespace, release: str) -> None:
    for protocol, allowed, denied in zip(PROTOCOLS, OK, DENIED, strict=True):
        asker = caller(cluster, namespace, token())
        until("a good token is let through", lambda: asker.once(protocol) == allowed)  # noqa: B023
        nobody = caller(cluster, namespace, None)
        until("nobody is let through without", lambda: nobody.once(protocol).startswith(denied))  # noqa: B023


def caller(cluster: Cluster, namespace: Namespace, said: str | None, model: str = OPEN) -> Caller:
    """Return somebody who says a token, or none."""
    headers = {} if said is None else {"authorization": f"Bearer {said}"}
    return Caller(cluster, namespace.host(model), model, headers)


CASES: Final = {
    "good": (token(), OK),
    "none": (None, DENIED),
    "of another issuer": (token(iss="https://evil.example.com"), UNKNOWN),
    "expired": (token(exp=int(time.time()) - 3600), UNKNOWN),
    "signed by another key": (token(OTHER_KEY), UNKNOWN),
    "garbage": ("garbage", UNKNOWN),
    "unsigned": (jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "groups": ["risk"]}, "", "none"), UNKNOWN),
    "for another audience": (token(aud="shop.example.com"), DENIED),
    "without the claim": (token(groups=None), DENIED),
    "with another value of the claim": (token(groups=["sales"]), DENIED),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", CASES)
def test_a_token_is_let_through_or_refused(
    cluster: Cluster, namespace: Namespace, protocol: Protocol, case: str
) -> None:
    said, expected = CASES[case]
    answer = caller(cluster, namespace, said).once(protocol)
    assert answer.startswith(expected[PROTOCOLS.index(protocol)]), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_that_no_rule_names_is_closed_to_a_good_token(
    cluster: Cluster, namespace: Namespace, protocol: Protocol
) -> None:
    answer = caller(cluster, namespace, token(), CLOSED).once(protocol)
    assert answer.startswith(DENIED[PROTOCOLS.index(protocol)]), answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_is_not_reached_through_the_host_of_another(
    cluster: Cluster, namespace: Namespace, protocol: Protocol
) -> None:
    """The host decides which pods are asked, whatever the path or the message says; those know their own model alone."""
    asker = Caller(cluster, namespace.host(OPEN), CLOSED, {"authorization": f"Bearer {token()}"})
    answer = asker.once(protocol)
    assert answer.startswith(("404", "NOT_FOUND")[PROTOCOLS.index(protocol)]), answer


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/repository/index", 403),
        (f"/v2/repository/models/{OPEN}/unload", 403),
        ("/v2/models/../repository/index", 403),
        ("/v2//repository/index", 403),
        ("/v2/models/%2e%2e/repository/index", 403),
        ("/v2/%72epository/index", 403),
        ("/v2%2frepository/index", 400),
        ("/v2/models/x%2f..%2f..%2frepository/index", 400),
        ("/v2/models/x%5c..%5c..%5crepository/index", 400),
    ],
)
def test_nobody_reaches_the_repository_however_the_path_is_written(
    cluster: Cluster, namespace: Namespace, path: str, status: int
) -> None:
    headers = {"Host": namespace.host(OPEN), "Authorization": f"Bearer {token()}"}
    with httpx.Client(base_url=f"http://{cluster.gateway}", headers=headers) as client:
        # As it is written: the client would tidy it up itself.
        request = client.build_request("POST", "/", json={})
        request.url = request.url.copy_with(raw_path=path.encode())
        answer = client.send(request)
    assert answer.status_code == status, answer.text


def test_keys_change_without_a_refusal(cluster: Cluster, namespace: Namespace, release: str) -> None:
    """As issuers do it: the new key beside the old one, then tokens by the new one, then the old one goes."""
    by_old, by_new = (caller(cluster, namespace, token(each)) for each in (KEY, OTHER_KEY))
    with Steadily(by_old) as before:
        namespace.release(release, values(KEY, OTHER_KEY))
        for protocol in PROTOCOLS:
            until("the new key is known", lambda: by_new.once(protocol) == "1")  # noqa: B023
    with Steadily(by_new) as after:
        namespace.release(release, values(OTHER_KEY))
        for protocol, refused in zip(PROTOCOLS, UNKNOWN, strict=True):
            until("the old key is forgotten", lambda: by_old.once(protocol).startswith(refused))  # noqa: B023
    assert before.failures("1") == after.failures("1") == {}
    assert before.answers["1"] > 10 < after.answers["1"]
