"""When a silent worker is taken for stuck, and when it is not its fault."""

from math import inf

from model.workers.silence import Silence


def test_a_worker_has_a_minute_to_speak() -> None:
    silence = Silence(100.0)
    assert [silence.limit(100.0 + second) for second in range(60)] == [-inf] * 60
    assert silence.limit(160.0) == 100.0
    assert silence.limit(161.5) == 101.5


def test_after_a_pause_of_all_processes_it_has_another() -> None:
    silence = Silence(0.0)
    limits = [silence.limit(float(second)) for second in (*range(90), *range(7200, 7260))]
    assert limits[-60:] == [-inf] * 60
    assert silence.limit(7260.0) == 7200.0


def test_a_delay_of_some_seconds_is_no_pause() -> None:
    silence = Silence(0.0)
    limits = [silence.limit(float(second)) for second in range(0, 100, 20)]
    assert limits[3:] == [0.0, 20.0]
