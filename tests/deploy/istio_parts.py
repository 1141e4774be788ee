"""What the parts of the translation in istio.py share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Config = dict[str, Any]
Object = Mapping[str, Any]


def nothing(rest: Object) -> None:
    """Refuse the fields that are left when those that are known are taken."""
    if rest:
        raise TypeError(f"fields that the translation does not know: {[*rest]}")


def only(node: Object, name: str) -> Any:
    """Return the one field of an object."""
    nothing({key: each for key, each in node.items() if key != name})
    return node[name]


def named(name: str, message: str, config: Config, *, kind: str = "http") -> Config:
    """Return a filter with its configuration."""
    typed = {"@type": f"type.googleapis.com/envoy.extensions.filters.{kind}.{message}", **config}
    return {"name": name, "typed_config": typed}


@dataclass(frozen=True)
class Identity:
    """A workload's certificate, and the authority that it takes others' from."""

    certificate: Path
    key: Path
    authority: Path


def tls(direction: str, identity: Identity, more: Config, *, protocols: Sequence[str] = ()) -> Config:
    """Return a transport socket that shows a certificate and asks for one of the same authority."""
    certificate = {
        "certificate_chain": {"filename": str(identity.certificate)},
        "private_key": {"filename": str(identity.key)},
    }
    common = {
        "alpn_protocols": [*protocols],
        "tls_certificates": [certificate],
        "validation_context": {"trusted_ca": {"filename": str(identity.authority)}},
    }
    message = f"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{direction}TlsContext"
    config = {"@type": message, "common_tls_context": common, **more}
    return {"name": "envoy.transport_sockets.tls", "typed_config": config}
