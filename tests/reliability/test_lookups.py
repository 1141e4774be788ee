"""A served model that looks its columns up, while their source is killed, frozen and brought back under load."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pandas as pd
import pytest
from redis import Redis
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sqlalchemy import create_engine

from model.artifact import publish, verify
from model.lookup.breaker import FAILURES
from model.lookup.client import Answer
from model.lookup.sources import Kind
from model.lookup.transformer import Lookup
from tests.databases import PASSWORD, Database, hashes, postgresql, redis
from tests.protocol.encodings import infer_path
from tests.protocol.wires import Clients
from tests.reliability.conftest import Serve, until
from tests.reliability.parts import edit_manifest
from tests.reliability.test_metrics import Samples, grown, samples

CUSTOMERS: Final = 300
TIMEOUT_SECONDS: Final = 0.3
REST_SECONDS: Final = 0.5
CACHE_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 5 * TIMEOUT_SECONDS
"""Three queries that time out, one for those that came meanwhile, and what a busy machine takes."""
SENTENCE: Final = "The source of the look-up 'customers' does not answer; try again later."


def rows() -> list[tuple[int, float, str]]:
    random = np.random.default_rng(0)
    return [(i, round(float(random.normal(50, 10)), 2), ("gold", "blue")[i % 2]) for i in range(CUSTOMERS)]


@contextmanager
def _stand_in() -> Iterator[Database]:
    with hashes({f"customers:{i}": {"income": str(income), "tier": tier} for i, income, tier in rows()}) as database:
        yield database


@contextmanager
def _redis() -> Iterator[Database]:
    with redis() as database, Redis.from_url(database.url) as client:
        for i, income, tier in rows():
            client.hset(f"customers:{i}", mapping={"income": income, "tier": tier})
        yield database


@contextmanager
def _postgresql() -> Iterator[Database]:
    with postgresql() as database:
        engine = create_engine(database.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE customers (id integer PRIMARY KEY, income numeric, tier text)")
            connection.exec_driver_sql("INSERT INTO customers VALUES (%s, %s, %s)", rows())
        engine.dispose()
        yield database


@dataclass(frozen=True)
class Case:
    """A kind of source."""

    source: Kind
    run: Callable[[], AbstractContextManager[Database]]
    parameters: dict[str, Any] = field(default_factory=dict)


CASES: Final = (
    pytest.param(Case("redis", _stand_in), id="stand-in"),
    pytest.param(Case("redis", _redis), id="redis", marks=pytest.mark.system),
    pytest.param(Case("sql", _postgresql, {"table_key": "id"}), id="postgresql", marks=pytest.mark.system),
)


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    given: Case = request.param
    return given


@pytest.fixture(scope="module")
def source(case: Case) -> Iterator[Database]:
    with case.run() as source, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUSTOMERS_URL", source.url)
        yield source


@pytest.fixture(scope="module")
def root(case: Case, source: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish the model twice: one that turns requests away without its source, and one that answers by defaults."""
    root = tmp_path_factory.mktemp("models")
    publish_customers(root, "strict", case, "error")
    publish_customers(root, "lenient", case, "defaults")
    return root


@pytest.fixture
def database(source: Database) -> Database:
    """Have the source there, whatever a test before has done to it."""
    if not source.runs:
        source.start()
    return source


def publish_customers(root: Path, name: str, case: Case, on_failure: Answer) -> Path:
    X = pd.DataFrame({"customer": np.arange(CUSTOMERS), "amount": np.random.default_rng(1).normal(size=CUSTOMERS)})
    lookup = Lookup(
        name="customers",
        key="customer",
        columns={"income": "number", "tier": "text"},
        defaults={"income": 0, "tier": "blue"},
        address="CUSTOMERS_URL",
        table="customers",
        source=case.source,
        on_failure=on_failure,
        timeout_seconds=TIMEOUT_SECONDS,
        rest_seconds=REST_SECONDS,
        cache_seconds=CACHE_SECONDS,
        **case.parameters,
    )
    columns = make_column_transformer(
        (StandardScaler(), ["amount", "income"]), (OneHotEncoder(sparse_output=False), ["tier"])
    )
    y = np.array([income > 50 for _, income, _ in rows()])
    return publish(
        make_pipeline(lookup, columns, LogisticRegression(C=100)).fit(X, y), X, name=name, root=root, accelerate=False
    )


def body(*customers: Any) -> dict[str, Any]:
    inputs: list[dict[str, Any]] = [
        {"name": "customer", "datatype": "INT64", "shape": [len(customers)], "data": list(customers)},
        {"name": "amount", "datatype": "FP64", "shape": [len(customers)], "data": [0.0] * len(customers)},
    ]
    return {"inputs": inputs}


def ask(clients: Clients, model: str, *customers: Any) -> httpx.Response:
    return clients.rest.post(infer_path(model), json=body(*customers))


def answers(clients: Clients, model: str, *customers: Any) -> list[bool]:
    response = ask(clients, model, *customers)
    assert response.status_code == 200, response.text
    (output,) = response.json()["outputs"]
    found: list[bool] = output["data"]
    return found


def expected(customers: Sequence[int]) -> list[bool]:
    return [rows()[i][1] > 50 for i in customers]


@dataclass
class Seen:
    """What a client has seen of one request: when it was answered, how long that took, and with what."""

    at: float
    seconds: float
    code: int
    right: bool


