"""Publishing a feed's records: acknowledged by all replicas, idempotent, partition by murmur2 of the key."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError

from streams.connection import kafka_python_options
from streams.feeds.kind import Kind
from streams.feeds.records import FeedRecord
from streams.settings import Settings
from streams.topics import INPUT_MAX_BYTES

BOOTSTRAP_TIMEOUT_MS = 10_000
"""How long a client looks for a broker that answers."""

_FLUSH_SECONDS = 120


class PublishError(RuntimeError):
    """Records did not reach Kafka; the message says which topic or broker and what to do."""


def unreachable(settings: Settings, error: Exception) -> PublishError:
    """What to say when no broker answers."""
    return PublishError(
        f"no Kafka answers at {settings.bootstrap_servers} ({error}); start it, or set LOTRISK_BOOTSTRAP_SERVERS"
    )


def check_topics(settings: Settings, kinds: Iterable[Kind]) -> None:
    """Make sure that Kafka answers and has the input topics.

    Raises:
        PublishError: it doesn't.
    """
    try:
        admin = KafkaAdminClient(**kafka_python_options(settings), bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS)
    except KafkaError as error:
        raise unreachable(settings, error) from error
    try:
        present = set(admin.list_topics())
    except KafkaError as error:
        raise unreachable(settings, error) from error
    finally:
        admin.close()
    wanted = sorted(kind.topic.full_name(settings.topic_prefix) for kind in kinds)
    missing = [name for name in wanted if name not in present]
    if missing:
        raise PublishError(
            f"no topic {' and no '.join(missing)} at {settings.bootstrap_servers}; create with: lotrisk topics apply"
        )


class Publisher:
    """A producer of input records. Use as a context; what was sent is acknowledged when it closes without an error."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = {kind: kind.topic.full_name(settings.topic_prefix) for kind in Kind}
        self._failure: Exception | None = None
        self.acknowledged = 0
        try:
            self._producer = KafkaProducer(
                **kafka_python_options(settings),
                acks="all",
                enable_idempotence=True,
                compression_type="zstd",
                linger_ms=20,
                batch_size=262_144,
                max_request_size=INPUT_MAX_BYTES + 4_096,
                allow_auto_create_topics=False,
                bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS,
            )
        except KafkaError as error:
            raise unreachable(settings, error) from error

    def send(self, record: FeedRecord) -> None:
        """Hand over one record; returns before it is acknowledged.

        Raises:
            PublishError: an earlier record was refused, or the buffer stayed full.
        """
        if self._failure:
            raise self._refused(self._failure)
        try:
            future = self._producer.send(
                self._topics[record.kind], value=record.value, key=record.key, partition=record.partition
            )
        except KafkaError as error:
            raise self._refused(error) from error
        future.add_callback(self._acknowledge)
        future.add_errback(self._fail)

    def flush(self) -> None:
        """Wait until all that was sent is acknowledged.

        Raises:
            PublishError: something was refused, or not acknowledged in two minutes.
        """
        try:
            self._producer.flush(timeout=_FLUSH_SECONDS)
        except KafkaError as error:
            raise self._refused(error) from error
        if self._failure:
            raise self._refused(self._failure)

    def _acknowledge(self, _metadata: object) -> None:
        self.acknowledged += 1

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error

    def _refused(self, error: Exception) -> PublishError:
        return PublishError(
            f"Kafka at {self._settings.bootstrap_servers} did not take a record after {self.acknowledged:,} "
            f"({type(error).__name__}: {error}); load the file again then: records are keyed, a repeat does no harm"
        )

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self.flush()
            finally:
                self._producer.close(timeout=10)
        else:
            self._producer.close(timeout=0)
