"""The policies in a real Envoy, at the Gateway and in the pods: who is let through, and what the others are told."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from model.grpc import open_inference_pb2 as pb
from tests.deploy.conftest import CLASSES
from tests.deploy.mesh import BODY, CHURN, DOMAIN, IRIS, SERVICE, Caller, Issuer, Mesh
from tests.deploy.rendering import objects, values_of
from tests.servers import ServerProcess

OK, DENIED, UNAUTHENTICATED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED


def values(issuer: Issuer) -> dict[str, Any]:
    """Return those of ``ci/auth-values.yaml`` with the keys in them, for Envoy is not to fetch any."""
    found = values_of("auth")
    del found["auth"]["jwksUri"]
    found["auth"]["jwks"] = issuer.keys
    return found


@pytest.fixture(scope="module")
def mesh(servers: Mapping[str, ServerProcess], issuer: Issuer, mesh_directory: Path) -> Iterator[Mesh]:
    with Mesh(mesh_directory / "auth", objects(values(issuer)), servers) as found:
        yield found


# --- tokens


def test_a_good_token_is_answered_over_both_protocols(mesh: Mesh, issuer: Issuer) -> None:
    with Caller(mesh.port, issuer.token(groups=["sales", "data-science"])) as scientist:
        iris = {CLASSES["iris"], CLASSES["iris-canary"]}
        assert scientist.infer() in iris
        assert scientist.call() in iris


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("expired", {"exp": 1}),
        ("not yet valid", {"nbf": int(time.time()) + 3600}),
        ("of another issuer", {"iss": "https://evil.example.com"}),
        ("without an issuer", {"iss": None}),
    ],
)
def test_a_bad_token_is_401(mesh: Mesh, issuer: Issuer, name: str, claims: dict[str, Any]) -> None:
    refused(mesh, issuer.token(groups=["risk"], **claims))


def test_a_bad_signature_is_401(mesh: Mesh, issuer: Issuer) -> None:
    forged, good = Issuer().token(groups=["risk"]), issuer.token(groups=["risk"])
    unsigned = "eyJhbGciOiJub25lIn0." + good.split(".")[1] + "."
    for token in (forged, good[:-20] + forged[-20:], unsigned, "garbage", "a.b.c"):
        refused(mesh, token)


def refused(mesh: Mesh, token: str) -> None:
    with Caller(mesh.port, token) as caller:
        assert caller.infer() == 401
        assert caller.call() is UNAUTHENTICATED


def test_no_token_is_403(mesh: Mesh) -> None:
    with Caller(mesh.port) as caller:
        assert caller.infer() == 403
        assert caller.call() is DENIED


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"groups": ["sales"]},
        {"groups": "data-science-interns"},
        {"groups": ["risk"], "aud": "another.example.com"},
        {"groups": ["risk"], "aud": None},
        {"groups": ["risk"], "sub": None},
        {"scope": "infer"},
    ],
    ids=str,
)
def test_a_good_token_that_no_rule_is_for_is_403(mesh: Mesh, issuer: Issuer, claims: dict[str, Any]) -> None:
    with Caller(mesh.port, issuer.token(**claims)) as caller:
        assert caller.infer() == 403
        assert caller.call() is DENIED


@pytest.mark.parametrize(
    "claims",
    [{"groups": ["risk"]}, {"groups": "risk"}, {"groups": ["risk"], "aud": ["a", "models.example.com"]}],
    ids=str,
)
def test_a_claim_is_a_text_or_a_list_that_holds_it(mesh: Mesh, issuer: Issuer, claims: dict[str, Any]) -> None:
    with Caller(mesh.port, issuer.token(**claims)) as caller:
        assert caller.infer() in CLASSES.values()


# --- rules, which the Gateway and the pods ask alike

SCIENTIST: dict[str, Any] = {"groups": ["sales", "data-science"]}
SCOPED: dict[str, Any] = {"scope": "read infer"}


@pytest.mark.parametrize(
    ("host", "method", "path", "claims", "status"),
    [
        (IRIS, "POST", "/v2/models/iris/infer", SCIENTIST, 200),
        (IRIS, "GET", "/v2/models/iris", SCIENTIST, 200),
        (f"{IRIS}:8443", "POST", "/v2/models/iris/infer", SCIENTIST, 200),
        (IRIS.upper(), "POST", "/v2/models/iris/infer", SCIENTIST, 200),
        (CHURN, "POST", "/v2/models/churn/infer", SCIENTIST, 200),
        (CHURN, "POST", "/v2/models/churn/infer", SCOPED, 200),
        (CHURN, "GET", "/v2/models/churn/infer", SCOPED, 403),
        (CHURN, "GET", "/v2/models/churn", SCOPED, 403),
        (CHURN, "POST", "/v2/models/churn/infer/", SCOPED, 403),
        (IRIS, "POST", "/v2/models/iris/infer", SCOPED, 403),
        (IRIS, "POST", "/v2/models/churn/infer", SCOPED, 403),
        (IRIS, "GET", "/v2/health/ready", {}, 200),
        (IRIS, "POST", "/v2/health/ready", {}, 403),
        (IRIS, "GET", "/v2/health/ready", None, 403),
        (IRIS, "POST", "/v2/repository/index", SCIENTIST, 403),
        (IRIS, "POST", "/v2/repository/models/iris/load", SCIENTIST, 403),
        (f"{IRIS}.", "POST", "/v2/models/iris/infer", SCIENTIST, 403),
        (f"{IRIS}.evil.com", "POST", "/v2/models/iris/infer", SCIENTIST, 403),
        (f"walrus-{DOMAIN}", "POST", "/v2/models/iris/infer", SCIENTIST, 403),
    ],
)
@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
def test_who_may_call_what_over_rest(
    *,
    mesh: Mesh,
    issuer: Issuer,
    host: str,
    method: str,
    path: str,
    claims: dict[str, Any] | None,
    status: int,
    http2: bool,
) -> None:
    token = None if claims is None else issuer.token(**claims)
    with Caller(mesh.port, token, host, http2=http2) as caller:
        assert caller.rest(path, method, BODY if method == "POST" else None).status_code == status


@pytest.mark.parametrize(
    ("host", "method", "claims", "code"),
    [
        (IRIS, "ServerReady", SCIENTIST, OK),
        (IRIS, "ServerReady", SCOPED, DENIED),
        (CHURN, "ServerReady", SCIENTIST, OK),
        (CHURN, "ServerReady", SCOPED, DENIED),
        (CHURN, "ModelInfer", SCOPED, OK),
        (IRIS, "ModelInfer", SCOPED, DENIED),
        (IRIS, "RepositoryIndex", SCIENTIST, DENIED),
        (IRIS, "RepositoryModelLoad", SCIENTIST, DENIED),
        (IRIS, "RepositoryModelUnload", SCIENTIST, DENIED),
        (f"walrus-{DOMAIN}", "ServerReady", SCIENTIST, DENIED),
    ],
)
def test_who_may_call_what_over_grpc(
    *, mesh: Mesh, issuer: Issuer, host: str, method: str, claims: dict[str, Any], code: grpc.StatusCode
) -> None:
    with Caller(mesh.port, issuer.token(**claims), host) as caller:
        if method == "ModelInfer":
            answer = caller.call(model=host.split("-", maxsplit=1)[0])
            assert (OK if answer in CLASSES.values() else answer) is code
        else:
            assert caller.call(f"{SERVICE}/{method}", getattr(pb, f"{method}Request")()) is code


def test_a_request_is_for_the_host_in_its_target_whatever_its_header_says(mesh: Mesh, issuer: Issuer) -> None:
    with Caller(mesh.port, issuer.token(**SCOPED), CHURN) as caller:
        assert caller.rest(f"http://{IRIS}/v2/models/iris/infer", body=BODY).status_code == 403
        assert caller.rest(f"http://{IRIS}/v2/models/churn/infer", body=BODY).status_code == 403


def test_an_escaped_slash_is_refused_outright(mesh: Mesh, issuer: Issuer) -> None:
    with Caller(mesh.port, issuer.token(**SCIENTIST)) as caller:
        for path in ("/v2/models%2firis/infer", "/v2/models%5Ciris/infer", "/v2/repository%2Findex"):
            assert caller.rest(path, body=BODY).status_code == 400
        escaped = f"{SERVICE}%2fRepositoryIndex"
        assert caller.call(escaped, pb.RepositoryIndexRequest()) is grpc.StatusCode.INTERNAL


# --- past the Gateway


def test_a_pod_takes_nobody_without_a_certificate_of_the_mesh(mesh: Mesh, issuer: Issuer) -> None:
    token = issuer.token(**SCIENTIST)
    with Caller(mesh.pods.port("iris:80"), token) as outsider, pytest.raises(httpx.TransportError):
        outsider.infer()
    with Caller(mesh.pods.port("iris:8081"), token) as outsider:
        assert outsider.call() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("service", CLASSES)
@pytest.mark.parametrize(
    ("claims", "status", "code"),
    [
        (None, 403, DENIED),
        ({}, 403, DENIED),
        ({"exp": 1, **SCIENTIST}, 401, UNAUTHENTICATED),
        (SCIENTIST, 200, OK),
    ],
    ids=str,
)
def test_a_pod_asks_its_neighbours_too(
    *, mesh: Mesh, issuer: Issuer, service: str, claims: dict[str, Any] | None, status: int, code: grpc.StatusCode
) -> None:
    token, model = None if claims is None else issuer.token(**claims), service.removesuffix("-canary")
    with Caller(mesh.pods.port(f"{service}:80"), token, identity=mesh.identity) as neighbour:
        assert neighbour.infer(model) == (CLASSES[service] if status == 200 else status)
        assert neighbour.rest("/v2/repository/index", body={}).status_code == (401 if status == 401 else 403)
    with Caller(mesh.pods.port(f"{service}:8081"), token, identity=mesh.identity) as neighbour:
        assert neighbour.call(model=model) == (CLASSES[service] if code is OK else code)


def test_a_rule_for_one_model_opens_no_pod_of_another(mesh: Mesh, issuer: Issuer) -> None:
    for service, status in (("churn", 200), ("iris", 403), ("iris-canary", 403)):
        port, token = mesh.pods.port(f"{service}:80"), issuer.token(**SCOPED)
        with Caller(port, token, CHURN, identity=mesh.identity) as neighbour:
            assert neighbour.rest("/v2/models/churn/infer", body=BODY).status_code == status


def test_without_its_rules_everything_is_denied(
    servers: Mapping[str, ServerProcess], issuer: Issuer, tmp_path: Path
) -> None:
    rendered = objects(values(issuer))
    left = [each for each in rendered if "-allow" not in each["metadata"]["name"]]
    assert len(rendered) - len(left) == 1 + len(CLASSES)
    token = issuer.token(**SCIENTIST)
    with Mesh(tmp_path / "mesh", left, servers) as mesh, Caller(mesh.port, token) as caller:
        assert caller.infer() == 403
        for service in CLASSES:
            with Caller(mesh.pods.port(f"{service}:80"), token, identity=mesh.identity) as neighbour:
                assert neighbour.infer() == 403
