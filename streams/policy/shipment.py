"""One shipment as a person or a file states it: text in, checked facts out, each complaint naming its field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from streams.policy.book import Book
from streams.policy.duty import MAX_VALUE_CENTS, DutyEstimate, EstimateError, estimate
from streams.policy.facts import Claim, Facts
from streams.policy.lines import dotted, line_digits
from streams.policy.origins import parse_origin
from streams.reference.trade import TradeReference

REQUIRED = ("hts", "origin", "entry_date", "value")
OPTIONAL = ("usmca", "us_content", "claim", "known_at", "in_transit_date", "metal_share", "us_metal_share", "hts98")

_TRUE = frozenset({"true", "t", "yes", "y", "1", "x"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is entered: line (digits), origin, day, value in cents, facts, and the day up to which the book is read."""

    line: str
    origin: str
    entry_date: date
    value_cents: int
    facts: Facts
    known_at: date | None


def read_shipment(fields: Mapping[str, str | None], trade: TradeReference) -> Shipment:
    """A shipment from text fields (`REQUIRED` and `OPTIONAL`); blank is not known.

    Raises:
        LineError, OriginError, EstimateError: a field can't be used; the message begins with its name.
    """
    given = {name: (value or "").strip() for name, value in fields.items()}
    for name in REQUIRED:
        if not given.get(name):
            raise EstimateError(f"{name}: missing")
    line = line_digits(given["hts"])
    origin = parse_origin(given["origin"], trade)
    hts98 = given.get("hts98") or None
    if hts98 is not None and not hts98.replace(".", "").startswith("98"):
        raise EstimateError(f"hts98: {hts98!r} is not a number of chapter 98")
    if origin == "US" and hts98 is None:
        raise EstimateError(
            "origin: goods of the United States are not imported goods; US goods returned need hts98 (9801.00.10)"
        )
    entry_date = _day("entry_date", given["entry_date"])
    known_at = _optional_day("known_at", given.get("known_at"))
    if known_at is not None and known_at < trade.first_day:
        raise EstimateError(f"known_at: {known_at} is before the book's first day {trade.first_day}")
    facts = Facts(
        usmca=_flag("usmca", given.get("usmca")),
        us_content=_share("us_content", given.get("us_content")),
        claims=_claims(given.get("claim") or ""),
        in_transit_date=_optional_day("in_transit_date", given.get("in_transit_date")),
        metal_share=_share("metal_share", given.get("metal_share")),
        us_metal_share=_share("us_metal_share", given.get("us_metal_share")),
        hts98=hts98,
    )
    if facts.in_transit_date is not None and facts.in_transit_date > entry_date:
        raise EstimateError(f"in_transit_date: {facts.in_transit_date} is after entry_date {entry_date}")
    return Shipment(line, origin, entry_date, _cents(given["value"]), facts, known_at)


def estimate_shipment(book: Book, shipment: Shipment) -> DutyEstimate:
    """The duty on a shipment.

    Raises:
        EstimateError: as `streams.policy.duty.estimate`.
    """
    return estimate(
        book,
        shipment.line,
        shipment.origin,
        shipment.entry_date,
        shipment.value_cents,
        shipment.facts,
        shipment.known_at,
    )


def typed_line(shipment: Shipment) -> str:
    """The line, dotted."""
    return dotted(shipment.line)


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise EstimateError(f"{name}: {text!r} is not a date; write YYYY-MM-DD") from None


def _optional_day(name: str, text: str | None) -> date | None:
    return _day(name, text) if text else None


def _flag(name: str, text: str | None) -> bool | None:
    if not text:
        return None
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise EstimateError(f"{name}: {text!r} is neither true nor false")


def _number(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        raise EstimateError(f"{name}: {text!r} is not a number") from None
    if not number.is_finite():
        raise EstimateError(f"{name}: {text!r} is not a number")
    return number


def _share(name: str, text: str | None) -> Decimal | None:
    if not text:
        return None
    share = _number(name, text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= share <= 1:
        raise EstimateError(f"{name}: {text} is not a share from 0 to 1")
    return share


def _cents(text: str) -> int:
    value = _number("value", text.removeprefix("$"))
    if value < 0:
        raise EstimateError(f"value: {text} is negative; give the customs value in dollars")
    if value * 100 > MAX_VALUE_CENTS:
        raise EstimateError(f"value: {text} is above 10^12 dollars")
    cents = value * 100
    if cents != cents.to_integral_value():
        raise EstimateError(f"value: {text} has more than two decimals")
    return int(cents)


def _claims(text: str) -> frozenset[Claim]:
    claims = set()
    for name in text.replace(",", " ").replace(";", " ").split():
        try:
            claims.add(Claim(name.lower()))
        except ValueError:
            raise EstimateError(f"claim: no claim {name!r}; there are {', '.join(Claim)}") from None
    return frozenset(claims)
