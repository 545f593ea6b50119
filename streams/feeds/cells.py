"""Cells of a delimited file, read by kind. Each reader gives the canonical value, None for an absent one, or raises
`ValueError` with what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache

from streams.feeds.columns import CellKind, countries, date_formats, words

CellValue = str | int | float | bool | list[str]

_PRICE = re.compile(r"^\$?\s*([0-9]{1,10}|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]*))?\s*(?:USD)?$", re.IGNORECASE)
_NUMBER = re.compile(r"^-?(?:[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?%?$")
_BELOW_ZERO = re.compile(r"^\((.*)\)$|^([0-9.,]+)-$")
"""A bookkeeper's and a mainframe's way to write a number below zero: `(2)`, `2-`."""
_DATE_AND_TIME = re.compile(r"^(.*?\d)(?:[T ]+(\d{1,2}:\d{2}.*))?$", re.IGNORECASE)
_TIME = re.compile(
    r"^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AP]M)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?$", re.IGNORECASE
)


def plain(text: str) -> str:
    """A cell without the marks that keep digits text, `="00123"`, and without invisible characters."""
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    value = text.strip()
    return value[2:-1] if len(value) > 2 and value.startswith('="') and value.endswith('"') else text


_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
"""Zero-width characters that web pages and spreadsheets leave: a dealer id with one would be another dealer."""


def is_blank(text: str) -> bool:
    """Whether a cell says nothing: empty, or a word like N/A or NULL."""
    return text.strip().lower() in words("blank")


def price(text: str) -> str | None:
    """Dollars as a decimal string. Zero and "call" are how files write "no price": absent."""
    if text.strip().lower() in words("price"):
        return None
    found = _PRICE.match(text.strip())
    if found is None:
        negative = text.strip().startswith(("-", "(", "$-", "$ -", "$(")) or text.strip().endswith("-")
        raise ValueError(
            "negative; write a price of 0 or more" if negative else "not a price in dollars, like 38990.00"
        )
    whole, cents = found[1].replace(",", ""), (found[2] or "").rstrip("0")
    if len(cents) > 2:
        raise ValueError("finer than a cent; round it to two decimals")
    amount = Decimal(f"{whole}.{cents or '0'}")
    return f"{amount:.2f}" if amount else None


def _number(text: str) -> Decimal:
    value = _BELOW_ZERO.sub(r"-\1\2", text.strip())
    if not _NUMBER.match(value):
        raise ValueError("not a number")
    return Decimal(value.rstrip("%").replace(",", ""))


def count(text: str) -> int:
    """A whole number, 0 or more; `2026.0` is whole."""
    amount = _number(text)
    if amount < 0 or amount != int(amount):
        raise ValueError("not a whole number of 0 or more")
    return int(amount)


def miles(text: str) -> int:
    """Whole miles; the word itself may follow."""
    return count(_MILES.sub("", text.strip()))


_MILES = re.compile(r"\s*(?:mi|mi\.|miles)$", re.IGNORECASE)


def year(text: str) -> int | None:
    """A model year of four digits; 0 is absent."""
    value = count(text)
    if value and value < 1900:
        raise ValueError("not a model year of four digits")
    return value or None


def number(text: str) -> float | int:
    """A number; whole ones stay whole."""
    amount = _number(text)
    return int(amount) if amount == int(amount) else float(amount)


@lru_cache(maxsize=16_384)
def _moment(text: str) -> tuple[datetime, str]:
    found = _DATE_AND_TIME.match(text.strip())
    if found:
        for pattern in date_formats():
            try:
                return datetime.strptime(found[1], pattern), found[2] or ""  # noqa: DTZ007 - a date, the zone comes after
            except ValueError:
                continue
    raise ValueError("not a date; write year-month-day or month/day/year")


def date(text: str) -> str | None:
    """A date as ISO 8601; a time after it is dropped. Dates like 1/1/1900 are absent; 45931 is Excel's 2025-10-01."""
    if _EXCEL_DAY.match(text.strip()):
        return (_EXCEL_EPOCH + timedelta(int(text.strip().partition(".")[0]))).isoformat()
    if _MIDNIGHT.sub("", text.strip()) in words("date"):
        return None
    return _moment(text)[0].date().isoformat()


_EXCEL_DAY = re.compile(r"^[34][0-9]{4}(?:\.[0-9]+)?$")
_EXCEL_EPOCH = datetime(1899, 12, 30, tzinfo=UTC).date()
_MIDNIGHT = re.compile(r"[T ]0{1,2}:00.*$|[T ]12:00(?::00)? ?AM$", re.IGNORECASE)


