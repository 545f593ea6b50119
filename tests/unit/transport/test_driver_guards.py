"""The private members of Faust and aiokafka that the driver touches: when upstream changes one, this fails first."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from importlib.metadata import entry_points, version
from pathlib import Path
from types import ModuleType

import aiokafka
import faust
import pytest
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.consumer import group_coordinator, subscription_state
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from aiokafka.protocol.group import LeaveGroupRequest
from faust.tables import recovery
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as stock

from streams.transport import driver, wire
from streams.transport.driver import SUPPORTED, Transport, check_versions


def parameters(function: object) -> list[str]:
    """Names of a function's parameters."""
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]  # functions only


def source(function: object) -> str:
    """A function's source."""
    return inspect.getsource(function)  # type: ignore[arg-type]  # functions only


def test_the_installed_releases_are_the_supported_ones() -> None:
    assert {name: version(name) for name in SUPPORTED} == SUPPORTED
    check_versions()


def test_another_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(driver.SUPPORTED, "aiokafka", "0.99.0")
    with pytest.raises(RuntimeError, match=r"aiokafka .* is installed, lotrisk's transport needs 0\.99\.0"):
        check_versions()


def test_the_entry_point_is_the_driver() -> None:
    [found] = [point for point in entry_points(group="faust.transports") if point.name == "lotrisk"]
    assert found.load() is Transport


