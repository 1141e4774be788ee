"""The modules an estimator is made of: found when it is published, looked for before it is unpickled."""

import pickle
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Final

from model.artifact.distributions import distributions_of
from model.artifact.manifest import Manifest, Requirement
from model.errors import ArtifactError
from model.lookup.found import LooksUp
from model.sessions import Graph

_PINNED: Final = frozenset({"sklearn", "numpy"})
"""Modules whose versions the manifest's environment pins."""
_OWN: Final = __name__.partition(".")[0]
"""This project's, which whoever serves has."""
_SCRIPTS: Final = frozenset({"__main__", "__mp_main__"})


def required_modules(estimator: Any) -> dict[str, Requirement | None]:
    """
    Find the top-level modules of the classes and functions that an estimator is pickled by.

    Returns
    -------
    modules : dict of str to Requirement or None
        None for a module that no installed distribution has.

    Raises
    ------
    ArtifactError
        The estimator can't be pickled, or not so that a server could unpickle it.
    """
    collector = _Collector()
    try:
        collector.dump(estimator)
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(
            f"{type(estimator).__name__} can't be pickled: {error}; remove what holds a file, a lock or a local function."
        ) from error
    return {module: _requirement(module) for module in sorted(collector.modules)}


def check_modules(manifest: Manifest) -> tuple[str, ...]:
    """
    Look for the modules that an estimator needs, without importing any.

    Returns
    -------
    warnings : tuple of str
        One sentence for each that is there in another version.

    Raises
    ------
    ArtifactError
        One is missing.
    """
    what = f"{manifest.name} version {manifest.version}"
    warnings = []
    for module, requirement in manifest.modules.items():
        if not _importable(module):
            raise ArtifactError(missing_module(what, module, requirement))
        here = None if requirement is None else _installed(module, requirement.distribution)
        if requirement is not None and here not in (None, requirement.version):
            warnings.append(
                f"{what} was made with {module} {requirement.version}, and {here} runs here, so its answers may differ; "
                f"install {requirement.distribution} {requirement.version}, or publish it again."
            )
    return tuple(warnings)


def missing_module(what: str, module: str, requirement: Requirement | None = None) -> str:
    """Return the sentence about a module that can't be imported."""
    if requirement is not None:
        source = f"{requirement.distribution} {requirement.version}"
        return (
            f"{what} needs the module {module!r}, which is not installed here; add {source} in an image FROM this one."
        )
    return (
        f"{what} needs the module {module!r}, which can't be imported here; "
        f"add it in an image FROM this one, or give the directory that holds it by --code_dir."
    )


class _Sink:
    """Where the pickle goes: nowhere."""

    def write(self, data: bytes) -> int:
        return len(data)


class _Collector(pickle.Pickler):
    """Pickles to nowhere, noting the module of each class and function on the way; large arrays are not copied."""

    def __init__(self) -> None:
        super().__init__(_Sink(), protocol=5, buffer_callback=lambda _: None)
        self.modules: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        if callable(obj):
            self._note(obj)
        elif isinstance(obj, LooksUp | Graph):
            self.modules.update(obj.modules)
        return NotImplemented

    def _note(self, obj: Any) -> None:
        module = getattr(obj, "__module__", None)
        if not isinstance(module, str):
            return
        name = getattr(obj, "__qualname__", type(obj).__qualname__)
        if "<" in name:
            raise ArtifactError(
                f"The estimator holds {name} of {module}, and what is defined inside a function can't be pickled; "
                f"define it at the top of a module and fit the estimator again."
            )
        if module in _SCRIPTS:
            raise ArtifactError(
                f"The estimator holds {name}, which is defined in a script or notebook (__main__) that a server can't "
                f"import; move it to a module, fit the estimator again, and give the module's directory by --code_dir."
            )
        top = module.partition(".")[0]
        if top not in _PINNED | {_OWN} and top not in sys.stdlib_module_names:
            self.modules.add(top)


def _requirement(module: str) -> Requirement | None:
    first = next(iter(distributions_of(module)), None)
    return None if first is None else Requirement(distribution=first, version=version(first))


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return module in sys.modules


def _installed(module: str, distribution: str) -> str | None:
    """Return the version of a module, which may come from another distribution here, such as xgboost-cpu."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        others = distributions_of(module)
        return version(others[0]) if others else None
