import pytest

from model.errors import MethodNotAllowed, NotFound
from model.rest.routes import ROUTES, Router

ROUTER = Router(ROUTES)


@pytest.mark.parametrize(
    ("method", "path", "template", "model", "version"),
    [
        ("GET", "/", "/", "", ""),
        ("GET", "/v2", "/v2", "", ""),
        ("GET", "/v2/", "/v2", "", ""),
        ("POST", "/v2/models/penguins/infer", "/v2/models/{model}/infer", "penguins", ""),
        ("POST", "/v2/models/penguins/infer/", "/v2/models/{model}/infer", "penguins", ""),
        (
            "POST",
            "/v2/models/a.b-c_1/versions/12/infer",
            "/v2/models/{model}/versions/{version}/infer",
            "a.b-c_1",
            "12",
        ),
        ("GET", "/v2/models/stats", "/v2/models/stats", "", ""),
        ("GET", "/v2/models/stats/stats", "/v2/models/{model}/stats", "stats", ""),
        ("POST", "/v1/models/penguins:predict", "/v1/models/{model}:predict", "penguins", ""),
        ("GET", "/v1/models/penguins", "/v1/models/{model}", "penguins", ""),
        ("POST", "/predict", "/predict", "", ""),
        ("HEAD", "/v2/health/live", "/v2/health/live", "", ""),
    ],
)
def test_finds_the_route_and_the_names_in_the_path(
    method: str, path: str, template: str, model: str, version: str
) -> None:
    found = ROUTER.find(path)
    assert found.route(method, path).path == template
    assert (found.model, found.version) == (model, version)


@pytest.mark.parametrize(
    "path",
    [
        "/v3",
        "/v2//",
        "/V2",
        "/v2/models//infer",
        "/v2/models/../infer",
        "/v2/models/.hidden/ready",
        "/v2/models/a b/ready",
        "/v2/models/a\n/ready",
        "/v2/models/é/ready",
        "/v2/models/penguins/versions//infer",
        "/v1/models/penguins:explain",
        "/predict/penguins/3",
        "/v2/models/" + "a" * 256 + "/ready",
        "/" + "a" * 5000,
    ],
)
def test_does_not_find_what_is_not_there(path: str) -> None:
    with pytest.raises(NotFound, match="There is nothing at"):
        ROUTER.find(path)


def test_names_the_methods_of_a_path() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.find("/v2").route("POST", "/v2")
    assert caught.value.allow == "GET, HEAD"
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.find("/predict").route("GET", "/predict")
    assert caught.value.allow == "POST"


def test_remembers_no_more_paths_than_it_should() -> None:
    router = Router(ROUTES)
    for i in range(3000):
        assert router.find(f"/predict/m{i}").model == f"m{i}"
    assert len(router._known) <= 1024


def test_every_operation_stands_once() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_probes_need_no_key() -> None:
    public = {route.path for route in ROUTES if route.public}
    assert public == {
        "/",
        "/docs",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/{model}/ready",
        "/v2/models/{model}/versions/{version}/ready",
    }
