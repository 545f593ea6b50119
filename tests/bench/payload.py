"""What a benchmark's records are: light ones of a wanted size, or the vehicles of a real lot."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import orjson

from tests.bench.light import record


class Payload:
    """An endless stream of records: `light`, `light:BYTES` or `lot`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of one record after the other, the same in every run."""
        kind, _, size = self.name.partition(":")
        if kind == "lot":
            return cycle(lot_vehicles())
        return (record(number, int(size) if size else None) for number in _count())


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def lot_vehicles(count: int = 20_000) -> list[tuple[bytes, bytes]]:
    """Keys and values of the vehicles of the generated lot."""
    from streams.feeds.lot.write import LotRequest, records

    return [
        (f"{row['dealer_id']}:{row['vin']}".encode(), orjson.dumps(row))
        for row in records(LotRequest(vehicles=count, parts=0))
    ]


def lot_parts(count: int = 10_000) -> list[tuple[bytes, bytes]]:
    """Keys and values of the parts of the generated lot."""
    from streams.feeds.lot.write import LotRequest, records

    return [
        (f"{row['dealer_id']}:{row['part_number']}".encode(), orjson.dumps(row))
        for row in records(LotRequest(vehicles=0, parts=count))
    ]
