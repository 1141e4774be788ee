"""The rows that an engine has to pass."""

from typing import Any

import numpy as np
import pytest

from model.engine.rows import Field, Rows

GIVEN = np.array([[1.0, 0.0, 5.0], [2.0, 1.0, 6.0], [3.0, 2.0, 7.0]])
FIELDS = (Field(1.0, 3.0), Field(0.0, 0.0, codes=3, missing=True), Field(5.0, 7.0, whole=True, missing=True))


@pytest.fixture
def rows() -> Rows:
    return Rows(GIVEN, FIELDS)


def test_are_the_same_each_time(rows: Rows) -> None:
    np.testing.assert_array_equal(rows.random(), Rows(GIVEN, FIELDS).random())


def test_of_very_many_a_part_is_taken() -> None:
    many = Rows(np.repeat(GIVEN, 5000, axis=0), FIELDS)
    assert len(many.given) == 4000
    assert len(np.unique(many.given[:, 0])) == 3


def test_random_ones_keep_to_what_was_seen(rows: Rows) -> None:
    random = rows.random()
    assert random[:, 0].min() >= 1
    assert random[:, 0].max() <= 3
    assert set(random[:, 1]) == {0.0, 1.0, 2.0}
    assert set(random[:, 2]) == {5.0, 6.0, 7.0}


def test_far_ones_go_beyond(rows: Rows) -> None:
    far = rows.far()
    assert far[:, 0].min() < -50
    assert far[:, 0].max() > 50
    assert set(far[:, 1]) == {0.0, 1.0, 2.0}


def test_extreme_ones_hold_one_number_that_float32_holds_just_or_not_at_all(rows: Rows) -> None:
    extreme = rows.extreme()
    assert {3e38, -1e38, 1e-45} <= set(extreme[:, 0])
    assert extreme[:, 2].max() == 2.0**53
    assert set(extreme[:, 1]) == {0.0, 1.0, 2.0}
    assert not len(Rows(GIVEN[:, 1:2], FIELDS[1:2]).extreme())


def test_missing_ones_are_missing_where_that_is_allowed(rows: Rows) -> None:
    missing = rows.missing()
    assert not np.isnan(missing[:, 0]).any()
    assert (missing[:, 1] == 2).any()
    assert np.isnan(missing[:, 2]).any()
    assert not len(Rows(GIVEN[:, :1], FIELDS[:1]).missing())


def test_at_a_split_lie_the_threshold_and_its_neighbours(rows: Rows) -> None:
    threshold = 2.1
    at = rows.at_splits([(0, np.array([threshold]))])
    single = np.float32(threshold)
    wanted = {
        threshold,
        np.nextafter(threshold, 3),
        np.nextafter(threshold, 2),
        float(single),
        float(np.nextafter(single, np.float32(3))),
        float(np.nextafter(single, np.float32(2))),
    }
    assert set(at[:, 0]) == wanted
    assert not len(rows.at_splits([]))


def test_a_jump_is_found_to_the_last_bit(rows: Rows) -> None:
    border = 2.0 + 1 / 3

    def answer(some: Any) -> Any:
        return (some[:, :1] > border).astype(float)

    pairs = rows.at_jumps(answer)
    low, high = np.split(pairs[:, 0], 2)
    assert len(low) > 10
    assert set(np.minimum(low, high)) == {border}
    assert set(np.maximum(low, high)) == {np.nextafter(border, 3)}


def test_where_nothing_jumps_there_are_none(rows: Rows) -> None:
    assert not len(rows.at_jumps(lambda some: np.zeros((len(some), 1))))
    only_codes = Rows(GIVEN[:, 1:2], FIELDS[1:2])
    assert not len(only_codes.at_jumps(lambda some: some))