@pytest.mark.parametrize(
    ("owner", "name", "expected"),
    [
        (stock.Consumer, "_getmany", ["self", "active_partitions", "timeout"]),
        (stock.Consumer, "_wait_next_records", ["self", "timeout"]),
        (stock.Consumer, "_to_message", ["self", "tp", "record"]),
        (stock.Consumer, "_new_consumer_thread", ["self"]),
        (stock.Consumer, "_get_active_partitions", ["self"]),
        (stock.Consumer, "_filter_committable_offsets", ["self", "tps"]),
        (stock.Consumer, "_commit_offsets", ["self", "offsets", "start_new_transaction"]),
        (stock.Consumer, "_commit", ["self", "offsets"]),
        (stock.Consumer, "_add_gap", ["self", "tp", "offset_from", "offset_to"]),
        (stock.Consumer, "ack", ["self", "message"]),
        (stock.Consumer, "on_buffer_full", ["self", "tp"]),
        (stock.Consumer, "on_buffer_drop", ["self", "tp"]),
        (stock.Consumer, "on_partitions_revoked", ["self", "revoked"]),
        (stock.Consumer, "on_partitions_assigned", ["self", "assigned", "generation_id"]),
        (stock.Consumer, "perform_seek", ["self"]),
        (stock.AIOKafkaConsumerThread, "_create_worker_consumer", ["self", "transport"]),
        (stock.AIOKafkaConsumerThread, "_ensure_consumer", ["self"]),
        (stock.AIOKafkaConsumerThread, "close", ["self"]),
        (stock.AIOKafkaConsumerThread, "on_thread_stop", ["self"]),
        (stock.AIOKafkaConsumerThread, "call_thread", ["self", "fun", "args", "kwargs"]),
        (stock.Producer, "_settings_auth", ["self"]),
        (StickyPartitionAssignor, "assign", ["cluster", "members"]),
        (AIOKafkaClient, "send", ["self", "node_id", "request", "group"]),
        (LeaveGroupRequest, "__init__", ["self", "group", "member_id"]),
        (recovery.Recovery, "_resume_streams", ["self", "generation_id"]),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_overridden_and_called_members_take_what_they_took(owner: type, name: str, expected: list[str]) -> None:
    assert parameters(getattr(owner, name)) == expected


@pytest.mark.parametrize(
    ("function", "said"),
    [
        # The fetcher asks by keyword, and leaves alone what is neither active nor buffered.
        (faust_consumer.Consumer._wait_next_records, "self._getmany(\n                    active_partitions="),
        (faust_consumer.Consumer.getmany, "or tp in self._buffered_partitions"),
        # A seek with nothing leased must be survived, by both who ask for one.
        (faust_consumer.Consumer.getmany, "await self.perform_seek()\n            except Exception"),
        (recovery.Recovery._restart_recovery.fun, "except RebalanceAgain"),
        # Leases are taken on in this signal, which is awaited, and only then comes the seek.
        (recovery.Recovery._resume_streams, "await app.on_rebalance_complete.send()"),
        # The listener hears of the generation before of the partitions; a fetch asks whether the flow is on.
        (stock.ConsumerRebalanceListener.on_partitions_assigned, "app.consumer_generation_id = generation"),
        (stock.AIOKafkaConsumerThread._fetch_records, "if not self.consumer.flow_active"),
        # What a stop does, and what a rebalance that meets it would do.
        (stock.AIOKafkaConsumerThread.on_thread_stop, "await self._consumer.stop()"),
        (stock.AIOKafkaConsumerThread.close, "self._consumer._closed = True"),
        (faust.App._on_rebalance_when_stopped, "self.consumer.close()"),
        (group_coordinator.GroupCoordinator.close, "if not self._coordination_task.done()"),
        (group_coordinator.GroupCoordinator._maybe_leave_group, "if self.generation > 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__qualname__", "task"),
)
def test_the_order_of_things_the_driver_relies_on(function: object, said: str) -> None:
    assert said in source(function)


def test_resume_seeks_after_the_signal() -> None:
    text = source(recovery.Recovery._resume_streams)
    assert text.index("on_rebalance_complete.send()") < text.index("consumer.perform_seek()")
    assert text.index("consumer.perform_seek()") < text.index("consumer.resume_flow()")


def test_attributes_of_faust_that_the_driver_reads() -> None:
    text = source(faust_consumer.Consumer.__init__) + source(faust_consumer.Consumer._reset_state)
    for name in (
        "_active_partitions", "_buffered_partitions", "_committed_offset", "_read_offset", "_unacked_messages",
        "flow_active",
    ):  # fmt: skip
        assert f"self.{name} = " in text, name


def test_attributes_of_aiokafka_that_the_driver_reads() -> None:
    async def scene() -> None:
        consumer = aiokafka.AIOKafkaConsumer(group_id="g")
        assert consumer._coordinator is None
        assert isinstance(consumer._client, AIOKafkaClient)
        subscription = consumer._subscription
        subscription.subscribe(topics={"t"})
        assert subscription.subscription.assignment is None
        subscription.assign_from_subscribed([aiokafka.TopicPartition("t", 0)])
        assignment = subscription.subscription.assignment
        assert assignment.tps == {aiokafka.TopicPartition("t", 0)}
        state = assignment.state_value(aiokafka.TopicPartition("t", 0))
        assert (state._position, state.highwater) == (None, None)
        # A new assignment is a new object: what tells a seek that its partitions were dealt anew.
        subscription.assign_from_subscribed([aiokafka.TopicPartition("t", 0)])
        assert subscription.subscription.assignment is not assignment

    asyncio.run(scene())
    made = source(group_coordinator.GroupCoordinator.__init__)
    for name in ("generation", "member_id", "group_id", "coordinator_id", "_coordination_task"):
        assert f"self.{name} = " in made, name
    assert hasattr(subscription_state.TopicPartitionState, "position")
    assert {group.name for group in ConnectionGroup} == {"DEFAULT", "COORDINATION"}


def test_consumer_options_are_still_known() -> None:
    asked = {
        keyword.arg
        for node in ast.walk(ast.parse(Path(driver.__file__).read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "aiokafka.AIOKafkaConsumer"
        for keyword in node.keywords
        if keyword.arg
    }
    assert "isolation_level" in asked
    assert asked <= set(parameters(aiokafka.AIOKafkaConsumer.__init__))


@pytest.mark.parametrize("module", [driver, wire], ids=lambda module: str(module.__name__))
def test_every_private_member_that_is_touched_is_guarded_here(module: ModuleType) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)} | {
        "_open", "_full", "_room", "_fetching", "_assignor", "_producer", "_records", "_transactional", "_wire",
    }  # fmt: skip
    touched = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
    }
    here = Path(__file__).read_text("utf-8")
    assert [name for name in sorted(touched - own) if f"{name}" not in here] == []


def test_fetching_is_still_done_as_it_is_done_here() -> None:
    asked = source(stock.AIOKafkaConsumerThread._fetch_records)
    for said in ("consumer._fetcher", "consumer._closed or fetcher._closed", "fetcher._subscriptions.fetch_context()"):
        assert said in asked
    request = source(Fetcher._get_actions_per_node)
    for said in ("self._fetch_max_wait_ms,", "self._fetch_min_bytes,"):
        assert said in request, said
    loop = source(Fetcher.fetched_records)
    for said in (
        "self._subscriptions.reassignment_in_progress", "self._subscriptions.wait_for_assignment()",
        "self._subscriptions.is_assigned(tp)", "del self._records[tp]", "self._notify(self._wait_consume_future)",
        "res_or_error.check_raise()", "waiter = self._create_fetch_waiter()", "not done or self._closed",
        "waiter.result()",
    ):  # fmt: skip
        assert said in loop, said
    for said in ("self.check_assignment(tp) or not self.has_more()", "self._update_position()",
                 "self._partition_records = None"):  # fmt: skip
        assert said in source(FetchResult.getall), said
    assert "tp = self._topic_partition" in source(FetchResult.getall)


def test_batches_are_still_left_out_as_they_are_left_out_here() -> None:
    text = source(PartitionRecords._unpack_records)
    for said in (
        "tp = self._tp", "records = self._records", "self._check_crcs and not next_batch.validate_crc()",
        "self._isolation_level == READ_COMMITTED", "next_batch.producer_id is not None",
        "self._consume_aborted_up_to(next_batch.base_offset)", "self._contains_abort_marker(next_batch)",
        "self._aborted_producers.discard(next_batch.producer_id)", "next_batch.producer_id in self._aborted_producers",
        "self.next_fetch_offset = next_batch.next_offset",
    ):  # fmt: skip
        assert said in text, said
    assert "self._records_iterator = self._unpack_records()" in source(PartitionRecords.__init__)


def test_a_sender_asks_of_a_batch_what_ours_answers() -> None:
    asked = set(re.findall(r"self\._builder\.(\w+)", source(MessageBatch))) - {"append"}
    assert asked == {"record_count", "closed", "_set_producer_state", "_build"}
    assert "batch._builder.close()" in source(MessageAccumulator)
    assert all(callable(getattr(wire.OutgoingBatch, name)) for name in (*asked, "close"))
