"""A broker of Kafka as a process of a test, on free ports of 127.0.0.1, with what it has in a directory of its own."""

import base64
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.certificates import Authority
from tests.servers import REPOSITORY

USER: Final = "trainer"
PASSWORD: Final = "correct-horse"
_JARS: Final = REPOSITORY / "var" / "kafka" / "jars"
_PATIENCE_SECONDS: Final = 60.0
_SETTINGS: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
}


@contextmanager
def kafka(directory: Path) -> Iterator[str]:
    """Run a broker, and give its address."""
    with _running(directory, {"PLAINTEXT": "PLAINTEXT"}) as addresses:
        yield addresses["PLAINTEXT"]


@dataclass(frozen=True, slots=True)
class SecuredBroker:
    """
    A broker that is told who asks.

    Parameters
    ----------
    address : str
        Where it asks nobody.
    sasl : str
        Where it asks for ``USER`` and ``PASSWORD`` by SCRAM-SHA-256 or PLAIN, over TLS.
    tls : str
        Where it asks for a certificate.
    authority, certfile, keyfile : Path
        Who has signed its certificate, and a certificate that it takes.
    """

    address: str
    sasl: str
    tls: str
    authority: Path
    certfile: Path
    keyfile: Path


@contextmanager
def secured_kafka(directory: Path) -> Iterator[SecuredBroker]:
    """Run a broker that is told who asks."""
    authority, server, client = (directory / name for name in ("authority.pem", "server.pem", "client.pem"))
    server_key, client_key = directory / "server.key", directory / "client.key"
    signing = Authority("brokers").write(authority)
    signing.issue(server, server_key)
    signing.issue(client, client_key, USER)
    server.write_bytes(server_key.read_bytes() + server.read_bytes())
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority),
        "listener.name.tls.ssl.client.auth": "required",
        "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN",
        "listener.name.sasl.scram-sha-256.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.sasl.plain.sasl.jaas.config": f'{plain} required user_{USER}="{PASSWORD}";',
    }
    protocols = {"PLAINTEXT": "PLAINTEXT", "SASL": "SASL_SSL", "TLS": "SSL"}
    user = ("--add-scram", f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]")
    with _running(directory, protocols, settings, user) as addresses:
        yield SecuredBroker(addresses["PLAINTEXT"], addresses["SASL"], addresses["TLS"], authority, client, client_key)


@contextmanager
def _running(
    directory: Path,
    protocols: Mapping[str, str],
    settings: Mapping[str, str] = MappingProxyType({}),
    formatting: Sequence[str] = (),
) -> Iterator[Mapping[str, str]]:
    """Run a broker, and give the address of each of its listeners."""
    assert shutil.which("java"), "java is not installed: make test-system does that"
    assert _JARS.is_dir(), f"{_JARS} is not there: make test-system does that"
    spoken = {**protocols, "CONTROLLER": "PLAINTEXT"}
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(spoken, _free_ports(len(spoken)), strict=True)}
    own = {
        "listeners": ",".join(f"{name}://{address}" for name, address in addresses.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in spoken.items()),
        "controller.quorum.voters": f"1@{addresses['CONTROLLER']}",
        "log.dirs": str(directory / "data"),
    }
    file = directory / "server.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in {**_SETTINGS, **own, **settings}.items()))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    formatted = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(file), *formatting]
    subprocess.run([*_java(), *formatted], check=True, capture_output=True)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*_java(), "kafka.Kafka", str(file)], stdout=log, stderr=log)
        try:
            for address in addresses.values():
                _wait(process, int(address.rpartition(":")[2]), directory / "log")
            yield addresses
        finally:
            process.kill()
            process.wait()


def _java() -> list[str]:
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{_JARS}/*"]


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in taken]
