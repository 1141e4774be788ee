"""The data plane between real models and front-ends that are plain functions."""

import asyncio
import gc
import pickle
import shutil
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from structlog.testing import capture_logs

from model.artifact import LoadPolicy, publish
from model.call import Call
from model.dataplane import DataPlane
from model.datatypes import Datatype
from model.errors import (
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    NotReady,
    Overloaded,
    PermissionDenied,
    ServingError,
    TooLarge,
    Unauthenticated,
)
from model.keys import ANYONE, NOBODY, Client
from model.metrics import Metrics
from model.repository import ModelRepository, State
from model.servable import Servable, load_servable
from model.settings import Settings
from model.signature import Signature
from model.tensors import InferRequest, InferResponse, RequestedOutput, Tensor
from tests.keys import make_key

pytestmark = pytest.mark.asyncio

ADMIN = Client("root", None, admin=True)
POINTS = np.random.default_rng(2).normal(size=(20, 2))
SOON = 20.0
LARGE = 70_000
"""Bytes of a body that is decoded in a thread."""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of a classifier, and a regressor without a manifest."""
    root = tmp_path_factory.mktemp("pristine")
    for _ in range(2):
        publish(LogisticRegression().fit(POINTS, POINTS[:, 0] > 0), POINTS, name="signs", root=root)
    (root / "sums").mkdir()
    (root / "sums" / "model.pkl").write_bytes(pickle.dumps(LinearRegression().fit(POINTS, POINTS.sum(axis=1))))
    return root


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "models")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2, thread_name_prefix="model") as executor:
        yield executor


Make = Callable[..., DataPlane]


@pytest.fixture
def make(root: Path, executor: Executor) -> Iterator[Make]:
    """Make a data plane over all models with settings of one's own; ``adapt`` changes servables as they are loaded."""
    loader = ThreadPoolExecutor(1)

    def make(
        adapt: Callable[[Servable], Servable] = lambda servable: servable,
        only: tuple[str, ...] = ("signs", "sums"),
        **settings: Any,
    ) -> DataPlane:
        def load(directory: Path, name: str, version: str) -> Servable:
            return adapt(load_servable(directory, name, LoadPolicy(), version=version or None))

        metrics = Metrics()
        repository = ModelRepository({name: root / name for name in only}, load, metrics, max_versions=3)
        for name in repository:
            repository.load(name)
        return DataPlane(repository, metrics, Settings(**settings), executor, loader)

    yield make
    loader.shutdown()


@pytest.fixture
def plane(make: Make) -> DataPlane:
    return make()


def request(rows: int = 1, *outputs: str) -> InferRequest:
    data = np.tile([0.5, 2.0], (rows, 1))
    return InferRequest("", "", [Tensor("x", Datatype.FP64, data)], [RequestedOutput(name) for name in outputs], "7")


def response_of(_: InferRequest, response: InferResponse) -> InferResponse:
    return response


async def infer(
    plane: DataPlane, model: str = "sums", version: str = "", sent: InferRequest | None = None, **call: Any
) -> InferResponse:
    """Ask as a front-end does whose bytes are tensors already."""
    asked = sent or request()
    return await plane.infer(
        model, version, lambda _: asked, response_of, Call(call.pop("protocol", "rest"), **{"client": ANYONE} | call)
    )


def counts(plane: DataPlane) -> Counter[str]:
    """Return the requests counted, by model, version, protocol and code, and those turned away, by reason."""
    found: Counter[str] = Counter()
    for family in plane._metrics.collect():
        for sample in family.samples:
            if sample.name == "inference_requests_total" and sample.value:
                found[" ".join(sample.labels[name] for name in ("model", "version", "protocol", "code"))] += 1
            if sample.name == "inference_rejected_total" and sample.value:
                found[sample.labels["reason"]] += int(sample.value)
    return found


