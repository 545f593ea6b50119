"""What is wrong with real records, put into a made-up lot on request."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from streams.feeds.lot.vehicles import Record


def soiled(records: Iterable[Record], percent: float, seed: int) -> Iterator[Record]:
    """The records, `percent` of them each with one defect that real files have.

    A wrong check digit passes `lotrisk load`; a VIN a character short, a negative price and a missing number don't.
    """
    pick = random.Random(f"{seed}:dirt")  # noqa: S311 - made-up stock, not a secret
    for record in records:
        if pick.random() * 100 < percent:
            defects = (
                (_wrong_check_digit, _short_vin, _negative_price) if "vin" in record else (_negative_price, _no_number)
            )
            yield pick.choice(defects)(dict(record))
        else:
            yield record


def _wrong_check_digit(record: Record) -> Record:
    vin = str(record["vin"])
    return record | {"vin": f"{vin[:8]}{'1' if vin[8] != '1' else '2'}{vin[9:]}"}


def _short_vin(record: Record) -> Record:
    return record | {"vin": str(record["vin"])[:16]}


def _negative_price(record: Record) -> Record:
    name = "price_usd" if "vin" in record else "cost_usd"
    return record | {name: f"-{record[name]}"}


def _no_number(record: Record) -> Record:
    return record | {"part_number": ""}
