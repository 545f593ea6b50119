"""Lines of the tariff schedule: reading what was typed, and which measures each reaches at the printed length."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from streams.reference.trade import TradeReference
from streams.reference.trade_records import MeasureRecord, scope_span

_TYPED = re.compile(r"^[0-9]{4}(?:\.?[0-9]{2}(?:\.?[0-9]{2}(?:\.?[0-9]{2})?)?)?$")
NOT_IN_BOOK = "list:not-in-book"


class LineError(ValueError):
    """What was given is not a line of chapters 1 to 97."""


def line_digits(text: str) -> str:
    """The digits of an HTS number of 4, 6, 8 or 10 digits, dotted or not.

    Raises:
        LineError: another length or shape, or a chapter that has no goods (77, 98, 99).
    """
    typed = text.strip()
    if not _TYPED.match(typed):
        raise LineError(f"hts: {text!r} is not an HTS number; give 4, 6, 8 or 10 digits, dotted or not (8708.29.51)")
    digits = typed.replace(".", "")
    chapter = int(digits[:2])
    if not 1 <= chapter <= 97 or chapter == 77:
        raise LineError(f"hts: {text!r}: chapter {digits[:2]} holds no goods; give a line of chapters 1 to 97")
    return digits


def dotted(digits: str) -> str:
    """`8708295160` as `8708.29.5160`."""
    parts = [digits[:4], digits[4:6], digits[6:]]
    return ".".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One thing that a line may be: its column-1 rate (a range where the book does not hold it) and its measures."""

    digits: str
    low: Decimal
    high: Decimal
    mask: int


@dataclass(frozen=True, slots=True)
class LineMatch:
    """What a typed line may be. `leaves` is empty where nothing can be said."""

    digits: str
    leaves: tuple[Leaf, ...]
    default: str | None
    in_book: bool
    needs_digits: bool

    def distinct(self, reach: int) -> tuple[Leaf, ...]:
        """The leaves that differ for measures in `reach`; the default first."""
        seen: dict[tuple[Decimal, Decimal, int], Leaf] = {}
        for leaf in self.leaves:
            seen.setdefault((leaf.low, leaf.high, leaf.mask & reach), leaf)
        return tuple(seen.values())


