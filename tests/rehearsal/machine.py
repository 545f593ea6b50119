"""A state machine that hypothesis drives: a small lot, a policy, a clock, and workers that come, go and die.

Its model is a dictionary: what the DMS says last of each vehicle. At the end the compacted enriched topic must be that
lot, rated at once under the final book, and the auditor must find every record and every flag event in its place.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import hypothesis
import orjson
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from streams.failpoints import POINTS, RERATE_POINTS
from streams.reference.trade_records import MeasureRecord
from tests.rehearsal import lot
from tests.rehearsal.fleet import wait_until
from tests.rehearsal.lot import DAY
from tests.rehearsal.policy import ORIGINS, measure
from tests.rehearsal.recomputation import final_lot, why_behind
from tests.rehearsal.stage import Stage

CARS = lot.drawn(40)
SETTLE_SECONDS = 90
LAST_DAY = date(2026, 12, 31)

Changes = list[tuple[str, int, int]]
"""What the DMS says: what of it, of which car, and at which price."""
_cars = st.integers(0, len(CARS) - 1)
_records = st.lists(
    st.one_of(
        st.tuples(st.just("priced"), _cars, st.integers(0, 6)),
        st.tuples(st.just("late"), _cars, st.integers(0, 6)),
        st.tuples(st.just("sold"), _cars, st.just(0)),
        st.tuples(st.just("broken"), _cars, st.just(0)),
    ),
    min_size=1,
    max_size=30,
)
_days = st.dates(DAY - timedelta(days=40), DAY + timedelta(days=60))
_measures = st.builds(
    lambda origin, rate, days, withdrawn: measure(
        origin,
        rate,
        announced_at=days[0],
        effective_from=days[0],
        effective_to=days[1],
        **({"withdrawn_at": days[1]} if withdrawn else {}),
    ),
    st.integers(0, len(ORIGINS) - 1),
    st.integers(5, 80),
    st.tuples(_days, _days).map(lambda pair: sorted(pair)),
    st.booleans(),
)


STEPS = (
    "policy", "malformed_policy", "clock", "kill", "kill_at", "rebalance", "second_worker_comes", "second_worker_goes",
    "settle",
)  # fmt: skip


class LotMachine(RuleBasedStateMachine):
    """One example is one stage. Where the broker is, and where steps are counted, is set by a subclass."""

    bootstrap_servers: str
    steps: Counter[str]
    """Steps by name, of all examples together."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = Path(tempfile.mkdtemp(prefix="lotrisk-model-"))
        self._stage = Stage(
            self.bootstrap_servers, self._directory, variant="shuffle", session_timeout_seconds=2,
            rebalance_timeout_seconds=9, drain_seconds=2,
        )  # fmt: skip
        self._stage.__enter__()
        self._fleet = self._stage.fleet
        self._lot: dict[bytes, tuple[bytes, str]] = {}
        """Key to record and its `updated_at`: what the DMS says last."""
        self._broken = 0
        self._put = 0

    @initialize()
    def open(self) -> None:
        """The first worker, and cars on the lot."""
        self._fleet.start("a")
        self._say([("priced", index, 0) for index in range(len(CARS))])
        self._stage.settle(SETTLE_SECONDS)

    def _say(self, changes: Changes) -> None:
        """The DMS says something of some cars."""
        found: list[tuple[bytes, bytes | None]] = []
        for kind, index, number in changes:
            car = CARS[index]
            said = lot.version(car, number, late=kind == "late")
            found.append((lot.key_of(car), {"sold": None, "broken": b"poison"}.get(kind, said)))
        self._stage.ground.put(len(found), lambda number: found[number])
        self._put += len(found)
        for key, value in found:
            if value is None:
                self._lot.pop(key, None)
                continue
            try:
                said = orjson.loads(value)["updated_at"]
            except orjson.JSONDecodeError:
                self._broken += 1
                continue
            if key not in self._lot or said >= self._lot[key][1]:
                self._lot[key] = (value, said)

    @rule(changes=_records, measures=st.lists(_measures, min_size=1, max_size=3, unique_by=lambda one: one.id))
    def policy(self, changes: Changes, measures: list[MeasureRecord]) -> None:
        """One event: a measure on an origin, or more in one transaction; perhaps withdrawn before it was in force."""
        self._begin("policy", changes)
        self._stage.desk.publish(*measures)

    @rule(changes=_records, value=st.sampled_from([b"{", b'{"id": "REHEARSAL-KR"}', b"[]"]))
    def malformed_policy(self, changes: Changes, value: bytes) -> None:
        """A record of which no measure can be made: the last good book stays."""
        self._begin("malformed_policy", changes)
        self._stage.desk.write([(b"REHEARSAL-KR", value)])

    @rule(changes=_records, days=st.integers(1, 30))
    def clock(self, changes: Changes, days: int) -> None:
        """Days pass for every worker."""
        self._begin("clock", changes)
        self._stage.move_clock(min(self._stage.today + timedelta(days=days), LAST_DAY))

    @rule(changes=_records, second=st.booleans())
    def kill(self, changes: Changes, second: bool) -> None:
        """kill -9; whoever supervises starts it again."""
        self._begin("kill", changes)
        self._fleet.kill("b" if second and "b" in self._fleet.workers else "a")

    @rule(changes=_records, point=st.sampled_from([*POINTS, *RERATE_POINTS]), hit=st.integers(1, 3))
    def kill_at(self, changes: Changes, point: str, hit: int) -> None:
        """It will kill itself at a step, if it comes there."""
        self._begin("kill_at", changes)
        wait_until(lambda: self._is_ready("a"), SETTLE_SECONDS, "worker a is ready", self._fleet.said)
        self._fleet.arm("a", f"{point}=kill@{hit}")

    @rule(changes=_records)
    def rebalance(self, changes: Changes) -> None:
        """Partitions change hands."""
        self._begin("rebalance", changes)
        self._fleet.rebalance()

    @precondition(lambda self: "b" not in self._fleet.workers)
    @rule(changes=_records)
    def second_worker_comes(self, changes: Changes) -> None:
        """It joins while the first one works."""
        self._begin("second_worker_comes", changes)
        self._fleet.start("b")

    @precondition(lambda self: "b" in self._fleet.workers)
    @rule(changes=_records)
    def second_worker_goes(self, changes: Changes) -> None:
        """It is told to stop, ready or not."""
        self._begin("second_worker_goes", changes)
        self._fleet.stop("b")

    @rule(changes=_records)
    def settle(self, changes: Changes) -> None:
        """Everybody takes a breath: the lot stands as the book in force says."""
        self._begin("settle", changes)
        self._stage.settle(SETTLE_SECONDS)

    def _begin(self, step: str, changes: Changes) -> None:
        """Records come with every step: what happens then happens while they are in work."""
        self.steps[step] += 1
        self._say(changes)

    def _is_ready(self, name: str) -> bool:
        worker = self._fleet.workers.get(name)
        return worker is not None and worker.alive and "worker ready" in worker.said()

    def teardown(self) -> None:
        """The end: what stands on the topics against the model, and the auditor's books."""
        try:
            self._stage.settle(SETTLE_SECONDS)
            accounts = self._stage.accounts()
            exits = dict(self._fleet.exit_codes())
            note(f"{accounts}; exits {exits}")
            print(f"model: {dict(self.steps)}, exits {exits}: {accounts}", flush=True)
            accounts.balance()
            assert (accounts.inputs, accounts.dead_letters) == (self._put, self._broken)
            shelf = self._stage.shelf
            stands, context = final_lot(self._stage.ground.settings, shelf), shelf.on(self._stage.today)
            assert stands.keys() == self._lot.keys(), "other cars on the lot than the DMS says"
            for key, (value, _) in self._lot.items():
                problem = why_behind(stands[key], shelf.rate(key, value, context))
                assert problem is None, f"{key.decode()}: {problem}"
        finally:
            self._stage.__exit__(None, None, None)
            shutil.rmtree(self._directory, ignore_errors=True)


def drive(bootstrap_servers: str, *, examples: int, steps: int, seed: int) -> Counter[str]:
    """Play `examples` of `steps` steps each, the same ones for a seed; returns how often each step was played."""
    counted: Counter[str] = Counter()
    members = {"bootstrap_servers": bootstrap_servers, "steps": counted}
    bound = hypothesis.seed(seed)(type("BoundMachine", (LotMachine,), members))
    run_state_machine_as_test(
        bound,
        # Else most examples end after a step or two.
        _min_steps=steps - 1,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            database=None,
            deadline=None,
            # To shrink, an example of half a minute would be played hundreds of times.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    return counted
