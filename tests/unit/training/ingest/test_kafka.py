import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol
from unittest.mock import AsyncMock

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaTimeoutError

from tests.brokers import kafka as real_kafka
from training.config.source import Source
from training.errors import DataError
from training.ingest import Snapshot, SnapshotStore, kafka, read, take
from training.ingest.streams import REJECTED

Message = tuple[int, bytes | None]


class Broker(Protocol):
    """A broker with the topic fish, of two partitions."""

    address: str

    def send(self, *messages: Message) -> None: ...
    def delete(self, partition: int, before: int) -> None: ...
    def widen(self, partitions: int) -> None: ...


class RealBroker:
    def __init__(self, address: str) -> None:
        self.address = address
        asyncio.run(self._administer("create_topics", [NewTopic("fish", 2, 1)]))

    def send(self, *messages: Message, transaction: str | None = None) -> None:
        asyncio.run(self._send(messages, transaction))

    def delete(self, partition: int, before: int) -> None:
        asyncio.run(self._administer("delete_records", {TopicPartition("fish", partition): RecordsToDelete(before)}))

    def widen(self, partitions: int) -> None:
        asyncio.run(self._administer("create_partitions", {"fish": NewPartitions(partitions)}))

    def close(self) -> None:
        asyncio.run(self._administer("delete_topics", ["fish"]))

    async def _send(self, messages: Sequence[Message], transaction: str | None) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.address, transactional_id=transaction)
        await producer.start()
        try:
            if transaction:
                await producer.begin_transaction()
            for partition, value in messages:
                await producer.send_and_wait("fish", value, key=b"key", partition=partition)
            if transaction:
                await producer.abort_transaction()
        finally:
            await producer.stop()

    async def _administer(self, what: str, *arguments: Any) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await admin.start()
        try:
            await getattr(admin, what)(*arguments)
        finally:
            await admin.close()


class FakeBroker:
    """As much of aiokafka as is asked of it, in memory; what it does is held to a real broker by running the tests on both."""

    def __init__(self) -> None:
        self.address = "fake:9092"
        self._values: dict[int, list[bytes | None]] = {0: [], 1: []}
        self._begin: dict[int, int] = defaultdict(int)
        self._at: dict[int, int] = {}

    def send(self, *messages: Message) -> None:
        for partition, value in messages:
            self._values[partition].append(value)

    def delete(self, partition: int, before: int) -> None:
        self._begin[partition] = before

    def widen(self, partitions: int) -> None:
        self._values |= {number: [] for number in range(len(self._values), partitions)}

    def __call__(self, **_: Any) -> "FakeBroker":
        return self

    async def refusal(self, *_: Any) -> None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def close(self) -> None: ...

    async def describe_cluster(self) -> dict[str, str]:
        return {"cluster_id": "fake"}

    async def describe_topics(self) -> list[dict[str, Any]]:
        return [{"topic": "fish", "partitions": [{"partition": number} for number in self._values]}]

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {partition: self._begin[partition.partition] for partition in partitions}

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {partition: len(self._values[partition.partition]) for partition in partitions}

    def assign(self, partitions: Sequence[TopicPartition]) -> None: ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._at[partition.partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        return self._at[partition.partition]

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        for number, values in self._values.items():
            found = [
                SimpleNamespace(offset=offset, value=values[offset])
                for offset in range(self._at[number], min(len(values), self._at[number] + max_records))
            ]
            if found:
                self._at[number] += len(found)
                return {TopicPartition("fish", number): found}
        return {}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_kafka(tmp_path_factory.mktemp("kafka")) as address:
        yield address


@pytest.fixture
def real(running: str) -> Iterator[RealBroker]:
    broker = RealBroker(running)
    yield broker
    broker.close()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.system)])
def broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Broker:
    if request.param == "real":
        broker: Broker = request.getfixturevalue("real")
        return broker
    fake = FakeBroker()
    monkeypatch.setattr(kafka, "AIOKafkaConsumer", fake)
    monkeypatch.setattr(kafka, "AIOKafkaAdminClient", fake)
    monkeypatch.setattr(kafka, "refusal", fake.refusal)
    return fake


def taken(broker: Broker, store: SnapshotStore, **keys: Any) -> Snapshot:
    source = {"topic": "fish", "brokers": broker.address, "batch_seconds": 20, **keys}
    return take(Source.model_validate(source), Path(), store, consumer="fish")


