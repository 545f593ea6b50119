"""What one record adds to the totals of its groups: its model or part family, its origin, its drive, and the whole lot.

A record costs a list of whole numbers; all that it shares with others of its kind (groups, grams a unit, verdict) is
its *cell*, encoded once. Totals are sums by cell, and a contribution that is replaced or removed is subtracted again,
so it stands beside what was published, as JSON: `[amounts, open flags, cell...]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from streams.enrich.cents import Cents

if TYPE_CHECKING:
    from streams.enrich.episodes import OpenFlag

HEADER: Final = "lotrisk.contribution"
"""The header of an enriched record that holds its contribution."""
UNKNOWN: Final = "unknown"
NOTHING: Final = b""
"""The contribution of a record that is in no total."""
FIXED: Final = 16
"""Amounts that every contribution has; see `amounts`."""
A_THREAT: Final = 4
UNITS: Final = 1_000
"""Units are counted in thousandths: a part's quantity may be a fraction."""
GRAMS: Final = 10_000
"""Grams are counted in tenths of a milligram, the last digit that exposure gives."""

MOST: Final = 10**12
"""Cents: ten billion dollars on one record are a slip, counted as not known, so that sums stay within 64 bits."""

Threat = tuple[str, int, int | None, int]
"""A measure that is not law yet, and what it would add in cents: low, central (None where it can't be said), high."""
FlagKind = tuple[str, str]
"""Type and severity."""


class Contribution(NamedTuple):
    """`cell`: JSON members without brackets; `amounts`: see there."""

    cell: bytes
    amounts: tuple[int, ...]


class Cell(NamedTuple):
    """What records share that are summed together.

    `groups`: keys of the groups they belong to. `grams`: tenths of a milligram a unit as (low, central, high) by
    element, None where the exposure can't be said. `threats`: ids of the measures in the amounts' tail.
    """

    flags: tuple[FlagKind, ...]
    groups: tuple[str, ...]
    goods: str
    origin: str
    powertrain: str
    verdict: str | None
    grams: tuple[tuple[str, int, int, int], ...] | None
    threats: tuple[str, ...]


def encode_cell(
    groups: Sequence[str],
    goods: str,
    origin: str | None,
    powertrain: str,
    block: Mapping[str, object] | None,
    threats: Sequence[str],
    *,
    counted: bool = True,
) -> bytes:
    """A cell but for its flags.

    `goods`: vehicle or part; `block`: a `schemas.enriched.RareEarthExposure`; `counted`: whether it is known how many
    there are, and so how many grams.
    """
    grams: list[tuple[str, int, int, int]] | None = None
    verdict: object = None
    if block is not None:
        elements, rule = block["elements_g"], block["content_rule"]
        assert isinstance(elements, dict)
        assert isinstance(rule, dict)
        if counted:
            grams = [(element, *(round(mass * GRAMS) for mass in masses)) for element, masses in elements.items()]
        verdict = rule["verdict"]
    return orjson.dumps([groups, goods, origin or UNKNOWN, powertrain, verdict, grams, threats])[1:-1]


def amounts(
    units: int,
    value: int | None,
    landed: Cents | None,
    replacement: Cents | None,
    change: Cents | None,
    *,
    is_new: bool = True,
    threats: Iterable[Threat] = (),
) -> tuple[int, ...]:
    """One record, its units in thousandths, and cents of all of them, each with 1 where it can't be said.

    Not new goods have neither a replacement nor a change of invoice: those are then not unknown either.
    """
    no_value = no_landed = no_replacement = no_change = 0
    if value is None or value > MOST:
        value, no_value = 0, 1
    if landed is None or landed[2] > MOST:
        landed, no_landed = _ZERO, 1
    if replacement is None or replacement[2] > MOST:
        replacement, no_replacement = _ZERO, int(is_new)
    if change is None or change[2] > MOST or change[0] < -MOST:
        change, no_change = _ZERO, int(is_new)
    found: tuple[int, ...] = (
        1, units, value, no_value, *landed, no_landed, *replacement, no_replacement, *change, no_change,
    )  # fmt: skip
    for _, low, central, high in threats:
        found += (min(low, MOST), min(central or 0, MOST), min(high, MOST), int(central is None))
    return found


_ZERO: Final = (0, 0, 0)


def encode(contribution: Contribution | None, still: Sequence[OpenFlag]) -> bytes:
    """The contribution of a record with its open flags; `NOTHING` where it is in no total."""
    if contribution is None:
        return NOTHING
    cell, numbers = contribution
    if not still:
        return b"[%b,[],%b]" % (orjson.dumps(numbers), cell)
    kinds = _kinds(tuple((one.flag.type, one.flag.severity) for one in still))
    return b"[%b,%b,%b]" % (
        orjson.dumps((*numbers, *(min(one.flag.cents_at_stake or 0, MOST) for one in still))),
        kinds,
        cell,
    )


@lru_cache(maxsize=1024)
def _kinds(flags: tuple[FlagKind, ...]) -> bytes:
    return orjson.dumps(flags)


class Part(NamedTuple):
    """A contribution read back: its amounts, and its cell with its flags as bytes."""

    numbers: list[int]
    cell: bytes


def read(contribution: bytes) -> Part | None:
    """Take a contribution apart; None where it is none."""
    end = contribution.find(b"]") + 1
    if not end:
        return None
    try:
        numbers = orjson.loads(contribution[1:end])
    except orjson.JSONDecodeError:
        return None
    return Part(numbers, contribution[end + 1 : -1])


def checked(contribution: bytes) -> Part | None:
    """The part that bytes from outside are, None where `encode` would not write them; costlier than `read`."""
    part = read(contribution)
    if part is None or contribution[:1] != b"[" or contribution[-1:] != b"]":
        return None
    numbers, cell = part
    return part if len(numbers) == amounts_of(cell) and set(map(type, numbers)) == {int} else None


@lru_cache(maxsize=16_384)
def amounts_of(cell: bytes) -> int:
    """How many numbers go with a cell; -1 where it is none."""
    try:
        found = read_cell(cell)
    except (ValueError, TypeError):
        return -1
    return FIXED + A_THREAT * len(found.threats) + len(found.flags)


@lru_cache(maxsize=16_384)
def read_cell(cell: bytes) -> Cell:
    """What a cell says.

    Raises:
        ValueError, TypeError: it isn't one.
    """
    flags, groups, goods, origin, powertrain, verdict, grams, threats = orjson.loads(b"[%b]" % cell)
    return Cell(
        tuple((str(kind), str(severity)) for kind, severity in flags),
        tuple(map(str, groups)),
        str(goods),
        str(origin),
        str(powertrain),
        verdict,
        None if grams is None else tuple((str(one[0]), int(one[1]), int(one[2]), int(one[3])) for one in grams),
        tuple(map(str, threats)),
    )
