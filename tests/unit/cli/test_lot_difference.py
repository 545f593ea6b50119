"""What another book changes on a lot, against sums taken by hand from the two outputs."""

from __future__ import annotations

import csv
import re
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from streams.cli._lot_difference import DIMENSIONS, Kind, LotDifference, Row, cents
from streams.cli._lot_report import document, show, write_csv
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched
from streams.enrich.part import enrich_part
from streams.enrich.vehicle import enrich_vehicle
from streams.reference import load
from streams.transport.books import book_on
from tests.unit.transport.test_policy_log import measure

REFERENCE = load()
DAY = date(2026, 10, 1)
BEFORE = Context(REFERENCE, book_on(REFERENCE.trade, DAY))
KIA, TOYOTA, HONDA = "KNDC4DLC8R5123456", "JTDAFAAF6T3905728", "1HGCM82633A004352"


def under(*overrides: Any) -> LotDifference:
    return LotDifference(BEFORE, BEFORE.under(book_on(REFERENCE.trade, DAY, overrides, offset=0)))


def enriched(kind: Kind, **fields: Any) -> tuple[bytes, bytes]:
    """Key and value as they stand on the enriched topic."""
    number = fields["vin" if kind == "vehicle" else "part_number"]
    key = f"{fields['dealer_id']}:{number}".encode()
    found = (enrich_vehicle if kind == "vehicle" else enrich_part)(key, orjson.dumps(fields), BEFORE)
    assert isinstance(found, Enriched), found
    return key, found.value


def car(vin: str, dealer: str = "d1", **more: Any) -> tuple[bytes, bytes]:
    return enriched(
        "vehicle", **{"dealer_id": dealer, "vin": vin, "stock_class": "new", "msrp_usd": "40000.00", **more}
    )


def duty(value: bytes) -> list[int]:
    return [cents(one) for one in orjson.loads(value)["tariff"]["importer_duty"]["replacement"]["total_usd"]]


def test_ten_percent_on_japan_adds_a_tenth_of_the_customs_value_of_japanese_cars() -> None:
    lot = under(measure(authority="hypothetical", rate="10"))
    japanese, korean = car(TOYOTA), car(KIA, "d2")
    for key, value in (japanese, korean, car(HONDA)):
        lot.add("vehicle", key, value)
    total = lot.total["vehicle"]
    worth = [cents(one) for one in orjson.loads(japanese[1])["tariff"]["customs_value_usd"]]
    assert (total.units, total.changed, total.moved, total.unknown) == (3, 1, 1, 0)
    assert total.before == duty(japanese[1])
    assert total.difference == [round(one / 10) for one in worth]
    by_make = lot.by["vehicle", "make"]
    assert {name: row.changed for name, row in by_make.items()} == {"TOYOTA": 1, "KIA": 0, "HONDA": 0}
    assert lot.by["vehicle", "origin"]["JP"].difference == total.difference
    assert lot.by["vehicle", "dealer"]["d2"].difference == [0, 0, 0]


def test_a_book_that_changes_nothing_changes_nothing() -> None:
    lot = under(measure(origins=("VN",), scope=("9403",), authority="hypothetical"))
    lot.add("vehicle", *car(TOYOTA))
    assert (lot.total["vehicle"].units, lot.total["vehicle"].changed) == (1, 0)


def test_used_cars_have_no_duty_to_be_said() -> None:
    lot = under(measure(authority="hypothetical", rate="10"))
    lot.add("vehicle", *car(TOYOTA, stock_class="used"))
    assert lot.total["vehicle"].unknown == 0
    assert lot.total["vehicle"].difference == [0, 0, 0]


@pytest.mark.parametrize(
    ("before", "after", "owed", "unknown"),
    [
        (None, [1, 2, 3], True, 1),
        ([1, 2, 3], None, True, 1),
        (None, None, True, 1),
        (None, None, False, 0),
        ([1, 2, 3], [1, 2, 3], True, 0),
    ],
)
def test_a_duty_that_cannot_be_said_is_counted_and_adds_no_dollars(
    before: list[int] | None, after: list[int] | None, owed: bool, unknown: int
) -> None:
    row = Row()
    row.add(before, after, owed=owed)
    assert (row.changed, row.moved, row.unknown, row.difference) == (1, 0, unknown, [0, 0, 0])
    assert row.before == [0, 0, 0], "only those whose duty changes stand in the sums"


def dysprosium() -> Any:
    return measure(
        "WHATIF-DY", kind="export_control", authority="china_export_control", origins=["CN"], scope=(), rate=None,
        elements=["Dy"],
    )  # fmt: skip


