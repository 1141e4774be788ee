"""From raw tables to typed rows that may be learned from: what is declared of them is checked, and nothing is lost."""

from training.validation.report import Outcome
from training.validation.validate import Validated, validate

__all__ = ["Outcome", "Validated", "validate"]
