import io
from contextlib import redirect_stderr
from typing import Any

import joblib
import pytest
from tqdm import tqdm

from training import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def doubled(number: int) -> int:
    # Calls within a call are no tasks of their own.
    return sum(joblib.Parallel(n_jobs=1)(joblib.delayed(int)(number) for _ in range(2)))


def work(jobs: int) -> Any:
    return joblib.Parallel(n_jobs=jobs, backend="threading")(joblib.delayed(doubled)(i) for i in range(6))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bar_counts_the_tasks_of_the_outermost_call(monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    monkeypatch.setattr(progress, "tqdm", lambda **settings: tqdm(**{**settings, "mininterval": 0, "leave": True}))
    with redirect_stderr(Terminal()) as terminal, progress.jobs("search", 12):
        assert work(jobs) == work(jobs) == [0, 2, 4, 6, 8, 10]
    assert "search: 100%|" in terminal.getvalue()
    assert "12/12" in terminal.getvalue()


def test_joblib_is_left_as_it_was() -> None:
    before = (joblib.Parallel.__call__, joblib.Parallel.print_progress)
    with redirect_stderr(Terminal()), pytest.raises(KeyError), progress.jobs("search"):
        raise KeyError
    assert (joblib.Parallel.__call__, joblib.Parallel.print_progress) == before


def test_a_log_has_no_bars(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.jobs("search", 6):
        assert work(1) == [0, 2, 4, 6, 8, 10]
    assert list(progress.each([1, 2], "rows")) == [1, 2]
    assert capsys.readouterr() == ("", "")


def test_items_are_counted() -> None:
    with redirect_stderr(Terminal()) as terminal:
        assert list(progress.each("abc", "letters", 3, "letter")) == ["a", "b", "c"]
    assert "letters" in terminal.getvalue()
