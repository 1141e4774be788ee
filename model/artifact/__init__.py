"""
One directory per version: written whole, vouched for by a manifest, verified before it is unpickled.

What writes versions is imported when it is asked for: a server does without, and without pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from model.artifact.bundle import VerifyKey, read_keys
from model.artifact.golden import alike
from model.artifact.loading import Artifact, LoadPolicy, load
from model.artifact.manifest import Golden, Manifest, Requirement, read_manifest
from model.artifact.verification import Verified, verify

if TYPE_CHECKING:
    from model.artifact.acceleration import accelerate_version
    from model.artifact.publishing import publish, publish_network
    from model.artifact.signing import sign_version

__all__ = [
    "Artifact",
    "Golden",
    "LoadPolicy",
    "Manifest",
    "Requirement",
    "Verified",
    "VerifyKey",
    "accelerate_version",
    "alike",
    "load",
    "publish",
    "publish_network",
    "read_keys",
    "read_manifest",
    "sign_version",
    "verify",
]

_WRITERS: Final = {
    "accelerate_version": "model.artifact.acceleration",
    "publish": "model.artifact.publishing",
    "publish_network": "model.artifact.publishing",
    "sign_version": "model.artifact.signing",
}


def __getattr__(name: str) -> Any:
    if name not in _WRITERS:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_WRITERS[name]), name)
