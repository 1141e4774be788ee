"""``cleaning``, ``quarantine`` and ``leakage``: what is done to rows, how many of them may fail, and what gives the target away."""

from typing import Annotated, Literal

from pydantic import Field

from training.config.columns import Outliers
from training.config.section import Section

Comparison = Literal["<", "<=", "==", "!=", ">=", ">"]


class Check(Section):
    """
    What has to hold between two columns of each row that has both values.

    Parameters
    ----------
    left, right : str
        Columns, both of numbers or both of dates.
    is_ : {"<", "<=", "==", "!=", ">=", ">"}
        ``is`` in the file.
    """

    left: str
    is_: Annotated[Comparison, Field(alias="is")]
    right: str

    def __str__(self) -> str:
        return f"{self.left} {self.is_} {self.right}"


class Cleaning(Section):
    """
    What is done to the rows beside what ``columns`` say of each.

    Parameters
    ----------
    outliers : Outliers or None
        Of every column of numbers that does not say otherwise, the target excepted.
    checks : tuple of Check
        Of rows.
    """

    outliers: Outliers | None = None
    checks: tuple[Check, ...] = ()


class Quarantine(Section):
    """
    Rows that fail are put aside, and said.

    Parameters
    ----------
    limit : float
        Share of the rows beyond which the run is refused, from 0 to 1.
    """

    limit: Annotated[float, Field(ge=0, le=1)] = 0.05


class Leakage(Section):
    """
    What is known only after what is to be predicted, and would not be there when a model is asked.

    Parameters
    ----------
    columns : tuple of str
        Columns that are known only afterwards: they are left out, and recorded as such.
    alone : {"warn", "refuse", "ignore"}
        What happens where one column alone tells the target of rows that a tree has not seen.
    threshold : float
        Balanced accuracy, or R² in a regression, from which that is so.
    """

    columns: tuple[str, ...] = ()
    alone: Literal["warn", "refuse", "ignore"] = "warn"
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.99