class Slow:
    """An engine that answers when the test lets it, and tells in which threads it ran."""

    name = "slow"

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.threads: list[str] = []

    def run(self, table: Any, methods: Any) -> dict[str, Any]:
        self.threads.append(threading.current_thread().name)
        self.entered.set()
        assert self.leave.wait(SOON)
        return dict.fromkeys(methods, np.zeros(len(table)))

    def adapt(self, servable: Servable) -> Servable:
        return replace(servable, engine=self) if servable.name == "sums" else servable


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.leave.set()


async def entered(slow: Slow) -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, slow.entered.wait, SOON)


class TestAnAnswer:
    async def test_is_the_estimators_with_model_version_and_id(self, plane: DataPlane) -> None:
        response = await infer(plane, "signs", sent=request(2, "predict_proba", "predict"))
        assert (response.model_name, response.model_version, response.id) == ("signs", "2", "7")
        probabilities, labels = response.outputs
        estimator = plane._repository.select("signs").artifact.estimator
        assert np.array_equal(probabilities.data, estimator.predict_proba([[0.5, 2.0]] * 2))
        assert labels.data.tolist() == [True, True]

    async def test_is_that_of_the_version_asked_for(self, plane: DataPlane) -> None:
        assert (await infer(plane, "signs", "1")).model_version == "1"

    async def test_is_counted_and_timed(self, plane: DataPlane) -> None:
        await infer(plane, "signs", sent=request(3))
        await infer(plane, "signs", sent=request(2), protocol="grpc")
        assert counts(plane) == {"signs 2 rest 200": 1, "signs 2 grpc 200": 1}
        (statistics,) = await plane.statistics(ANYONE, "signs", "2")
        assert (statistics.inference_count, statistics.execution_count) == (5, 2)
        parts = (statistics.queue, statistics.compute_input, statistics.compute_infer, statistics.compute_output)
        assert all(part.ns > 0 for part in parts)
        assert sum(part.ns for part in parts) <= statistics.success.ns

    async def test_is_given_in_one_log_line_if_wanted(self, make: Make) -> None:
        plane = make(enable_latency_logging=True)
        with capture_logs() as log:
            await infer(plane, "signs", request_id="r-1", client=Client("alice", frozenset({"signs"})))
            with pytest.raises(NotFound):
                await infer(plane, "nobody", request_id="r-2")
        assert [line.pop("duration_ms") > 0 for line in log] == [True, True]
        line = {"event": "request", "log_level": "info", "protocol": "rest"}
        assert log == [
            line | {"request_id": "r-1", "client": "alice", "model": "signs", "version": "2", "code": 200, "rows": 1},
            line | {"request_id": "r-2", "client": "", "model": "", "version": "", "code": 404, "rows": 0},
        ]


class TestWithoutAName:
    async def test_the_only_model_answers(self, make: Make) -> None:
        assert (await infer(make(only=("sums",)), "")).model_name == "sums"

    async def test_a_model_that_came_later_and_does_not_answer_leaves_no_choice(self, make: Make, root: Path) -> None:
        plane = make(only=("sums",))
        plane._repository.discover({"sums": root / "sums", "late": root / "late"})
        plane._repository.refresh("late")
        assert (await infer(plane, "")).model_name == "sums"

    async def test_the_default_model_answers(self, make: Make) -> None:
        assert (await infer(make(default_model="signs"), "")).model_name == "signs"

    async def test_there_is_no_choosing_between_several(self, plane: DataPlane) -> None:
        with pytest.raises(InvalidInput, match="there is no default one; expected one of signs, sums"):
            await infer(plane, "")
        assert counts(plane) == {"  rest 400": 1}

    async def test_there_is_nothing_where_there_is_no_model(self, make: Make) -> None:
        with pytest.raises(InvalidInput, match="expected one of none"):
            make(only=()).default_model(ANYONE)


