"""What a revision of the reference data stands for: its records, and what becomes of a grid of shipments and a sample.

`make revision` raises `streams/reference/REVISION` where any of it has changed, and records the digests.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson

from streams.enrich.context import Context
from streams.enrich.episodes import as_raised
from streams.enrich.outcome import Enriched, assemble
from streams.enrich.part import enrich_part
from streams.enrich.vehicle import enrich_vehicle
from streams.policy.book import build_book
from streams.policy.duty import DutyRates, rates
from streams.policy.facts import Claim, Facts
from streams.reference import Reference, load
from streams.reference.loading import ROOT
from streams.reference.trade import TradeReference

RECORDED = Path(__file__).with_name("revision.json")
SAMPLE = Path(__file__).with_name("sample.jsonl")
SECTIONS = ("controls", "data_dealer", "data_materials", "data_vehicles", "hts", "measures", "parts", "thresholds.toml")
"""What ratings rest on; sources are titles only, and `lot_data` makes lots up."""

LINES = (
    "8703.23 8703.80 8704.31 8704.60 8708.29.51 8708.99.81 8505.11.00 8518.29.80 8542.31 8507.60.00 8537.10.91 7320.10"
)
ORIGINS = ["CN", "JP", "KR", "DE", "MX", "CA", "GB", "TW", "BR", "MA"]
FACTS = (Facts(), Facts(claims=frozenset({Claim.AUTO_PART})))

Json = dict[str, Any]


def state(reference: Reference) -> Json:
    """The revision, and digests of each section's records, of a grid of duty rates and of the sample as enriched."""
    return {
        "revision": reference.trade.revision,
        "data": data(ROOT),
        "rating": rating(reference.trade),
        "enriching": enriching(reference),
    }


def data(root: Path) -> dict[str, str]:
    """A digest of each section's records, notes and comments aside."""
    return {name: _digest(list(_records(root / name))) for name in SECTIONS}


def rating(trade: TradeReference) -> str:
    """A digest of duty rates over lines, origins, days and facts."""
    book = build_book(trade, trade.verified)
    days = [trade.first_day + timedelta(days=97 * number) for number in range(40)]
    grid = itertools.product(LINES.split(), ORIGINS, days, FACTS)
    return _digest([_answer(rates(book, line, origin, day, facts)) for line, origin, day, facts in grid])


def enriching(reference: Reference) -> str:
    """A digest of what a sample of vehicles and parts becomes, but for the number of the book."""
    trade = replace(reference.trade, revision=0)
    context = Context(replace(reference, trade=trade), build_book(trade, trade.verified))
    return _digest([_enriched(line, context) for line in SAMPLE.read_bytes().splitlines()])


def refresh() -> str:
    """Raise the revision where something has changed since it was recorded, and record what there is now."""
    found, recorded = state(load()), orjson.loads(RECORDED.read_bytes())
    if same(found, recorded):
        return f"revision {recorded['revision']}: nothing has changed"
    if found["revision"] <= recorded["revision"]:
        found["revision"] = recorded["revision"] + 1
        (ROOT / "REVISION").write_text(f"{found['revision']}\n", "utf-8")
    RECORDED.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    return f"revision {found['revision']}: {', '.join(changes(found, recorded)) or 'number only'}"


def same(found: Json, recorded: Json) -> bool:
    """Whether neither a digest nor the number differs."""
    return found["revision"] == recorded["revision"] and not changes(found, recorded)


def changes(found: Json, recorded: Json) -> list[str]:
    """The names of what differs."""
    names = [name for name in SECTIONS if found["data"][name] != recorded["data"].get(name)]
    return names + [name for name in ("rating", "enriching") if found[name] != recorded[name]]


def _records(path: Path) -> Iterator[object]:
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        if file.suffix == ".toml":
            yield [file.name, _without_notes(tomllib.loads(file.read_text("utf-8")))]
        elif file.suffix == ".csv":
            yield [file.name, list(csv.reader(file.read_text("utf-8").splitlines()))]


def _without_notes(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_notes(inner) for name, inner in value.items() if name != "note"}
    return [_without_notes(inner) for inner in value] if isinstance(value, list) else value


def _answer(found: DutyRates) -> list[object]:
    parts = [
        None if one is None else [[part.measure, str(part.rate_percent.normalize())] for part in one.components]
        for one in (found.low, found.central, found.high)
    ]
    return [parts, found.missing_facts]


def _enriched(line: bytes, context: Context) -> str:
    document = orjson.loads(line)
    enrich = enrich_vehicle if "vin" in document else enrich_part
    name = "vin" if "vin" in document else "part_number"
    outcome = enrich(f"{document['dealer_id']}:{document[name]}".encode(), line, context)
    if not isinstance(outcome, Enriched):
        return repr(outcome)
    return assemble(outcome.body, as_raised(outcome.flags, outcome.updated_at), "").decode()


def _digest(document: object) -> str:
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS, default=_plain)).hexdigest()


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else str(value)


if __name__ == "__main__":
    print(refresh())
