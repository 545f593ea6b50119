"""The failures of the live test: how each is made to happen, how it ends, and which alerts must come of it."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date

from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove

from streams.reference import load
from streams.reference.trade_records import Kind
from streams.topics import PARTS, POLICY, VEHICLES
from streams.transport.policy_log import encode
from tests.deploy.prometheus.stage import GROUP, PREFIX, Stage
from tests.wire.kafka_io import Raw, produce, wait_until
from tests.wire.policy.desk import measure

RIGGED = (sys.executable, "-m", "tests.deploy.prometheus.rigged_worker")
AFTER = "2026-11-20T00:00Z@1s/s"
"""A day after the suspension of China's controls has ended (fact sheet 4)."""
CONFIRMED = date(2026, 11, 12)


@dataclass(frozen=True)
class Failure:
    """What happens, in words; how to make it happen, go on with it, and end it; the alerts that must come.

    `aftermath` are alerts that come when it has ended, until `settle` returns.
    """

    what: str
    alerts: tuple[str, ...]
    begin: Callable[[Stage], None]
    heal: Callable[[Stage], None]
    again: Callable[[Stage], None] = lambda _: None
    aftermath: tuple[str, ...] = ()
    settle: Callable[[Stage], None] = lambda _: None

    @property
    def all_alerts(self) -> tuple[str, ...]:
        """All that must come."""
        return (*self.alerts, *self.aftermath)


def _all(number: signal.Signals) -> Callable[[Stage], None]:
    def send(stage: Stage) -> None:
        for pod in stage.workers:
            pod.send(number)

    return send


def _wait_for_no_lag(stage: Stage) -> None:
    wait_until(lambda: (stage.value("sum(lotrisk_group_lag_records)") or 9e9) < 200, 90, what=stage.said)


def _set_bad_share(share: float) -> Callable[[Stage], None]:
    def apply(stage: Stage) -> None:
        stage.bad_share = share

    return apply


def _poison_parts(stage: Stage) -> None:
    produce(stage.settings, PARTS, [Raw(b"{", b"d:x", partition=0) for _ in range(60)])


def _raise_limits(stage: Stage) -> None:
    for pod in stage.workers:
        pod.environment |= {"LOTRISK_DLQ_MAX_CONSECUTIVE": "100000", "LOTRISK_DLQ_MAX_PERCENT": "100"}
        pod.restart()


def _plain(stage: Stage) -> None:
    for pod in stage.workers:
        pod.restart()


def _fence(stage: Stage) -> None:
    async def intrude() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=stage.kafka.bootstrap_servers,
            transactional_id=f"{GROUP}-{VEHICLES.full_name(PREFIX)}-0",
        )
        await producer.start()
        await producer.stop()

    asyncio.run(intrude())


def _fence_again(stage: Stage) -> None:
    """A lane that was just changing hands has a producer newer than the intruder: nobody was fenced, so try again."""
    with suppress(TimeoutError):
        began = time.monotonic()
        wait_until(lambda: stage.webhook.fired_since("LotriskFencedProducers", began), stage.minutes(10))
        return
    _fence(stage)


def _kick(stage: Stage) -> None:
    """Throw a member out of the group, as a session that runs out does."""
    with closing(KafkaAdminClient(bootstrap_servers=stage.kafka.bootstrap_servers)) as admin:
        members = admin.describe_groups([GROUP])[GROUP]["members"]
        if members:
            admin.remove_group_members(GROUP, [MemberToRemove(member_id=members[0]["member_id"])])
    time.sleep(1.0)  # the pace of the storm, not a wait for anything


