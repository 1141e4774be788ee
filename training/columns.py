"""What a column holds."""

from enum import StrEnum
from typing import Final

MOST_CATEGORIES: Final = 100
"""Distinct texts beyond which a column is not taken for a category unless it is declared as one."""


class Kind(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    CATEGORY = "category"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