class TestARefusal:
    async def test_of_the_decoder_is_counted(self, plane: DataPlane) -> None:
        def refuse(_: Signature) -> InferRequest:
            raise InvalidInput("It is no JSON.")

        with pytest.raises(InvalidInput, match="no JSON"):
            await plane.infer("sums", "", refuse, response_of, Call("grpc", client=ANYONE))
        assert counts(plane) == {"sums  grpc 400": 1}

    async def test_of_a_row_too_many_is_counted_by_its_reason(self, make: Make) -> None:
        plane = make(max_rows=2)
        assert len((await infer(plane, sent=request(2))).outputs[0].data) == 2
        with pytest.raises(TooLarge, match=r"^The request has 3 rows; expected at most 2, so send fewer at once\.$"):
            await infer(plane, sent=request(3))
        assert counts(plane) == {"sums  rest 200": 1, "sums  rest 413": 1, "too_large": 1}

    async def test_of_an_unknown_output_names_those_there_are(self, plane: DataPlane) -> None:
        with pytest.raises(InvalidInput, match="Output 'colour' is unknown; expected one of predict"):
            await infer(plane, "signs", sent=request(1, "colour"))

    async def test_of_an_unknown_name_bears_no_label_of_it(self, plane: DataPlane) -> None:
        for version in ("", "9"):
            with pytest.raises(NotFound):
                await infer(plane, "signs" if version else "nobody", version)
        assert counts(plane) == {"  rest 404": 1}

    async def test_of_the_model_itself_is_logged_with_its_cause(self, make: Make) -> None:
        class Broken:
            name = "broken"

            def run(self, table: Any, methods: Any) -> dict[str, Any]:
                raise ZeroDivisionError("secret")

        plane = make(lambda servable: replace(servable, engine=Broken()))
        with capture_logs() as log, pytest.raises(ServingError, match=r"^Model 'sums' failed on this input"):
            await infer(plane, request_id="r-3")
        (line,) = log
        assert (line["event"], line["model"], line["request_id"]) == ("model failed", "sums", "r-3")
        assert isinstance(line["exc_info"].__cause__, ZeroDivisionError)
        assert counts(plane) == {"sums  rest 500": 1}

    async def test_by_accident_is_counted_and_left_to_the_front_end(self, plane: DataPlane) -> None:
        def stumble(*_: object) -> InferResponse:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await plane.infer("sums", "", lambda _: request(), stumble, Call("rest", client=ANYONE))
        assert counts(plane) == {"sums  rest 500": 1}


class TestInFlight:
    async def test_there_are_no_more_than_the_limit(self, make: Make, slow: Slow) -> None:
        plane = make(slow.adapt, max_in_flight=1)
        first = asyncio.create_task(infer(plane))
        await entered(slow)
        for model in ("sums", "signs"):
            with pytest.raises(Overloaded):
                await asyncio.wait_for(infer(plane, model), 5)
        slow.leave.set()
        assert (await first).outputs[0].data.tolist() == [0.0]
        assert (await infer(plane, "signs")).model_name == "signs"
        assert counts(plane)["overloaded"] == 2

    async def test_a_client_that_left_counts_no_longer(self, make: Make, slow: Slow) -> None:
        plane = make(slow.adapt, max_in_flight=1)
        task = asyncio.create_task(infer(plane))
        await entered(slow)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert counts(plane) == {"sums  rest 499": 1}
        assert (await infer(plane, "signs")).model_name == "signs"

    async def test_another_model_has_its_own_turn(self, make: Make, slow: Slow) -> None:
        plane = make(slow.adapt)
        first = asyncio.create_task(infer(plane))
        await entered(slow)
        assert (await asyncio.wait_for(infer(plane, "signs"), SOON)).model_name == "signs"
        slow.leave.set()
        await first

    async def test_one_model_version_runs_one_request_at_a_time(self, make: Make, slow: Slow) -> None:
        plane = make(slow.adapt)
        tasks = [asyncio.create_task(infer(plane)) for _ in range(3)]
        await entered(slow)
        assert len(slow.threads) == 1
        slow.leave.set()
        await asyncio.gather(*tasks)
        assert len(slow.threads) == 3

    async def test_what_is_late_is_not_run(self, make: Make, slow: Slow) -> None:
        plane = make(slow.adapt)
        first = asyncio.create_task(infer(plane))
        await entered(slow)
        with pytest.raises(DeadlineExceeded):
            await infer(plane, deadline=time.monotonic() + 0.05)
        slow.leave.set()
        await first
        assert len(slow.threads) == 1
        assert counts(plane) == {"sums  rest 504": 1, "sums  rest 200": 1, "deadline": 1}

    @pytest.mark.parametrize("way", ["the server's own limit", "the request's parameter"])
    async def test_the_wait_ends_by(self, make: Make, slow: Slow, way: str) -> None:
        own = way == "the server's own limit"
        plane = make(slow.adapt, request_timeout_seconds=0.2 if own else 30)
        sent = request()
        if not own:
            sent.parameters = {"timeout": 200_000}
        try:
            with pytest.raises(DeadlineExceeded):
                await infer(plane, sent=sent)
        finally:
            slow.leave.set()

    async def test_a_large_body_waits_for_a_thread_no_longer_than_its_client(
        self, make: Make, executor: ThreadPoolExecutor
    ) -> None:
        plane = make()
        leave = threading.Event()
        busy = [executor.submit(leave.wait, SOON) for _ in range(2)]
        try:
            with pytest.raises(DeadlineExceeded):
                await infer(plane, size_bytes=LARGE, deadline=time.monotonic() + 0.05)
        finally:
            leave.set()
        assert all(future.result(SOON) for future in busy)