class LineIndex:
    """Lines against the scopes of a set of measures; a measure's bit in a mask is its place in the sequence."""

    def __init__(self, trade: TradeReference, measures: Sequence[MeasureRecord]) -> None:
        self._rows = {row.digits: row for row in trade.lines}
        self._chapters = {row.prefix: row for row in trade.chapters}
        lists = {name: _Scope(stems) for name, stems in trade.lists.items()}
        self._scopes = [
            (_scope(record.scope, lists), _scope(record.exclude, lists), NOT_IN_BOOK in record.scope)
            for record in measures
        ]
        self._everywhere = [("*" in record.scope) for record in measures]
        stems: set[str] = set(self._rows)
        for scopes, excluded, _ in self._scopes:
            for scope in (*scopes, *excluded):
                stems.update(scope.stems)
        self._stems = sorted(stems)
        self._known = frozenset(stems)
        self._matches: dict[str, LineMatch] = {}

    def match(self, digits: str) -> LineMatch:
        """What a line of 4 to 10 digits may be."""
        found = self._matches.get(digits)
        if found is None:
            if len(self._matches) >= 20_000:
                self._matches.clear()
            found = self._matches[digits] = self._match(digits)
        return found

    def name(self, digits: str) -> str | None:
        """The plain name of the row that covers a number."""
        row = self._row(digits)
        return None if row is None else self._rows[row].name

    def _match(self, typed: str) -> LineMatch:
        digits = self._whole(typed)
        below = [stem for stem in self._stems if len(stem) > len(digits) and stem.startswith(digits)]
        rated = [number for number in (digits, *below) if self._row(number) is not None]
        parted = [number for number in rated if self._parted(number) and any(_is_in(one, number) for one in rated)]
        rated = [number for number in rated if number not in parted]
        if not rated:
            span = self._chapter(digits)
            if span is None:
                return LineMatch(typed, (), None, False, False)
            leaves = [Leaf(number, *span, self._mask(number, False)) for number in (digits, *below)]
            # Suffixes that lists name may be all there are of a line whose rest the book doesn't hold.
            return LineMatch(typed, tuple(leaves), None if below else digits, False, False)
        leaves = []
        for number in rated:
            row = self._rows[self._row(number) or ""]
            leaves.append(Leaf(number, row.mfn, row.mfn, self._mask(number, True)))
        default: str | None = rated[0] if rated[0] == digits or len(rated) == 1 else None
        row_digits = self._row(digits)
        if row_digits is not None:
            suffix = self._rows[row_digits].default_suffix
            if suffix is not None and len(digits) < 10 and suffix.replace(".", "") in rated:
                default = suffix.replace(".", "")
        whole = len(digits) >= 8 or row_digits is not None or (len(rated) == 1 and rated[0][-2:] in ("00", "01"))
        if default is not None:
            leaves.sort(key=lambda leaf: leaf.digits != default)
        if default is None and whole and not parted:
            default = leaves[0].digits
        return LineMatch(typed, tuple(leaves), default, True, not whole)

    def _whole(self, digits: str) -> str:
        """What a number means: subdivisions 00 that are the only ones added, zeros that pad a subheading taken off."""
        while len(digits) in (6, 8) and digits + "00" in self._known:
            digits += "00"
        while len(digits) > 6 and digits.endswith("00") and digits not in self._known and self._row(digits) is None:
            digits = digits[:-2]
        return digits

    def _parted(self, number: str) -> bool:
        row = self._rows.get(number)
        return row is not None and row.suffixes == "all"

    def _row(self, digits: str) -> str | None:
        for length in (10, 8, 6):
            if digits[:length] in self._rows and len(digits) >= length:
                return digits[:length]
        return None

    def _chapter(self, digits: str) -> tuple[Decimal, Decimal] | None:
        for length in (6, 4, 2):
            row = self._chapters.get(digits[:length])
            if row is not None:
                return row.low, row.high
        return None

    def _mask(self, digits: str, in_book: bool) -> int:
        prefixes = [digits[:length] for length in range(2, len(digits) + 1)]
        mask = 0
        for index, (scopes, excluded, unlisted) in enumerate(self._scopes):
            listed = self._everywhere[index] or _within(prefixes, scopes) or (unlisted and not in_book)
            if listed and not _within(prefixes, excluded):
                mask |= 1 << index
        return mask


class _Scope:
    """Entries of a scope: whole prefixes, and ranges of statistical suffixes."""

    __slots__ = ("ranges", "stems", "whole")

    def __init__(self, entries: Iterable[str]) -> None:
        spans = [scope_span(entry) for entry in entries]
        self.stems = frozenset(first for first, _ in spans)
        self.whole = frozenset(first for first, last in spans if first == last)
        self.ranges = tuple((first, last) for first, last in spans if first != last)


def _is_in(one: str, other: str) -> bool:
    return len(one) > len(other) and one.startswith(other)


def _scope(entries: Sequence[str], lists: Mapping[str, _Scope]) -> list[_Scope]:
    named = [lists[entry.removeprefix("list:")] for entry in entries if entry.startswith("list:")]
    typed = [entry for entry in entries if entry != "*" and not entry.startswith("list:")]
    return [*named, _Scope(typed)] if typed else named


def _within(prefixes: Sequence[str], scopes: Sequence[_Scope]) -> bool:
    for scope in scopes:
        if not scope.whole.isdisjoint(prefixes):
            return True
        if scope.ranges and any(first <= prefixes[-1] <= last for first, last in scope.ranges):
            return True
    return False
