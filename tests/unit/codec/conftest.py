"""Hypothesis here looks for crashes; on a busy machine its clock would only find that the machine is busy."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
