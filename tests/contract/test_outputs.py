"""What the core makes of the valid input examples keeps the output contracts, by the model and by the JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from schemas.generation import CONTRACTS, JSON, ROOT, SUFFIX
from streams import reference
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched, Outcome
from streams.enrich.part import enrich_part
from streams.enrich.vehicle import enrich_vehicle
from streams.policy.book import build_book

Enrich = Callable[[bytes | None, bytes | None, Context], Outcome]
KINDS: dict[str, tuple[Enrich, str]] = {
    "vehicle": (enrich_vehicle, "vin"),
    "part": (enrich_part, "part_number"),
}
INPUTS = [(kind, path) for kind in KINDS for path in sorted((ROOT / "examples" / kind / "valid").glob("*.json"))]
DAYS = [date(2025, 3, 1), date(2025, 10, 15), date(2026, 9, 29)]


@cache
def _context(day: date) -> Context:
    data = reference.load()
    return Context(data, build_book(data.trade, day))


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize(("kind", "path"), INPUTS, ids=[f"{kind}-{path.stem}" for kind, path in INPUTS])
def test_an_enriched_record_keeps_its_contract(kind: str, path: Path, day: date) -> None:
    enrich, identity = KINDS[kind]
    record = json.loads(path.read_bytes())
    outcome = enrich(f"{record['dealer_id']}:{record[identity]}".encode(), path.read_bytes(), _context(day))
    assert isinstance(outcome, Enriched), outcome

    contract = next(contract for contract in CONTRACTS if contract.name == f"enriched-{kind}")
    contract.model.model_validate_json(outcome.value)
    made = json.loads(outcome.value)
    schema = json.loads((JSON / f"{contract.name}{SUFFIX}").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(made)
    assert record.items() <= made.items(), "the producer's fields stay as they came"