def _confirm(stage: Stage) -> None:
    """As the runbooks say: the status that a person has confirmed is published, and the other worker comes after.

    Nobody can go back: what was rated under the later book is never rated down.
    """
    records = [
        record.model_copy(update={"operator_confirmed_status": "suspended", "recorded_at": CONFIRMED})
        for record in load().trade.measures
        if record.kind is Kind.EXPORT_CONTROL and record.suspended_until and record.suspended_until < CONFIRMED
    ]
    assert records, "no suspension has ended"
    produce(stage.settings, POLICY, [Raw(value, key) for key, value in map(encode, records)])
    for pod in stage.workers:
        pod.environment |= {"LOTRISK_AS_OF": AFTER}
    stage.a.restart()


FAILURES = (
    Failure(
        "all workers are frozen while records come in; then the backlog comes out late",
        ("LotriskNoWorkers", "LotriskLagGrowing"),
        _all(signal.SIGSTOP),
        _all(signal.SIGCONT),
        aftermath=("LotriskLatencyBurnFast", "LotriskLatencyBurnSlow"),
        settle=_wait_for_no_lag,
    ),
    Failure(
        "a batch hangs until the worker ends itself",
        ("LotriskWorkerEndedItself",),
        lambda stage: stage.b.restart(
            LOTRISK_FAILPOINTS="batch.begun=sleep:60000@3", LOTRISK_STALL_SECONDS="4"
        ),
        lambda _: None,
    ),
    Failure(
        "a worker whose day is past the end of a suspension, the other's is not",
        ("LotriskBookReviewRequired", "LotriskBooksDiffer"),
        lambda stage: stage.b.restart(LOTRISK_AS_OF=AFTER),
        _confirm,
    ),
    Failure(
        "one record in five is not JSON",
        ("LotriskDeadLetterShare",),
        _set_bad_share(0.2),
        _set_bad_share(0.0),
    ),
    Failure(
        "60 bad records in a row in one partition",
        ("LotriskLanePaused",),
        _poison_parts,
        _raise_limits,
    ),
    Failure(
        "a worker with a bug that drops records, on data not verified since 2020",
        ("LotriskRecordsLost", "LotriskBookUnverified"),
        lambda stage: stage.a.restart(RIGGED, RIGS="losing,unverified"),
        lambda stage: stage.a.restart(),
    ),
    Failure(
        "a transaction's delivery takes longer than its limit",
        ("LotriskTransactionFailures",),
        lambda stage: stage.a.restart(LOTRISK_FAILPOINTS="batch.sent=sleep:30000@3"),
        lambda _: None,
    ),
    Failure(
        "another process uses a lane's transactional id",
        ("LotriskFencedProducers",),
        _fence,
        lambda _: None,
        again=_fence_again,
    ),
    Failure(
        "a record on trade.policy that is no measure",
        ("LotriskPolicyRefused",),
        lambda stage: produce(stage.settings, POLICY, [Raw(b"{", b"DESK-1")]) and None,
        lambda stage: produce(stage.settings, POLICY, [Raw(*reversed(encode(measure())))]) and None,
    ),
    Failure(
        "a worker is killed and not started again",
        ("LotriskWorkerDown",),
        lambda stage: stage.a.end(signal.SIGKILL),
        lambda stage: stage.a.start(),
    ),
    Failure(
        "the lag exporter is killed and not started again",
        ("LotriskLagExporterDown",),
        lambda stage: stage.lag.end(signal.SIGKILL),
        lambda stage: stage.lag.start(),
    ),
    Failure(
        "a worker is frozen (SIGSTOP): its partitions stall",
        ("LotriskNoProgress",),
        lambda stage: stage.a.send(signal.SIGSTOP),
        lambda stage: stage.a.send(signal.SIGCONT),
    ),
    Failure(
        "members are thrown out of the group again and again",
        ("LotriskRebalanceStorm",),
        _kick,
        lambda _: None,
        again=_kick,
    ),
    Failure(
        "the broker is killed",
        ("LotriskBrokersUnreachable",),
        lambda stage: stage.kafka.kill(),
        lambda stage: stage.kafka.start(),
    ),
)  # fmt: skip
"""What takes longest comes first: the stages are done at about the same time."""
