"""What a step is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.config import Config
from training.ingest import Snapshot
from training.registry import Registry


@dataclass(frozen=True, slots=True)
class Job:
    """
    What a step is given.

    Parameters
    ----------
    config : Config
    snapshot : Snapshot
    inputs : mapping of str to Path
        Directories of the steps that it needs, by their names.
    output : Path
        Directory for its files, empty; it becomes the step's when the step has ended.
    registry : Registry or None
        None where a step is done by itself.
    besides : mapping of str to object
        What decides the result as well, such as the champion that the registry named when the step was begun.
    """

    config: Config
    snapshot: Snapshot
    inputs: Mapping[str, Path]
    output: Path
    registry: Registry | None = None
    besides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step.

    Parameters
    ----------
    name : str
    needs : tuple of Step
        Steps whose files it reads.
    settings : tuple of str
        Keys of the configuration that decide its result, beside those of the steps that it needs.
    make : callable
        Does it.
    """

    name: str
    needs: tuple["Step", ...]
    settings: tuple[str, ...]
    make: Callable[[Job], None]

    def decided_by(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of a configuration, as JSON values, that decides its result."""
        return {key: configuration[key] for key in self.settings}
