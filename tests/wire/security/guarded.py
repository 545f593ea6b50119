"""A broker that lets in only lotrisk's principals, over TLS with SCRAM, with the catalogue's rights and no others."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec

import aiokafka
import kafka
from aiokafka.errors import KafkaError as AiokafkaError
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType
from kafka.errors import KafkaError, for_code

from streams.broker import EmbeddedKafka
from streams.connection import aiokafka_options, kafka_python_options
from streams.principals import PRINCIPALS, Acl, Principal
from streams.settings import Settings

CERTIFICATES = Path(__file__).parents[2] / "unit" / "settings" / "certificates"
LISTENER = "SASL_SSL"
STRANGER = "stranger"
"""A user who can log in and has no rights at all."""

_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
}


P = ParamSpec("P")


class Guarded:
    """The running broker, and the settings of each user on it."""

    def __init__(self, broker: EmbeddedKafka, passwords: Mapping[str, str]) -> None:
        self._broker = broker
        self.passwords = passwords
        self.address = broker.address(LISTENER)

    def environment(self, user: str, password_file: Path) -> dict[str, str]:
        """What `user` sets to get in; the password goes into a file of its own."""
        password_file.write_text(self.passwords[user] + "\n", "utf-8")
        password_file.chmod(0o600)
        return {
            "LOTRISK_BOOTSTRAP_SERVERS": self.address,
            "LOTRISK_SECURITY_PROTOCOL": "SASL_SSL",
            "LOTRISK_SASL_USERNAME": user,
            "LOTRISK_SASL_PASSWORD_FILE": str(password_file),
            "LOTRISK_SSL_CAFILE": str(CERTIFICATES / "broker.pem"),
        }

    def settings(self, user: str, **more: Any) -> Settings:
        """Settings of `user` for clients in this process."""
        return Settings(
            **{
                "bootstrap_servers": self.address,
                "security_protocol": "SASL_SSL",
                "sasl_username": user,
                "sasl_password": self.passwords[user],
                "ssl_cafile": CERTIFICATES / "broker.pem",
                **more,
            }
        )

    @contextmanager
    def root(self) -> Iterator[kafka.KafkaAdminClient]:
        """The one who made the cluster: by the plaintext listener, which only this machine reaches."""
        admin = kafka.KafkaAdminClient(bootstrap_servers=self._broker.bootstrap_servers)
        try:
            yield admin
        finally:
            admin.close()

    def grant(self, user: str, acls: Iterable[Acl]) -> None:
        """Give `user` the rights `acls`."""
        wanted = [_native(user, acl, operation) for acl in acls for operation in acl.operations]
        with self.root() as admin:
            answer = admin.create_acls(wanted)
        assert not answer["failed"], answer

    @property
    def bootstrap_servers(self) -> str:
        """The plaintext listener, where root reads and writes."""
        return self._broker.bootstrap_servers


@contextmanager
def start_guarded() -> Iterator[Guarded]:
    """A broker with every principal's user and none of its rights yet."""
    passwords = {user: secrets.token_hex(16) for user in [*(principal.user for principal in PRINCIPALS), STRANGER]}
    keystore = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": (CERTIFICATES / "broker.pem").read_text(),
        "ssl.keystore.key": (CERTIFICATES / "broker.key").read_text(),
    }
    settings: dict[str, str | int | bool] = {
        **keystore,
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": False,
        # The broker itself and the tests' root come by the plaintext listener.
        "super.users": "User:ANONYMOUS",
    }
    scram = [
        argument
        for user, password in passwords.items()
        for argument in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")
    ]
    with EmbeddedKafka(extra_listeners={LISTENER: 0}, settings=settings, storage_args=scram, heap="320m") as broker:
        yield Guarded(broker, passwords)


def _native(user: str, acl: Acl, operation: str) -> ACL:
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in operation).strip("_").upper()
    return ACL(
        principal=f"User:{user}",
        host="*",
        operation=ACLOperation[words],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(
            _RESOURCES[acl.resource],
            acl.name,
            ACLResourcePatternType.PREFIXED if acl.prefixed else ACLResourcePatternType.LITERAL,
        ),
    )


def refused(error: BaseException) -> bool:
    """Whether an error of either client says that the brokers' authorizer refused."""
    return isinstance(error, KafkaError | AiokafkaError) and "Authorization" in type(error).__name__


def allowed(attempt: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> bool:
    """Whether the brokers let the attempt through; any failure but a refusal is the test's."""
    try:
        attempt(*arguments, **named)
    except (KafkaError, AiokafkaError) as error:
        if refused(error):
            return False
        raise
    return True


class Clients:
    """Clients of one user, in both libraries, kept for many attempts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.admin = kafka.KafkaAdminClient(**kafka_python_options(settings))
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        """Disconnect."""
        self.admin.close()
        self._loop.close()

    def describe(self, topic: str) -> int:
        """Look the topic up and count its partitions; raises what the client says."""
        (found,) = self.admin.describe_topics([topic])
        if found["error_code"]:
            raise for_code(found["error_code"])
        return len(found["partitions"])

    def write(self, topic: str) -> None:
        """Send one record; raises what the client says."""

        async def send() -> None:
            producer = aiokafka.AIOKafkaProducer(acks="all", **aiokafka_options(self.settings))
            await producer.start()
            try:
                await asyncio.wait_for(producer.send_and_wait(topic, b"{}", key=b"tried", partition=0), 15)
            finally:
                await producer.stop()

        self._loop.run_until_complete(send())

    def read(self, topic: str, group: str | None = None) -> None:
        """Get the first record of the topic, and with a `group` commit it; raises what the clients say."""
        # aiokafka's consumer waits for ever on a partition of a topic that it may not even see: looked at before.
        partitions = self.describe(topic)

        async def get() -> None:
            consumer = aiokafka.AIOKafkaConsumer(
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                **aiokafka_options(self.settings),
            )
            await consumer.start()
            try:
                consumer.assign([aiokafka.TopicPartition(topic, number) for number in range(partitions)])
                record = await asyncio.wait_for(consumer.getone(), 15)
                if group is not None:
                    partition = aiokafka.TopicPartition(topic, record.partition)
                    await consumer.commit({partition: record.offset + 1})
            finally:
                await consumer.stop()

        self._loop.run_until_complete(get())

    def begin(self, transactional_id: str) -> None:
        """Start a producer with transactions and do one; raises what the client says."""

        async def transact() -> None:
            producer = aiokafka.AIOKafkaProducer(transactional_id=transactional_id, **aiokafka_options(self.settings))
            try:
                await asyncio.wait_for(producer.start(), 15)
                await producer.begin_transaction()
                await producer.abort_transaction()
            finally:
                await producer.stop()

        self._loop.run_until_complete(transact())


def of(role: str) -> Principal:
    """The principal of a role."""
    return next(principal for principal in PRINCIPALS if principal.role == role)
