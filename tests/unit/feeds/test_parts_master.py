"""Parts masters."""

from __future__ import annotations

import json

import pytest

from streams.feeds.kind import Kind
from streams.feeds.parts_master import read_parts
from streams.feeds.records import FeedRecord, Problem
from streams.feeds.table import header_of


def read(text: str) -> list[FeedRecord | Problem]:
    header = header_of(text)
    assert header.kind is Kind.PARTS
    return list(read_parts(text, header, "D1"))


def one(text: str) -> dict[str, object]:
    record = read(text)[-1]
    assert isinstance(record, FeedRecord), record
    value: dict[str, object] = json.loads(record.value or b"")
    return value


def test_a_row_becomes_a_canonical_record() -> None:
    text = (
        "PartNumber,Description,Source,Bin1,Bin2,QOH,OnOrder,Min,Max,Cost,List,Core,LastSold,LastReceived,StockStatus\n"
        "JL3Z-2001-B,KIT - BRAKE PAD FRT,MNS,A12-3,,6,2,2,8,58.40,96.18,0,9/2/2026,2026-08-30,A\n"
    )
    assert one(text) == {
        "dealer_id": "D1", "part_number": "JL3Z-2001-B", "description": "KIT - BRAKE PAD FRT", "source_code": "MNS",
        "bin": "A12-3", "qty_on_hand": 6, "on_order": 2, "cost_usd": "58.40", "list_usd": "96.18", "min": "2",
        "max": "8", "last_sold": "2026-09-02", "last_received": "2026-08-30", "stock_status": "A",
    }  # fmt: skip


def test_the_makers_spelling_of_a_number_is_kept() -> None:
    assert one("Part #,QOH\n 5Q0 615 301 G ,1\n")["part_number"] == "5Q0 615 301 G"


def test_origin_and_tariff_number_of_the_suppliers_data_are_read() -> None:
    text = "PartNumber,Country of Origin (Primary),HTS,Harmonized Tariff (Sch B)\nX1,mexico,8511.40.00,8511.40.0000\n"
    value = one(text)
    assert (value["country_of_origin"], value["hts"]) == ("MX", "8511.40.00")
    assert value["harmonized_tariff_sch_b"] == "8511.40.0000"


@pytest.mark.parametrize("header", ["HSB", "Harmonized Tariff (Sch B)", "Harmonized Tariff Code (Schedule B)"])
def test_six_digits_of_an_export_number_stand_for_a_tariff_number_that_is_missing(header: str) -> None:
    value = one(f"PartNumber,{header}\nX1,8511.40.0000\n")
    assert value["hts"] == "8511.40"
    assert "8511.40.0000" in value.values()
    assert "hts" not in one(f"PartNumber,{header}\nX1,02\n")
    assert "hts" not in one(f"PartNumber,{header}\nX1,8511\n")


@pytest.mark.parametrize("cell", ["01", "02", "847", "123456789012", "N.A.", "8708.xx"])
def test_a_placeholder_for_a_tariff_number_is_kept_aside_and_the_part_is_not_lost(cell: str) -> None:
    problem, record = read(f"PartNumber,HTS\nX1,{cell}\n")
    assert isinstance(problem, Problem)
    assert (problem.field, problem.fatal) == ("hts", False)
    assert isinstance(record, FeedRecord)
    assert record.value is not None
    assert json.loads(record.value) == {"dealer_id": "D1", "part_number": "X1", "feed_hts": cell}


@pytest.mark.parametrize("cell", ["8518.29.80", "85182980", "85.18.29.80", " 8518.2980 "])
def test_a_tariff_number_is_dotted(cell: str) -> None:
    assert one(f"PartNumber,HTS\nX1,{cell}\n")["hts"] == "8518.29.80"


def test_ten_digits_are_dotted_as_the_schedule_prints_them() -> None:
    assert one("PartNumber,HTS\nX1,8518298000\n")["hts"] == "8518.29.8000"


@pytest.mark.parametrize(
    ("cell", "meant"), [("OEM", "oe"), ("Aftermarket", "aftermarket"), ("Rebuilt", "reman"), ("used", "recycled")]
)
def test_the_kind_of_a_part_is_read_in_the_words_of_the_trade(cell: str, meant: str) -> None:
    assert one(f"PartNumber,Part Type\nX1,{cell}\n")["part_kind"] == meant


def test_a_kind_nobody_knows_is_kept_aside() -> None:
    problem, record = read("PartNumber,Part Type\nX1,Accessory\n")
    assert isinstance(problem, Problem)
    assert not problem.fatal
    assert isinstance(record, FeedRecord)


def test_twelve_months_of_sales_make_the_demand() -> None:
    header = ",".join(f"Sales{month}" for month in range(1, 25))
    row = ",".join(str(month) for month in range(1, 25))
    value = one(f"PartNumber,{header}\nX1,{row}\n")
    assert value["demand_12m"] == sum(range(1, 13))
    assert value["sales24"] == "24"


def test_a_missing_month_leaves_the_demand_unknown() -> None:
    header = ",".join(f"Mo{month}" for month in range(1, 13))
    assert "demand_12m" not in one(f"PartNumber,{header}\nX1,1,2,3,,5,6,7,8,9,10,11,12\n")
    assert "demand_12m" not in one("PartNumber,Sales1,Sales2\nX1,1,2\n")


def test_an_oversold_part_is_kept_with_its_quantity_unknown_and_noted() -> None:
    note, record = read("PartNumber,QOH\nX1,-2\n")
    assert isinstance(note, Problem)
    assert (note.field, note.fatal) == ("qty_on_hand", False)
    assert isinstance(record, FeedRecord)
    assert json.loads(record.value or b"") == {"dealer_id": "D1", "part_number": "X1", "feed_qty_on_hand": -2}


def test_a_part_whose_core_is_zero_has_none() -> None:
    assert "core_usd" not in one("PartNumber,Core\nX1,0.00\n")
