"""Reading the golden tables and comparing a row with the book."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from streams.policy.book import Book
from streams.policy.duty import EstimateError, rates
from streams.policy.facts import Claim, Facts


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a golden table."""

    text: str
    line: str
    origin: str
    day: date
    facts: Facts
    known_at: date | None
    total: Decimal | None
    parts: dict[str, Decimal]


def parse(table: str) -> list[Row]:
    """The rows of a table as `golden.py` describes them."""
    return [_row(text) for text in table.strip().splitlines()]


def check(row: Row, book: Book) -> str | None:
    """What differs between a row and the book, or None."""
    try:
        found = rates(book, row.line, row.origin, row.day, row.facts, row.known_at).central
    except EstimateError as error:
        return f"{row.text}: {error}"
    if found is None:
        return None if row.total is None else f"{row.text}: no answer"
    if row.total is None:
        return f"{row.text}: {found.total_rate_percent}, not open"
    parts = {component.measure: component.rate_percent for component in found.components}
    if found.total_rate_percent != row.total or parts != row.parts:
        return f"{row.text}: {found.total_rate_percent} = {parts}"
    return None


def _row(text: str) -> Row:
    left, _, right = text.partition(" =")
    line, origin, day, claims, total = left.split()
    parts: dict[str, Decimal] = {}
    for part in right.split(" + ") if right.strip() else ():
        rate, _, measure = part.strip().partition(" ")
        parts[measure or "MFN"] = Decimal(rate)
    facts, known_at = _facts(claims)
    return Row(
        text, line, origin, date.fromisoformat(day), facts, known_at, None if total == "?" else Decimal(total), parts
    )


def _facts(text: str) -> tuple[Facts, date | None]:
    claims: set[Claim] = set()
    usmca: bool | None = None
    shares: dict[str, Decimal] = {}
    loaded: date | None = None
    known: date | None = None
    hts98: str | None = None
    for word in text.split(",") if text != "-" else ():
        name, _, value = word.partition("=")
        if name in ("usmca", "no-usmca"):
            usmca = name == "usmca"
        elif name in ("us", "metal", "usmetal"):
            shares[name] = Decimal(value)
        elif name == "loaded":
            loaded = date.fromisoformat(value)
        elif name == "known":
            known = date.fromisoformat(value)
        elif name == "98":
            hts98 = value
        else:
            claims.add(Claim(name))
    facts = Facts(usmca, shares.get("us"), frozenset(claims), loaded, shares.get("metal"), shares.get("usmetal"), hts98)
    return facts, known
