"""The parts of a lot as canonical records, in the way parts masters write them."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

from schemas.fields import PartKind
from streams.feeds.lot.group import Dealer
from streams.feeds.lot.vehicles import Record
from streams.reference.lot import LotPart, LotReference, PartBrand

_LETTERS = string.ascii_uppercase.replace("I", "").replace("O", "").replace("Q", "")
_WORTH_LAYING_IN = (40.0, 6)
"""Cost in dollars, and demand in twelve months, from which a part is bought ahead."""
_SLOT = re.compile(r"\{(\w+)\}")


class PartLot:
    """Draws parts; the same seed, dealers and day give the same parts."""

    def __init__(self, reference: LotReference, dealers: tuple[Dealer, ...], as_of: date, seed: int) -> None:
        self._random = random.Random(f"{seed}:parts")  # noqa: S311 - made-up stock, not a secret
        self._ahead = random.Random(f"{seed}:bought ahead")  # noqa: S311 - the same
        self._reference, self._dealers, self._as_of = reference, dealers, as_of
        self._weights = list(accumulate(part.weight for part in reference.parts))
        self._bases = {(brand, row.family): row.base for row in reference.bases for brand in row.brands.split("|")}
        self._brands = {
            dealer.dealer_id: [b for b in reference.brands if b.franchise is None or b.franchise in dealer.franchises]
            for dealer in dealers
        }
        self._numbers: set[tuple[str, str]] = set()

    def draw(self, count: int) -> Iterator[Record]:
        """`count` parts, each part number once a dealer."""
        pick = self._random
        for _ in range(count):
            dealer = pick.choice(self._dealers)
            part = pick.choices(self._reference.parts, cum_weights=self._weights)[0]
            brands = self._brands[dealer.dealer_id]
            brand = pick.choices(brands, weights=[brand.weight for brand in brands])[0]
            yield self._part(dealer, part, brand)

    def _number(self, dealer: Dealer, part: LotPart, brand: PartBrand) -> str:
        while True:
            base = self._bases.get((brand.brand, part.family)) or self._filled("d" * brand.base_digits)
            head, marker, tail = brand.pattern.partition("{base}")
            number = f"{self._filled(head)}{base if marker else ''}{self._filled(tail)}"
            if (dealer.dealer_id, number) not in self._numbers:
                self._numbers.add((dealer.dealer_id, number))
                return number

    def _filled(self, pattern: str) -> str:
        draw = {"d": string.digits, "l": _LETTERS}
        return "".join(self._random.choice(draw[symbol]) if symbol in draw else symbol for symbol in pattern)

    def _days_ago(self, typical: float) -> str:
        days = min(1_500, 1 + int(self._random.expovariate(1 / typical)))
        return (self._as_of - timedelta(days=days)).isoformat()

    def _part(self, dealer: Dealer, part: LotPart, brand: PartBrand) -> Record:
        pick, words = self._random, self._reference.words
        low, high = float(part.cost_low), float(part.cost_high)
        cost = pick.triangular(low, high, low + 0.3 * (high - low))
        demand = int(pick.expovariate(1 / part.demand_typical))
        quantity = int(pick.expovariate(1 / (part.qty_typical + 0.4)))
        midnight = datetime(self._as_of.year, self._as_of.month, self._as_of.day, tzinfo=UTC)
        record: Record = {
            "dealer_id": dealer.dealer_id,
            "part_number": self._number(dealer, part, brand),
            "updated_at": (midnight - timedelta(seconds=pick.randrange(60, 86_400))).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "description": _SLOT.sub(lambda slot: pick.choice(words[slot[1]]), part.description),
            "brand": brand.brand,
            "source_code": brand.source_code,
            "rooftop": dealer.rooftop(brand.franchise),
            "part_kind": brand.kind.value,
            "qty_on_hand": quantity,
            "on_order": pick.randint(1, 6) if pick.random() < 0.12 else 0,
            "demand_12m": demand,
            "bin": f"{pick.choice(_LETTERS)}{pick.randint(1, 40):02d}-{pick.randint(1, 8)}",
            "stock_status": "N" if demand < 3 else "A",
            "cost_usd": f"{cost:.2f}",
            "list_usd": f"{cost * pick.uniform(1.35, 1.8):.2f}",
            "last_received": self._days_ago(45 if demand else 400),
        }
        if demand:
            record["last_sold"] = self._days_ago(25)
            record["days_supply"] = round(quantity * 365 / demand)
        if pick.random() < part.core_share or brand.kind is PartKind.REMAN:
            record["core_usd"] = f"{max(5, round(cost * pick.uniform(0.08, 0.35) / 5) * 5)}.00"
        worth = cost >= _WORTH_LAYING_IN[0] and demand >= _WORTH_LAYING_IN[1]
        ahead = self._ahead.random() < brand.bought_ahead and worth
        if ahead:
            self._buy_ahead(record, demand)
        if pick.random() < 0.2:
            record["price_tape_date"] = self._as_of.replace(
                month=(self._as_of.month - 1) // 3 * 3 + 1, day=1
            ).isoformat()
        if pick.random() < 0.2:
            record["lead_weeks"] = pick.randint(1, 14)
        if pick.random() < 0.04:
            record["returnable_until"] = (self._as_of + timedelta(days=pick.randint(10, 180))).isoformat()
        self._papers(record, part, brand, ahead)
        return record

    def _buy_ahead(self, record: Record, demand: int) -> None:
        """One to two years' demand, received in one go long ago."""
        days = self._ahead.randint(150, 400)
        quantity = round(demand * self._ahead.uniform(1, 2))
        record["qty_on_hand"], record["on_order"] = quantity, 0
        record["last_received"] = (self._as_of - timedelta(days=days)).isoformat()
        record["days_supply"] = round(quantity * 365 / demand)

    def _papers(self, record: Record, part: LotPart, brand: PartBrand, ahead: bool) -> None:
        """Tariff number and origin, for the parts whose maker's or supplier's data file the dealer holds.

        Who buys ahead knows where a part comes from.
        """
        pick = self._random
        if pick.random() >= brand.documented:
            if not ahead:
                return
            pick = self._ahead
        if part.hts:
            record["hts"] = part.hts
        if part.origins:
            country = pick.choice(part.origins.split("|"))
            record["country_of_origin"] = country
            if country in ("CA", "MX") and pick.random() < 0.6:
                record["usmca"] = True
