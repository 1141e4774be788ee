"""How much a test does: a little in ``make test``, all of it in ``make chaos``."""

import os
from typing import Final, TypeVar

T = TypeVar("T")
CHAOS: Final = os.environ.get("SKLEARN_KSERVE_TEST_CHAOS") == "1"


def scaled(short: T, long: T) -> T:
    """Return what a test is to use of a number, or of a bound."""
    return long if CHAOS else short
