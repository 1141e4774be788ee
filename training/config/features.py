"""``features``: how columns are prepared for the estimator, as a part of the model."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from training.columns import MOST_CATEGORIES, Kind
from training.config.section import Section
from training.errors import ConfigurationError

Finite = Annotated[float, Field(allow_inf_nan=False)]
Scale = Literal["standard", "minmax", "robust", "none"]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
Flag = Annotated[bool, Field(strict=True)]
Part = Literal["year", "month", "day", "dayofyear", "weekday", "hour", "minute", "days"]


class NumberFeatures(Section):
    """
    How numbers are prepared.

    Parameters
    ----------
    impute : {"median", "mean", "most_frequent", "constant"}
        What stands for a missing value.
    fill : float
        With ``constant``.
    indicator : bool
        Whether a column of its own tells where a value was missing, in each column that lacks some in training.
    scale : {"standard", "minmax", "robust", "none"}
        To mean 0 and variance 1; to 0 … 1; by median and quartiles, which outliers don't move; or not at all.
    """

    impute: Literal["median", "mean", "most_frequent", "constant"] = "median"
    fill: Finite = 0.0
    indicator: Flag = False
    scale: Scale = "standard"


class CategoryFeatures(Section):
    """
    How categories are prepared.

    Parameters
    ----------
    impute : {"constant", "most_frequent"}
        What stands for a missing value: a category of its own, or the most frequent one.
    encode : {"onehot", "ordinal", "target"}
        A column for each category; its position; or the mean of the target where it is met, cross-fitted and smoothed.
    max_categories : int
        Most columns of ``onehot``: beyond it the rarest categories share one. For the others, nothing.
    rare : int, float or None
        Rows, or the share of the rows, that a category needs to have a place of its own. None: one row.
    """

    impute: Literal["constant", "most_frequent"] = "constant"
    encode: Literal["onehot", "ordinal", "target"] = "onehot"
    max_categories: Annotated[int, Field(strict=True, ge=2)] = MOST_CATEGORIES
    rare: Count | Share | None = None

    @model_validator(mode="after")
    def _target_encoding_smooths(self) -> Self:
        if self.encode == "target" and self.rare is not None:
            msg = "rare is set beside encode target, which draws rare categories to the mean by itself; leave it out"
            raise ValueError(msg)
        return self


class BooleanFeatures(Section):
    """
    How truth values are prepared.

    Parameters
    ----------
    impute : {"most_frequent", "constant"}
        What stands for a missing value.
    fill : bool
        With ``constant``.
    """

    impute: Literal["most_frequent", "constant"] = "most_frequent"
    fill: Flag = False


class DateFeatures(Section):
    """
    How dates are prepared.

    Parameters
    ----------
    parts : tuple of {"year", "month", "day", "dayofyear", "weekday", "hour", "minute", "days"}
        What is taken of a date, in UTC; ``days`` are those since 1970, with a fraction.
    cyclic : bool
        Whether what comes round again is told by the sine and cosine of its angle.
    impute : {"median", "mean", "most_frequent", "constant"}
        What stands for a part of a missing date.
    fill : float
        With ``constant``.
    scale : {"standard", "minmax", "robust", "none"}
        As for numbers.
    """

    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = ("year", "month", "weekday")
    cyclic: Flag = True
    impute: Literal["median", "mean", "most_frequent", "constant"] = "median"
    fill: Finite = 0.0
    scale: Scale = "standard"


class TextFeatures(Section):
    """
    How texts are prepared: by tf-idf, each column by itself.

    Parameters
    ----------
    analyzer : {"word", "char", "char_wb"}
        What is counted: words, or runs of letters, those within words alone in ``char_wb``.
    ngrams : tuple of int
        Least and greatest number of words or letters in a row.
    max_features : int or None
        The most frequent ones; None: all.
    min_df, max_df : int or float
        Texts, or the share of the texts, in which one has to be, and may be at most.
    stop_words : {"english"} or None
        Words that are left out.
    sublinear_tf : bool
        Whether the logarithm of a count stands for it.
    """

    analyzer: Literal["word", "char", "char_wb"] = "word"
    ngrams: tuple[Count, Count] = (1, 1)
    max_features: Count | None = None
    min_df: Count | Share = 1
    max_df: Count | Annotated[float, Field(gt=0, le=1)] = 1.0
    stop_words: Literal["english"] | None = None
    sublinear_tf: Flag = False

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.ngrams[0] > self.ngrams[1]:
            msg = "ngrams are given as least and greatest number; expected the lesser first"
            raise ValueError(msg)
        return self


class Interactions(Section):
    """
    Products of columns of numbers, beside the columns themselves.

    Parameters
    ----------
    columns : tuple of str
    degree : int
        Most factors of a product.
    powers : bool
        Whether a column may be a factor twice.
    """

    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    degree: Annotated[int, Field(strict=True, ge=2, le=5)] = 2
    powers: Flag = False

    @model_validator(mode="after")
    def _products(self) -> Self:
        if len(self.columns) == 1 and not self.powers:
            msg = "one column has no product but its powers; set powers, or name more columns"
            raise ValueError(msg)
        return self


class TransformerChoice(Section):
    """
    A transformer of the user's own, which prepares some columns in place of what their kinds say.

    Parameters
    ----------
    class_ : str
        Import path of a class of an installed package; ``class`` in the file.
    columns : tuple of str
        Given to it as a table, as they are in the rows: missing values are NaN.
    parameters : mapping
        Keyword arguments of that class.
    """

    class_: Annotated[str, Field(alias="class")]
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


Prepared = NumberFeatures | CategoryFeatures | BooleanFeatures | DateFeatures | TextFeatures

SECTIONS: Final[Mapping[Kind, type[Prepared]]] = {
    Kind.NUMBER: NumberFeatures,
    Kind.CATEGORY: CategoryFeatures,
    Kind.BOOLEAN: BooleanFeatures,
    Kind.DATE: DateFeatures,
    Kind.TEXT: TextFeatures,
}
"""The settings of each kind."""


class Features(Section):
    """
    How columns are prepared: by their kinds, and by what is said of one.

    Parameters
    ----------
    number : NumberFeatures
    category : CategoryFeatures
    boolean : BooleanFeatures
    date : DateFeatures
    text : TextFeatures
    columns : mapping of str to mapping
        Keys of the kind's section, for one column.
    transformers : tuple of TransformerChoice
    interactions : tuple of Interactions
    """

    number: NumberFeatures = NumberFeatures()
    category: CategoryFeatures = CategoryFeatures()
    boolean: BooleanFeatures = BooleanFeatures()
    date: DateFeatures = DateFeatures()
    text: TextFeatures = TextFeatures()
    columns: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    transformers: tuple[TransformerChoice, ...] = ()
    interactions: tuple[Interactions, ...] = ()

    @model_validator(mode="after")
    def _one_way_for_each(self) -> Self:
        taken: set[str] = set(self.columns)
        for choice in self.transformers:
            twice = [name for name in choice.columns if name in taken]
            if twice:
                raise ValueError(f"features prepares column {twice[0]!r} in two ways; expected one of them")
            taken.update(choice.columns)
        return self

    def of(self, name: str, kind: Kind) -> Prepared:
        """
        Return how a column is prepared.

        Raises
        ------
        ConfigurationError
            What is said of the column is not of its kind.
        """
        default: Prepared = getattr(self, kind)
        own = self.columns.get(name, {})
        try:
            return SECTIONS[kind].model_validate({**default.model_dump(by_alias=True), **own})
        except ValidationError as error:
            raise ConfigurationError(f"features.columns.{name} does not fit kind {kind}: {_reason(error)}") from error


def _reason(error: ValidationError) -> str:
    first: Any = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    return f"{key} is {first['input']!r}; {first['msg'].replace('Input should be', 'expected')}"