def refusal(broker: Broker, store: SnapshotStore, **keys: Any) -> str:
    with pytest.raises(DataError) as caught:
        taken(broker, store, **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rows(*numbers: int) -> list[Message]:
    return [(number % 2, b'{"i": %d}' % number) for number in numbers]


def numbers(snapshot: Snapshot) -> list[int]:
    return sorted(int(number) for number in read(snapshot)["i"])


def test_each_ingest_goes_on_where_the_last_one_was(broker: Broker, store: SnapshotStore) -> None:
    broker.send(*rows(*range(10)))
    first = taken(broker, store, batch_rows=4)
    second = taken(broker, store, batch_rows=4)
    third = taken(broker, store)
    assert (first.rows, second.rows, third.rows) == (4, 8, 10)
    assert numbers(third) == list(range(10))
    assert third.known["offsets"] == {"0": 5, "1": 5}
    assert taken(broker, store).sha256 == third.sha256
    broker.send(*rows(10))
    assert numbers(taken(broker, store)) == list(range(11))


def test_a_partition_that_is_new_is_read_from_its_beginning(broker: Broker, store: SnapshotStore) -> None:
    broker.send(*rows(0, 1))
    taken(broker, store)
    broker.widen(3)
    broker.send((2, b'{"i": 2}'))
    assert numbers(taken(broker, store)) == [0, 1, 2]


def test_what_is_no_row_is_kept_aside(broker: Broker, store: SnapshotStore) -> None:
    broker.send((0, b'{\n "i": 1\n}'), (0, None), (0, b"oh"), (0, b'{"i": 2}'))
    snapshot = taken(broker, store)
    assert numbers(snapshot) == [1, 2]
    rejected = [json.loads(line) for line in (snapshot.parts[0].path.parent / REJECTED).read_bytes().splitlines()]
    assert [(message["place"], message["text"]) for message in rejected] == [
        ("offset 1 of partition 0", None),
        ("offset 2 of partition 0", "oh"),
    ]
    assert rejected[0]["reason"] == "it has no value"


def test_messages_that_were_deleted_before_they_were_read_are_an_error(broker: Broker, store: SnapshotStore) -> None:
    broker.send(*rows(0, 2, 4, 6))
    taken(broker, store, batch_rows=1)
    broker.delete(0, 3)
    assert refusal(broker, store) == (
        "topic 'fish' begins at offset 3 in partition 0, and was read up to 1: messages were deleted before they were "
        "read, or it was made anew; ingest with another work directory to begin again"
    )


def test_what_a_topic_no_longer_holds_is_no_error_at_first(broker: Broker, store: SnapshotStore) -> None:
    broker.send(*rows(0, 2, 4, 6))
    broker.delete(0, 3)
    assert numbers(taken(broker, store)) == [6]


def test_a_message_over_the_limit_is_refused(broker: Broker, store: SnapshotStore) -> None:
    broker.send(*rows(0), (0, b'{"i": "' + b"x" * 200 + b'"}'))
    assert refusal(broker, store, max_row_bytes=100) == (
        "topic 'fish' has 209 bytes at offset 1 of partition 0, more than 100; expected shorter messages, or a greater "
        "source.max_row_bytes"
    )


def test_a_topic_without_messages_is_said(broker: Broker, store: SnapshotStore) -> None:
    assert refusal(broker, store).endswith("/fish' yet; ingest again when something has")


def test_a_topic_that_is_not_there_is_said(broker: Broker, store: SnapshotStore) -> None:
    for _ in range(2):  # asking for it has not made it
        assert refusal(broker, store, topic="herrings") == f"there is no topic 'herrings' at {broker.address}"


def test_a_broker_that_is_not_there_is_said(store: SnapshotStore) -> None:
    sentence = refusal(SimpleNamespace(address="127.0.0.1:1"), store)
    assert sentence.startswith("topic 'fish' cannot be read: 127.0.0.1:1 cannot be reached: ")


def test_a_broker_that_goes_away_meanwhile_is_said(store: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeBroker()
    monkeypatch.setattr(fake, "end_offsets", AsyncMock(side_effect=KafkaTimeoutError("late\nand more")))
    for name, value in {"AIOKafkaConsumer": fake, "AIOKafkaAdminClient": fake, "refusal": fake.refusal}.items():
        monkeypatch.setattr(kafka, name, value)
    assert refusal(fake, store) == "topic 'fish' cannot be read from fake:9092: KafkaTimeoutError: late"


@pytest.mark.system
def test_what_was_never_committed_is_not_read(real: RealBroker, store: SnapshotStore) -> None:
    real.send(*rows(0, 1))
    real.send(*rows(2, 3), transaction="trainer")
    real.send(*rows(4, 5))
    snapshot = taken(real, store)
    assert numbers(snapshot) == [0, 1, 4, 5]
    assert taken(real, store).sha256 == snapshot.sha256
