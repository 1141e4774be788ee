"""A topic of Kafka, whose messages are JSON objects."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

from training.config.source import Source
from training.errors import ConfigurationError, DataError, first_line
from training.ingest.batch import Batch, Message, Offsets

try:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    from training.ingest.brokers import refusal, settings
except ImportError as missing:  # pragma: no cover -- where it lacks is not where this is tested
    raise ConfigurationError("source.topic needs aiokafka; install sklearn-kserve[kafka]") from missing

_POLL_MILLISECONDS: Final = 500


class Topic:
    """
    A topic.

    Its offsets are by partition, and only ours: no group of the broker is joined, nothing is committed there.

    Parameters
    ----------
    source : Source
        Whose ``topic`` is set.
    """

    def __init__(self, source: Source) -> None:
        self._topic = str(source.topic)
        self._brokers = list(source.brokers)
        self._limits = source
        self._settings = settings()

    @property
    def name(self) -> str:
        """The cluster's id and the topic: brokers come and go."""
        return f"kafka://{self._described[0]}/{self._topic}"

    @contextmanager
    def batch(self, offsets: Offsets | None) -> Iterator[Batch]:
        """Give the messages that were there when it was asked, as many as the configuration lets it take."""
        partitions = [TopicPartition(self._topic, number) for number in self._described[1]]
        with asyncio.Runner() as runner, self._asked():
            consumer = runner.run(self._consumer())
            try:
                end, reached = runner.run(self._begun(consumer, partitions, offsets))
                yield Batch(self._messages(runner, consumer, end, reached), dict(reached))
            finally:
                runner.run(consumer.stop())

    async def _consumer(self) -> AIOKafkaConsumer:
        """Make a consumer, which wants to be made where a loop runs."""
        return AIOKafkaConsumer(
            group_id=None,
            bootstrap_servers=self._brokers,
            isolation_level="read_committed",
            auto_offset_reset="none",
            **self._settings,
        )

    async def _begun(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], offsets: Offsets | None
    ) -> tuple[Offsets, dict[str, int]]:
        """Set a consumer to where it goes on; return where the partitions end now, and where they are read from."""
        await consumer.start()
        end = await consumer.end_offsets(partitions)
        reached = self._going_on(await consumer.beginning_offsets(partitions), end, offsets)
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, reached[str(partition.partition)])
        return end, reached

    def _going_on(self, begin: Offsets, end: Offsets, offsets: Offsets | None) -> dict[str, int]:
        """Return where each partition goes on, unless something is gone that was never read."""
        reached = {}
        for partition, first in begin.items():
            number, last = str(partition.partition), end[partition]
            at = (offsets or {}).get(number, first)
            if not first <= at <= last:
                what = f"begins at offset {first}" if at < first else f"ends at offset {last}"
                raise DataError(
                    f"topic {self._topic!r} {what} in partition {number}, and was read up to {at}: messages were deleted "
                    f"before they were read, or it was made anew; ingest with another work directory to begin again"
                )
            reached[number] = at
        return reached

    def _messages(
        self, runner: asyncio.Runner, consumer: AIOKafkaConsumer, end: Offsets, reached: dict[str, int]
    ) -> Iterator[Message]:
        rows, deadline = 0, time.monotonic() + self._limits.batch_seconds
        with self._asked():
            while (left := self._limits.batch_rows - rows) > 0 and time.monotonic() < deadline:
                if all(runner.run(consumer.position(partition)) >= last for partition, last in end.items()):
                    return
                records = runner.run(consumer.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=left))
                for partition, found in records.items():
                    for record in found:
                        rows += 1
                        reached[str(partition.partition)] = record.offset + 1
                        place = f"offset {record.offset} of partition {partition.partition}"
                        yield Message(self._value(record, place), place, dict(reached))

    def _value(self, record: Any, place: str) -> bytes | None:
        value: bytes | None = record.value
        if value is not None and len(value) > self._limits.max_row_bytes:
            raise DataError(
                f"topic {self._topic!r} has {len(value)} bytes at {place}, more than {self._limits.max_row_bytes}; expected "
                f"shorter messages, or a greater source.max_row_bytes"
            )
        return value

    @cached_property
    def _described(self) -> tuple[str, list[int]]:
        """The cluster's id and the numbers of the topic's partitions; asking for them makes no topic."""
        with asyncio.Runner() as runner, self._asked():
            if (reason := runner.run(refusal(self._brokers, self._settings))) is not None:
                raise DataError(f"topic {self._topic!r} cannot be read: {reason}")
            cluster, topics = runner.run(self._ask())
        found = next((topic for topic in topics if topic["topic"] == self._topic), None)
        if found is None:
            user = self._settings.get("sasl_plain_username")
            seen = f", or none that {user!r} may see" if user else ""
            raise DataError(f"there is no topic {self._topic!r} at {', '.join(self._brokers)}{seen}")
        return cluster["cluster_id"], sorted(partition["partition"] for partition in found["partitions"])

    async def _ask(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._brokers, **self._settings)
        try:
            await admin.start()
            return await admin.describe_cluster(), await admin.describe_topics()
        finally:
            await admin.close()

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Turn what a broker says into a sentence."""
        try:
            yield
        except (KafkaError, OSError) as error:
            said = first_line(error) or type(error).__name__
            raise DataError(f"topic {self._topic!r} cannot be read from {', '.join(self._brokers)}: {said}") from error
