"""A broker of Kafka as a process of a test, on free ports of 127.0.0.1, with what it has in a directory of its own."""

import base64
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.servers import REPOSITORY

_JARS: Final = REPOSITORY / "var" / "kafka" / "jars"
_PATIENCE_SECONDS: Final = 60.0
_SETTINGS: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
}


@contextmanager
def kafka(directory: Path) -> Iterator[str]:
    """Run a broker, and give its address."""
    assert shutil.which("java"), "java is not installed: make test-system does that"
    assert _JARS.is_dir(), f"{_JARS} is not there: make test-system does that"
    ports = _free_ports()
    listeners = "PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:{}".format(*ports)
    own = {
        "listeners": listeners,
        "controller.quorum.voters": f"1@127.0.0.1:{ports[1]}",
        "log.dirs": str(directory / "data"),
    }
    settings = directory / "server.properties"
    settings.write_text("".join(f"{key}={value}\n" for key, value in {**_SETTINGS, **own}.items()))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    formatted = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)]
    subprocess.run([*_java(), *formatted], check=True, capture_output=True)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*_java(), "kafka.Kafka", str(settings)], stdout=log, stderr=log)
        try:
            _wait(process, ports[0], directory / "log")
            yield f"127.0.0.1:{ports[0]}"
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


def _free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as other:
        for taken in (one, other):
            taken.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], other.getsockname()[1]]
