"""What cells of dealers' files mean."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feeds import cells


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("$38,990", "38990.00"),
        ("38990", "38990.00"),
        ("38990.00", "38990.00"),
        ("38990.5", "38990.50"),
        ("38990.0000", "38990.00"),
        (" $ 1,234,567.89 ", "1234567.89"),
        ("38990 USD", "38990.00"),
        ("38990.", "38990.00"),
        ("0", None),
        ("0.00", None),
        ("$0", None),
        ("Call for price", None),
    ],
)
def test_a_price_is_read_in_the_ways_files_write_it(text: str, meant: str | None) -> None:
    assert cells.price(text) == meant


@pytest.mark.parametrize("text", ["38,99", "38.990,00", "1e5", "12x", "$", "38 990", "12345678901"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a price"):
        cells.price(text)


@pytest.mark.parametrize("text", ["-1", "(500.00)", "$-5", "$(5.00)", "500.00-"])
def test_a_negative_price_is_called_negative(text: str) -> None:
    with pytest.raises(ValueError, match="negative"):
        cells.price(text)


def test_a_price_finer_than_a_cent_is_not_rounded() -> None:
    with pytest.raises(ValueError, match="finer than a cent"):
        cells.price("10.005")


@given(st.integers(min_value=1, max_value=10**11 - 1))
def test_every_amount_of_cents_survives_any_way_of_writing_it(cents: int) -> None:
    meant = f"{cents // 100}.{cents % 100:02d}"
    assert cells.price(meant) == meant
    assert cells.price(f"${cents // 100:,}.{cents % 100:02d}") == meant


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-01", "10/01/2026", "10/1/2026", "10/01/26", "20261001", "10-01-2026", "01-Oct-2026", "Oct 1 2026",
        "Oct 1, 2026", "2026-10-01T00:00:00", "2026-10-01 13:45:00", "10/01/2026 12:00:00 AM", "2026-10-01T04:00:00Z",
        "46296", "46296.5",
    ],
)  # fmt: skip
def test_a_date_is_read_in_the_ways_files_write_it(text: str) -> None:
    assert cells.date(text) == "2026-10-01"


@pytest.mark.parametrize("text", ["0000-00-00", "01/01/1900", "1/1/1900 12:00:00 AM", "1900-01-01T00:00:00"])
def test_dates_that_stand_for_none_are_absent(text: str) -> None:
    assert cells.date(text) is None


@pytest.mark.parametrize("text", ["13/45/2026", "31/12/2026", "yesterday", "2026-13-01", "2026"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a date"):
        cells.date(text)


@given(st.dates(min_value=date(1901, 1, 1), max_value=date(2099, 12, 31)))
def test_every_date_reads_the_same_in_iso_and_american_order(day: date) -> None:
    assert cells.date(day.isoformat()) == day.isoformat() == cells.date(f"{day.month}/{day.day}/{day.year}")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-10-01T09:30:00Z", "2026-10-01T09:30:00Z"),
        ("2026-10-01T09:30:00-04:00", "2026-10-01T13:30:00Z"),
        ("2026-10-01 09:30", "2026-10-01T13:30:00Z"),
        ("10/01/2026 9:30:05 PM", "2026-10-02T01:30:05Z"),
        ("10/01/2026", "2026-10-01T04:00:00Z"),
        ("2026-10-01T09:30:00.123Z", "2026-10-01T09:30:00Z"),
    ],
)
def test_a_time_without_an_offset_is_read_in_the_zone_given(text: str, meant: str) -> None:
    assert cells.time(text, ZoneInfo("America/New_York")) == meant


@pytest.mark.parametrize("text", ["2026-10-01T25:00:00Z", "2026-10-01 9h30"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|hour|date"):
        cells.time(text)


def test_a_vin_loses_blanks_and_hyphens_and_gains_capitals() -> None:
    assert cells.vin(" 1hgcm-82633 a004352 ") == "1HGCM82633A004352"


@pytest.mark.parametrize(
    ("text", "what"),
    [("1HGCM82633A00435", "16 characters"), ("1HGCM82633A0043521", "18 characters"), ("1HGCM82633AOO4352", "no O")],
)
def test_a_vin_that_cannot_be_one_is_refused_with_the_reason(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        cells.vin(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("N", "new"), ("New", "new"), ("USED", "used"), ("u", "used"), ("Certified", "cpo"), ("CPO", "cpo"),
     ("Demo", "demo"), ("Service Loaner", "loaner"), ("In Transit", "in_transit"), ("IN_TRANSIT", "in_transit"),
     ("Pre-Owned", "used"), ("Certified Pre-Owned", "cpo"), ("Used Vehicle", "used")],
)  # fmt: skip
def test_stock_classes_are_read_in_the_words_of_the_trade(text: str, meant: str) -> None:
    assert cells.stock_class(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [("mx", "MX"), ("USA", "US"), ("South Korea", "KR"), ("UK", "UK"), ("Slovakia", "SK"), ("hun", "HU")],
)
def test_countries_become_codes_of_two_letters(text: str, meant: str) -> None:
    assert cells.country(text) == meant


@pytest.mark.parametrize(
    ("reader", "text"),
    [(cells.count, "-1"), (cells.count, "1.5"), (cells.year, "26"), (cells.number, "1,23"), (cells.flag, "maybe"),
     (cells.country, "Ruritania")],
)  # fmt: skip
def test_what_has_no_such_meaning_is_refused(reader: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"not|neither"):
        reader(text)


@pytest.mark.parametrize("text", ["", "  ", "N/A", "null", "-", "None"])
def test_blank_words_say_nothing(text: str) -> None:
    assert cells.is_blank(text)


@given(st.text(max_size=40))
def test_no_cell_raises_anything_but_a_value_error(text: str) -> None:
    for reader in cells.READERS.values():
        with contextlib.suppress(ValueError):
            reader(text)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [('="00123456"', "00123456"), (' ="A-1" ', "A-1"), ('=""', ""), ("=A1", "=A1"), ("plain", "plain")],
)
def test_a_spreadsheets_way_to_keep_digits_text_is_taken_off(cell: str, meant: str) -> None:
    assert cells.plain(cell).strip() == meant


@pytest.mark.parametrize("text", ["1.23457E+11", "1E+5", "9,87e+10"])
def test_a_part_number_that_a_spreadsheet_rounded_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="digits are lost"):
        cells.part_number(text)


@pytest.mark.parametrize(
    ("text", "meant"), [("'00123", "00123"), ("12E3", "12E3"), ("1E10", "1E10"), ("5E-101", "5E-101"), (" 7L0 ", "7L0")]
)
def test_other_part_numbers_are_kept_as_they_are_written(text: str, meant: str) -> None:
    assert cells.part_number(text) == meant


@pytest.mark.parametrize("text", ["-2", "(2)", "2-", "(2.0)"])
def test_a_number_below_zero_is_read_as_bookkeepers_and_mainframes_write_it(text: str) -> None:
    assert cells.number(text) == -2