@contextmanager
def load(clients: Clients, model: str) -> Iterator[list[Seen]]:
    """Ask from two clients at once, each for other customers every time."""
    seen: list[Seen] = []
    stop = threading.Event()

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        with httpx.Client(base_url=clients.rest.base_url, timeout=30) as client:
            while not stop.is_set():
                customers = random.choice(CUSTOMERS, 3, replace=False).tolist()
                start = time.monotonic()
                response = client.post(infer_path(model), json=body(*customers))
                end = time.monotonic()
                answered = response.status_code == 200
                right = response.json()["outputs"][0]["data"] == expected(customers) if answered else False
                assert answered or response.json() == {"error": SENTENCE}
                assert answered or response.headers["Retry-After"]
                time.sleep(0.01)
                seen.append(Seen(end, end - start, response.status_code, right))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def lively(clients: Clients) -> bool:
    """Whether the server is alive and ready, and says so at once."""
    start = time.monotonic()
    codes = [clients.rest.get(f"/v2/health/{state}").status_code for state in ("live", "ready")]
    assert time.monotonic() - start < 1
    return codes == [200, 200]


@pytest.fixture(scope="module")
def clients(root: Path, serve_all: Serve) -> Clients:
    return serve_all("--model_root", root)


@pytest.mark.parametrize("trouble", ["kill", "freeze"])
def test_without_its_source_a_model_answers_as_declared_and_soon(
    database: Database, clients: Clients, trouble: str
) -> None:
    assert answers(clients, "strict", 0, 1, 2) == expected([0, 1, 2])
    with load(clients, "strict") as strict, load(clients, "lenient") as lenient:
        until(lambda: len(strict) > 20 and len(lenient) > 20, "all is well")
        getattr(database, trouble)()
        down = time.monotonic()
        until(lambda: time.monotonic() > down + PATIENCE_SECONDS, "the source is down for a while")
        assert lively(clients)
        {"kill": database.start, "freeze": database.thaw}[trouble]()
        up = time.monotonic()
        until(lambda: time.monotonic() > up + 2 * REST_SECONDS + TIMEOUT_SECONDS, "it is there again")
        well = time.monotonic()
        until(lambda: strict[-1].at > well + 0.3 and lenient[-1].at > well + 0.3, "requests came since")
    assert max(seen.seconds for seen in (*strict, *lenient)) < PATIENCE_SECONDS
    without = [seen for seen in strict if down + PATIENCE_SECONDS / 2 < seen.at < up]
    assert Counter(seen.code for seen in without).keys() == {503}
    assert {seen.code for seen in lenient} == {200}
    assert not all(seen.right for seen in lenient)
    for seen in (strict, lenient):
        healed = [each for each in seen if each.at > well]
        assert healed
        assert all(each.right for each in healed)
    assert PASSWORD not in str(clients.server)


def test_what_is_looked_up_is_counted(database: Database, clients: Clients) -> None:
    time.sleep(CACHE_SECONDS)  # what a test before has asked for is not known any more
    before = counts(clients)
    assert answers(clients, "strict", *range(CUSTOMERS)) == expected(range(CUSTOMERS))
    answers(clients, "strict", 9999)
    database.kill()
    for _ in range(FAILURES + 1):
        assert ask(clients, "strict", CUSTOMERS).json() == {"error": SENTENCE}
    assert grown(before, counts(clients)) == {
        ("inference_lookup_keys_total", "found"): CUSTOMERS,
        ("inference_lookup_keys_total", "unknown"): 1,
        ("inference_lookup_keys_total", "failed"): FAILURES + 1,
        ("inference_lookup_queries_total", "success"): 2,  # many rows are one query
        ("inference_lookup_queries_total", "error"): FAILURES,
        ("inference_lookup_queries_total", "skipped"): 1,
    }
    until(lambda: "left alone" in last_told(clients), "the log says so")
    assert PASSWORD not in str(clients.server)


def last_told(clients: Clients) -> str:
    """Return what the server has logged last of a look-up."""
    told = [line["event"] for line in clients.server.log if line.get("logger") == "model.lookup.client"]
    return str(told[-1]) if told else ""


def counts(clients: Clients) -> Samples:
    counted = samples(clients, model="strict", version="1", lookup="customers")
    return defaultdict(float, {key: value for key, value in counted.items() if key[0].endswith("_total")})


def test_a_server_starts_while_the_source_is_down(database: Database, root: Path, serve: Serve) -> None:
    database.kill()
    clients = serve("--model_root", root, "--workers", "2")
    assert lively(clients)
    assert ask(clients, "strict", 1).status_code == 503
    database.start()
    until(lambda: ask(clients, "strict", 1).status_code == 200, "the source is trusted again")
    assert answers(clients, "strict", 1, 2) == expected([1, 2])


def test_an_address_that_is_missing_is_a_reason_not_to_serve(database: Database, root: Path, serve: Serve) -> None:
    clients = serve("--model_root", root, env={"CUSTOMERS_URL": ""}, until="listening")
    refused = clients.server.wait_for("version refused")
    assert "environment variable CUSTOMERS_URL, which is not set" in refused["reason"]


def test_the_modules_of_the_source_are_looked_for_before_anything_is_unpickled(
    case: Case, database: Database, tmp_path: Path
) -> None:
    version = publish_customers(tmp_path, "strict", case, "error")
    module = {"sql": "sqlalchemy", "redis": "redis"}[case.source]

    def rename(manifest: dict[str, Any]) -> None:
        assert list(manifest["modules"]) == [module]
        manifest["modules"] = {"no_such_module": manifest["modules"][module]}

    edit_manifest(version, rename)
    with pytest.raises(Exception, match="needs the module 'no_such_module'"):
        verify(version)
