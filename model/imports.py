"""Importing scikit-learn: where there is an estimator, and no more of it than the estimator needs."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(module: str) -> Iterator[None]:
    """
    Let what is imported meanwhile do without an optional module, as if it were not installed.

    Parameters
    ----------
    module : str
        Imported already, it stays; else it can be imported afterwards like any other.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # the import system's mark for what can't be imported
    try:
        yield
    finally:
        del sys.modules[module]


def import_sklearn() -> None:
    """
    Import scikit-learn without pandas, for that takes 30 MiB of a server, and a tenth of its cold start.

    scikit-learn imports pandas in one place, where it may be missing, and does nothing with it there; a frame it knows
    by the module that the frame comes from. Another tenth goes to garbage, of which there is none meanwhile.
    """
    if "sklearn" in sys.modules:
        return
    enabled = gc.isenabled()
    gc.disable()
    try:
        with without("pandas"):
            import sklearn.base  # noqa: F401, PLC0415 -- the import is the point
    finally:
        if enabled:
            gc.enable()
