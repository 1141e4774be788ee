"""
Paths that are written so that a rule sees one and the server another.

The caller may ask for what is under ``/v2/models/churn/``, and asks for the repository and for another model of the same
server. Whatever the mesh does to paths, it is told nothing; and as the chart sets the proxies, the server isn't even asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import grpc
import pytest

from model.grpc import open_inference_pb2 as pb
from tests.deploy.conftest import CLASSES
from tests.deploy.mesh import BODY, CHURN, IRIS, SERVICE, Caller, Issuer, Mesh
from tests.deploy.rendering import objects, values_of
from tests.servers import ServerProcess

INSIDE = "/v2/models/churn"
BESIDE = ("/v2/repository/index", "/v2/models/iris/infer")
SPELLINGS = {
    "plain": "{target}",
    "dots": INSIDE + "/../../..{target}",
    "a dot more": INSIDE + "/./../.././..{target}",
    "escaped dots": INSIDE + "/%2e%2e/%2E%2e/.%2e{target}",
    "escaped slashes": INSIDE + "/..%2f..%2F..{target}",
    "escaped throughout": INSIDE + "%2f..%2f..%2f..{escaped}",
    "escaped twice": INSIDE + "/%252e%252e/%252e%252e/%252e%252e{target}",
    "escaped slashes, twice": INSIDE + "/..%252f..%252f..{target}",
    "backslashes": INSIDE + "/..\\..\\..{target}",
    "escaped backslashes": INSIDE + "/..%5c..%5C..{target}",
    "doubled slashes": INSIDE + "//..//..//../..//..//..{target}",
    "slashes before": "//{target}",
    "a slash doubled": "{doubled}",
    "escaped letters": "{lettered}",
    "capitals": "{upper}",
    "parameters": INSIDE + "/..;/..;/..;{target}",
    "parameters behind": "{target};x=/v2/models/churn/infer",
    "a query": "{target}?x=/v2/models/churn/infer",
    "a fragment": "{target}#/v2/models/churn/infer",
    "overlong slashes": INSIDE + "/..%c0%af..%c0%af..{target}",
    "wide slashes": INSIDE + "/..%ef%bc%8f..%ef%bc%8f..{target}",
    "a zero": "{target}%00/v2/models/churn/infer",
    "a tab": "{target}%09",
}


UNDER_THE_PREFIX = {"escaped twice", "escaped slashes, twice", "overlong slashes", "wide slashes"}
"""Names that lie under the prefix for everybody, and of which the server knows none."""


def spelled(how: str, target: str) -> str:
    return SPELLINGS[how].format(
        target=target,
        escaped=target.replace("/", "%2f"),
        doubled=target.replace("/", "//"),
        lettered=target.replace("r", "%72"),
        upper=target.upper(),
    )


@pytest.fixture(scope="module")
def server(servers: Mapping[str, ServerProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Start a server of both models, which the chart never does: here one could be mistaken for the other."""
    root = tmp_path_factory.mktemp("both")
    for name in ("iris", "churn"):
        arguments = [*servers[name].process.args]  # type: ignore[misc]
        (root / name).symlink_to(arguments[arguments.index("--model_dir") + 1])
    with ServerProcess.start("--model_root", str(root), "--drain_seconds", "0") as found:
        yield found


MESHES = [
    ("NONE", True),
    ("DEFAULT", True),
    ("DECODE_AND_MERGE_SLASHES", True),
    ("DECODE_AND_MERGE_SLASHES", False),
    ("DEFAULT", False),
    ("NONE", False),
]


@dataclass(frozen=True)
class Setting:
    """A Gateway, and how paths are written before its rules see them."""

    mesh: Mesh
    normalization: str
    """What is done to paths, by the mesh or by the chart."""

    @property
    def safe(self) -> bool:
        return self.normalization in {"OURS", "DECODE_AND_MERGE_SLASHES"}


def described(setting: tuple[str, bool]) -> str:
    normalization, ours = setting
    return f"{normalization} and the chart" if ours else normalization


