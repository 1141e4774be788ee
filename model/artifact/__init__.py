"""One directory per version: written whole, vouched for by a manifest, verified before it is unpickled."""

from model.artifact.acceleration import accelerate_version
from model.artifact.golden import alike
from model.artifact.loading import Artifact, LoadPolicy, load
from model.artifact.manifest import Golden, Manifest, Requirement, read_manifest
from model.artifact.networks import publish_network
from model.artifact.publishing import publish
from model.artifact.verification import Verified, verify

__all__ = [
    "Artifact",
    "Golden",
    "LoadPolicy",
    "Manifest",
    "Requirement",
    "Verified",
    "accelerate_version",
    "alike",
    "load",
    "publish",
    "publish_network",
    "read_manifest",
    "verify",
]