def test_a_control_counts_units_grams_and_value_and_no_duty() -> None:
    lot = under(dysprosium())
    cars = [car(KIA), car(TOYOTA)]
    for key, value in cars:
        lot.add("vehicle", key, value)
    control = lot.controlled["WHATIF-DY"]
    masses = [orjson.loads(value)["exposure"]["elements_g"]["Dy"] for _, value in cars]
    assert (control.records["vehicle"], control.units) == (2, 2)
    assert control.grams["Dy"] == pytest.approx([sum(column) for column in zip(*masses, strict=True)])
    assert lot.total["vehicle"].difference == [0, 0, 0]
    china = lot.control_value(control, "china")
    assert 0 < china[0] < china[1] < china[2]
    assert lot.released == {}
    lot.add("part", *enriched("part", dealer_id="d1", part_number="89650-33471", description="EPS MOTOR"))
    assert (lot.total["part"].changed, lot.total["part"].unknown) == (1, 0), "its duty isn't known, and isn't touched"


def printed(lot: LotDifference, width: int) -> str:
    console = Console(width=width, file=StringIO(), highlight=False)
    show(lot, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_no_amount_is_cut_in_a_narrow_terminal_and_a_control_has_no_tables_of_nothing() -> None:
    lot = under(measure(authority="hypothetical", rate="100", origins=("JP", "KR")))
    for number in range(3):
        for vin in (TOYOTA, KIA):
            lot.add("vehicle", *car(vin, f"northgate-{number}", msrp_usd="4999999.00"))
    for width in (80, 120):
        text = printed(lot, width)
        assert "…" not in text
        assert re.search(r"\nHEV .* \+\$9,299,998  \+\$7,799,998  \+\$11,699,998\n", text), text
        assert "on what has landed: 6 can't be said" in " ".join(text.split())
    assert ("before" in printed(lot, 80), "before" in printed(lot, 120)) == (False, True)
    control = under(dysprosium())
    control.add("vehicle", *car(KIA))
    assert "dealer" not in printed(control, 80)
    assert "WHATIF-DY reaches 1 vehicles" in printed(control, 80)


def test_a_withdrawn_control_releases_what_it_reached() -> None:
    held = next(record for record in REFERENCE.trade.measures if record.id == "CN-18")
    lot = under(held.model_copy(update={"withdrawn_at": DAY}))
    lot.add("vehicle", *car(KIA))
    assert set(lot.released) == {"CN-18"}
    assert lot.controlled == {}


PAD = {"part_number": "04465-33471", "description": "PAD KIT, DISC BRAKE", "country_of_origin": "JP",
       "hts": "8708.30.5030", "cost_usd": "40.00"}  # fmt: skip


def test_parts_count_their_quantity_on_hand() -> None:
    lots = []
    for quantity in (1, 4):
        lot = under(measure(authority="hypothetical", scope=("8708",), rate="10"))
        lot.add("part", *enriched("part", dealer_id="d1", qty_on_hand=quantity, **PAD))
        lots.append(lot.total["part"].difference)
    assert lots[0][1] > 0
    assert lots[1][1] == pytest.approx(4 * lots[0][1], abs=4)


def test_a_part_without_a_quantity_is_unknown() -> None:
    lot = under(measure(authority="hypothetical", scope=("8708",), rate="10"))
    lot.add("part", *enriched("part", dealer_id="d1", **PAD))
    assert (lot.total["part"].changed, lot.total["part"].unknown) == (1, 1)


def test_a_producers_field_under_a_name_of_ours_survives_the_way_back() -> None:
    lot = under(measure(authority="hypothetical", rate="10"))
    lot.add("vehicle", *car(TOYOTA, origin="mine"))
    assert (lot.refused, lot.total["vehicle"].changed) == (0, 1)


def test_json_and_csv_say_the_same(tmp_path: Path) -> None:
    lot = under(measure(authority="hypothetical", rate="10"))
    for vin in (TOYOTA, KIA, HONDA):
        lot.add("vehicle", *car(vin))
    write_csv(lot, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        lines = {(line["goods"], line["dimension"], line["group"]): line for line in csv.DictReader(file)}
    found = document(lot)
    for kind, names in DIMENSIONS.items():
        for name in names:
            for group, row in found[f"{kind}s"][f"by_{name}"].items():
                line = lines[kind, name, group]
                amounts = [line[f"difference_{column}_usd"] for column in ("low", "central", "high")]
                assert amounts == row["difference_usd"]
                assert (int(line["records"]), int(line["changed"])) == (row["records"], row["changed"])
