"""The operator's settings, read once from flags and environment."""

from model.settings.schema import Settings

__all__ = ["Settings"]
