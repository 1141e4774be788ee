"""The distributions that are installed here, by the module that each brings."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata


def distributions_of(module: str) -> tuple[str, ...]:
    """
    Return the names of the distributions that bring a top-level module, sorted; none for the user's own.

    To ask for all takes a fifth of a second, so it is done once, and again only for a module that was not there yet.
    """
    found = _by_module().get(module)
    if found is None:
        _by_module.cache_clear()
        found = _by_module().get(module, ())
    return tuple(sorted(set(found)))


@cache
def _by_module() -> Mapping[str, Sequence[str]]:
    return metadata.packages_distributions()