@pytest.fixture(scope="module", params=MESHES, ids=described)
def setting(
    request: pytest.FixtureRequest, server: ServerProcess, issuer: Issuer, mesh_directory: Path
) -> Iterator[Setting]:
    """Allow what is under churn's prefix on its host, and everything on that of iris, but what the chart denies anyway."""
    normalization, ours = request.param
    values = values_of("auth")
    rules = [{"models": ["churn"], "paths": [f"{INSIDE}/*", f"{SERVICE}/ModelInfer"]}, {"models": ["iris"]}]
    asked: dict[str, Any] = {"issuer": issuer.name, "jwks": issuer.keys, "allow": rules, "normalizePaths": ours}
    values["auth"] = {"enabled": True, "pods": False, **asked}
    directory, backends = mesh_directory / f"paths-{normalization}-{ours}", dict.fromkeys(CLASSES, server)
    with Mesh(directory, objects(values), backends, normalization=normalization) as mesh:
        yield Setting(mesh, "OURS" if ours else normalization)


def test_the_server_itself_would_answer(server: ServerProcess) -> None:
    with Caller(server.http_port) as direct, Caller(server.grpc_port) as directly:
        assert [direct.rest(target, body=BODY).status_code for target in BESIDE] == [200, 200]
        assert directly.call(METHODS[0], pb.RepositoryIndexRequest()) is grpc.StatusCode.OK


def test_the_caller_may_ask_for_its_own_model(setting: Setting, issuer: Issuer) -> None:
    with Caller(setting.mesh.port, issuer.token(), CHURN) as caller:
        assert caller.infer("churn") == CLASSES["churn"]


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
def test_no_spelling_of_a_path_leads_beside_the_rule(setting: Setting, issuer: Issuer, http2: bool) -> None:  # noqa: FBT001
    with Caller(setting.mesh.port, issuer.token(), CHURN, http2=http2) as caller:
        answers = {
            (how, target): caller.rest(spelled(how, target), body=BODY) for how, target in product(SPELLINGS, BESIDE)
        }
    assert {
        each: answer.status_code for each, answer in answers.items() if answer.status_code not in {400, 403, 404}
    } == {}
    asked = {how for (how, _), answer in answers.items() if answer.content.startswith(b"{")}
    assert asked <= (UNDER_THE_PREFIX if setting.safe else {*SPELLINGS})


def test_no_spelling_of_the_repository_is_open_to_whom_all_else_is(setting: Setting, issuer: Issuer) -> None:
    with Caller(setting.mesh.port, issuer.token(), IRIS) as caller:
        assert caller.infer() == CLASSES["iris"]
        found = {how: caller.rest(spelled(how, BESIDE[0]), body={}).status_code for how in SPELLINGS}
    leaks = {how for how, status in found.items() if status not in {400, 403, 404}}
    # A mesh that leaves paths as they are is what `auth.normalizePaths` is for.
    assert leaks == ({"escaped letters"} if setting.normalization == "NONE" else set())


METHODS = [
    f"{SERVICE}/RepositoryIndex",
    f"{SERVICE}/ModelInfer/../RepositoryIndex",
    f"{SERVICE}/ModelInfer/%2e%2e/RepositoryIndex",
    f"{SERVICE}/ModelInfer%2f..%2fRepositoryIndex",
    f"{SERVICE}/%52epositoryIndex",
    f"{SERVICE}//RepositoryIndex",
    f"/{SERVICE}/RepositoryIndex",
    f"{SERVICE}%2fRepositoryIndex",
    f"{SERVICE}\\RepositoryIndex",
    f"{SERVICE.upper()}/RepositoryIndex",
    f"{SERVICE}/RepositoryIndex;{SERVICE}/ModelInfer",
    f"{SERVICE}/RepositoryIndex?{SERVICE}/ModelInfer",
]


@pytest.mark.parametrize("host", [IRIS, CHURN])
def test_no_spelling_of_a_method_leads_beside_the_rule(setting: Setting, issuer: Issuer, host: str) -> None:
    with Caller(setting.mesh.port, issuer.token(), host) as caller:
        codes = {method: caller.call(method, pb.RepositoryIndexRequest()) for method in METHODS}
    assert {method for method, code in codes.items() if code is grpc.StatusCode.OK} == set()
