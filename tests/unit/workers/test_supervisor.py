"""What is said of a worker's end; `tests/reliability/test_workers.py` has the rest."""

import signal

import pytest

from model.workers.supervisor import how_it_ended


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (0, {"exit_code": 0}),
        (3, {"exit_code": 3}),
        (-signal.SIGKILL, {"signal": "SIGKILL"}),
        (-(signal.SIGRTMIN + 1), {"signal": "35"}),
    ],
)
def test_the_end_of_a_worker_is_told_whatever_it_was(code: int, how: dict[str, object]) -> None:
    assert how_it_ended(code) == how
