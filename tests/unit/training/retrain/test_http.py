import socket
import time
from http.server import BaseHTTPRequestHandler

import pytest

from tests.unit.training.retrain.answering import answering
from training.errors import Unanswered
from training.retrain import http


def test_an_answer_is_what_was_sent() -> None:
    with answering(lambda request: (200, b"said")) as asked:
        assert http.get(f"{asked.url}/metrics", 5.0, {"query": 'up{a="b"}'}) == b"said"
    assert (asked.queries, asked.keys) == ([{"query": ['up{a="b"}']}], [""])


def test_a_key_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(http.KEY_VARIABLE, "secret")
    with answering(lambda request: (200, b"")) as asked:
        http.get(asked.url, 5.0)
    assert asked.keys == ["Bearer secret"]


def test_who_is_just_being_replaced_is_asked_again() -> None:
    answers = iter([(503, b""), (200, b"there again")])
    with answering(lambda request: next(answers)) as asked:
        assert http.get(asked.url, 5.0) == b"there again"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((401, b""), "answers 401; put a key that may read metrics into SKLEARN_KSERVE_METRICS_KEY"),
        ((404, b'{"error": "unknown path"}'), """answers 404: '{"error": "unknown path"}'"""),
        ((503, b"starting"), "answers 503: 'starting'"),
    ],
)
def test_anything_but_200_is_no_answer(answer: tuple[int, bytes], sentence: str) -> None:
    with answering(lambda request: answer) as asked, pytest.raises(Unanswered) as caught:
        http.get(asked.url, 5.0)
    assert str(caught.value) == f"{asked.url} {sentence}"


def test_nobody_there_is_said() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(Unanswered, match=rf"^{url} does not answer within 5 s: .*Connection refused"):
            http.get(url, 5.0)


def test_who_never_answers_is_waited_for_no_longer_than_was_said() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        began = time.monotonic()
        with pytest.raises(Unanswered, match=r"does not answer within 0\.6 s"):
            http.get(f"http://127.0.0.1:{listening.getsockname()[1]}", 0.6)
    assert time.monotonic() - began < 2


def test_who_answers_a_byte_at_a_time_is_cut_short() -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with pytest.raises(OSError, match=r"Broken pipe|Connection reset"):  # noqa: PT012 -- it ends when it is cut
            for _ in range(500):
                request.wfile.write(b".")
                time.sleep(0.01)

    began = time.monotonic()
    with (
        answering(drip) as asked,
        pytest.raises(Unanswered, match=r"does not answer within 0.3 s: \d+ bytes and no end"),
    ):
        http.get(asked.url, 0.3)
    assert time.monotonic() - began < 3


def test_an_answer_without_end_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_BYTES", 100_000)
    with answering(lambda request: (200, bytes(1_000_000))) as asked, pytest.raises(Unanswered, match="goes on after"):
        http.get(asked.url, 5.0)
