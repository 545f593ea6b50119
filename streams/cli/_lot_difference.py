"""What another book changes on a lot: units, importer's duty at replacement, controlled rare earths; pure sums.

Dollars are integer cents, ranges [low, central, high]. A unit whose duty can't be said under one of the books is
counted as such and adds no dollars.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from schemas.enriched import OWNED_FIELDS_PART, OWNED_FIELDS_VEHICLE
from streams.enrich.context import Context
from streams.enrich.exposure import value_usd
from streams.enrich.outcome import Enriched
from streams.enrich.part import enrich_part
from streams.enrich.vehicle import enrich_vehicle
from streams.state.layout import take_apart

Kind = Literal["vehicle", "part"]
DIMENSIONS: Mapping[Kind, tuple[str, ...]] = {
    "vehicle": ("make", "origin", "dealer", "powertrain"),
    "part": ("family", "origin", "dealer"),
}


def cents(dollars: str) -> int:
    """`"12.34"` as 1234."""
    whole, _, fraction = dollars.partition(".")
    value = abs(int(whole)) * 100 + int((fraction + "00")[:2])
    return -value if whole.startswith("-") else value


@dataclass(slots=True)
class Row:
    """A group of records. `changed`: those of which the books say other things; `moved`: those whose duty changes, with
    its sums before and after; `unknown`: those whose duty is touched and one of the books can't say it.
    """

    units: int = 0
    changed: int = 0
    moved: int = 0
    unknown: int = 0
    before: list[int] = field(default_factory=lambda: [0, 0, 0])
    after: list[int] = field(default_factory=lambda: [0, 0, 0])

    def add(self, before: list[int] | None, after: list[int] | None, *, owed: bool) -> None:
        """Take in a record that changes; `owed` says whether there is a duty to be said and something touches it."""
        self.changed += 1
        if before is None or after is None:
            self.unknown += owed
            return
        if before == after:
            return
        self.moved += 1
        for column in range(3):
            self.before[column] += before[column]
            self.after[column] += after[column]

    @property
    def difference(self) -> list[int]:
        """After less before: the low of one book against the low of the other, and so on."""
        return [after - before for before, after in zip(self.before, self.after, strict=True)]


@dataclass(slots=True)
class Control:
    """Goods that a control newly reaches, or no longer does: records, units and grams by element.

    Records whose quantity isn't known are counted and add no grams.
    """

    records: Counter[str] = field(default_factory=Counter)
    units: float = 0
    without_quantity: int = 0
    grams: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0, 0.0]))


class LotDifference:
    """A lot under two books, summed record by record."""

    def __init__(self, before: Context, after: Context) -> None:
        self._before = before
        self._after = after
        self.total: dict[Kind, Row] = {"vehicle": Row(), "part": Row()}
        self.landed: dict[Kind, Row] = {"vehicle": Row(), "part": Row()}
        self.by: dict[tuple[Kind, str], dict[str, Row]] = {
            (kind, name): defaultdict(Row) for kind, names in DIMENSIONS.items() for name in names
        }
        self.controlled: dict[str, Control] = defaultdict(Control)
        self.released: dict[str, Control] = defaultdict(Control)
        self.flags_raised: Counter[str] = Counter()
        self.flags_cleared: Counter[str] = Counter()
        self.refused = 0

    def add(self, kind: Kind, key: bytes, enriched: bytes) -> None:
        """Rate one record of an enriched topic under both books."""
        owned = OWNED_FIELDS_VEHICLE if kind == "vehicle" else OWNED_FIELDS_PART
        canonical = take_apart(enriched, None, owned).canonical
        enrich = enrich_vehicle if kind == "vehicle" else enrich_part
        then, now = enrich(key, canonical, self._before), enrich(key, canonical, self._after)
        if not isinstance(then, Enriched) or not isinstance(now, Enriched):
            self.refused += 1
            return
        before = _document(then)
        rows = [self.by[kind, name][group] for name, group in _groups(kind, before)]
        for row in (self.total[kind], *rows):
            row.units += 1
        if _says(then, self._before) == _says(now, self._after):
            return
        after = _document(now)
        touched = before["tariff"] != after["tariff"]
        was, will = _duty(kind, before, "replacement"), _duty(kind, after, "replacement")
        for row in (self.total[kind], *rows):
            row.add(was, will, owed=touched and _is_owed(kind, after, "replacement"))
        self.landed[kind].add(
            _duty(kind, before, "landed"),
            _duty(kind, after, "landed"),
            owed=touched and _is_owed(kind, after, "landed"),
        )
        quantity = 1.0 if kind == "vehicle" else after.get("qty_on_hand")
        _reach(self.controlled, kind, before, after, quantity)
        _reach(self.released, kind, after, before, quantity)
        raised, cleared = _flags(after) - _flags(before), _flags(before) - _flags(after)
        self.flags_raised += raised
        self.flags_cleared += cleared

    def control_value(self, control: Control, market: Literal["china", "outside_china"]) -> list[int]:
        """Cents of the oxide from which a control's grams come, at that market's latest price, [low, central, high]."""
        grams = {element: (mass[0], mass[1], mass[2]) for element, mass in control.grams.items()}
        day = self._after.book.number.regime
        return [round(100 * dollars) for dollars in value_usd(grams, market, day, self._after.reference.materials)]


def _document(outcome: Enriched) -> dict[str, Any]:
    fields: dict[str, Any] = orjson.loads(outcome.value)
    return fields


def _says(outcome: Enriched, context: Context) -> bytes:
    """The output without the number of the book it was rated under."""
    return outcome.value.replace(b'"book":"%b"' % str(context.book.number).encode(), b'"book":""')


def _groups(kind: Kind, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "dealer", document["dealer_id"]
    yield "origin", document["origin"]["country"] or "unknown"
    if kind == "part":
        yield "family", document["family"] or "unknown"
    else:
        yield "make", document["decoded"].get("make") or str(document.get("make") or "unknown").upper()
        yield "powertrain", document["decoded"]["powertrain"]


def _duty(kind: Kind, document: Mapping[str, Any], view: str) -> list[int] | None:
    if kind == "part":
        dollars = (document.get("extended") or {}).get(view)
    else:
        dollars = (document["tariff"]["importer_duty"][view] or {}).get("total_usd")
    return None if dollars is None else [cents(one) for one in dollars]


def _is_owed(kind: Kind, document: Mapping[str, Any], view: str) -> bool:
    """Used goods have no replacement; everything else has a duty, known or not."""
    return view == "landed" or kind == "part" or document.get("stock_class") not in ("used", "cpo")


def _reach(
    into: dict[str, Control], kind: Kind, less: Mapping[str, Any], more: Mapping[str, Any], quantity: float | None
) -> None:
    held = (less["exposure"] or {}).get("controlled_by", {})
    exposure = more["exposure"] or {}
    for measure, elements in exposure.get("controlled_by", {}).items():
        if added := set(elements) - set(held.get(measure, ())):
            control = into[measure]
            control.records[kind] += 1
            if quantity is None:
                control.without_quantity += 1
                continue
            control.units += quantity
            for element in added:
                for column, grams in enumerate(exposure["elements_g"][element]):
                    control.grams[element][column] += grams * quantity


def _flags(document: Mapping[str, Any]) -> Counter[str]:
    return Counter(flag["type"] for flag in document["flags"])
