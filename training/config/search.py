"""Which parameters of the estimator are tried."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, JsonValue

from training.config.section import Section

RANGES: Final = ("uniform", "loguniform", "integers")
"""What a parameter may be drawn from, beside a list."""


def _dimension(value: JsonValue) -> JsonValue:
    if isinstance(value, list) and value:
        return value
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in RANGES:
        raise ValueError(f"expected a list of values, or one of {', '.join(RANGES)} with [lowest, highest]")
    ((kind, ends),) = value.items()
    _check_ends(kind, ends)
    return value


def _check_ends(kind: str, ends: Any) -> None:
    wanted: Any = int if kind == "integers" else (int, float)
    if not (isinstance(ends, list) and len(ends) == len(("low", "high")) and all(_is(wanted, end) for end in ends)):
        raise ValueError(f"expected {kind} with two {'whole ' if wanted is int else ''}numbers, [lowest, highest]")
    if not ends[0] < ends[1]:
        raise ValueError(f"expected {kind} with the lower end first")
    if kind == "loguniform" and ends[0] <= 0:
        msg = "expected loguniform between numbers over 0"
        raise ValueError(msg)


def _is(wanted: Any, end: Any) -> bool:
    return isinstance(end, wanted) and not isinstance(end, bool)


class Search(Section):
    """
    Which parameters of the estimator are tried, and how.

    Parameters
    ----------
    space : mapping
        By parameter of the estimator a list of values, or ``{uniform: [a, b]}``, ``{loguniform: [a, b]}`` or
        ``{integers: [a, b]}``, both ends included.
    method : {"random", "halving", "optuna"}
        Draw all candidates at random; draw them and give the better ones more rows, round by round; or draw each by
        what those before it came to.
    candidates : int
        How many are drawn.
    folds : int or None
        Parts of the rows to fit on, each of which in turn scores what was fitted on the others. None: the validation
        part scores where the split has one, else 5.
    metric : str or None
        By which the best is chosen. None: accuracy or rmse, by the task.
    """

    space: Annotated[dict[str, Annotated[JsonValue, AfterValidator(_dimension)]], Field(min_length=1)]
    method: Literal["random", "halving", "optuna"] = "random"
    candidates: Annotated[int, Field(strict=True, ge=1)] = 20
    folds: Annotated[int | None, Field(strict=True, ge=2)] = None
    metric: str | None = None
