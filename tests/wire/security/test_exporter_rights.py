"""The lag exporter's principal may describe the topics and not read them: it shows the upper bound and goes on."""

from __future__ import annotations

from streams.principals import acls
from streams.provisioning import apply_topics
from streams.topics import VEHICLES
from streams.transport.lag import GroupLag
from tests.wire.kafka_io import wait_until
from tests.wire.security.guarded import Clients, Guarded, of

PREFIX = "rights."


def test_without_the_right_to_read_the_lag_is_the_brokers_own(guarded: Guarded) -> None:
    for role in ("admin", "feeds", "exporter"):
        guarded.grant(of(role).user, acls(of(role), prefix=PREFIX, group=PREFIX))
    apply_topics(guarded.settings(of("admin").user, topic_prefix=PREFIX, partitions=1))
    topic = VEHICLES.full_name(PREFIX)
    feeds = Clients(guarded.settings(of("feeds").user))
    try:
        feeds.write(topic)
    finally:
        feeds.close()
    lag = GroupLag(guarded.settings(of("exporter").user, topic_prefix=PREFIX, group=PREFIX), [topic])
    wait_until(lambda: sum(one.lag for one in lag.ask()) == 1, what="the one record waits")
    assert [one.lag for one in lag.ask()] == [1], "asked again, when it would like to read"
    assert [one.lag for one in lag.ask()] == [1]
