"""What a record costs in the core, stage by stage: the pure functions on a generated lot, in this process, warm.

A stage is timed over the whole lot at once, so that the clock costs nothing. `classify` is the look-up by VIN pattern
less the decoding in it; `expose` is what building the profiles of patterns not seen before adds, spread over the lot;
`encode` is the rest of the whole.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from statistics import median

from schemas.part import Part
from schemas.vehicle import Vehicle
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
Row = tuple[bytes, bytes]


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


def _read(rows: list[Row], model: type[Vehicle] | type[Part], identity: str) -> list[object]:
    return [read_record(key, value, model, identity) for key, value in rows]


def _enrich(rows: list[Row], function: Callable[[bytes, bytes, Context], Outcome], context: Context) -> list[Outcome]:
    return [function(key, value, context) for key, value in rows]


def _profiles(records: list[Vehicle], context: Context) -> list[VehicleProfile]:
    return [vehicle_profile(record.vin, record.country_of_assembly, context) for record in records]


def _part_profiles(records: list[Part], families: list[FamilyFound], context: Context) -> list[PartProfile]:
    return [profile(*pair, context) for pair in zip(records, families, strict=True)]


def run(bench: Bench) -> None:
    """Add `enrich.us.*` (microseconds of processor time a record) and `enrich.bytes.*` (median value)."""
    context = lot_context()
    # As in a worker.
    set_aside()
    _vehicles(bench.figures, context, lot_vehicles(), bench.rounds)
    _parts(bench.figures, context, lot_parts(), bench.rounds)


def _vehicles(figures: Figures, context: Context, rows: list[Row], rounds: int) -> None:
    outcomes = _enrich(rows, enrich_vehicle, context)
    rows = [row for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, Enriched)]
    records = [record for record in _read(rows, Vehicle, "vin") if isinstance(record, Vehicle)]
    profiles = _profiles(records, context)
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        n = len(rows)
        cold = _fresh(context)
        decoded = _us(lambda: [decode_vin(record.vin, context) for record in records], n)
        profiled = _us(partial(_profiles, records, context), n)
        first = _us(partial(_profiles, records, cold), n)
        stages = {
            "validate": _us(lambda: _read(rows, Vehicle, "vin"), n),
            "decode": decoded,
            "classify": max(0.0, profiled - decoded),
            "rate": _us(lambda: [rate_vehicle(*pair, context) for pair in zip(records, profiles, strict=True)], n),
        }
        whole = _us(lambda: _enrich(rows, enrich_vehicle, context), n)
        stages["encode"] = max(0.0, whole - sum(stages.values()))
        stages["expose"] = max(0.0, first - profiled)
        for name, value in (("", whole), *((f".{stage}", value) for stage, value in stages.items())):
            found.setdefault(f"enrich.us.vehicle{name}", []).append(value)
    _add(figures, found, "vehicle", rows, outcomes)


def _parts(figures: Figures, context: Context, rows: list[Row], rounds: int) -> None:
    outcomes = _enrich(rows, enrich_part, context)
    rows = [row for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, Enriched)]
    records = [record for record in _read(rows, Part, "part_number") if isinstance(record, Part)]
    families = [find_family(record, context) for record in records]
    profiles = _part_profiles(records, families, context)
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        n = len(rows)
        cold = _fresh(context)
        looked_up = _us(partial(_part_profiles, records, families, context), n)
        first = _us(partial(_part_profiles, records, families, cold), n)
        stages = {
            "validate": _us(lambda: _read(rows, Part, "part_number"), n),
            "decode": _us(lambda: [find_family(record, context) for record in records], n),
            "classify": looked_up,
            "rate": _us(lambda: [rate_part(*pair, context) for pair in zip(records, profiles, strict=True)], n),
        }
        whole = _us(lambda: _enrich(rows, enrich_part, context), n)
        stages["encode"] = max(0.0, whole - sum(stages.values()))
        stages["expose"] = max(0.0, first - looked_up)
        for name, value in (("", whole), *((f".{stage}", value) for stage, value in stages.items())):
            found.setdefault(f"enrich.us.part{name}", []).append(value)
    _add(figures, found, "part", rows, outcomes)


def _add(figures: Figures, found: dict[str, list[float]], kind: str, rows: list[Row], outcomes: list[Outcome]) -> None:
    for name, values in found.items():
        figures.add(name, "us", values)
    figures.add(f"enrich.bytes.{kind}.in", "bytes", [median(len(value) for _, value in rows)])
    sizes = [len(outcome.value) for outcome in outcomes if isinstance(outcome, Enriched)]
    figures.add(f"enrich.bytes.{kind}.out", "bytes", [median(sizes)])
    refused = sum(isinstance(outcome, Rejected | Removed) for outcome in outcomes)
    if refused:
        raise RuntimeError(f"{refused} records of the generated lot were not enriched")
