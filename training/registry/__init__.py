"""Versions and their aliases, on disk or in a bucket: published whole, moved atomically, and said why."""

from training.registry.collection import Collected
from training.registry.move import ALIASES, CHALLENGER, CHAMPION, Move
from training.registry.registry import Registry
from training.registry.version import Version

__all__ = ["ALIASES", "CHALLENGER", "CHAMPION", "Collected", "Move", "Registry", "Version"]
