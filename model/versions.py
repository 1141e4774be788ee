"""What is known of a model's versions: which answer, which one by default, and why another does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from model.servable import Servable
from model.store import Fingerprint


class State(StrEnum):
    """
    State of a version.

    References
    ----------
    Model repository extension of the Open Inference Protocol, "Index".
    """

    LOADING = "LOADING"
    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class ModelState:
    """One line of the repository index."""

    name: str
    version: str
    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """
    One version directory, as it was found.

    Parameters
    ----------
    fingerprint : Fingerprint or None
        Of its files; None where they could not be looked at.
    servable : Servable or None
        What answers. With a ``reason`` it was loaded before, from what the directory held then.
    reason : str
        Why what the directory holds now is not loaded.
    pending : bool
        It is new or has changed, and is to be loaded once it is found unchanged.
    """

    fingerprint: Fingerprint | None
    servable: Servable | None = None
    reason: str = ""
    pending: bool = False

    @property
    def state(self) -> State:
        """Its state in the index."""
        if self.servable is not None:
            return State.READY
        return State.LOADING if self.pending else State.UNAVAILABLE


@dataclass(slots=True)
class Model:
    """
    One model; a change makes another one, which takes its place in one assignment.

    Parameters
    ----------
    directory : Path
        Of its versions, or of the one artifact.
    known : mapping of str to Version
        By the name of the directory, in numeric order; the name is empty for a directory that is an artifact itself.
    surplus : tuple of str
        Versions that are there, and not loaded because enough newer ones answer.
    alias : str or None
        The version that ``aliases.json`` calls champion.
    default : str or None
        The version that answers where a request names none; None where no version does.
    trouble : str
        What is wrong with the directory as a whole; what was loaded from it goes on.
    alias_trouble : str
        What is wrong with ``aliases.json``.
    promised : bool
        Clients count on it: it was there when the server started, or has answered since.
    unloaded : bool
        Taken out by the operator.
    loading : bool

    Attributes
    ----------
    versions : dict of str to Servable
        Those that answer, in numeric order.
    """

    directory: Path
    known: Mapping[str, Version] = field(default_factory=dict)
    surplus: tuple[str, ...] = ()
    alias: str | None = None
    default: str | None = None
    trouble: str = ""
    alias_trouble: str = ""
    promised: bool = True
    unloaded: bool = False
    loading: bool = False
    versions: dict[str, Servable] = field(init=False)

    def __post_init__(self) -> None:
        servables = [version.servable for version in self.known.values() if version.servable is not None]
        self.versions = {servable.version: servable for servable in servables}
        self.promised = self.promised or bool(self.versions)

    @property
    def pending(self) -> bool:
        """Whether a version is to be loaded at the next look."""
        return any(version.pending for version in self.known.values())

    @property
    def vacant(self) -> str | None:
        """The champion where it does not answer, and is not about to be loaded."""
        if self.alias is None or self.alias in self.versions:
            return None
        champion = self.known.get(self.alias)
        return None if champion is not None and champion.pending else self.alias

    def answers(self) -> Servable | None:
        """Return what answers where a request names no version."""
        return None if self.default is None else self.versions[self.default]


def states(name: str, model: Model, max_versions: int) -> list[ModelState]:
    """Return a model's lines of the repository index."""
    if model.loading:
        return [ModelState(name, "", State.LOADING)]
    if model.unloaded:
        return [ModelState(name, "", State.UNAVAILABLE, "Unloaded.")]
    surplus = f"Not loaded: of the versions that answer, the newest {max_versions} and the champion are kept."
    lines = [ModelState(name, version, State.UNAVAILABLE, surplus) for version in model.surplus]
    for directory, version in model.known.items():
        served = version.servable.version if version.servable is not None else directory
        reason = version.reason or (model.trouble if not directory else "")
        lines.append(ModelState(name, served, version.state, reason))
    lines.sort(key=lambda line: int(line.version or 0))
    if not lines or (model.trouble and "" not in model.known):
        reason = model.trouble or f"No version in {model.directory.name}."
        lines.append(ModelState(name, "", State.UNAVAILABLE, reason))
    return lines


__all__ = ["Model", "ModelState", "State", "Version", "states"]
