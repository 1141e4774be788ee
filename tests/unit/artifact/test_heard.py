import threading
import warnings
from collections.abc import Iterator

import pytest

from model.artifact.heard import heard


class Skew(UserWarning):
    """What the tests warn of."""


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is shown to everybody."""
    seen: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        monkeypatch.setattr(warnings, "showwarning", lambda message, *_: seen.append(str(message)))
        yield seen


def warn(text: str = "said") -> None:
    warnings.warn(text, Skew, stacklevel=1)


def test_every_warning_is_heard_even_the_same_again(shown: list[str]) -> None:
    for _ in range(2):
        with heard(Skew) as found:
            warn()
            warn()
        assert [str(warning) for warning in found] == ["said", "said"]
    assert shown == []


def test_another_thread_is_not_heard(shown: list[str]) -> None:
    with heard(Skew) as found:
        thread = threading.Thread(target=warn)
        thread.start()
        thread.join()
    assert found == []
    assert shown == ["said"]


def test_afterwards_warnings_are_shown_as_before(shown: list[str]) -> None:
    with heard(Skew):
        pass
    warn()
    assert shown == ["said"]


def test_what_another_has_put_back_is_borne() -> None:
    with warnings.catch_warnings(), heard(Skew):
        warn()
    with heard(Skew) as found:
        warn()
    assert len(found) == 1


def test_who_calls_what_showed_warnings_before_is_not_called_forever(shown: list[str]) -> None:
    with heard(Skew):
        pass
    ours = warnings.showwarning
    warnings.showwarning = lambda *args: (ours(*args), None)[1]
    with heard(Skew):
        pass
    warn()
    assert shown == ["said"]


def test_filters_do_not_grow() -> None:
    with heard(Skew):
        before = len(warnings.filters)
    for _ in range(10):
        with heard(Skew):
            pass
    assert len(warnings.filters) == before


def test_threads_hear_their_own_alone() -> None:
    counts: list[list[str]] = []

    def load(name: str) -> None:
        texts: list[str] = []
        for _ in range(200):
            with heard(Skew) as found:
                warn(name)
            texts += map(str, found)
        counts.append(texts)

    threads = [threading.Thread(target=load, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [[name] * 200 for name in "abcdefgh"]