def time(text: str, zone: tzinfo = UTC) -> str | None:
    """A moment as RFC 3339 UTC; without an offset of its own it is read in `zone`."""
    if _MIDNIGHT.sub("", text.strip()) in words("date"):
        return None
    day, clock = _moment(text)
    if clock:
        found = _TIME.match(clock.strip())
        if found is None:
            raise ValueError("not a time; write it like 2026-10-01T09:30:00Z")
        hour = int(found[1])
        if found[4]:
            hour = hour % 12 + (12 if found[4].upper() == "PM" else 0)
        day = day.replace(hour=hour, minute=int(found[2]), second=int(found[3] or 0))
        if found[5] and found[5].upper() in ("Z", "UTC", "GMT"):
            zone = UTC
        elif found[5]:
            zone = datetime.strptime(found[5], "%z").tzinfo or zone
    return day.replace(tzinfo=zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def vin(text: str) -> str:
    """A VIN in capitals without blanks or hyphens; the contract judges the rest."""
    value = re.sub(r"[\s-]+", "", text).removeprefix("'").upper()
    if _ROUNDED.match(value):
        raise ValueError(_DIGITS_LOST)
    if len(value) != 17:
        raise ValueError(f"{len(value)} characters long; a VIN has 17")
    wrong = sorted(set(value) & set("IOQ")) or sorted({letter for letter in value if not re.match("[A-Z0-9]", letter)})
    if wrong:
        raise ValueError(f"no VIN, which has no {', '.join(wrong)}: digits and capital letters except I, O and Q")
    return value


def country(text: str) -> str:
    """ISO alpha-2; common names and alpha-3 codes are turned into it."""
    value = text.strip()
    code = words("country").get(value.lower()) or countries().get(value.lower())
    if code is None:
        raise ValueError("not a country; write its ISO code of two letters, like MX")
    return code


def part_number(text: str) -> str:
    """A part number as it is written; a spreadsheet's apostrophe before it is taken off.

    Raises:
        ValueError: a number that a spreadsheet has rounded, like 1.23457E+11: two parts may read alike.
    """
    value = text.strip().removeprefix("'")
    if _ROUNDED.match(value):
        raise ValueError(_DIGITS_LOST)
    return value


_ROUNDED = re.compile(r"^[0-9](?:[.,][0-9]+)?E\+[0-9]{1,3}$", re.IGNORECASE)
_DIGITS_LOST = "a number that a spreadsheet has rounded; its digits are lost: export the column as text"


def hts(text: str) -> str:
    """A tariff number of 4, 6, 8 or 10 digits, dotted; catalogues hold placeholders such as 01 (fact sheet 6.7)."""
    value = text.strip()
    digits = value.replace(".", "")
    if not digits.isdecimal() or len(digits) not in (4, 6, 8, 10) or not digits.isascii():
        raise ValueError("not a tariff number of 4, 6, 8 or 10 digits")
    return ".".join(filter(None, (digits[:4], digits[4:6], digits[6:])))


def part_kind(text: str) -> str:
    """oe, aftermarket, reman or recycled, from the words of the trade."""
    meaning = words("part_kind").get(text.strip().lower())
    if meaning is None:
        raise ValueError("not understood as oe, aftermarket, reman or recycled")
    return meaning


def flag(text: str) -> bool:
    """Yes or no."""
    meaning = words("flag").get(text.strip().lower())
    if meaning is None:
        raise ValueError("neither yes nor no")
    return meaning == "true"


def departed(text: str) -> bool | None:
    """True where a status says that the unit left the lot; any other status says nothing of that."""
    return _SEPARATORS.sub(" ", text.strip().lower()) in words("departed") or None


_SEPARATORS = re.compile(r"[\s_-]+")


def stock_class(text: str) -> str:
    """new, used, cpo, demo, loaner or in_transit, from the words of the trade."""
    meaning = words("stock_class").get(_SEPARATORS.sub(" ", text.strip().lower()))
    if meaning is None:
        raise ValueError("not understood as new, used, certified, demo, loaner or in transit")
    return meaning


READERS: Mapping[CellKind, Callable[[str], CellValue | None]] = {
    "text": str.strip,
    "vin": vin,
    "part_number": part_number,
    "time": time,
    "date": date,
    "stock_class": stock_class,
    "certified": flag,
    "year": year,
    "miles": miles,
    "count": count,
    "price": price,
    "number": number,
    "quantity": number,
    "country": country,
    "hts": hts,
    "part_kind": part_kind,
    "flag": flag,
    "departed": departed,
    "word": lambda text: text.strip().lower(),
    "words": lambda text: [word for word in re.split(r"[\s|;,]+", text.strip()) if word],
}
"""The reader of each kind of cell."""
