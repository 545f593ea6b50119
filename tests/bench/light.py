"""The light function every contender runs: decode 350 bytes of JSON, add a field, encode; the same headers for all."""

from __future__ import annotations

import orjson

from schemas.cloudevents import EventType, HeaderTemplate

PADDING = "x" * 250


def record(number: int) -> tuple[bytes, bytes]:
    """Key and 350-byte value of the input record `number`."""
    key = f"D{number % 7}:{number:017d}".encode()
    value = orjson.dumps(
        {"dealer_id": f"D{number % 7}", "vin": f"{number:017d}", "msrp_usd": "38990.00", "pad": PADDING}
    )
    return key, value


def light(value: bytes) -> bytes:
    """Decode, add a field, encode."""
    document = orjson.loads(value)
    document["duty"] = "5848.50"
    return orjson.dumps(document)


def header_template(topic: str, partition: int) -> HeaderTemplate:
    """CloudEvents headers as lotrisk writes them, so that every contender moves the same bytes."""
    return HeaderTemplate(EventType.VEHICLE_ENRICHED, topic, "452967de-70c6-41b1-9202-29a8e8583a91", partition)
