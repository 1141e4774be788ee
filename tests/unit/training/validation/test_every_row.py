"""Every row of a source is in exactly one place, whatever is declared of it and however it is cut into chunks."""

import tempfile
from itertools import pairwise
from pathlib import Path

import pandas as pd
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from training.config import Config
from training.errors import DataError
from training.validation import Outcome, Validated, validate

CELLS = st.sampled_from(["", "NA", "1", "2", "3", "-4", "1000", "5 cm", "x", "y", "Y", "true", "2024-01-31", "[1]"])
ROW = st.tuples(CELLS, CELLS, CELLS, st.sampled_from(["", "a", "b"]))
COLUMN = st.one_of(
    st.sampled_from(["number", "category", "text", "boolean", "date"]),
    st.fixed_dictionaries(
        {"kind": st.just("number")},
        optional={
            "unit": st.just("mm"),
            "min": st.just(0),
            "max": st.just(100),
            "unique": st.booleans(),
            "missing": st.sampled_from(["allow", "quarantine", "drop"]),
            "outliers": st.sampled_from([{"method": "iqr"}, {"method": "zscore", "action": "clip", "reach": 1}]),
        },
    ),
    st.fixed_dictionaries(
        {"kind": st.just("category")},
        optional={
            "allowed": st.just(["x", "y"]),
            "spellings": st.just({"Y": "y"}),
            "pattern": st.just("[a-z]+"),
            "missing": st.sampled_from(["allow", "quarantine", "drop"]),
        },
    ),
)
NAMES = ["p", "q", "r", "kind"]


def validated(rows: list[tuple[str, ...]], cuts: list[int], config: Config, directory: Path) -> Validated | None:
    table = pd.DataFrame(rows, columns=NAMES, dtype=object)
    places = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    chunks = [table.iloc[start:stop] for start, stop in pairwise(places)]
    try:
        return validate(lambda: chunks, config, directory)
    except DataError:
        return None


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    rows=st.lists(ROW, min_size=2, max_size=12),
    cuts=st.lists(st.integers(1, 11), max_size=3),
    columns=st.dictionaries(st.sampled_from(NAMES[:3]), COLUMN, min_size=3, max_size=3),
    duplicates=st.sampled_from(["drop", "keep"]),
)
@example(  # a chunk without one value of a column that has spellings
    rows=[("", "1", "x", "a"), ("Y", "2", "y", "b"), ("x", "3", "y", "b")],
    cuts=[1],
    columns={"p": {"kind": "category", "spellings": {"Y": "y"}}, "q": "number", "r": "text"},
    duplicates="keep",
)
def test_every_row_is_in_one_place(
    rows: list[tuple[str, ...]], cuts: list[int], columns: dict[str, object], duplicates: str
) -> None:
    config = Config.model_validate(
        {
            "name": "m",
            "source": "s.csv",
            "target": "kind",
            "task": "classification",
            "columns": columns,
            "duplicates": duplicates,
            "quarantine": {"limit": 1},
        }
    )
    with tempfile.TemporaryDirectory() as directory:
        found = validated(rows, cuts, config, Path(directory))
        if found is None:
            return
        quarantined = pd.read_parquet(Path(directory) / "quarantine.parquet")
        failed = pd.read_csv(Path(directory) / "failures.csv", keep_default_na=False)
    at = {outcome: set(found.outcomes.index[found.outcomes == outcome]) for outcome in Outcome}
    assert sorted(row for rows_of_one in at.values() for row in rows_of_one) == list(range(len(rows)))
    assert set(found.X.index) == set(found.y.index) == at[Outcome.KEPT]
    assert set(quarantined["row"] - 1) == set(failed["row"] - 1) == at[Outcome.QUARANTINED]
    for position in at[Outcome.QUARANTINED]:  # as it was, to the letter
        written = quarantined[quarantined["row"] == position + 1][NAMES]
        assert tuple(written.iloc[0]) == rows[position]
    for position in at[Outcome.DUPLICATE]:
        missing = {"NA": "", "NaN": ""}
        plain = [tuple(missing.get(cell, cell) for cell in row) for row in rows]
        assert plain[position] in plain[:position]
    for position in at[Outcome.WITHOUT_TARGET]:
        assert rows[position][3] == ""
    counts = found.counts
    assert counts.read == len(rows)
    assert (
        counts.read
        == counts.kept + counts.quarantined + counts.duplicates + counts.without_target + counts.without_value
    )


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(rows=st.lists(ROW, min_size=2, max_size=12), cuts=st.lists(st.integers(1, 11), min_size=1, max_size=3))
def test_chunks_make_no_difference(rows: list[tuple[str, ...]], cuts: list[int]) -> None:
    columns = {"p": {"kind": "number", "unit": "mm", "outliers": {"method": "iqr"}}, "q": "category", "r": "text"}
    settings_of = {"name": "m", "source": "s", "target": "kind", "task": "classification", "columns": columns}
    config = Config.model_validate({**settings_of, "quarantine": {"limit": 1}})
    with tempfile.TemporaryDirectory() as directory:
        one, other = (validated(rows, where, config, Path(directory)) for where in ([], cuts))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        pd.testing.assert_frame_equal(one.X, other.X)
        pd.testing.assert_series_equal(one.outcomes, other.outcomes)
        assert one.report == other.report
