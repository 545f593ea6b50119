"""The lag exporter's view: what the brokers said, nothing where they say nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest
from kafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, KafkaError, TopicAuthorizationFailedError
from prometheus_client import CollectorRegistry

from streams.metrics import LAG_CATALOGUE
from streams.transport.lag import PartitionLag
from streams.web.lag_exporter import LagView, keep_asking, register

TOPIC = "dms.vehicles"


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def view(clock: Clock) -> LagView:
    return LagView(clock, stuck_seconds=60)


def lag(committed: int | None, end: int, partition: int = 0, beginning: int = 0) -> PartitionLag:
    return PartitionLag(TOPIC, partition, committed, beginning, end)


def value(registry: CollectorRegistry, name: str, partition: int | None = 0) -> float | None:
    labels = {} if partition is None else {"topic": TOPIC, "partition": str(partition)}
    return registry.get_sample_value(name, labels)


def test_an_answer_is_shown_by_partition(view: LagView) -> None:
    registry = register(view)
    view.answered([lag(40, 100), lag(None, 7, partition=1, beginning=2)])
    assert value(registry, "lotrisk_brokers_up", None) == 1
    assert value(registry, "lotrisk_group_lag_records") == 60
    assert value(registry, "lotrisk_group_committed_offset") == 40
    assert value(registry, "lotrisk_group_end_offset") == 100
    assert value(registry, "lotrisk_group_lag_records", 1) == 5
    assert value(registry, "lotrisk_group_committed_offset", 1) == 0


def test_age_counts_from_when_the_lag_began_and_ends_with_progress(view: LagView, clock: Clock) -> None:
    registry = register(view)
    view.answered([lag(10, 10)])
    clock.now += 500
    assert value(registry, "lotrisk_group_committed_age_seconds") == 0
    view.answered([lag(10, 12)])
    clock.now += 30
    assert value(registry, "lotrisk_group_committed_age_seconds") == 30
    view.answered([lag(11, 12)])
    assert value(registry, "lotrisk_group_committed_age_seconds") == 0
    clock.now += 5
    assert value(registry, "lotrisk_group_committed_age_seconds") == 5
    view.answered([lag(12, 12)])
    clock.now += 5
    assert value(registry, "lotrisk_group_committed_age_seconds") == 0


def test_records_before_the_first_commit_count_too(view: LagView, clock: Clock) -> None:
    view.answered([lag(None, 5)])
    clock.now += 20
    assert value(register(view), "lotrisk_group_committed_age_seconds") == 20


def test_without_an_answer_there_is_no_lag_and_the_brokers_are_down(view: LagView, clock: Clock) -> None:
    registry = register(view)
    view.answered([lag(4, 10)])
    clock.now += 20
    view.unanswered()
    assert value(registry, "lotrisk_brokers_up", None) == 0
    assert value(registry, "lotrisk_brokers_answered_timestamp_seconds", None) == 1_000
    assert value(registry, "lotrisk_group_lag_records") is None
    assert view.not_ready() == ("the brokers do not answer",)
    clock.now += 10
    view.answered([lag(4, 10)])
    assert value(registry, "lotrisk_group_committed_age_seconds") == 30, "it stood still while nobody answered"


def test_a_refusal_is_counted_and_said_until_there_is_an_answer(view: LagView) -> None:
    registry = register(view)
    assert value(registry, "lotrisk_lag_questions_denied_total", None) == 0
    view.denied(TopicAuthorizationFailedError(TOPIC))
    view.denied(TopicAuthorizationFailedError(TOPIC))
    assert value(registry, "lotrisk_lag_questions_denied_total", None) == 2
    assert value(registry, "lotrisk_brokers_up", None) == 0
    (reason,) = view.not_ready()
    assert "refuse this user" in reason
    assert TOPIC in reason
    view.unanswered()
    assert view.not_ready() == ("the brokers do not answer",)
    view.denied(GroupAuthorizationFailedError("lotrisk"))
    view.answered([lag(1, 1)])
    assert view.not_ready() == ()
    assert value(registry, "lotrisk_lag_questions_denied_total", None) == 3


def test_a_partition_that_is_gone_is_shown_no_more(view: LagView) -> None:
    registry = register(view)
    view.answered([lag(1, 1), lag(2, 2, partition=1)])
    view.answered([lag(1, 1)])
    assert value(registry, "lotrisk_group_lag_records", 1) is None


def test_exactly_the_catalogue_is_exposed(view: LagView) -> None:
    view.answered([lag(1, 3)])
    families = {family.name: family for family in register(view).collect()}
    assert set(families) == {metric.name.removesuffix("_total") for metric in LAG_CATALOGUE}
    for metric in LAG_CATALOGUE:
        family = families[metric.name.removesuffix("_total")]
        assert family.documentation == metric.help
        for sample in family.samples:
            assert sample.name == metric.name
            assert set(sample.labels) == set(metric.labels)


def test_it_is_alive_while_questions_come_back_answered_or_not(view: LagView, clock: Clock) -> None:
    clock.now += 59
    view.unanswered()
    clock.now += 59
    assert view.not_live() == ()
    clock.now += 2
    assert view.not_live() == ("the brokers were last asked 61 s ago",)


def test_status_tells_what_is_shown(view: LagView) -> None:
    view.answered([lag(1, 3)])
    assert view.status() == {
        "brokers_up": True,
        "partitions": [{"topic": TOPIC, "partition": 0, "committed": 1, "end": 3, "lag": 2}],
    }


def test_brokers_that_come_and_go_are_asked_again(clock: Clock) -> None:
    answers = [
        [lag(0, 1)], KafkaConnectionError(), OSError("no route"), TopicAuthorizationFailedError(TOPIC), [lag(1, 1)]
    ]  # fmt: skip
    seen: list[str] = []

    class Told(LagView):
        def answered(self, lags: Sequence[PartitionLag]) -> None:
            seen.append("answered")

        def unanswered(self) -> None:
            seen.append("unanswered")

        def denied(self, error: KafkaError) -> None:
            seen.append("denied")

    def ask() -> Sequence[PartitionLag]:
        answer = answers.pop(0) if answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run() -> None:
        keep_asking(Told(clock, 60), ask, 0.001)
        deadline = time.monotonic() + 10
        while len(seen) < 5:
            assert time.monotonic() < deadline, seen
            await asyncio.sleep(0.001)

    asyncio.run(run())
    assert seen[:5] == ["answered", "unanswered", "unanswered", "denied", "answered"]


def test_what_nobody_foresaw_ends_the_exporter(view: LagView) -> None:
    def ask() -> Sequence[PartitionLag]:
        raise KeyError("a bug")

    async def run() -> None:
        await asyncio.wait_for(keep_asking(view, ask, 0.001), 10)

    with pytest.raises(KeyError):
        asyncio.run(run())