class TestTheEventLoop:
    """What is short runs on it; what may be long is done in a thread."""

    @pytest.mark.parametrize(
        ("rows", "size", "outputs", "on_it"),
        [(4, 100, (), True), (5, 100, (), False), (4, LARGE, (), False), (4, 100, ("predict", "predict_proba"), False)],
        ids=["short", "more_rows", "large_body", "two_methods"],
    )
    async def test_runs_a_model_where_it_is_short(
        self, make: Make, slow: Slow, rows: int, size: int, outputs: tuple[str, ...], *, on_it: bool
    ) -> None:
        slow.leave.set()
        plane = make(lambda servable: replace(servable, engine=slow, inline_rows={"predict": 4, "predict_proba": 4}))
        await infer(plane, "signs", sent=request(rows, *outputs), size_bytes=size)
        assert [not name.startswith("model") for name in slow.threads] == [on_it]

    @pytest.mark.parametrize(("size", "on_it"), [(100, True), (LARGE, False)])
    async def test_decodes_small_bodies(self, plane: DataPlane, size: int, *, on_it: bool) -> None:
        threads = []

        def decode(_: Signature) -> InferRequest:
            threads.append(threading.current_thread())
            return request()

        await plane.infer("sums", "", decode, response_of, Call("rest", size_bytes=size, client=ANYONE))
        assert [thread is threading.current_thread() for thread in threads] == [on_it]

    @pytest.mark.parametrize(("rows", "on_it"), [(100, True), (9000, False)])
    async def test_encodes_small_answers(self, plane: DataPlane, rows: int, *, on_it: bool) -> None:
        threads = []

        def encode(_: InferRequest, __: InferResponse) -> None:
            threads.append(threading.current_thread())

        await plane.infer("sums", "", lambda _: request(rows), encode, Call("rest", client=ANYONE))
        assert [thread is threading.current_thread() for thread in threads] == [on_it]


class TestHealth:
    async def test_is_that_of_the_models(self, plane: DataPlane, make: Make, root: Path) -> None:
        assert plane.live()
        assert plane.ready()
        assert plane.model_ready("signs")
        assert plane.model_ready("signs", "1")
        (root / "sums" / "model.pkl").write_bytes(b"")
        broken = make()
        assert not broken.ready()
        assert broken.model_ready("signs")
        assert not broken.model_ready("sums")

    async def test_ends_with_the_drain_but_answers_go_on(self, plane: DataPlane) -> None:
        plane.draining = True
        assert plane.live()
        assert not plane.ready()
        assert not plane.model_ready("sums")
        assert (await infer(plane)).model_name == "sums"

    async def test_of_an_unknown_model_is_not_found_even_then(self, plane: DataPlane) -> None:
        plane.draining = True
        with pytest.raises(NotFound):
            plane.model_ready("nobody")


