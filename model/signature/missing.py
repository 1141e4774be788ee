"""Which values of a column are missing."""

from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]


def missing_in(values: Values) -> npt.NDArray[np.bool_]:
    """
    Tell which values are missing: None, NaN or NaT.

    Parameters
    ----------
    values : ndarray
        Of any dtype and shape.
    """
    kind = values.dtype.kind
    if kind == "O":
        nothing: Any = None  # compared with each value; what differs from itself is NaN or NaT
        return np.asarray((values == nothing) | (values != values), dtype=np.bool_)  # noqa: PLR0124
    if kind in "fc":
        return np.isnan(values)
    if kind in "mM":
        return np.isnat(values)
    return np.zeros(values.shape, dtype=bool)
