"""
Drift: how far what a version is asked, and answers, has moved from what it was published with.

::

    profile      the distribution of each column and of the predictions, as the manifest holds it
    counting     values to counts of a profile's bins
    statistics   from two rows of counts to a number
    monitor      what a served version has been asked lately

Nothing here holds up a request: one of many is kept as it is, and counted in a thread.
"""

from model.drift.monitor import Drift, Monitor
from model.drift.profile import Bins, Categories, Profile, Ranges
from model.drift.statistics import MIN_ROWS, ks, missing_ratio, out_of_range_ratio, psi

__all__ = [
    "MIN_ROWS",
    "Bins",
    "Categories",
    "Drift",
    "Monitor",
    "Profile",
    "Ranges",
    "ks",
    "missing_ratio",
    "out_of_range_ratio",
    "psi",
]
