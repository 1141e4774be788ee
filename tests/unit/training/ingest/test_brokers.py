import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import IllegalSaslStateError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from pydantic import ValidationError

from tests.brokers import PASSWORD, USER, SecuredBroker, secured_kafka
from tests.certificates import Authority
from training.config.source import Source
from training.errors import ConfigurationError, DataError
from training.ingest import SnapshotStore, brokers, read, take

SCRAM = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
    "KAFKA_USERNAME": USER,
    "KAFKA_PASSWORD": PASSWORD,
}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of Kafka, of which there are none."""
    environ: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environ)
    return environ


class TestSettings:
    def test_nothing_said_is_plain(self, environ: dict[str, str]) -> None:
        assert brokers.settings() == {"security_protocol": "PLAINTEXT"}

    def test_a_user_is_said(self, environ: dict[str, str]) -> None:
        environ.update(SCRAM)
        settings = brokers.settings()
        context = settings.pop("ssl_context")
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
        assert settings == {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_plain_username": USER,
            "sasl_plain_password": PASSWORD,
        }

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            (
                {"KAFKA_SECURITY_PROTOCOL": "TLS"},
                "KAFKA_SECURITY_PROTOCOL is 'TLS'; expected one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
            ),
            (
                {**SCRAM, "KAFKA_SASL_MECHANISM": "GSSAPI"},
                "KAFKA_SASL_MECHANISM is 'GSSAPI'; expected one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
            ),
            (
                {**SCRAM, "KAFKA_PASSWORD": ""},
                "KAFKA_SECURITY_PROTOCOL is 'SASL_SSL', and KAFKA_PASSWORD is not set; expected both",
            ),
            (
                {**SCRAM, "KAFKA_SECURITY_PROTOCOL": "SSL"},
                "KAFKA_SASL_MECHANISM is set, and KAFKA_SECURITY_PROTOCOL is 'SSL', which names no user; expected SASL_SSL",
            ),
            (
                {**SCRAM, "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_CAFILE": "ca.pem"},
                (
                    "KAFKA_CAFILE is set, and KAFKA_SECURITY_PROTOCOL is 'SASL_PLAINTEXT', which has no certificates; expected "
                    "SASL_SSL or SSL"
                ),
            ),
            (
                {**SCRAM, "KAFKA_CAFILE": "/none.pem"},
                "KAFKA_CAFILE is '/none.pem', which cannot be read: No such file or directory; expected a file in PEM",
            ),
            (
                {**SCRAM, "KAFKA_CERTFILE": "/none.pem", "KAFKA_KEYFILE": "/none.key"},
                (
                    "KAFKA_CERTFILE or KAFKA_KEYFILE is '/none.pem, /none.key', which cannot be read: No such file or directory; "
                    "expected a file in PEM"
                ),
            ),
        ],
    )
    def test_what_does_not_fit_is_a_sentence(
        self, environ: dict[str, str], given: Mapping[str, str], sentence: str
    ) -> None:
        environ.update(given)
        with pytest.raises(ConfigurationError) as caught:
            brokers.settings()
        assert str(caught.value) == sentence

    def test_a_file_that_is_no_certificate_is_a_sentence(self, environ: dict[str, str], tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("oh")
        environ.update({**SCRAM, "KAFKA_CAFILE": str(tmp_path / "ca.pem")})
        with pytest.raises(ConfigurationError, match=r"ca.pem', which cannot be read: .*; expected a file in PEM"):
            brokers.settings()

    def test_a_key_may_have_a_password_which_nobody_is_asked_for(self, environ: dict[str, str], tmp_path: Path) -> None:
        certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
        Authority("clients").issue(certificate, key, password=b"secret")
        environ.update(
            {
                "KAFKA_SECURITY_PROTOCOL": "SSL",
                "KAFKA_CERTFILE": str(certificate),
                "KAFKA_KEYFILE": str(key),
                "KAFKA_KEY_PASSWORD": "secret",
            }
        )
        assert "ssl_context" in brokers.settings()
        del environ["KAFKA_KEY_PASSWORD"]
        with pytest.raises(ConfigurationError, match=r"KAFKA_CERTFILE or KAFKA_KEYFILE is .*, which cannot be read: "):
            brokers.settings()

    @pytest.mark.parametrize(
        "broker", ["kafka", "kafka://trainer:secret@kafka:9092", "trainer:secret@kafka:9092", "a:1,b:2"]
    )
    def test_what_is_no_broker_is_refused_and_not_repeated(self, broker: str) -> None:
        with pytest.raises(ValidationError, match="expected HOST:PORT of each") as caught:
            Source.model_validate({"topic": "fish", "brokers": broker})
        assert "secret" not in caught.value.errors()[0]["msg"]


def refusal(*addresses: str, **given: Any) -> str | None:
    return asyncio.run(brokers.refusal(addresses, {"security_protocol": "PLAINTEXT", **given}))


class Connection:
    """One that fails or does not, as it is told; `TestRealBroker` holds what fails to a real broker."""

    def __init__(self, outcome: Exception | None) -> None:
        self._outcome = outcome
        self.closed = False

    async def connect(self) -> None:
        if self._outcome is not None:
            raise self._outcome

    def close(self) -> "asyncio.Future[None]":
        self.closed = True
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


class TestRefusal:
    @pytest.mark.parametrize(
        ("error", "sentence"),
        [
            (SaslAuthenticationFailed("bad"), "b:1 refuses KAFKA_USERNAME 'trainer' with this KAFKA_PASSWORD"),
            (UnsupportedSaslMechanismError("bad"), "b:1 does not take KAFKA_SASL_MECHANISM 'PLAIN'"),
            (
                IllegalSaslStateError("bad"),
                (
                    "b:1 breaks off; see whether it expects KAFKA_SECURITY_PROTOCOL 'PLAINTEXT' there, and no certificate but by "
                    "KAFKA_CERTFILE"
                ),
            ),
            (TimeoutError(), None),
        ],
    )
    def test_what_a_broker_says_comes_before_what_cannot_be_reached(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str | None
    ) -> None:
        outcomes = {"a": ConnectionRefusedError(111, "Connection refused"), "b": error}
        monkeypatch.setattr(brokers, "AIOKafkaConnection", lambda host, *_, **__: Connection(outcomes[host]))
        said = refusal("a:1", "b:1", sasl_plain_username="trainer", sasl_mechanism="PLAIN")
        assert said == (sentence or "a:1 cannot be reached: Connection refused")

    def test_one_that_answers_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        connections = {"a": Connection(TimeoutError()), "::1": Connection(None)}
        monkeypatch.setattr(brokers, "AIOKafkaConnection", lambda host, *_, **__: connections[host])
        assert refusal("a:1", "[::1]:2") is None
        assert connections["::1"].closed

    def test_a_certificate_of_another_authority_is_told(self, tmp_path: Path) -> None:
        certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
        Authority("others").issue(certificate, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = f"127.0.0.1:{listening.getsockname()[1]}"
            thread = threading.Thread(target=_shake_hands, args=(listening, context))
            thread.start()
            said = refusal(address, security_protocol="SSL", ssl_context=ssl.create_default_context())
            thread.join()
        assert said == (
            f"the certificate of {address} is not trusted, unable to get local issuer certificate; expected one of an "
            "authority that KAFKA_CAFILE holds"
        )


def _shake_hands(listening: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listening.accept()
    with connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_side=True)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        asyncio.run(_filled(broker.address))
        yield broker


async def _filled(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("fish", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        await producer.send_and_wait("fish", b'{"i": 1}', partition=0)


def taken(address: str, store: SnapshotStore, topic: str = "fish") -> list[int]:
    source = Source.model_validate({"topic": topic, "brokers": address, "batch_seconds": 20})
    return [int(number) for number in read(take(source, Path(), store))["i"]]


@pytest.mark.system
class TestRealBroker:
    @pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
    def test_rows_come_by_a_password_over_tls(
        self,
        secured: SecuredBroker,
        environ: dict[str, str],
        store: SnapshotStore,
        mechanism: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        environ.update({**SCRAM, "KAFKA_SASL_MECHANISM": mechanism, "KAFKA_CAFILE": str(secured.authority)})
        with caplog.at_level(logging.DEBUG):
            assert taken(secured.sasl, store) == [1]
        assert PASSWORD not in caplog.text

    def test_rows_come_by_a_certificate(
        self, secured: SecuredBroker, environ: dict[str, str], store: SnapshotStore
    ) -> None:
        environ.update(
            {
                "KAFKA_SECURITY_PROTOCOL": "SSL",
                "KAFKA_CAFILE": str(secured.authority),
                "KAFKA_CERTFILE": str(secured.certfile),
                "KAFKA_KEYFILE": str(secured.keyfile),
            }
        )
        assert taken(secured.tls, store) == [1]

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            (
                {"KAFKA_PASSWORD": "wrong"},
                "topic 'fish' cannot be read: ADDRESS refuses KAFKA_USERNAME 'trainer' with this KAFKA_PASSWORD",
            ),
            (
                {"KAFKA_PASSWORD": "wrong", "KAFKA_SASL_MECHANISM": "PLAIN"},
                "topic 'fish' cannot be read: ADDRESS refuses KAFKA_USERNAME 'trainer' with this KAFKA_PASSWORD",
            ),
            (
                {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"},
                "topic 'fish' cannot be read: ADDRESS does not take KAFKA_SASL_MECHANISM 'SCRAM-SHA-512'",
            ),
            (
                {"KAFKA_CAFILE": ""},
                (
                    "topic 'fish' cannot be read: the certificate of ADDRESS is not trusted, unable to get local issuer "
                    "certificate; expected one of an authority that KAFKA_CAFILE holds"
                ),
            ),
            (
                dict.fromkeys([*SCRAM, "KAFKA_CAFILE"], ""),
                (
                    "topic 'fish' cannot be read: ADDRESS breaks off; see whether it expects KAFKA_SECURITY_PROTOCOL 'PLAINTEXT' "
                    "there, and no certificate but by KAFKA_CERTFILE"
                ),
            ),
        ],
    )
    def test_what_keeps_rows_from_coming_is_a_sentence(
        self,
        secured: SecuredBroker,
        environ: dict[str, str],
        store: SnapshotStore,
        given: Mapping[str, str],
        sentence: str,
    ) -> None:
        environ.update({**SCRAM, "KAFKA_CAFILE": str(secured.authority), **given})
        with pytest.raises(DataError) as caught:
            taken(secured.sasl, store)
        assert str(caught.value) == sentence.replace("ADDRESS", secured.sasl)

    def test_where_a_certificate_is_asked_for_none_is_a_sentence(
        self, secured: SecuredBroker, environ: dict[str, str], store: SnapshotStore
    ) -> None:
        environ.update({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CAFILE": str(secured.authority)})
        with pytest.raises(DataError, match=r"breaks off; .* and no certificate but by KAFKA_CERTFILE$"):
            taken(secured.tls, store)

    def test_a_topic_that_is_not_there_is_a_sentence(
        self, secured: SecuredBroker, environ: dict[str, str], store: SnapshotStore
    ) -> None:
        environ.update({**SCRAM, "KAFKA_CAFILE": str(secured.authority)})
        with pytest.raises(DataError) as caught:
            taken(secured.sasl, store, "herrings")
        assert str(caught.value) == f"there is no topic 'herrings' at {secured.sasl}, or none that 'trainer' may see"
