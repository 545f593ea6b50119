"""Writing a lot as canonical JSON Lines, vehicles before parts; the same request gives the same bytes."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from streams.feeds.lot.dirt import soiled
from streams.feeds.lot.group import dealer_group
from streams.feeds.lot.parts import PartLot
from streams.feeds.lot.vehicles import Record, VehicleLot
from streams.reference.lot import load_lot


@dataclass(frozen=True, slots=True)
class LotRequest:
    """How large a lot, of how many dealers, as it stands on which day, from which seed, and how dirty in percent."""

    vehicles: int = 20_000
    parts: int = 10_000
    dealers: int = 5
    seed: int = 1
    as_of: date = date(2026, 10, 1)
    dirt_percent: float = 0.0


@dataclass(slots=True)
class LotSummary:
    """What was written."""

    vehicles: int = 0
    parts: int = 0
    bytes: int = 0
    by_dealer: Counter[str] = field(default_factory=Counter)
    by_class: Counter[str] = field(default_factory=Counter)


def records(request: LotRequest) -> Iterator[Record]:
    """The lot's records, vehicles first."""
    reference = load_lot()
    dealers = dealer_group(reference, request.dealers)
    drawn = chain(
        VehicleLot(reference, dealers, request.as_of, request.seed).draw(request.vehicles),
        PartLot(reference, dealers, request.as_of, request.seed).draw(request.parts),
    )
    return soiled(drawn, request.dirt_percent, request.seed) if request.dirt_percent else drawn


def write_lot(path: Path, request: LotRequest, progress: Callable[[], None] = lambda: None) -> LotSummary:
    """Write the lot to a file; a name that ends in `.gz` is compressed, without name or time in its header.

    Raises:
        OSError: the file can't be written.
    """
    summary = LotSummary()
    with _opened(path) as file:
        for record in records(request):
            line = orjson.dumps(record) + b"\n"
            file.write(line)
            summary.bytes += len(line)
            summary.by_dealer[str(record["dealer_id"])] += 1
            if "vin" in record:
                summary.vehicles += 1
                summary.by_class[str(record["stock_class"])] += 1
            else:
                summary.parts += 1
            progress()
    return summary


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
                yield cast("BinaryIO", packed)
        else:
            yield file
