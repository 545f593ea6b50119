"""What a part is: its family, the lines it may fall under, and where it was made.

The record comes first: its part_family, hts and country_of_origin. Where it is silent, the family is read from the
description's words, then from the maker's number, then from the tariff line, each with lower confidence. A part that no
rule knows stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from schemas.fields import Confidence
from streams.reference.materials import MaterialReference
from streams.reference.materials_records import PartFamily

FamilyBasis = Literal["record", "description", "number", "hts", "none"]

_WORD: Final = re.compile(r"[A-Z0-9]+(?:[/-][A-Z0-9]+)*")
_PIECE: Final = re.compile(r"[A-Z0-9]+")
_ASIDE: Final = re.compile(r"[(\[][^)\]]*[)\]]?")
_BEHIND: Final = re.compile(r"\b(?:W/(?!O\b|S\b)|WITH\b|INCL\b|INCLUDES\b)")
_WITHOUT: Final = re.compile(r"\b(?:W/O\b|WITHOUT\b|LESS\b|EXC\b|EXCEPT\b|FOR\b)")
_MOST_BRANDS: Final = 4096
_DIGITS: Final = re.compile(r"[^0-9]")


@dataclass(frozen=True, slots=True)
class FamilyFound:
    """A family, how it was found, and how sure that is; `family` None: no rule knows the part."""

    family: PartFamily | None
    basis: FamilyBasis
    confidence: Confidence


UNKNOWN: Final = FamilyFound(None, "none", "L")


@dataclass(frozen=True, slots=True)
class _Phrase:
    words: frozenset[str]
    behind: frozenset[str]
    family: PartFamily


class FamilyRules:
    """The rules of `parts/`, arranged for reading many descriptions. Same reference data, same answers."""

    def __init__(self, materials: MaterialReference) -> None:
        self._families = materials.families
        self._abbreviations = materials.abbreviations
        self._numbers = [
            (
                re.compile(rf"\b(?:{row.brands})\b"),
                re.compile(row.pattern),
                FamilyFound(materials.families[row.family], "number", row.confidence),
            )
            for row in materials.number_patterns
        ]
        self._numbers_of: dict[str, list[tuple[re.Pattern[str], FamilyFound]]] = {}
        self._phrases: dict[str, list[_Phrase]] = {}
        self._ranks: dict[str, int] = {}
        self._by_line: dict[str, PartFamily] = {}
        for family in materials.families.values():
            for line in family.hts:
                self._by_line[line] = family
            for text in family.words:
                words = text.split()
                own = frozenset(word for word in words if not word.startswith("+"))
                behind = frozenset(word[1:] for word in words if word.startswith("+"))
                for word in own:
                    self._phrases.setdefault(word, []).append(_Phrase(own, behind, family))
                if len(words) == 1:
                    self._ranks[words[0]] = max(family.rank, self._ranks.get(words[0], family.rank))

    def words(self, text: str) -> list[str]:
        """The words of a description in order, abbreviations spelt out, empty words left out."""
        found: list[str] = []
        for whole in _WORD.findall(text):
            pieces = [whole] if whole in self._abbreviations else _PIECE.findall(whole)
            for piece in pieces:
                found.extend(self._abbreviations.get(piece, (piece,)))
        return found

    def by_description(self, description: str) -> FamilyFound:
        """The family whose phrase fits best; equally good phrases of two families: the one named first."""
        text = description.upper()
        asides = _ASIDE.findall(text)
        if asides:
            text = _ASIDE.sub(" ", text)
        main, *rest = _BEHIND.split(_WITHOUT.split(text, maxsplit=1)[0], maxsplit=1)
        rest.extend(aside for aside in asides if _BEHIND.search(aside))
        order: dict[str, int] = {}
        for word in self.words(main):
            order.setdefault(word, len(order))
        behind = frozenset(self.words(" ".join(rest))) if rest else frozenset()
        top = max((self._ranks[word] for word in order if word in self._ranks), default=0)
        ruling = {word for word in order if self._ranks.get(word) == top} if top > 0 else None
        best: tuple[int, int, int] | None = None
        found: PartFamily | None = None
        for word in order:
            for phrase in self._phrases.get(word, ()):
                if not phrase.words <= order.keys() or not phrase.behind <= behind:
                    continue
                if ruling is not None and ruling.isdisjoint(phrase.words):
                    continue
                size = len(phrase.words) + len(phrase.behind)
                score = (size, phrase.family.rank, -min(order[own] for own in phrase.words))
                if best is None or score > best:
                    best, found = score, phrase.family
        if found is None or best is None:
            return UNKNOWN
        return FamilyFound(found, "description", "M" if best[0] > 1 else "L")

    def by_number(self, part_number: str, brand: str | None) -> FamilyFound:
        """The family that the maker's numbering names; without a brand a number says nothing."""
        if not brand:
            return UNKNOWN
        rows = self._numbers_of.get(brand)
        if rows is None:
            if len(self._numbers_of) >= _MOST_BRANDS:
                self._numbers_of.clear()
            maker = brand.upper()
            rows = [(pattern, found) for brands, pattern, found in self._numbers if brands.search(maker)]
            self._numbers_of[brand] = rows
        number = part_number.upper()
        return next((found for pattern, found in rows if pattern.search(number)), UNKNOWN)

    def by_line(self, hts: str | None) -> FamilyFound:
        """The family that alone stands under a line's first 6 digits."""
        digits = _DIGITS.sub("", hts or "")
        family = self._by_line.get(f"{digits[:4]}.{digits[4:6]}") if len(digits) >= 6 else None
        return FamilyFound(family, "hts", "L") if family else UNKNOWN

    def find(
        self, part_family: str | None, description: str | None, part_number: str, brand: str | None, hts: str | None
    ) -> FamilyFound:
        """The family of a part, by the first rule that knows it."""
        if part_family:
            family = self._families.get(part_family.strip().lower())
            if family is not None:
                return FamilyFound(family, "record", "H")
        found = self.by_description(description) if description else UNKNOWN
        if found.family is None:
            found = self.by_number(part_number, brand)
        return found if found.family is not None else self.by_line(hts)


def import_line(hts: str | None) -> str | None:
    """The record's tariff number as a dotted line of 6, 8 or 10 digits; None where it isn't one.

    Catalogues carry placeholders such as 01 and 02, and four digits are a heading: neither is a line (fact sheet 6.7).
    """
    digits = _DIGITS.sub("", hts or "")
    if len(digits) not in (6, 8, 10) or not "01" <= digits[:2] <= "97" or digits[:2] == "77":
        return None
    return ".".join(filter(None, (digits[:4], digits[4:6], digits[6:])))


def candidate_lines(line: str | None, family: PartFamily | None) -> tuple[str, ...]:
    """The lines a part may fall under, the likeliest first: its own, or the family's hints.

    A six-digit number (export codes agree with import lines only so far) is narrowed by the family's lines under it.
    """
    hints: Iterable[str] = family.lines if family is not None else ()
    if line is None:
        return tuple(hints)
    if len(line) > 7:
        return (line,)
    return tuple(hint for hint in hints if hint.startswith(line)) or (line,)