class TestWhatItSaysOfItself:
    async def test_server(self, plane: DataPlane) -> None:
        metadata = plane.server_metadata()
        assert metadata.name == "sklearn-kserve"
        assert metadata.extensions == ("binary_tensor_data", "model_repository", "statistics")

    async def test_models(self, plane: DataPlane) -> None:
        assert plane.models(ANYONE) == [("signs", "1"), ("signs", "2"), ("sums", "")]
        assert plane.model_metadata(ANYONE, "signs", "1").versions == ("1", "2")
        assert plane.model_metadata(ANYONE, "sums").versions == ()
        assert plane.signature(ANYONE, "signs").output("predict_proba") is not None

    async def test_index(self, make: Make, root: Path) -> None:
        (root / "sums" / "model.pkl").write_bytes(b"")
        plane = make()
        assert [line.state for line in plane.repository_index(ANYONE)] == [State.READY, State.READY, State.UNAVAILABLE]
        assert [line.version for line in plane.repository_index(ANYONE, ready_only=True)] == ["1", "2"]

    async def test_statistics(self, plane: DataPlane) -> None:
        assert [(entry.name, entry.version) for entry in await plane.statistics(ANYONE)] == plane.models(ANYONE)
        assert [entry.version for entry in await plane.statistics(ANYONE, "signs")] == ["1", "2"]
        assert [entry.version for entry in await plane.statistics(ANYONE, "signs", "1")] == ["1"]
        with pytest.raises(NotFound):
            await plane.statistics(ANYONE, "signs", "3")

    async def test_metrics(self, plane: DataPlane) -> None:
        await infer(plane)
        page, content_type = await plane.metrics_page(ANYONE, None)
        assert b"inference_in_flight_limit 256.0" in page
        assert b"inference_requests_in_flight 0.0" in page
        assert content_type.startswith("text/plain")


class TestCredentials:
    async def test_are_not_asked_for_where_there_are_no_keys(self, plane: DataPlane) -> None:
        assert plane.authorize(None) == ANYONE

    async def test_that_are_right_tell_who_asks(self, make: Make, tmp_path: Path) -> None:
        key = make_key(tmp_path / "keys.json", "alice", "signs")
        plane = make(api_key_file=tmp_path / "keys.json")
        assert plane.authorize(f"Bearer {key}") == Client("alice", frozenset({"signs"}))

    async def test_that_are_wrong_are_refused_and_counted(self, make: Make, tmp_path: Path) -> None:
        make_key(tmp_path / "keys.json")
        plane = make(api_key_file=tmp_path / "keys.json")
        for credentials in (None, "Bearer tester.wrong"):
            with pytest.raises(Unauthenticated):
                plane.authorize(credentials)
        assert counts(plane) == {"unauthenticated": 2}


SIGNS = Client("alice", frozenset({"signs"}))


