"""One guarded broker for all tests of this folder, the catalogue's topics on it, and a record on each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import kafka
import pytest
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

from streams.principals import PRINCIPALS, acls
from streams.provisioning import apply_topics
from streams.topics import CATALOGUE
from tests.wire.security.guarded import Clients, Guarded, start_guarded


@pytest.fixture(scope="session")
def guarded() -> Iterator[Guarded]:
    """The broker with every principal's rights; its topics were made by the principal that provisions."""
    with start_guarded() as broker:
        for principal in PRINCIPALS:
            broker.grant(principal.user, acls(principal))
        apply_topics(broker.settings("lotrisk-admin", partitions=2))
        producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap_servers)
        for topic in CATALOGUE:
            producer.send(
                topic.name, key=b"first", value=None if topic.name == "lotrisk.workers" else b"{}", partition=0
            )
        producer.flush()
        producer.close()
        _await_coordinator(broker)
        yield broker


def _await_coordinator(broker: Guarded) -> None:
    """The first question for a group makes the offsets topic, and is answered only after that."""
    deadline = time.monotonic() + 30
    with broker.root() as root:
        while True:
            try:
                root.describe_groups(["lotrisk"])
            except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
                assert time.monotonic() < deadline, "no coordinator in 30 s"
            else:
                return


@pytest.fixture(scope="session")
def clients(guarded: Guarded) -> Iterator[Callable[[str], Clients]]:
    """Clients of a user by name, made once."""
    made: dict[str, Clients] = {}

    def get(user: str) -> Clients:
        if user not in made:
            made[user] = Clients(guarded.settings(user))
        return made[user]

    yield get
    for held in made.values():
        held.close()
