"""
The operator's settings, read once from flags and environment.

::

    settings   what one process is told: read, and checked as a whole
    schema     the table: name, default, limits and meaning of each setting
    flags      from flags and variables to values, and mistakes to sentences
    kserve     KServe's own names for some, and those of its flags that mean nothing here
    table      the reference in docs/settings.md
"""

from model.settings.settings import Settings

__all__ = ["Settings"]