class TestAKeyForSomeModels:
    """One that is for `signs`, on a server that has `sums` too."""

    async def test_opens_those(self, plane: DataPlane) -> None:
        assert (await infer(plane, "signs", client=SIGNS)).model_name == "signs"
        assert plane.model_metadata(SIGNS, "signs").name == "signs"

    @pytest.mark.parametrize("name", ["sums", "nobody", "../signs", "SIGNS", "signs "])
    async def test_opens_no_other_whether_it_exists_or_not(self, plane: DataPlane, name: str) -> None:
        sentence = r"^The key is not for this model; expected one of 'signs'\.$"
        with pytest.raises(PermissionDenied, match=sentence):
            await infer(plane, name, client=SIGNS)
        for ask in (plane.model_metadata, plane.signature, plane.permit):
            with pytest.raises(PermissionDenied, match=sentence):
                ask(SIGNS, name)
        with pytest.raises(PermissionDenied, match=sentence):
            await plane.statistics(SIGNS, name)
        assert counts(plane) == {"  rest 403": 1, "forbidden": 5}

    async def test_sees_no_other_in_any_list(self, plane: DataPlane) -> None:
        assert plane.models(SIGNS) == [("signs", "1"), ("signs", "2")]
        assert [state.name for state in plane.repository_index(SIGNS)] == ["signs", "signs"]
        assert [each.name for each in await plane.statistics(SIGNS)] == ["signs", "signs"]

    async def test_learns_of_no_other_by_the_statistics_of_a_version_alone(self, plane: DataPlane) -> None:
        with pytest.raises(PermissionDenied):
            await plane.statistics(SIGNS, "", "1")

    async def test_does_not_learn_of_others_by_a_model_that_is_gone(self, plane: DataPlane) -> None:
        client = Client("bob", frozenset({"gone", "sums"}))
        with pytest.raises(NotFound, match=r"^Model 'gone' is unknown; expected one of 'sums'\.$"):
            await infer(plane, "gone", client=client)
        with pytest.raises(NotFound, match=r"^Model 'gone' is unknown; expected none\.$"):
            plane.model_metadata(Client("bob", frozenset({"gone"})), "gone")

    async def test_has_its_only_model_as_the_default(self, plane: DataPlane) -> None:
        assert plane.default_model(SIGNS) == "signs"
        assert (await infer(plane, "", client=SIGNS)).model_name == "signs"

    async def test_is_refused_the_default_where_that_is_another(self, make: Make) -> None:
        plane = make(default_model="sums")
        with pytest.raises(PermissionDenied):
            await infer(plane, "", client=SIGNS)

    async def test_does_not_learn_of_others_by_the_want_of_a_default(self, plane: DataPlane) -> None:
        with pytest.raises(InvalidInput, match=r"expected one of none\.$"):
            plane.default_model(Client("bob", frozenset({"gone"})))

    async def test_does_not_open_the_metrics_which_are_of_all(self, plane: DataPlane) -> None:
        with pytest.raises(PermissionDenied, match=r"^The metrics tell of all models; expected a key that is for all"):
            await plane.metrics_page(SIGNS, None)


async def test_who_has_not_been_asked_for_a_key_may_do_nothing(plane: DataPlane) -> None:
    with pytest.raises(PermissionDenied):
        await infer(plane, "signs", client=NOBODY)
    assert not any([plane.models(NOBODY), plane.repository_index(NOBODY), await plane.statistics(NOBODY)])


async def test_a_probe_of_an_unknown_model_does_not_learn_of_others(plane: DataPlane) -> None:
    with pytest.raises(NotFound, match=r"^Model 'nobody' is unknown\.$"):
        plane.model_ready("nobody")


async def test_a_probe_of_an_unknown_version_does_not_learn_of_others(plane: DataPlane) -> None:
    with pytest.raises(NotFound, match=r"^Model 'signs' has no version '7'\.$"):
        plane.model_ready("signs", "7")


