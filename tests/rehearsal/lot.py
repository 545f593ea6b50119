"""A drawn lot whose vehicles change: repriced, sent again as they were, sent late, sold and taken in again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import orjson

from streams.feeds.lot.write import LotRequest, records

DAY = date(2026, 10, 1)
"""The day that the lot stands on."""
_STRIDE = 7919
"""A prime: no lot's size is a multiple of it."""
_PRICES = ("msrp_usd", "invoice_usd", "price_usd")


def drawn(vehicles: int, seed: int = 1) -> list[dict[str, object]]:
    """Vehicles as their records stand on `DAY`."""
    return [dict(record) for record in records(LotRequest(vehicles, 0, 3, seed, DAY, 0.0))]


def key_of(vehicle: dict[str, object]) -> bytes:
    """The record's key."""
    return f"{vehicle['dealer_id']}:{vehicle['vin']}".encode()


def version(vehicle: dict[str, object], number: int, *, late: bool = False) -> bytes:
    """The vehicle at its `number`th price; `late`: as said a day before anything else was."""
    changed = dict(vehicle)
    for name in _PRICES:
        if name in changed:
            factor = Decimal(100 + number * 13 % 37) / 100
            changed[name] = str((Decimal(str(changed[name])) * factor).quantize(Decimal("0.01")))
    moment = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + timedelta(minutes=number, days=-late)
    changed["updated_at"] = moment.isoformat().replace("+00:00", "Z")
    return orjson.dumps(changed)


class ChangingLot:
    """A load of vehicles: each comes once a round, some of them unchanged, late, sold or broken."""

    def __init__(self, vehicles: Sequence[dict[str, object]]) -> None:
        self._vehicles = vehicles

    def __call__(self, number: int) -> tuple[bytes | None, bytes | None]:
        """Key and value of the record with a number."""
        turn, place = divmod(number, len(self._vehicles))
        index = place * _STRIDE % len(self._vehicles)
        vehicle = self._vehicles[index]
        key = key_of(vehicle)
        if number % 997 == 500:
            return key, b"poison"
        if turn and (index + turn) % 23 == 0:
            return key, None
        as_before = turn > 0 and (index + turn) % 3 == 0
        return key, version(vehicle, turn - as_before, late=turn > 0 and (index + 5 * turn) % 11 == 0)
