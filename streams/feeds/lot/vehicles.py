"""The vehicles of a lot as canonical records."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

from schemas.fields import StockClass
from streams.feeds.lot.group import Dealer
from streams.feeds.lot.vin_patterns import vin_of
from streams.reference.lot import LotMake, LotModel, LotReference, StockShare, VinPattern

Record = dict[str, object]

_LAND_BORDER = frozenset({"US", "CA", "MX"})
_SECOND_HAND = frozenset({StockClass.USED, StockClass.CPO})


def dollars(amount: float, step: int = 1) -> str:
    """A price as the contract writes it, rounded to whole steps of dollars."""
    return f"{max(step, round(amount / step) * step)}.00"


class VehicleLot:
    """Draws vehicles; the same seed, dealers and day give the same vehicles."""

    def __init__(self, reference: LotReference, dealers: tuple[Dealer, ...], as_of: date, seed: int) -> None:
        self._random = random.Random(f"{seed}:vehicles")  # noqa: S311 - made-up stock, not a secret
        self._reference, self._dealers, self._as_of = reference, dealers, as_of
        self._makes = {make.make: make for make in reference.makes}
        self._weights = list(accumulate(model.weight for model in reference.models))
        self._classes = {row.stock_class: row for row in reference.stock_classes}
        self._class_weights = list(accumulate(row.share for row in reference.stock_classes))
        self._years = {
            stock_class: [row for row in reference.model_years if row.stock_class is stock_class]
            for stock_class in self._classes
        }
        self._patterns: dict[tuple[str, str, str, str], dict[int, list[VinPattern]]] = {}
        for pattern in reference.patterns:
            key = (pattern.make, pattern.model, pattern.country, pattern.powertrain)
            self._patterns.setdefault(key, {}).setdefault(pattern.year, []).append(pattern)
        self._sellers = {
            make.make: [dealer for dealer in dealers if make.franchise in dealer.franchises] for make in reference.makes
        }
        self._vins: set[str] = set()
        self._stock_number = 10_000

    def draw(self, count: int) -> Iterator[Record]:
        """`count` vehicles, each VIN once."""
        pick = self._random
        for _ in range(count):
            model = pick.choices(self._reference.models, cum_weights=self._weights)[0]
            make = self._makes[model.make]
            share = pick.choices(self._reference.stock_classes, cum_weights=self._class_weights)[0]
            if make.franchise is None:
                share = self._classes[StockClass.USED]
            yield self._vehicle(model, make, share)

    def _pattern(self, model: LotModel, stock_class: StockClass) -> VinPattern:
        rows = self._years[stock_class]
        wanted = self._as_of.year + self._random.choices(rows, weights=[row.share for row in rows])[0].years_after
        by_year = self._patterns[model.make, model.model, model.country, model.powertrain]
        year = min(by_year, key=lambda known: (abs(known - wanted), known))
        return self._random.choice(by_year[year])

    def _vin(self, pattern: VinPattern) -> str:
        while True:
            vin = vin_of(pattern.pattern, self._random.randrange(100_000, 900_000))
            if vin not in self._vins:
                self._vins.add(vin)
                return vin

    def _vehicle(self, model: LotModel, make: LotMake, share: StockShare) -> Record:
        pick, words = self._random, self._reference.words
        stock_class = share.stock_class
        pattern = self._pattern(model, stock_class)
        dealer = pick.choice(self._dealers if stock_class is StockClass.USED else self._sellers[model.make])
        self._stock_number += pick.randrange(1, 4)
        record: Record = {
            "dealer_id": dealer.dealer_id,
            "vin": self._vin(pattern),
            "updated_at": self._updated_at(),
            "stock_number": f"{make.stock_prefix}{pattern.year % 100}{self._stock_number}",
            "rooftop": dealer.rooftop(make.franchise),
            "stock_class": stock_class.value,
            "model_year": pattern.year,
            "make": make.dms_name,
            "model": model.model,
            "trim": pattern.trim,
            "body": pattern.body,
            "fuel": pattern.fuel,
            "drivetrain": pattern.drivetrain,
            "engine": pattern.engine,
            "transmission": "1-Speed Automatic" if model.powertrain == "BEV" else "Automatic",
            "exterior_color": pick.choice(words["exterior"]),
            "interior_color": pick.choice(words["interior"]),
        }
        self._use_and_price(record, model, make, share, pattern.year)
        self._dates(record, model, share)
        if stock_class not in _SECOND_HAND:
            self._papers(record, model)
        return {name: value for name, value in record.items() if value is not None}

    def _updated_at(self) -> str:
        midnight = datetime(self._as_of.year, self._as_of.month, self._as_of.day, tzinfo=UTC)
        return (midnight - timedelta(seconds=self._random.randrange(60, 86_400))).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _use_and_price(self, record: Record, model: LotModel, make: LotMake, share: StockShare, year: int) -> None:
        pick = self._random
        spread = model.msrp_high - model.msrp_low
        msrp = pick.triangular(model.msrp_low, model.msrp_high, model.msrp_low + 0.35 * spread)
        if share.stock_class in _SECOND_HAND:
            age = max(0, self._as_of.year - year)
            record["odometer_mi"] = 900 + round(pick.uniform(share.miles_low, share.miles_high) * (age + 0.4))
            ratio = share.price_to_msrp_high - (share.price_to_msrp_high - share.price_to_msrp_low) * age / 4
            record["price_usd"] = dollars(msrp * ratio * pick.uniform(0.94, 1.06), 5)
            if pick.random() < 0.6:
                record["price_to_market_pct"] = round(pick.gauss(98, 4), 1)
                record["cost_to_market_pct"] = round(pick.gauss(88, 4), 1)
        else:
            record["odometer_mi"] = pick.randint(share.miles_low, share.miles_high)
            record["msrp_usd"] = dollars(msrp, 5)
            if pick.random() < 0.95:
                record["invoice_usd"] = dollars(msrp * pick.uniform(make.invoice_low, make.invoice_high))
            record["price_usd"] = dollars(msrp * pick.uniform(share.price_to_msrp_low, share.price_to_msrp_high), 5)
            record["destination_usd"] = dollars(make.destination)
            if pick.random() < 0.25:
                record["incentive_usd"] = dollars(pick.randint(1, 10) * 500)
        if pick.random() < 0.45:
            record["market_days_supply"] = pick.randint(18, 130)

    def _dates(self, record: Record, model: LotModel, share: StockShare) -> None:
        """Built, shipped, invoiced, in stock, in this order; a DMS knows the later ones more often."""
        pick = self._random
        overseas = model.country not in _LAND_BORDER
        transit = pick.randint(25, 60) if overseas else pick.randint(6, 30)
        if share.stock_class is StockClass.IN_TRANSIT:
            arrived = self._as_of - timedelta(days=pick.randint(1, 12)) if pick.random() < 0.35 else None
            built = (arrived or self._as_of - timedelta(days=pick.randint(2, 10))) - timedelta(days=transit)
            invoiced: date = (arrived or self._as_of) - timedelta(days=pick.randint(1, 8))
        else:
            days = max(1, round(pick.triangular(share.days_low, share.days_high, share.days_typical)))
            stocked = self._as_of - timedelta(days=days)
            record["in_stock_date"] = stocked.isoformat()
            record["days_in_stock"] = days - 1
            if share.stock_class in _SECOND_HAND:
                return
            arrived = stocked - timedelta(days=pick.randint(4, 40))
            built = (arrived if overseas else stocked) - timedelta(days=transit)
            invoiced = (arrived + timedelta(days=pick.randint(0, 3))) if overseas else built + timedelta(days=2)
        if pick.random() < 0.9:
            record["invoice_date"] = invoiced.isoformat()
        if overseas and arrived is not None and pick.random() < 0.55:
            record["port_arrival_date"] = arrived.isoformat()
            if pick.random() < 0.08:
                record["entry_date"] = (arrived + timedelta(days=pick.randint(0, 5))).isoformat()
                record["entry_date_basis"] = "port"
        if pick.random() < 0.4:
            record["build_date"] = built.isoformat()

    def _papers(self, record: Record, model: LotModel) -> None:
        """What a window sticker or an invoice says, for the few units where the DMS holds it."""
        pick = self._random
        if pick.random() < 0.08:
            record["country_of_assembly"] = model.country
        if model.country in ("CA", "MX") and pick.random() < 0.15:
            record["usmca"] = True
        if pick.random() < 0.2:
            record["importer_of_record"] = "maker"
