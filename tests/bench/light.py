"""The light function every contender runs: decode 350 bytes of JSON, add a field, encode; the same headers for all."""

from __future__ import annotations

import random
from collections.abc import Callable

import orjson

from schemas.cloudevents import EventType, HeaderTemplate

LIGHT_BYTES = 350
_CHANCE = random.Random(1)
_WORDS = ["".join(_CHANCE.choices("abcdefghijklmnopqrstuvwxyz", k=_CHANCE.randint(2, 9))) for _ in range(600)]
_TEXT = " ".join(_CHANCE.choices(_WORDS, k=180_000))
"""About a megabyte of words; records hold pieces of it, so that they compress like text and not like a filler."""


def record(number: int, size: int | None = None) -> tuple[bytes, bytes]:
    """Key and value of the input record `number`; the value is a JSON object of about `size` bytes."""
    dealer, vin = f"D{number % 7}", f"{number:017d}"
    document = {
        "dealer_id": dealer,
        "vin": vin,
        "msrp_usd": f"{20_000 + number * 7919 % 60_000}.00",
        "days_in_stock": number % 180,
    }
    room = (size or LIGHT_BYTES) - 104
    start = number * 104_729 % (len(_TEXT) - room)
    return f"{dealer}:{vin}".encode(), orjson.dumps({**document, "comments": _TEXT[start : start + room]})


def light(value: bytes) -> bytes:
    """Decode, add a field, encode."""
    document = orjson.loads(value)
    document["duty"] = "5848.50"
    return orjson.dumps(document)


def job(name: str) -> Callable[[bytes | None, bytes], bytes]:
    """What a contender does with a record: `light`, or with `real` the whole enrichment of a vehicle."""
    if name == "light":
        return lambda key, value: light(value)
    from streams.enrich.outcome import Enriched
    from streams.enrich.vehicle import enrich_vehicle
    from tests.bench.stages import lot_context

    context = lot_context()

    def enrich(key: bytes | None, value: bytes) -> bytes:
        outcome = enrich_vehicle(key, value, context)
        assert isinstance(outcome, Enriched), outcome
        return outcome.value

    return enrich


def header_template(topic: str, partition: int) -> HeaderTemplate:
    """CloudEvents headers as lotrisk writes them, so that every contender moves the same bytes."""
    return HeaderTemplate(EventType.VEHICLE_ENRICHED, topic, "452967de-70c6-41b1-9202-29a8e8583a91", partition)
