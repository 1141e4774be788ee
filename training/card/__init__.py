"""The model card: what a version is, for people, in one file that needs no other."""

from training.card.documents import CARD, Documents
from training.card.page import card

__all__ = ["CARD", "Documents", "card"]
