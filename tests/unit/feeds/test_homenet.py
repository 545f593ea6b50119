"""Vehicle files in the layout of Homenet/IOL and its relatives."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feeds.homenet import read_vehicles
from streams.feeds.kind import Kind
from streams.feeds.records import FeedRecord, Problem
from streams.feeds.table import FeedError, Text, decode, header_of

VIN = "1HGCM82633A004352"
OTHER = "1M8GDM9AXKP042788"
THIRD = "5LMPJ8JA1RJ946299"


def read(text: str, dealer: str | None = "D1", updated_at: str | None = None) -> list[FeedRecord | Problem]:
    return list(read_vehicles(text, header_of(text), dealer, updated_at))


def one(text: str, dealer: str | None = "D1") -> dict[str, object]:
    (record,) = read(text, dealer)
    assert isinstance(record, FeedRecord), record
    assert record.value is not None
    value: dict[str, object] = json.loads(record.value)
    return value


def test_a_row_becomes_a_canonical_record() -> None:
    text = (
        "Type,Stock,VIN,Year,Make,Model,Body,ExteriorColor,interiorColor,Miles,SellingPrice,MSRP,Invoice,DateInStock\r\n"
        f'New,T1,{VIN.lower()},2026,Honda,Accord,Sedan,White,Black,12,"$31,500",32990,30100.5,09/15/2026\r\n'
    )
    assert one(text) == {
        "dealer_id": "D1", "vin": VIN, "stock_class": "new", "stock_number": "T1", "model_year": 2026, "make": "Honda",
        "model": "Accord", "body": "Sedan", "exterior_color": "White", "interior_color": "Black", "odometer_mi": 12,
        "price_usd": "31500.00", "msrp_usd": "32990.00", "invoice_usd": "30100.50", "in_stock_date": "2026-09-15",
    }  # fmt: skip


HOMENET = (
    "Type, Stock, VIN, Year, Make, Model, Body, ModelNumber, Doors, ExteriorColor, InteriorColor, EngineCylinders, "
    "EngineDisplacement, Transmission, Miles, SellingPrice, MSRP, BookValue, Invoice, Certified, DateInStock, "
    "Description, Options, Style_Description, Ext_Color_Generic, Ext_Color_Code, Int_Color_Generic, Int_Color_Code, "
    "Int_Upholstery, Engine_Block_Type, Engine_Aspiration_Type, Engine_Description, Transmission_Speed, "
    "Transmission_Description, Drivetrain, Fuel_Type, CityMPG, HighwayMPG, EPAClassification, Wheelbase_Code, "
    "Internet_Price, Misc_Price1, Misc_Price2, Misc_Price3, Factory_Codes, MarketClass, PassengerCapacity, "
    "ExtColorHexCode, IntColorHexCode, EngineDisplacementCubicInches, ImageList"
)
"""The columns of Homenet/IOL, typed from the fact sheet (6.1)."""


@pytest.mark.parametrize("folded", [str, str.lower, str.upper])
def test_every_cell_of_the_whole_layout_comes_out(folded: Callable[[str], str]) -> None:
    filled = {
        "Type": "Certified", "Stock": "S1", "VIN": VIN, "Year": "2025", "Doors": "4", "Miles": "12,345",
        "SellingPrice": "$32,495.00", "MSRP": "35990", "BookValue": "30,000", "Invoice": "33,100.50",
        "Certified": "Yes", "DateInStock": "10/01/2025", "Internet_Price": "32495", "CityMPG": "28",
        "Description": "Great, \"loaded\"\nsecond line, more",
    }  # fmt: skip
    names = HOMENET.split(", ")
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([folded(name) for name in names])
    writer.writerow([filled.get(name, f"<{name}>") for name in names])
    value = one(buffer.getvalue())
    expected = {
        "stock_class": "cpo", "model_year": 2025, "odometer_mi": 12345, "price_usd": "32495.00", "msrp_usd": "35990.00",
        "invoice_usd": "33100.50", "in_stock_date": "2025-10-01", "description": filled["Description"],
    }  # fmt: skip
    assert expected.items() <= value.items()
    said = {str(cell) for cell in value.values()}
    assert {f"<{name}>" for name in names if name not in filled} <= said


def test_the_key_is_dealer_and_vin() -> None:
    (record,) = read(f"DealerID,VIN\nD-7,{VIN}\n", None)
    assert isinstance(record, FeedRecord)
    assert record.key == f"D-7:{VIN}".encode()


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_the_delimiter_is_told_by_the_header(delimiter: str) -> None:
    assert one(f"Type{delimiter}VIN{delimiter}MSRP\nN{delimiter}{VIN}{delimiter}38990\n")["msrp_usd"] == "38990.00"


@pytest.mark.parametrize(
    ("kind", "certified", "meant"),
    [("Used", "Yes", "cpo"), ("U", "TRUE", "cpo"), ("Used", "No", "used"), ("New", "Yes", "new"), ("", "1", "cpo"),
     ("Certified", "", "cpo"), ("Used", "", "used")],
)  # fmt: skip
def test_certified_used_units_are_cpo(kind: str, certified: str, meant: str) -> None:
    assert one(f"Type,VIN,Certified\n{kind},{VIN},{certified}\n")["stock_class"] == meant


def test_a_zero_price_is_absent_not_free() -> None:
    value = one(f"VIN,MSRP,Invoice,Price,Miles\n{VIN},0,0.00,$0,0\n")
    assert not value.keys() & {"msrp_usd", "invoice_usd", "price_usd"}
    assert value["odometer_mi"] == 0


def test_columns_nobody_knows_are_kept_under_their_names_in_snake_case() -> None:
    value = one(f"VIN,PhotoUrlList,Misc_Price1,Ext_Color_Code,EPAClassification\n{VIN},a|b,100,NH-731P,Midsize\n")
    extras = {
        "photo_url_list": "a|b",
        "misc_price1": "100",
        "ext_color_code": "NH-731P",
        "epa_classification": "Midsize",
    }
    assert extras.items() <= value.items()


def test_of_several_columns_of_one_field_the_best_filled_one_wins_and_the_others_stay() -> None:
    value = one(f"VIN,SellingPrice,Internet_Price,Series,Trim\n{VIN},31000,30500,EX-L,Touring\n")
    assert (value["price_usd"], value["selling_price"]) == ("30500.00", "31000")
    assert (value["trim"], value["series"]) == ("Touring", "EX-L")
    assert one(f"VIN,SellingPrice,Internet_Price\n{VIN},31000,\n")["price_usd"] == "31000.00"


def test_an_extra_never_takes_the_name_of_a_canonical_field() -> None:
    value = one(f"VIN,Year,Model Year\n{VIN},2026,2025\n")
    assert (value["model_year"], value["feed_model_year"]) == (2026, "2025")


def test_two_columns_of_one_name_are_both_kept() -> None:
    value = one(f"VIN,Misc,misc\n{VIN},1,2\n")
    assert (value["misc"], value["misc_2"]) == ("1", "2")


def test_a_dealer_column_comes_before_the_dealer_option() -> None:
    assert one(f"Dealer ID,VIN\nEAST,{VIN}\n", "WEST")["dealer_id"] == "EAST"
    assert one(f"Dealer ID,VIN\n,{VIN}\n", "WEST")["dealer_id"] == "WEST"


def test_updated_at_comes_from_the_file_then_the_option_and_never_from_a_clock() -> None:
    (with_column,) = read(f"VIN,LastModified\n{VIN},2026-09-30T10:00:00Z\n", updated_at="2026-10-01T00:00:00Z")
    (with_option,) = read(f"VIN\n{VIN}\n", updated_at="2026-10-01T00:00:00Z")
    (neither,) = read(f"VIN\n{VIN}\n")
    values = [item.value for item in (with_column, with_option, neither) if isinstance(item, FeedRecord)]
    assert [json.loads(v).get("updated_at") for v in values if v] == [
        "2026-09-30T10:00:00Z",
        "2026-10-01T00:00:00Z",
        None,
    ]


@pytest.mark.parametrize(
    ("row", "field", "what"),
    [
        ("N,1HGCM82633A00435,1,", "vin", "16 characters"),
        ("N,,1,", "vin", "missing"),
        (f"N,{VIN},-5,", "msrp_usd", "negative"),
        (f"N,{VIN},abc,", "msrp_usd", "not a price"),
        (f"N,{VIN},1,2026-02-30", "in_stock_date", "not a date"),
        (f"N,{VIN},1,,,extra", "row", "6 cells under 4 columns"),
    ],
)
def test_a_bad_row_names_line_field_and_fault_and_gives_no_record(row: str, field: str, what: str) -> None:
    items = read(f"Type,VIN,MSRP,DateInStock\nN,{OTHER},1,\n{row}\n")
    assert isinstance(items[0], FeedRecord)
    (problem,) = items[1:]
    assert isinstance(problem, Problem)
    assert (problem.line, problem.field, problem.fatal) == (3, field, True)
    assert what in problem.what


def test_a_missing_dealer_says_how_to_name_one() -> None:
    (problem,) = read(f"VIN\n{VIN}\n", None)
    assert str(problem) == "line 2: dealer_id: missing; add --dealer ID or a dealer column"


def test_a_colon_in_the_dealer_id_is_refused() -> None:
    (problem,) = read(f"VIN\n{VIN}\n", "a:b")
    assert isinstance(problem, Problem)
    assert problem.field == "dealer_id"


def test_every_fault_of_a_row_is_told_at_once() -> None:
    problems = read("VIN,MSRP,DateInStock\nshort,x,y\n")
    assert [p.field for p in problems if isinstance(p, Problem)] == ["vin", "msrp_usd", "in_stock_date"]


def test_a_bad_row_with_a_legible_identity_carries_its_key() -> None:
    (problem,) = read(f"VIN,MSRP\n{VIN},x\n")
    assert isinstance(problem, Problem)
    assert problem.key == f"D1:{VIN}".encode()


def test_a_condition_nobody_knows_is_kept_and_noted_and_does_not_lose_the_car() -> None:
    note, record = read(f"VIN,Condition\n{VIN},Excellent\n")
    assert isinstance(note, Problem)
    assert (note.field, note.fatal) == ("stock_class", False)
    assert isinstance(record, FeedRecord)
    assert json.loads(record.value or b"")["condition"] == "Excellent"


def test_lines_are_counted_as_an_editor_shows_them_also_behind_a_cell_of_several_lines() -> None:
    items = read(f'VIN,Description\n{VIN},"two\nlines"\n\nbad,\n')
    assert [item.line for item in items] == [2, 5]


def test_a_first_line_without_a_vin_column_says_what_it_reads() -> None:
    with pytest.raises(FeedError, match="no VIN or part number column; it reads: Foo, Bar"):
        header_of("Foo,Bar\n1,2\n")


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([f'{VIN},"open', f"{OTHER},x"], id="never closed"),
        pytest.param([f'{VIN},"open', f'{OTHER},"27"" wheels"'], id="closed by a later row's quote"),
        pytest.param([f'{VIN},"open', f"{OTHER},x", f'{THIRD},"y"'], id="closed two rows later"),
    ],
)
def test_a_quote_left_open_costs_its_own_row_and_no_other(rows: list[str]) -> None:
    items = read("VIN,Description\n" + "\n".join(rows) + "\n")
    bad = [item for item in items if isinstance(item, Problem)]
    assert [(item.line, item.field) for item in bad] == [(2, "row")]
    assert bad[0].key == f"D1:{VIN}".encode()
    assert [item.line for item in items if isinstance(item, FeedRecord)] == list(range(3, len(rows) + 2))


def test_a_cell_of_several_lines_with_delimiters_is_one_cell() -> None:
    value = one(f'VIN,Description,MSRP\n{VIN},"Leather, sunroof,\nheated seats, tow, ""AWD"", more",38990\n')
    assert value["description"] == 'Leather, sunroof,\nheated seats, tow, "AWD", more'
    assert value["msrp_usd"] == "38990.00"


def test_a_last_row_that_was_cut_off_is_bad_and_its_vin_is_known() -> None:
    items = read(f"VIN,Type,MSRP\n{VIN},N,38990\n{OTHER},N")
    assert [type(item) for item in items] == [FeedRecord, Problem]
    assert isinstance(items[1], Problem)
    assert (items[1].field, items[1].key) == ("end", f"D1:{OTHER}".encode())


def test_a_last_row_without_a_line_end_is_whole_if_its_cells_are() -> None:
    assert len(read(f"VIN,Type,MSRP\n{VIN},N,38990")) == 1


def test_a_short_row_in_the_middle_lacks_its_last_cells() -> None:
    note, first, second = read(f"VIN,Type,MSRP\n{VIN},N\n{OTHER},N,38990\n")
    assert note == Problem(2, "row", "2 of 3 cells; the others are taken for empty", fatal=False)
    assert isinstance(first, FeedRecord)
    assert isinstance(second, FeedRecord)


@pytest.mark.parametrize(
    ("column", "cell"),
    [("Status", "Sold"), ("status", " DELETED "), ("Inventory Status", "Sold-Retail"), ("Is Deleted", "Yes"),
     ("__deleted", "true")],
)  # fmt: skip
def test_a_row_that_says_it_left_the_lot_is_a_tombstone(column: str, cell: str) -> None:
    (record,) = read(f"VIN,MSRP,{column}\n{VIN},38990,{cell}\n")
    assert record == FeedRecord(Kind.VEHICLES, 2, "D1", VIN, None)


def test_any_other_status_is_kept_as_it_came() -> None:
    assert one(f"VIN,Status,Deleted\n{VIN},In-Service,No\n") == {"dealer_id": "D1", "vin": VIN, "status": "In-Service"}


def test_a_row_that_left_the_lot_of_a_dealer_that_is_no_key_is_bad() -> None:
    (problem,) = read(f"VIN,Status\n{VIN},Sold\n", dealer="a:b")
    assert isinstance(problem, Problem)
    assert (problem.field, "colon" in problem.what) == ("dealer_id", True)


def test_a_header_that_comes_again_is_one_bad_row_and_nothing_more() -> None:
    first, again, second = read(f"VIN,Type,MSRP\n{VIN},N,38990\nVIN,Type,MSRP\n{OTHER},N,38990\n")
    assert isinstance(first, FeedRecord)
    assert isinstance(second, FeedRecord)
    assert isinstance(again, Problem)
    assert (again.line, again.field, again.what.startswith("the header again")) == (3, "row", True)


def test_a_vin_that_a_spreadsheet_rounded_says_so() -> None:
    (problem,) = read("VIN,Type\n1.6E+16,N\n")
    assert isinstance(problem, Problem)
    assert "spreadsheet has rounded" in problem.what


@pytest.mark.parametrize("invisible", ["\u200b", "\ufeff", "\u2060", "\u200e"])
def test_invisible_characters_make_no_other_dealer_or_vin(invisible: str) -> None:
    text = f"VIN,DealerID,MSRP\n{VIN[:8]}{invisible}{VIN[8:]},{invisible}D7,{invisible}38990\n"
    assert one(text) == {"dealer_id": "D7", "vin": VIN, "msrp_usd": "38990.00"}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_told_by_its_zeros(encoding: str) -> None:
    text = f"VIN,Make\n{VIN},Citroën\n"
    assert decode(text.encode(encoding)) == Text(text, "utf-16")


def test_utf_32_is_refused_by_name() -> None:
    with pytest.raises(FeedError, match="UTF-32; save the file as CSV UTF-8"):
        decode("VIN\n".encode("utf-32"))


@pytest.mark.parametrize("before", ["\n\n", "sep=;\n", "SEP=;\r\n\r\n"])
def test_blank_lines_and_excels_separator_line_may_stand_before_the_header(before: str) -> None:
    (record,) = read(f"{before}VIN;Type\n{VIN};N\n")
    assert isinstance(record, FeedRecord)
    assert record.line == before.count("\n") + 2


def test_a_country_nobody_knows_is_kept_aside_and_the_vehicle_is_not_lost() -> None:
    items = read(f"VIN,Plant Country\n{VIN},Ruritania\n{OTHER},Slovakia\n")
    assert [(item.line, item.fatal) for item in items if isinstance(item, Problem)] == [(2, False)]
    first, second = (json.loads(item.value) for item in items if isinstance(item, FeedRecord) and item.value)
    assert (first["plant_country"], "country_of_assembly" in first) == ("Ruritania", False)
    assert second["country_of_assembly"] == "SK"


def test_utf_8_with_and_without_a_mark_utf_16_and_windows_text_are_read() -> None:
    assert decode("\ufeffVIN,Color\n".encode()).text == "VIN,Color\n"
    assert decode("é".encode()) == decode("é".encode("utf-8-sig"))
    windows = decode("Café—Noir".encode("cp1252"))
    assert (windows.text, windows.encoding) == ("Café—Noir", "cp1252")
    for wide in ("utf-16", "utf-16-be"):
        mark = b"" if wide == "utf-16" else b"\xfe\xff"
        assert decode(mark + "VIN\tÉ".encode(wide)) == Text("VIN\tÉ", "utf-16")
    with pytest.raises(FeedError, match="damaged UTF-16"):
        decode("VIN".encode("utf-16")[:-1])


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=8))
def test_whatever_a_file_holds_each_row_gives_one_record_or_a_reason(rows: list[list[str]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["VIN", "MSRP", "Type"])
    writer.writerows(rows)
    text = buffer.getvalue()
    items = list(read_vehicles(text, header_of(text, Kind.VEHICLES), "D1"))
    told = {item.line for item in items if isinstance(item, FeedRecord) or item.fatal}
    assert len(told) == sum(1 for row in rows if any(cell.strip() for cell in row))


CELLS = ["ok", '"quoted, ok"', '"multi\nline"', '"open', 'inch 27" rim', '"27"" ok"', '"a"b', '""', '"', 'x"y"z']


@given(st.lists(st.sampled_from(CELLS), min_size=1, max_size=8), st.booleans())
def test_whatever_quotes_stray_in_a_file_each_of_its_vehicles_is_told_of(descriptions: list[str], ended: bool) -> None:
    vins = [f"JM3KFBCM0P{number:07d}" for number in range(len(descriptions))]
    rows = [f"{vin},New,{text},38990,Red" for vin, text in zip(vins, descriptions, strict=True)]
    items = read("\n".join(["VIN,Type,Description,MSRP,Color", *rows]) + "\n" * ended)
    told = {item.ident for item in items if isinstance(item, FeedRecord)}
    told |= {item.key.decode()[3:] for item in items if isinstance(item, Problem) and item.key is not None}
    assert told == set(vins)
