"""TLS on both ports: who trusts whom, which versions, rotation, and clients that do not speak it."""

import socket
import ssl
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography import x509

from model.grpc import open_inference_pb2 as pb
from model.tls.certificates import HANDSHAKE_SECONDS
from tests.certificates import Authority
from tests.protocol.conftest import Start
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.wires import SERVICE
from tests.servers import ServerProcess

PLANE = Ask("plane", (Sent("x", "FP64", (1, 2), (1.0, 2.0)),))
OURS, THEIRS = Authority("ours"), Authority("theirs")
PORTS = ["http_port", "grpc_port"]


@dataclass
class Secured:
    """A server with TLS, and the directory of its files."""

    server: ServerProcess
    files: Path

    def issue(self, authority: Authority = OURS) -> int:
        """Write a new certificate and its key."""
        return authority.issue(self.files / "server.pem", self.files / "server.key")

    def ask(self, context: ssl.SSLContext) -> httpx.Response:
        with httpx.Client(verify=context, timeout=30) as client:
            return client.post(f"https://127.0.0.1:{self.server.http_port}{infer_path('plane')}", json=document(PLANE))

    def call(self, roots: bytes, key: bytes | None = None, chain: bytes | None = None) -> pb.ModelInferResponse:
        credentials = grpc.ssl_channel_credentials(roots, key, chain)
        with grpc.secure_channel(f"127.0.0.1:{self.server.grpc_port}", credentials) as channel:
            infer: Any = channel.unary_unary(
                f"/{SERVICE}/ModelInfer", pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString
            )
            answer = infer(message(PLANE), timeout=30)
            assert isinstance(answer, pb.ModelInferResponse)
            return answer

    def shake(self, port: str, context: ssl.SSLContext) -> tuple[int, str | None]:
        """Shake hands, and return the serial number of the server's certificate and the protocol agreed on."""
        context.set_alpn_protocols(["http/1.1"] if port == "http_port" else ["h2"])
        with (
            socket.create_connection(("127.0.0.1", getattr(self.server, port)), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            certificate = connection.getpeercert(binary_form=True)
            assert certificate is not None
            return x509.load_der_x509_certificate(certificate).serial_number, connection.selected_alpn_protocol()

    def wait_for_serial(self, port: str, serial: int) -> None:
        end = time.monotonic() + 20
        while self.shake(port, trusting())[0] != serial:
            assert time.monotonic() < end, self.server
            time.sleep(0.1)

    def failures(self) -> list[Any]:
        """Return what was logged of failures so far; clients' mistakes are none."""
        return [line for line in self.server.log if line["level"] not in {"info", "debug"}]


def trusting(authority: Authority = OURS) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate.decode())


def serve(start: Start, files: Path, *args: str) -> Secured:
    certificate, key = files / "server.pem", files / "server.key"
    OURS.issue(certificate, key)
    flags = ("--ssl_certfile", str(certificate), "--ssl_keyfile", str(key), *args)
    return Secured(start("plane", args=flags).server, files)


@pytest.fixture(scope="module")
def secured(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    secured = serve(start, tmp_path_factory.mktemp("tls"))
    yield secured
    assert secured.server.stray == []


@pytest.fixture(scope="module")
def mutual(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A server that wants certificates of its clients."""
    files = tmp_path_factory.mktemp("mtls")
    OURS.write(files / "ca.pem")
    OURS.issue(files / "ours.pem", files / "ours.key", "client")
    THEIRS.issue(files / "theirs.pem", files / "theirs.key", "client")
    mutual = serve(start, files, "--ssl_ca_certs", str(files / "ca.pem"))
    yield mutual
    assert mutual.server.stray == []


def test_who_trusts_its_authority_is_answered(secured: Secured) -> None:
    answer = secured.ask(trusting())
    assert (answer.status_code, answer.json()["model_name"]) == (200, "plane")
    assert secured.call(OURS.certificate).model_name == "plane"


def test_who_trusts_another_authority_refuses_it(secured: Secured) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        secured.ask(trusting(THEIRS))
    with pytest.raises(grpc.RpcError) as refused:
        secured.call(THEIRS.certificate)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert secured.failures() == []


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(secured: Secured, port: str, version: ssl.TLSVersion) -> None:
    context = trusting()
    context.minimum_version = context.maximum_version = version
    assert secured.shake(port, context)[1] == ("http/1.1" if port == "http_port" else "h2")


def old(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a context speak TLS 1.1 and nothing later."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def test_two_that_speak_tls_1_1_alone_understand_each_other(tmp_path: Path) -> None:
    """Else the next test would show nothing."""
    OURS.issue(tmp_path / "server.pem", tmp_path / "server.key")
    theirs = old(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    theirs.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = old(trusting()).wrap_bio(back, there, server_hostname="127.0.0.1")
    server = theirs.wrap_bio(there, back, server_side=True)
    for side in (client, server, client, server, client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert client.version() == "TLSv1.1"


@pytest.mark.parametrize("port", PORTS)
def test_tls_1_1_is_refused(secured: Secured, port: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        secured.shake(port, old(trusting()))
    assert secured.failures() == []


def received(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(4096):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize(
    "sent", [b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x63" + b"x" * 99]
)
def test_who_speaks_no_tls_gets_no_answer_and_no_line_in_the_log(secured: Secured, port: str, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", getattr(secured.server, port)), timeout=30) as connection:
        connection.sendall(sent)
        assert b"HTTP" not in received(connection)
    assert secured.ask(trusting()).status_code == 200
    assert secured.failures() == []
    assert secured.server.stray == []


def test_a_plain_grpc_client_fails(secured: Secured) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{secured.server.grpc_port}") as channel:
        live: Any = channel.unary_unary(f"/{SERVICE}/ServerLive")
        with pytest.raises(grpc.RpcError) as failed:
            live(b"", timeout=30)
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


def test_clients_that_never_shake_hands_hold_nobody_up_and_are_sent_away(secured: Secured) -> None:
    with ExitStack() as stack:
        addresses = [("127.0.0.1", getattr(secured.server, port)) for port in PORTS * 20]
        silent = [stack.enter_context(socket.create_connection(address, timeout=60)) for address in addresses]
        begun = time.monotonic()
        assert secured.ask(trusting()).status_code == 200
        assert secured.call(OURS.certificate).model_name == "plane"
        assert time.monotonic() - begun < HANDSHAKE_SECONDS / 2
        for connection in silent:
            received(connection)
        assert time.monotonic() - begun < HANDSHAKE_SECONDS * 3
    assert secured.failures() == []


@pytest.mark.parametrize("port", PORTS)
def test_a_new_certificate_is_used_without_a_restart(secured: Secured, port: str) -> None:
    with httpx.Client(verify=trusting(), timeout=30) as client:
        url = f"https://127.0.0.1:{secured.server.http_port}/v2/health/live"
        assert client.get(url).status_code == 200
        serial = secured.issue()
        secured.wait_for_serial(port, serial)
        assert client.get(url).status_code == 200


def test_a_new_certificate_that_is_broken_leaves_the_old(secured: Secured) -> None:
    serial = secured.issue()
    for port in PORTS:
        secured.wait_for_serial(port, serial)
    good = secured.files.joinpath("server.key").read_bytes()
    secured.issue()
    later = secured.files.joinpath("server.key").read_bytes()
    secured.files.joinpath("server.key").write_bytes(good)
    said = "changed files are not used, what they held before is"
    end = time.monotonic() + 20
    while not secured.server.events(said):
        assert time.monotonic() < end, secured.server
        assert {secured.shake(port, trusting())[0] for port in PORTS} == {serial}
    (line,) = secured.server.events(said)
    assert line["reason"].startswith("The key in ")
    assert {secured.shake(port, trusting())[0] for port in PORTS} == {serial}
    secured.files.joinpath("server.key").write_bytes(later)
    end = time.monotonic() + 20
    while {secured.shake(port, trusting())[0] for port in PORTS} == {serial}:
        assert time.monotonic() < end, secured.server
    assert later not in str(secured.server).encode()


def as_client(mutual: Secured, name: str) -> ssl.SSLContext:
    context = trusting()
    context.load_cert_chain(mutual.files / f"{name}.pem", mutual.files / f"{name}.key")
    return context


def pair(mutual: Secured, name: str) -> tuple[bytes, bytes]:
    return mutual.files.joinpath(f"{name}.key").read_bytes(), mutual.files.joinpath(f"{name}.pem").read_bytes()


def refused_by_both(mutual: Secured, name: str | None) -> None:
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError, httpx.ConnectError)):
        mutual.ask(trusting() if name is None else as_client(mutual, name))
    with pytest.raises(grpc.RpcError) as refused:
        mutual.call(OURS.certificate, *(() if name is None else pair(mutual, name)))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_client_with_a_certificate_of_the_authority_is_answered(mutual: Secured) -> None:
    assert mutual.ask(as_client(mutual, "ours")).status_code == 200
    assert mutual.call(OURS.certificate, *pair(mutual, "ours")).model_name == "plane"


@pytest.mark.parametrize("name", [None, "theirs"])
def test_a_client_without_one_is_refused(mutual: Secured, name: str | None) -> None:
    refused_by_both(mutual, name)
    assert mutual.failures() == []


def test_a_client_with_a_certificate_gets_no_ticket_that_would_outlive_its_authority(mutual: Secured) -> None:
    address = ("127.0.0.1", mutual.server.http_port)
    with (
        socket.create_connection(address, timeout=30) as plain,
        as_client(mutual, "ours").wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert connection.session is None or not connection.session.has_ticket


def test_an_authority_that_is_replaced_lets_nobody_in_any_more(mutual: Secured) -> None:
    THEIRS.write(mutual.files / "ca.pem")
    end = time.monotonic() + 20
    while True:
        with suppress(httpx.TransportError):
            assert mutual.ask(as_client(mutual, "theirs")).status_code == 200
            break
        assert time.monotonic() < end, mutual.server
        time.sleep(0.1)
    assert mutual.call(OURS.certificate, *pair(mutual, "theirs")).model_name == "plane"
    refused_by_both(mutual, "ours")


def test_it_drains_with_connections_open(start: Start, tmp_path: Path) -> None:
    secured = serve(start, tmp_path)
    url = f"https://127.0.0.1:{secured.server.http_port}/v2/health/live"
    with (
        httpx.Client(verify=trusting(), timeout=30) as client,
        socket.create_connection(("127.0.0.1", secured.server.http_port)),
    ):
        assert client.get(url).status_code == 200
        begun = time.monotonic()
        assert secured.server.stop() == 0
        assert time.monotonic() - begun < 15
