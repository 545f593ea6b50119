"""What a record costs in the core, stage by stage: the pure functions on a generated lot, in this process, warm.

A stage is timed over a batch of a thousand at once, so that the clock costs nothing, and what a batch led to is dropped
before the next, as in a lane. `classify` is the look-up by VIN pattern less the decoding in it; `expose` is what a
pattern not seen before takes, spread over the lot; `encode` is the rest of the whole.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from statistics import median
from typing import TypeVar

from schemas.part import Part
from schemas.vehicle import Vehicle
from streams.enrich.classify import classify_vehicle
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched, Outcome, Rejected, Removed
from streams.enrich.part import PartProfile, enrich_part, find_family, profile, rate_part
from streams.enrich.part_family import FamilyFound
from streams.enrich.record import read_record
from streams.enrich.vehicle import enrich_vehicle
from streams.enrich.vehicle_duty import rate_vehicle
from streams.enrich.vehicle_profile import VehicleProfile, vehicle_profile
from streams.enrich.vin import decode_vin
from streams.heap import set_aside
from streams.policy.book import build_book
from streams.reference import load
from tests.bench.figures import Figures
from tests.bench.parts import Bench
from tests.bench.payload import lot_parts, lot_vehicles

AS_OF = date(2026, 10, 1)
"""The day of the lot and of the book, the same in every run."""
BATCH = 1_000
"""Records that a lane works on at once under load, about."""
Row = tuple[bytes, bytes]
T = TypeVar("T")


def lot_context() -> Context:
    """Reference data and the book of the lot's day."""
    reference = load()
    return Context(reference, build_book(reference.trade, AS_OF))


def _fresh(context: Context) -> Context:
    return Context(context.reference, context.book)


def _us(work: Callable[[], object], count: int) -> float:
    gc.collect()
    started = time.process_time()
    work()
    return (time.process_time() - started) / count * 1e6


