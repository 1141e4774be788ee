import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.features import PARTS, DateParts

DATES = st.datetimes(pd.Timestamp("1700-01-01").to_pydatetime(), pd.Timestamp("2250-12-31").to_pydatetime())


@settings(deadline=None, max_examples=50)
@given(st.lists(DATES, min_size=1))
def test_parts_are_those_of_pandas(dates: list[pd.Timestamp]) -> None:
    column = pd.Series(pd.to_datetime(dates))
    found = DateParts(PARTS, cyclic=False).fit_transform(column.to_frame())
    fields = ["year", "month", "day", "dayofyear", "weekday", "hour", "minute"]
    expected = np.column_stack([getattr(column.dt, field) for field in fields])
    np.testing.assert_array_equal(found[:, :7], expected)
    np.testing.assert_allclose(found[:, 7], (column - pd.Timestamp(0)) / pd.Timedelta(days=1), rtol=1e-12)


def test_december_is_beside_january() -> None:
    table = pd.DataFrame({"d": pd.to_datetime(["2023-12-15", "2024-01-15", "2024-06-15"])})
    points = DateParts(["month"]).fit_transform(table)
    apart = np.linalg.norm(points - points[0], axis=1)
    assert 0 < apart[1] < apart[2] <= 2
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)


def test_a_missing_date_has_missing_parts() -> None:
    table = pd.DataFrame({"d": pd.to_datetime(["2024-01-15", "NaT"]), "e": pd.to_datetime(["NaT", "2024-01-15"])})
    found = DateParts().fit_transform(table)
    assert np.isnan(found).tolist() == [[False] * 5 + [True] * 5, [True] * 5 + [False] * 5]


def test_columns_are_named() -> None:
    table = pd.DataFrame({"sold": pd.to_datetime(["2024-01-15"])})
    names = ["sold_year", "sold_month_sin", "sold_month_cos", "sold_weekday_sin", "sold_weekday_cos"]
    assert list(DateParts().fit(table).get_feature_names_out()) == names
    assert list(DateParts(["days"]).fit(table.to_numpy()).get_feature_names_out()) == ["x0_days"]
    assert list(DateParts(["days"]).fit(table).get_feature_names_out(["paid"])) == ["paid_days"]


def test_what_is_no_date_or_part_is_refused() -> None:
    with pytest.raises(ValueError, match="takes columns of datetime64, and got object"):
        DateParts().fit(pd.DataFrame({"d": ["2024-01-15"]}))
    with pytest.raises(ValueError, match=r"parts has 'moon'; expected some of year, month, day, "):
        DateParts(["moon"]).fit(pd.DataFrame({"d": pd.to_datetime(["2024-01-15"])}))


def test_another_column_is_refused() -> None:
    one, other = (pd.DataFrame({name: pd.to_datetime(["2024-01-15"])}) for name in "de")
    with pytest.raises(ValueError, match="feature names"):
        DateParts().fit(one).transform(other)


def test_it_is_read_back_as_it_was_written() -> None:
    table = pd.DataFrame({"d": pd.to_datetime(["2024-01-15", "NaT"])})
    fitted = DateParts(["hour", "days"], cyclic=False).fit(table)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(table), fitted.transform(table))
