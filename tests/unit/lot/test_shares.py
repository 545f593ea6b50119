"""A generated lot has the shares of the data it is drawn from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import pytest

from schemas.fields import StockClass
from streams.feeds.lot.group import dealer_group
from streams.feeds.lot.write import LotRequest, records
from streams.reference.lot import LotReference, load_lot

VEHICLES, PARTS = 20_000, 10_000
Record = Mapping[str, object]


@pytest.fixture(scope="module")
def reference() -> LotReference:
    return load_lot()


@pytest.fixture(scope="module")
def lot() -> list[Record]:
    return list(records(LotRequest(VEHICLES, PARTS)))


@pytest.fixture(scope="module")
def vehicles(lot: list[Record]) -> list[Record]:
    return [record for record in lot if "vin" in record]


@pytest.fixture(scope="module")
def parts(lot: list[Record]) -> list[Record]:
    return [record for record in lot if "part_number" in record]


def agrees(counted: Counter[str], expected: Mapping[str, float], total: int) -> None:
    """Each count within 4.5 standard deviations of its share (one in 150,000 by chance; the seed is fixed anyway)."""
    assert set(counted) <= set(expected)
    weight = sum(expected.values())
    for name, share in expected.items():
        p = share / weight
        deviation = (total * p * (1 - p)) ** 0.5
        assert abs(counted[name] - total * p) <= 4.5 * deviation + 0.5, (name, counted[name], total * p)


def by(reference: LotReference, *fields: str) -> Counter[str]:
    weights: Counter[str] = Counter()
    for model in reference.models:
        weights["/".join(str(getattr(model, field)) for field in fields)] += model.weight  # type: ignore[assignment]  # a sum of weights
    return weights


def drawn_models(reference: LotReference, vehicles: list[Record]) -> list[dict[str, str]]:
    """Make, model, country and powertrain of each vehicle, found by its VIN's pattern: the record doesn't say."""
    rows = {row.pattern: row for row in reference.patterns}
    found = [rows[f"{str(v['vin'])[:8]}*{str(v['vin'])[9:11]}"] for v in vehicles]
    return [{"make": r.make, "model": r.model, "country": r.country, "powertrain": r.powertrain} for r in found]


@pytest.mark.parametrize(
    "fields", [("make",), ("country",), ("powertrain",), ("make", "model", "country"), ("country", "powertrain")]
)
def test_makes_models_plants_and_powertrains_have_their_shares(
    fields: tuple[str, ...], reference: LotReference, vehicles: list[Record]
) -> None:
    drawn = Counter("/".join(row[field] for field in fields) for row in drawn_models(reference, vehicles))
    agrees(drawn, by(reference, *fields), VEHICLES)


def test_stock_classes_have_their_shares_and_makes_that_sell_direct_come_used(
    reference: LotReference, vehicles: list[Record]
) -> None:
    direct_makes = {make.make for make in reference.makes if make.franchise is None}
    weights = by(reference, "make")
    direct = sum(weights[make] for make in direct_makes) / sum(weights.values())
    expected = {row.stock_class.value: row.share * (1 - direct) for row in reference.stock_classes}
    expected[StockClass.USED.value] += direct
    agrees(Counter(str(v["stock_class"]) for v in vehicles), expected, VEHICLES)
    names = {make.dms_name for make in reference.makes if make.make in direct_makes}
    assert {v["stock_class"] for v in vehicles if v["make"] in names} == {"used"}


def test_new_stock_is_mostly_of_the_current_model_year(vehicles: list[Record]) -> None:
    years = Counter(v["model_year"] for v in vehicles if v["stock_class"] == "new")
    assert set(years) <= {2024, 2025, 2026, 2027}
    assert 0.55 < years[2026] / years.total() < 0.85
    assert {v["model_year"] for v in vehicles} <= set(range(2023, 2028))


def _literal(description: str) -> str:
    """The description as a pattern, its slots left alone."""
    return re.escape(description).replace(r"\{", "{").replace(r"\}", "}")


def test_part_families_have_their_shares(reference: LotReference, parts: list[Record]) -> None:
    shapes = [
        (
            re.compile(
                re.sub(r"\{(\w+)\}", lambda slot: f"(?:{'|'.join(reference.words[slot[1]])})", part.description)
            ),
            part,
        )
        for part in (row.model_copy(update={"description": _literal(row.description)}) for row in reference.parts)
    ]
    families = Counter(
        next(row.family for shape, row in shapes if shape.fullmatch(str(part["description"]))) for part in parts
    )
    expected: Counter[str] = Counter()
    for part in reference.parts:
        expected[part.family] += part.weight  # type: ignore[assignment]  # a sum of weights
    agrees(families, expected, PARTS)


def test_the_dealers_are_about_alike_in_size(vehicles: list[Record]) -> None:
    sizes = Counter(v["dealer_id"] for v in vehicles)
    assert len(sizes) == 5
    assert max(sizes.values()) < 1.3 * min(sizes.values())


def test_new_cars_stand_where_their_franchise_is(reference: LotReference, vehicles: list[Record]) -> None:
    dealers = {dealer.dealer_id: dealer for dealer in dealer_group(reference, 5)}
    franchises = {make.dms_name: make.franchise for make in reference.makes}
    for vehicle in vehicles:
        if vehicle["stock_class"] != "used":
            assert franchises[str(vehicle["make"])] in dealers[str(vehicle["dealer_id"])].franchises


def test_tables_of_shares_add_up_to_one(reference: LotReference) -> None:
    assert sum(row.share for row in reference.stock_classes) == pytest.approx(1)
    for stock_class in StockClass:
        assert sum(row.share for row in reference.model_years if row.stock_class is stock_class) == pytest.approx(1)


def test_descriptions_name_one_kind_of_part_each_and_their_slots_have_words(reference: LotReference) -> None:
    assert len({part.description for part in reference.parts}) == len(reference.parts)
    for part in reference.parts:
        assert set(re.findall(r"\{(\w+)\}", part.description)) <= reference.words.keys()
