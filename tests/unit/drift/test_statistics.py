"""Statistics of drift against scipy's, which has the values where these have counts; and how often chance looks like drift."""

from math import isnan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import entropy, ks_2samp

from benchmarks.drift import THRESHOLD, alarms
from model.drift import MIN_ROWS, Categories, Ranges, ks, missing_ratio, out_of_range_ratio, psi
from model.drift.counting import categories, count, ranges

rows = st.lists(st.integers(0, 1000), min_size=12, max_size=12)


@given(rows, rows)
def test_psi_is_the_sum_of_both_divergences_of_the_smoothed_shares(expected: list[int], actual: list[int]) -> None:
    p, q = np.array(expected) + 0.5, np.array(actual) + 0.5
    assert psi(expected, actual) == pytest.approx(entropy(p, q) + entropy(q, p), abs=1e-12)


@given(rows)
def test_psi_of_what_is_the_same_is_nothing(counts: list[int]) -> None:
    assert psi(counts, counts) == 0


@given(rows, rows)
def test_ks_is_that_of_the_values_bins(expected: list[int], actual: list[int]) -> None:
    assume(sum(expected[:-1]) > 0)
    assume(sum(actual[:-1]) >= MIN_ROWS)
    bins = Ranges(edges=tuple(range(10)), counts=tuple(expected))
    published, served = (np.repeat(np.arange(11), counts[:-1]) for counts in (expected, actual))
    assert ks(bins, actual) == pytest.approx(ks_2samp(published, served, method="asymp").statistic, abs=1e-12)


@given(st.integers(0, 2**32), st.floats(-2, 2))
def test_ks_of_bins_is_never_more_than_that_of_the_values(seed: int, shift: float) -> None:
    random = np.random.default_rng(seed)
    sample, served = random.normal(size=600), random.normal(shift, size=MIN_ROWS)
    bins = ranges(sample)
    assert bins is not None
    furthest = ks(bins, count(bins, served))
    assert furthest is not None
    assert 0 <= furthest <= ks_2samp(sample, served, method="asymp").statistic + 1e-12


def test_ks_is_not_told_from_few_values() -> None:
    bins = Ranges(edges=(0, 1), counts=(0, 500, 0, 0))
    assert ks(bins, [0, MIN_ROWS - 1, 0, 100_000]) is None
    assert out_of_range_ratio(bins, [0, MIN_ROWS - 1, 0, 100_000]) is None


def test_what_is_missing_and_what_lies_beyond_are_shares() -> None:
    bins = Ranges(edges=(0, 1), counts=(0, 500, 0, 0))
    assert missing_ratio([100, 600, 100, 200]) == 0.2
    assert out_of_range_ratio(bins, [100, 600, 100, 200]) == 0.25


@pytest.mark.parametrize(("others", "share"), [(0, 0.1), (7, None)])
def test_a_new_category_is_told_where_all_those_of_the_sample_are_known(others: int, share: float | None) -> None:
    bins = Categories(values=("a", "b"), counts=(300, 200, others, 0))
    assert out_of_range_ratio(bins, [400, 500, 100, 50]) == share


@given(st.lists(st.one_of(st.none(), st.floats(allow_infinity=False)), min_size=100, max_size=300))
def test_every_number_of_a_sample_is_counted_and_within_its_range(numbers: list[float | None]) -> None:
    values = np.array(numbers, dtype=object)
    bins = ranges(values)
    missing = sum(number is None or isnan(number) for number in numbers)
    if bins is not None:
        assert (bins.counts[0], bins.counts[-2], bins.counts[-1]) == (0, 0, missing)
        assert sum(bins.counts) == len(numbers)
        assert tuple(count(bins, values)) == bins.counts


@given(st.lists(st.floats(-1e6, 1e6), min_size=100, max_size=300))
def test_a_number_sent_as_float32_stays_in_its_bin(numbers: list[float]) -> None:
    kept = np.array(numbers, dtype=np.float64)
    bins = ranges(kept)
    assert bins is not None
    assert not np.flatnonzero(count(bins, kept.astype(np.float32))[[0, -2]]).size


@given(st.lists(st.sampled_from(["a", "b", "c", None, True, float("nan")]), min_size=100, max_size=200))
def test_every_category_of_a_sample_is_counted(values: list[object]) -> None:
    sent = np.empty(len(values), dtype=object)
    sent[:] = values
    bins = categories(sent)
    if bins is not None:
        assert sum(bins.counts) == len(values)
        assert tuple(count(bins, sent)) == bins.counts


def test_a_sample_has_no_more_bins_than_its_rows_can_fill() -> None:
    few, many = ranges(np.arange(100.0)), ranges(np.arange(5000.0))
    assert few is not None
    assert many is not None
    assert (len(few.edges), len(many.edges)) == (3, 11)
    assert min(many.counts[1:-2]) == 500


def test_chance_hardly_ever_looks_like_drift_and_drift_does() -> None:
    same = alarms(sample=500, served=MIN_ROWS, shift=0.0, draws=2000)
    moved = alarms(sample=500, served=MIN_ROWS, shift=0.7, draws=200)
    assert same.rate <= 0.001
    assert same.highest < 2 * THRESHOLD
    assert moved.rate >= 0.99
