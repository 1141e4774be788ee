"""The kinds of the columns that a configuration does not declare, told from all of their cells."""

from typing import Any, Final

import pandas as pd

from training.columns import MOST_CATEGORIES, Kind
from training.errors import DataError
from training.validation.cells import only_texts, shown, sort_of
from training.validation.numbers import numbers_in

_TRUTH: Final = ("true", "false")
_DATE: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_WHOLE: Final = r"[+-]?[0-9]{1,15}"
_NEARLY_ALL: Final = 0.9
"""Share of numbers beyond which a text among them is rather a slip than a category."""
_FEW: Final = 10
"""Numbers in a column below which nothing is made of that share."""

_BY_DTYPE: Final = {"i": "numbers", "u": "numbers", "f": "numbers", "b": "truth values", "M": "dates"}
_BY_SORT: Final = {"numbers": Kind.NUMBER, "truth values": Kind.BOOLEAN, "dates": Kind.DATE}


class Evidence:
    """
    What has been seen of one column.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._sorts: dict[str, tuple[int, str]] = {}
        self._texts = _Texts()
        self._whole = True

    @property
    def empty(self) -> bool:
        """Whether no cell has held a value so far."""
        return not self._sorts

    def add(self, cells: "pd.Series[Any]") -> None:
        """
        Take the cells of a chunk into account.

        Parameters
        ----------
        cells : Series
            See ``cells``; its index is the position of each row in the source.
        """
        cells = cells.dropna()
        if cells.empty:
            return
        for sort, row in _sorts(cells).items():
            self._sorts.setdefault(sort, (row, shown(cells.loc[row])))
        if set(self._sorts) == {"texts"}:
            self._texts.add(cells)
        elif set(self._sorts) == {"numbers"}:
            self._whole = self._whole and bool((pd.to_numeric(cells) % 1 == 0).all())

    def kind(self, most_distinct: int | None = MOST_CATEGORIES) -> Kind:
        """
        Tell what a column holds.

        Parameters
        ----------
        most_distinct : int or None
            Distinct texts of a category; None where it does not matter how many there are.

        Raises
        ------
        DataError
            Cells are of several sorts, or there are so many distinct texts that neither a category nor a text is the
            plain guess; the sentence asks for a declaration.
        """
        sort = self._one_sort()
        if sort != "texts":
            return _BY_SORT[sort]
        if self._texts.nearly_numbers:
            self._refuse(("numbers", self._texts.number), ("other texts", self._texts.other))
        kind = self._texts.kind()
        if kind is Kind.CATEGORY and most_distinct is not None and self._texts.distinct > most_distinct:
            raise DataError(
                f"column {self.name!r} holds more than {most_distinct} distinct texts, too many for a category; "
                f"declare it under columns as category or text, or list it under drop"
            )
        return kind

    def label_kind(self) -> Kind:
        """
        Tell what the target of a classification holds: fractions are no labels, and stay texts.

        Raises
        ------
        DataError
            Cells are of several sorts.
        """
        sort = self._one_sort()
        if sort == "texts":
            return self._texts.label_kind()
        whole = sort == "numbers" and self._whole
        return Kind.BOOLEAN if sort == "truth values" else Kind.NUMBER if whole else Kind.CATEGORY

    def _one_sort(self) -> str:
        if len(self._sorts) > 1:
            self._refuse(*self._sorts.items())
        sort, (row, cell) = next(iter(self._sorts.items()))
        if sort not in (*_BY_SORT, "texts"):
            raise DataError(
                f"column {self.name!r} holds {sort}, such as {cell} in row {row + 1}; "
                f"expected single values; list it under drop, or take it apart in the source"
            )
        return sort

    def _refuse(self, *found: tuple[str, tuple[int, str]]) -> None:
        (one, (row, cell)), (other, (row_of_other, other_cell)) = found[:2]
        raise DataError(
            f"column {self.name!r} mixes {one} and {other}, such as {cell!r} in row {row + 1} and {other_cell!r} in "
            f"row {row_of_other + 1}; declare it under columns: what is not of its kind is then quarantined"
        )


class _Texts:
    """What the texts of one column might stand for."""

    def __init__(self) -> None:
        self.number = self.other = (0, "")
        self._seen = self._numbers = 0
        self._truths = self._dates = self._whole = True
        self._distinct: set[str] = set()

    def add(self, texts: "pd.Series[Any]") -> None:
        numbers = numbers_in(texts).notna()
        if numbers.any() and not self._numbers:
            self.number = _first(texts, numbers)
        if not numbers.all() and self._numbers == self._seen:
            self.other = _first(texts, ~numbers)
        self._seen += len(texts)
        self._numbers += int(numbers.sum())
        self._whole = self._whole and bool(texts.str.fullmatch(_WHOLE).all())
        self._truths = self._truths and bool(texts.str.lower().isin(_TRUTH).all())
        self._dates = self._dates and bool(texts.str.fullmatch(_DATE).all())
        if len(self._distinct) <= MOST_CATEGORIES:
            self._distinct.update(texts.unique()[: MOST_CATEGORIES + 1])

    @property
    def distinct(self) -> int:
        return len(self._distinct)

    @property
    def nearly_numbers(self) -> bool:
        return self._numbers < self._seen and self._numbers >= max(_FEW, _NEARLY_ALL * self._seen)

    def kind(self) -> Kind:
        if self._truths:
            return Kind.BOOLEAN
        if self._numbers == self._seen:
            return Kind.NUMBER
        if self._dates:
            return Kind.DATE
        return Kind.CATEGORY

    def label_kind(self) -> Kind:
        return Kind.BOOLEAN if self._truths else Kind.NUMBER if self._whole else Kind.CATEGORY


def _sorts(cells: "pd.Series[Any]") -> dict[str, int]:
    """Return the sorts of cells, each with the first row that holds one."""
    by_dtype = _BY_DTYPE.get(cells.dtype.kind)
    if by_dtype is not None:
        return {by_dtype: int(cells.index[0])}
    if only_texts(cells):
        return {"texts": int(cells.index[0])}
    sorts = cells.map(sort_of).drop_duplicates()
    return {str(sort): int(row) for row, sort in zip(sorts.index, sorts, strict=True)}


def _first(texts: "pd.Series[Any]", chosen: "pd.Series[bool]") -> tuple[int, str]:
    row = chosen.idxmax()
    return int(row), str(texts.loc[row])
