"""One directory per version: written whole, vouched for by a manifest, verified before it is unpickled."""

from model.artifact.acceleration import accelerate_version
from model.artifact.bundle import VerifyKey, read_keys
from model.artifact.golden import alike
from model.artifact.loading import Artifact, LoadPolicy, load
from model.artifact.manifest import Golden, Manifest, Requirement, read_manifest
from model.artifact.networks import publish_network
from model.artifact.publishing import publish
from model.artifact.signing import sign_version
from model.artifact.verification import Verified, verify

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