class TestLoading:
    @pytest.fixture
    def plane(self, make: Make, tmp_path: Path) -> DataPlane:
        make_key(tmp_path / "keys.json")
        return make(enable_repository_api=True, api_key_file=tmp_path / "keys.json")

    @pytest.mark.parametrize("operation", ["load", "unload"])
    @pytest.mark.parametrize(
        ("client", "sentence"),
        [
            (Client("alice", None), "The key is not an admin's; expected one that is, for loading and unloading."),
            (SIGNS, "The key is not an admin's; expected one that is, for loading and unloading."),
            (
                Client("alice", frozenset({"signs"}), admin=True),
                "The key is not for this model; expected one of 'signs'.",
            ),
        ],
        ids=["no admin", "no admin of this model", "admin of another"],
    )
    async def test_is_for_an_admin_of_the_model(
        self, plane: DataPlane, operation: str, client: Client, sentence: str
    ) -> None:
        with pytest.raises(PermissionDenied) as refused:
            await getattr(plane, operation)(client, "sums")
        assert str(refused.value) == sentence
        assert plane.model_ready("sums")
        assert counts(plane) == {"forbidden": 1}

    @pytest.mark.parametrize("operation", ["load", "unload"])
    async def test_is_off_unless_the_operator_has_turned_it_on(self, make: Make, operation: str) -> None:
        plane = make()
        with pytest.raises(PermissionDenied, match="expected --enable_repository_api of the operator"):
            await getattr(plane, operation)(ADMIN, "sums")
        assert plane.model_ready("sums")
        assert counts(plane) == {"forbidden": 1}

    @pytest.mark.parametrize("operation", ["load", "unload"])
    async def test_an_unknown_model_is_not_found(self, plane: DataPlane, operation: str) -> None:
        with pytest.raises(NotFound):
            await getattr(plane, operation)(ADMIN, "nobody")

    async def test_takes_a_model_out_and_in_again(self, plane: DataPlane) -> None:
        await plane.unload(ADMIN, "sums")
        with pytest.raises(NotReady):
            await infer(plane)
        await plane.load(ADMIN, "sums")
        assert (await infer(plane)).model_name == "sums"

    async def test_does_not_hold_requests_up(self, plane: DataPlane, executor: ThreadPoolExecutor) -> None:
        leave = threading.Event()
        busy = [executor.submit(leave.wait, SOON) for _ in range(2)]
        try:
            await asyncio.wait_for(plane.load(ADMIN, "sums"), SOON)
        finally:
            leave.set()
        assert all(future.result(SOON) for future in busy)

    async def test_that_fails_says_so_and_leaves_what_answered(self, plane: DataPlane, root: Path) -> None:
        (root / "sums" / "model.pkl").write_bytes(b"")
        with pytest.raises(NotReady, match=r"^No version of model 'sums' could be loaded; the repository index has"):
            await plane.load(ADMIN, "sums")
        assert (await infer(plane)).model_name == "sums"

    async def test_drops_the_series_of_what_answers_no_longer(self, plane: DataPlane, root: Path) -> None:
        await infer(plane, "signs", "1")
        await infer(plane, "signs", "2")
        await infer(plane, "sums")
        shutil.rmtree(root / "signs" / "1")
        await plane.load(ADMIN, "signs")
        assert counts(plane) == {"signs 2 rest 200": 1, "sums  rest 200": 1}
        await plane.unload(ADMIN, "signs")
        assert counts(plane) == {"sums  rest 200": 1}

    async def test_does_not_change_what_a_request_is_read_by(self, plane: DataPlane) -> None:
        before = plane.signature(ADMIN, "signs")

        def decode(signature: Signature) -> InferRequest:
            plane._repository.load("signs")
            assert plane.signature(ADMIN, "signs") is not before
            assert signature is before
            return request()

        answer = await plane.infer("signs", "", decode, response_of, Call("rest", client=ANYONE))
        assert answer.model_version == "2"

    async def test_leaves_nothing_in_memory_of_what_has_answered(self, plane: DataPlane) -> None:
        await infer(plane, "signs")
        before = [weakref.ref(servable.artifact.estimator) for servable in plane._repository.servables("signs")]
        await plane.load(ADMIN, "signs")
        await infer(plane, "signs")
        await asyncio.sleep(0)  # The loop lets go of what it has run.
        gc.collect()
        assert [estimator() for estimator in before] == [None, None]

    async def test_what_is_in_flight_meanwhile_is_answered_and_counted_nowhere(
        self, make: Make, slow: Slow, tmp_path: Path
    ) -> None:
        make_key(tmp_path / "keys.json")
        plane = make(slow.adapt, enable_repository_api=True, api_key_file=tmp_path / "keys.json")
        task = asyncio.create_task(infer(plane))
        await entered(slow)
        await plane.unload(ADMIN, "sums")
        slow.leave.set()
        assert (await task).outputs[0].data.tolist() == [0.0]
        assert counts(plane) == {}
