"""A version that is not written yet: its files, and what its manifest will say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias

from model.artifact.digest import opened, sha256
from model.artifact.manifest import MANIFEST_FILE, Manifest
from model.artifact.pins import current_environment
from model.artifact.seal import SIGNATURE_FILE
from model.artifact.signing import make_signature
from model.artifact.staging import Staging, staging
from model.errors import ArtifactError

Write: TypeAlias = Callable[[BinaryIO], object]
Tell: TypeAlias = Callable[[Manifest], bytes]
Check: TypeAlias = Callable[[Path, Manifest], None]


@dataclass(frozen=True)
class Draft:
    """
    A version that is not written yet.

    Parameters
    ----------
    describe : partial of Manifest
        The manifest but for what all versions say alike.
    files : mapping of str to callable
        What writes each file, by its name.
    told : mapping of str to callable
        What makes a file from the manifest, by its name; it is given that, but for such files themselves.
    check : callable
        Looks at the files as they were written, before they become a version.
    """

    describe: "partial[Manifest]"
    files: Mapping[str, Write]
    told: Mapping[str, Tell] = field(default_factory=dict)
    check: Check = lambda *_: None

    def publish(self, name: str, root: Path, private_key: Path | None = None) -> Path:
        """
        Write it as the next version of a model, whole or not at all.

        Parameters
        ----------
        name : str
            Of the model.
        root : Path
        private_key : Path, optional
            Signs it.

        Returns
        -------
        directory : Path
            Of the version.

        Raises
        ------
        ArtifactError
            The check does not pass, the key can't be used, or the disk is full.
        """
        described = partial(self.describe, name=name, created=datetime.now(UTC), environment=current_environment())
        try:
            with staging(root / name) as stage:
                return self._written(stage, described, private_key)
        except OSError as error:
            raise ArtifactError(
                f"{root / name} can't be written: {error.strerror or error}; nothing was published, make room or mend "
                f"the permissions."
            ) from error

    def _written(self, stage: Staging, describe: "partial[Manifest]", private_key: Path | None) -> Path:
        for name, write in self.files.items():
            stage.write(name, write)
        described = partial(describe, files={name: _digest(stage.path / name) for name in self.files})
        self.check(stage.path, described(version=1))

        def describe_version(version: int) -> None:
            manifest = described(version=version)
            for name, tell in self.told.items():
                stage.write(name, content_of(tell(manifest)))
            digests = {name: _digest(stage.path / name) for name in self.told}
            whole = manifest.model_copy(update={"files": {**manifest.files, **digests}})
            stage.write(MANIFEST_FILE, content_of(whole.to_json()))
            if private_key is not None:
                signature, _ = make_signature(stage.path, private_key)
                stage.write(SIGNATURE_FILE, content_of(signature))

        return stage.become(describe_version)


def content_of(content: bytes) -> Write:
    """Return what writes a file of this content."""
    return lambda file: file.write(content)


def _digest(path: Path) -> str:
    with opened(path) as file:
        return sha256(file)