class _Stages:
    """Processor time by stage, over batch after batch."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, stage: str, work: Callable[[], T]) -> T:
        """What `work` gives; its time counts for `stage`."""
        started = time.process_time()
        found = work()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - started
        return found

    def us(self, records: int) -> dict[str, float]:
        """Microseconds a record."""
        return {stage: seconds / records * 1e6 for stage, seconds in self.seconds.items()}


def _batches(rows: list[Row]) -> Iterator[list[Row]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def _read(rows: list[Row], model: type[Vehicle] | type[Part], identity: str) -> list[object]:
    return [read_record(key, value, model, identity) for key, value in rows]


def _enrich(rows: list[Row], function: Callable[[bytes, bytes, Context], Outcome], context: Context) -> list[Outcome]:
    return [function(key, value, context) for key, value in rows]


def _profiles(records: list[Vehicle], context: Context) -> list[VehicleProfile]:
    return [vehicle_profile(record.vin, record.country_of_assembly, context) for record in records]


def _part_profiles(records: list[Part], families: list[FamilyFound], context: Context) -> list[PartProfile]:
    return [profile(*pair, context) for pair in zip(records, families, strict=True)]


def run(bench: Bench) -> None:
    """Add `enrich.us.*` (microseconds of processor time a record, of `pattern` a VIN pattern) and `enrich.bytes.*`."""
    context = lot_context()
    # As in a worker.
    set_aside()
    _vehicles(bench.figures, context, lot_vehicles(), bench.rounds)
    _parts(bench.figures, context, lot_parts(), bench.rounds)


def _vehicles(figures: Figures, context: Context, rows: list[Row], rounds: int) -> None:
    outcomes = _enrich(rows, enrich_vehicle, context)
    rows = [row for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, Enriched)]
    records = [record for record in _read(rows, Vehicle, "vin") if isinstance(record, Vehicle)]
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        timed = _Stages()
        for batch in _batches(rows):
            _time_vehicles(timed, batch, context)
        stages = timed.us(len(rows))
        whole = stages.pop("whole")
        stages["classify"] = max(0.0, stages["classify"] - stages["decode"])
        stages["encode"] = max(0.0, whole - sum(stages.values()))
        new = _new_patterns(records, context)
        patterns = new.pop("patterns")
        stages["expose"] = sum(new.values()) * patterns / len(rows)
        for name, value in (("", whole), *((f".{stage}", value) for stage, value in stages.items())):
            found.setdefault(f"enrich.us.vehicle{name}", []).append(value)
        for step, value in (("", sum(new.values())), *((f".{step}", value) for step, value in new.items())):
            found.setdefault(f"enrich.us.pattern{step}", []).append(value)
    figures.add("enrich.patterns", "patterns", [patterns])
    _add(figures, found, "vehicle", rows, outcomes)


def _time_vehicles(timed: _Stages, batch: list[Row], context: Context) -> None:
    timed.time("whole", lambda: _enrich(batch, enrich_vehicle, context))
    read = timed.time("validate", lambda: _read(batch, Vehicle, "vin"))
    records = [record for record in read if isinstance(record, Vehicle)]
    timed.time("decode", lambda: [decode_vin(record.vin, context) for record in records])
    profiles = timed.time("classify", lambda: _profiles(records, context))
    timed.time("rate", lambda: [rate_vehicle(*pair, context) for pair in zip(records, profiles, strict=True)])


def _new_patterns(records: list[Vehicle], context: Context) -> dict[str, float]:
    """What the first vehicle of a VIN pattern costs more than the next, in microseconds a pattern, by step.

    `expose` is the rest: origin, bill, exposure (once a drive and origin) and the encoded members.
    """
    cold = _fresh(context)
    one_each = list({decode_vin(record.vin, context).pattern: record for record in records}.values())
    n = len(one_each)
    decode = _us(lambda: [decode_vin(record.vin, cold) for record in one_each], n)
    facts = [decode_vin(record.vin, cold) for record in one_each]
    classify = _us(lambda: [classify_vehicle(one, cold.reference.vehicles) for one in facts], n)
    profiled = _us(lambda: _profiles(one_each, cold), n)
    return {"patterns": n, "decode": decode, "classify": classify, "expose": max(0.0, profiled - classify)}


def _parts(figures: Figures, context: Context, rows: list[Row], rounds: int) -> None:
    outcomes = _enrich(rows, enrich_part, context)
    rows = [row for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, Enriched)]
    records = [record for record in _read(rows, Part, "part_number") if isinstance(record, Part)]
    families = [find_family(record, context) for record in records]
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        timed = _Stages()
        for batch in _batches(rows):
            _time_parts(timed, batch, context)
        stages = timed.us(len(rows))
        whole = stages.pop("whole")
        stages["encode"] = max(0.0, whole - sum(stages.values()))
        first = _us(partial(_part_profiles, records, families, _fresh(context)), len(rows))
        stages["expose"] = max(0.0, first - stages["classify"])
        for name, value in (("", whole), *((f".{stage}", value) for stage, value in stages.items())):
            found.setdefault(f"enrich.us.part{name}", []).append(value)
    _add(figures, found, "part", rows, outcomes)


def _time_parts(timed: _Stages, batch: list[Row], context: Context) -> None:
    timed.time("whole", lambda: _enrich(batch, enrich_part, context))
    read = timed.time("validate", lambda: _read(batch, Part, "part_number"))
    records = [record for record in read if isinstance(record, Part)]
    families = timed.time("decode", lambda: [find_family(record, context) for record in records])
    profiles = timed.time("classify", lambda: _part_profiles(records, families, context))
    timed.time("rate", lambda: [rate_part(*pair, context) for pair in zip(records, profiles, strict=True)])


def _add(figures: Figures, found: dict[str, list[float]], kind: str, rows: list[Row], outcomes: list[Outcome]) -> None:
    for name, values in found.items():
        figures.add(name, "us", values)
    figures.add(f"enrich.bytes.{kind}.in", "bytes", [median(len(value) for _, value in rows)])
    sizes = [len(outcome.value) for outcome in outcomes if isinstance(outcome, Enriched)]
    figures.add(f"enrich.bytes.{kind}.out", "bytes", [median(sizes)])
    refused = sum(isinstance(outcome, Rejected | Removed) for outcome in outcomes)
    if refused:
        raise RuntimeError(f"{refused} records of the generated lot were not enriched")
