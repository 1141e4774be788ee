"""What a version says about itself beside its manifest, as far as it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from model.artifact import Manifest, verify
from model.errors import UntrustedArtifact
from training.config.card import CardText
from training.evaluation import Decision, Evaluation
from training.evaluation.record import Part
from training.registry.description import MARK

CARD: Final = "card.html"
"""File of a version that is the card."""

Document = TypeVar("Document")


class Taken(Part):
    """
    The snapshot of the data.

    Parameters
    ----------
    source : str
    sha256 : str
    bytes : int
    """

    source: str
    sha256: str
    bytes: int


class Made(Part):
    """
    What a version was made of, as ``run.json`` holds it.

    Parameters
    ----------
    run : str
        Id of the run.
    snapshot : Taken
    configuration : dict
        JSON values, as the file has them, defaults included.
    code : dict of str to str
        Versions.
    rows : int or None
        That were learned from and measured on.
    """

    run: str
    snapshot: Taken
    configuration: dict[str, Any]
    code: dict[str, str] = Field(default_factory=dict)
    rows: int | None = None

    @property
    def pictures(self) -> bool:
        """Whether the author wants pictures."""
        return bool(self.configuration.get("evaluation", {}).get("pictures", True))

    @property
    def text(self) -> CardText:
        """What the author says."""
        return CardText.model_validate(self.configuration.get("card", {}))


@dataclass(frozen=True)
class Documents:
    """
    All that a card is made from; what a version does not have is None.

    Parameters
    ----------
    manifest : Manifest
    made : Made or None
    fitted : dict or None
        How it was fitted.
    evaluation : Evaluation or None
    decision : Decision or None
    """

    manifest: Manifest
    made: Made | None = None
    fitted: Mapping[str, Any] | None = None
    evaluation: Evaluation | None = None
    decision: Decision | None = None

    @classmethod
    def of(cls, manifest: Manifest, files: Mapping[str, bytes]) -> Self:
        """
        Read the files of a version that tell something.

        Raises
        ------
        UntrustedArtifact
            One is none of ours.
        """

        def read(name: str, parse: Callable[[bytes], Document]) -> Document | None:
            try:
                return parse(files[name]) if name in files else None
            except ValidationError as error:
                raise UntrustedArtifact(
                    f"{manifest.name} version {manifest.version} has a {name} that is not what training writes; "
                    f"publish the model again."
                ) from error

        return cls(
            manifest,
            made=read(MARK, Made.model_validate_json),
            fitted=read("fit.json", TypeAdapter(dict[str, Any]).validate_json),
            evaluation=read("evaluation.json", Evaluation.model_validate_json),
            decision=read("decision.json", Decision.model_validate_json),
        )

    @classmethod
    def of_version(cls, directory: Path) -> Self:
        """
        Read those of a version's directory, each held against the manifest.

        Raises
        ------
        ArtifactError
            It is no version, or a file of it is another than the manifest says.
        """
        manifest = verify(directory, require_manifest=True).manifest
        assert manifest is not None  # noqa: S101 -- it is required
        told = (MARK, "fit.json", "evaluation.json", "decision.json")
        return cls.of(manifest, {name: (directory / name).read_bytes() for name in told if name in manifest.files})
