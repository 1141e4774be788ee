"""Numbers with a unit, such as ``18.2 cm``, in the unit of their column."""

import functools
from typing import Any, Final

import numpy as np
import pandas as pd

from training.errors import ConfigurationError

_UNIT: Final = r"[^\W\d_]|[°%]"
_FACTOR: Final = rf"(?:{_UNIT})+(?:\*\*|\^)?-?[\d²³]?"
_CELL: Final = rf"\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>{_FACTOR}(?:\s?[/*· ]\s?{_FACTOR}){{0,4}})\s*"
"""A number and a product of units: pint is a calculator, and what a cell holds is not to be calculated at will."""


def convert(texts: "pd.Series[Any]", unit: str) -> "pd.Series[Any]":
    """
    Read numbers with units.

    Parameters
    ----------
    texts : Series
    unit : str
        That they are turned into, as pint names it: ``mm``, ``kg/m**2``, ``degC``.

    Returns
    -------
    values : Series of float64
        NaN where a cell is no number with a unit of that dimension.

    Raises
    ------
    ConfigurationError
        pint knows no such unit.
    """
    wanted = _wanted(unit)
    values = pd.Series(np.nan, index=texts.index, dtype="float64")
    if texts.empty:
        return values
    parts = texts.astype(str).str.extract(f"^(?:{_CELL})$")
    for name, numbers in parts["number"].groupby(parts["unit"]):
        values.loc[numbers.index] = _converted(numbers.astype("float64").to_numpy(), str(name), wanted)
    return values


def _converted(numbers: Any, name: str, wanted: Any) -> Any:
    try:
        return _registry().Quantity(numbers, name).to(wanted).magnitude
    except Exception:  # noqa: BLE001 -- no unit, or not of the dimension; pint's errors share no root
        return np.nan


def _wanted(unit: str) -> Any:
    try:
        return _registry().Unit(unit)
    except Exception as error:
        raise ConfigurationError(
            f"columns: {unit!r} is no unit that pint knows; expected one such as mm, kg or degC"
        ) from error


@functools.cache
def _registry() -> Any:
    import pint  # noqa: PLC0415 -- takes a second, and most tables have no units

    return pint.UnitRegistry(cache_folder=None)
