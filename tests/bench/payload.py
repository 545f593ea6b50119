"""What a benchmark's records are: light ones of a wanted size, or the vehicles of a real lot."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

import orjson

from tests.bench.light import record

LIVE = 5_000


class Payload:
    """A stream of records: `light`, `light:BYTES` and `lot` without end, `lot:COUNT` of so many different vehicles.

    `lots:COUNT` is the same lot again and again, each time of other dealers: its VIN patterns are soon known.
    `live:COUNT:RUN` are the first vehicles of `lot:COUNT`, again and again, each time of a dealer of their own.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of one record after the other, the same in every run."""
        kind, _, size = self.name.partition(":")
        if kind == "lot":
            return _vehicles(int(size)) if size else cycle(lot_vehicles())
        if kind == "lots":
            return _lots(int(size))
        if kind == "live":
            count, _, run = size.partition(":")
            return _again(list(islice(_vehicles(int(count)), LIVE)), f"live-{run}-")
        return (record(number, int(size) if size else None) for number in _count())


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def lot_vehicles(count: int = 20_000) -> list[tuple[bytes, bytes]]:
    """Keys and values of the vehicles of the generated lot."""
    return list(_vehicles(count))


def _lots(count: int) -> Iterator[tuple[bytes, bytes]]:
    return _again(lot_vehicles(count), "")


def _again(vehicles: list[tuple[bytes, bytes]], prefix: str) -> Iterator[tuple[bytes, bytes]]:
    rows = [orjson.loads(value) for _, value in vehicles]
    for number in _count():
        for row in rows:
            dealer = f"{prefix}{row['dealer_id']}-{number}"
            yield f"{dealer}:{row['vin']}".encode(), orjson.dumps({**row, "dealer_id": dealer})


def _vehicles(count: int) -> Iterator[tuple[bytes, bytes]]:
    from streams.feeds.lot.write import LotRequest, records

    for row in records(LotRequest(vehicles=count, parts=0)):
        yield f"{row['dealer_id']}:{row['vin']}".encode(), orjson.dumps(row)


def lot_parts(count: int = 10_000) -> list[tuple[bytes, bytes]]:
    """Keys and values of the parts of the generated lot."""
    from streams.feeds.lot.write import LotRequest, records

    return [
        (f"{row['dealer_id']}:{row['part_number']}".encode(), orjson.dumps(row))
        for row in records(LotRequest(vehicles=0, parts=count))
    ]
