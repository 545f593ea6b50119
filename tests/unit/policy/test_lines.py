"""Column-1 rates, China 301 headings and list membership as fact sheet 2.4, 2.5 and 8.1 print them."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal

import pytest

from streams.policy.book import Book, build_book
from streams.policy.duty import rates
from streams.policy.lines import LineError, line_digits
from streams.reference.loading import ROOT
from streams.reference.trade import load_trade

DAY = date(2026, 10, 1)

# Line, column 1 %, China 301 heading (its last digits; - for none), on the part or vehicle list (Y or N).
LINES = """
8703.22 2.5 88.01 Y
8703.23 2.5 88.01 Y
8703.24 2.5 88.01 Y
8703.31 2.5 88.01 Y
8703.32 2.5 88.01 Y
8703.33 2.5 88.01 Y
8703.40 2.5 88.01 Y
8703.50 2.5 88.01 Y
8703.60 2.5 91.03 Y
8703.70 2.5 91.03 Y
8703.80 2.5 91.03 Y
8703.90 2.5 91.03 Y
8704.21 25 88.01 Y
8704.31 25 88.01 Y
8704.41 25 88.01 Y
8704.51 25 88.01 Y
8704.60 25 88.02 Y
8708.10.30 2.5 88.03 Y
8708.21 2.5 88.03 Y
8708.22 2.5 88.03 Y
8708.29.21 2.5 88.03 Y
8708.29.51 2.5 88.03 Y
8708.30.50 2.5 88.03 Y
8708.40.11 2.5 88.03 Y
8708.40.75 2.5 88.03 Y
8708.50.51 2.5 88.03 Y
8708.70.45 2.5 88.03 Y
8708.80.65 2.5 88.03 Y
8708.91.75 2.5 88.03 Y
8708.93.75 2.5 88.03 Y
8708.94.75 2.5 88.03 Y
8708.95.20 2.5 88.03 Y
8708.92.75 2.5 88.03 N
8708.99.68 2.5 88.03 Y
8708.99.81 2.5 88.03 N
8407.34 2.5 88.03 Y
8408.20.20 2.5 88.03 Y
8409.91.50 2.5 88.03 N
8413.30.90 2.5 88.03 Y
8414.30.8030 0 88.01 Y
8414.59.30 2.3 88.01 Y
8415.20.00 1.4 88.03 Y
8421.23 2.5 88.03 Y
8421.31 2.5 88.03 N
8421.32.00 0 88.01 Y
8421.39.01 0 88.01 N
8482.10.5004 9 88.01 N
8482.10.5044 9 88.01 Y
8482.20.0064 5.8 88.01 N
8482.20.0020 5.8 88.01 Y
8501.10.40 4.4 88.01 N
8501.20.40 4 88.02 N
8501.31.40 4 88.02 N
8501.32.20 2.9 88.02 Y
8501.32.45 0 88.01 Y
8501.33.20 0 88.02 Y
8501.33.40 2.8 88.01 Y
8501.52.40 3.7 88.02 Y
8501.52.80 0 88.01 Y
8501.53.40 0 88.01 N
8501.53.60 4.2 88.02 N
8501.53.80 2.8 88.01 N
8503.00.65 3 88.01 N
8503.00.95 3 88.02 N
8505.11.00 2.1 91.06 N
8505.19 4.9 88.01 N
8507.10 3.5 88.03 Y
8507.20 3.5 88.03 N
8507.50 3.4 88.03 N
8507.60.0010 3.4 91.06 Y
8507.60.0020 3.4 91.06 Y
8511.40 2.5 88.03 Y
8511.50 2.5 88.03 Y
8512.20.20 0 88.03 Y
8512.40.40 2.5 88.03 Y
8518.21 0 88.15 N
8518.22 0 88.15 N
8518.29.80 0 88.15 N
8524.11.90 4.5 88.15 N
8528.59.25 0 88.15 N
8526.10 0 88.01 N
8526.91 0 88.01 N
8526.92.50 0 88.01 N
8527.21 0 88.03 Y
8527.21.25 2 88.03 Y
8527.29 0 88.03 Y
8529.10.91 0 88.02 N
8536.41 2.7 88.01 N
8536.41.0005 2.7 88.01 Y
8537.10.91 2.7 88.03 Y
8541.10 0 91.05 N
8541.41 0 88.01 N
8542.31 0 91.05 N
8542.32 0 91.05 N
8542.39 0 91.05 N
8544.30.00 5 88.01 Y
8544.42.90 2.6 88.03 N
9027.10.20 0 88.02 N
9026.80.20 0 88.01 N
9029.10 0 88.03 Y
9031.80.80 0 88.01 N
9032.89.60 1.7 88.01 N
9401.20.00 0 88.03 Y
4011.10.10 4 88.03 Y
7007.21.51 4.9 88.03 Y
7009.10 3.9 88.03 Y
2805.30.00 5 - N
2846.10 5.5 - N
2846.90.20 0 - N
2846.90.40 0 - N
2846.90.80 3.7 - N
"""

NOTE_33B = (
    "8703.22.01 8703.23.01 8703.24.01 8703.31.01 8703.32.01 8703.33.01 8703.40.00 8703.50.00 8703.60.00 8703.70.00 "
    "8703.80.00 8703.90.01 8704.21.01 8704.31.01 8704.41.00 8704.51.00 8704.60.00"
)
NOTE_33G = """
4009.12.0020 4009.22.0020 4009.32.0020 4009.42.0020 4011.10.10 4011.10.50 4011.20.10 4012.19.40 4012.19.80
4012.20.60 4013.10.0010 4013.10.0020 4016.99.6010 7007.21.51 7009.10.00 7320.10 7320.20.10 8301.20.00 8302.10.30
8302.30 8407.31.00 8407.32 8407.33 8407.34 8408.20.20 8409.91.1040 8409.99.1040 8413.30.10 8413.30.90 8413.91.10
8413.91.9010 8414.30.8030 8414.59.30 8414.59.6540 8414.80.05 8415.20.00 8421.23.00 8421.32.00 8425.49.00 8426.91.00
8431.10.0090 8471 8482.10.10 8482.10.5044 8482.10.5048 8482.20.0020 8482.20.0030 8482.20.0040 8482.20.0061
8482.20.0070 8482.20.0081 8482.40.00 8482.50.00 8483.10.1030 8483.10.30 8501.32 8501.33 8501.34 8501.40 8501.51
8501.52 8507.10 8507.60 8507.90.40 8507.90.80 8511.10.0000 8511.20.00 8511.30.0040 8511.30.0080 8511.40.00 8511.50.00
8511.80.20 8511.80.60 8511.90.6020 8511.90.6040 8512.20.20 8512.20.40 8512.30.00 8512.40.20 8512.40.40 8512.90.20
8512.90.60 8512.90.70 8519.81.20 8525.60.1010 8527.21 8527.29 8536.41.0005 8537.10 8537.20 8539.10.0010 8539.10.0050
8544.30.00 8706.00.03 8706.00.05 8706.00.15 8706.00.25 8707 8708.10.30 8708.10.60 8708.21.00 8708.22 8708.29 8708.30
8708.40.11 8708.40.70 8708.40.75 8708.50 8708.70 8708.80 8708.91 8708.93.60 8708.93.75 8708.94 8708.95 8708.99.53
8708.99.55 8708.99.58 8708.99.68 8716.90.50 9015.10 9029.10 9029.20.4080 9401.20.00
"""

# Not on any list that pays Section 232: the traps of fact sheet 2.4, and neighbours of 10-digit entries.
ANNEX_1B = """
8708.10.30 8708.29.5160 8708.29.21 8708.80.6590 8708.92.75 8708.99.6890 8708.99.81 8482.10.5004 8482.10.5036
8482.10.5052 8482.10.5068 8482.20.0064 8482.20.0067 8482.20.0090 8501.53.60 8501.53.80 8503.00.65 8503.00.95 8544.42.90
"""
NOT_ANNEX_1B = """
8708.29.5125 8708.80.6510 8708.99.6810 8708.30.50 8708.40.75 8501.53.40 8501.31.40 8409.91.50 8505.11.0070 8518.29.80
8482.10.5044 8482.10.5048 8482.20.0020 8501.32.45 8407.34
"""


@pytest.fixture(scope="module")
def book() -> Book:
    return build_book(load_trade(), date(2026, 11, 24))


@pytest.mark.parametrize("row", LINES.strip().splitlines())
def test_column_1_and_the_china_heading_are_those_printed(row: str, book: Book) -> None:
    line, mfn, heading, listed = row.split()
    found = rates(book, line, "CN", DAY).central
    assert found is not None
    parts = {component.authority: component for component in found.components}
    assert parts["column_1"].rate_percent == Decimal(mfn)
    china = parts.get("section_301_china")
    assert (china.heading if china else None) == (None if heading == "-" else f"9903.{heading}")
    assert ("section_232_parts" in parts or "section_232_autos" in parts) == (listed == "Y")


def test_every_line_of_the_book_is_in_the_table_above_or_is_from_elsewhere() -> None:
    typed = {line_digits(row.split()[0]) for row in LINES.strip().splitlines()}
    for row in load_trade().lines:
        if "S20" in row.source.split():
            assert any(number.startswith(row.digits) or row.digits.startswith(number) for number in typed), row.hts


def test_the_lists_of_note_33_are_those_printed() -> None:
    lists = load_trade().lists
    assert lists["note-33b"] == tuple(NOTE_33B.split())
    assert lists["note-33g"] == tuple(NOTE_33G.split())


@pytest.mark.parametrize("line", ANNEX_1B.split())
def test_annex_1b_is_matched_at_the_printed_length(line: str, book: Book) -> None:
    from streams.policy.facts import Claim, Facts

    facts = Facts(claims=frozenset({Claim.NOT_AUTO_PART, Claim.METAL_AT_LEAST_15}))
    found = rates(book, line, "TH", DAY, facts).central
    assert found is not None
    assert "232-METAL-3-IB" in {component.measure for component in found.components}


@pytest.mark.parametrize("line", NOT_ANNEX_1B.split())
def test_a_neighbour_of_annex_1b_pays_no_metals_duty(line: str, book: Book) -> None:
    from streams.policy.facts import Claim, Facts

    facts = Facts(claims=frozenset({Claim.NOT_AUTO_PART, Claim.METAL_AT_LEAST_15}))
    for scenario in (rates(book, line, "TH", DAY, facts).low, rates(book, line, "TH", DAY, facts).high):
        assert scenario is not None
        assert "section_232_metals" not in {component.authority for component in scenario.components}


def test_an_eight_digit_number_over_a_list_at_ten_digits_names_the_suffix_as_missing(book: Book) -> None:
    found = rates(book, "8505.11.00", "CN", date(2026, 3, 15))
    assert found.missing_facts == ("stat_suffix",)
    assert found.low is not None
    assert found.high is not None
    assert (found.low.total_rate_percent, found.high.total_rate_percent) == (Decimal("27.1"), Decimal("37.1"))


def test_a_heading_that_may_be_several_lines_has_a_range_and_no_answer(book: Book) -> None:
    found = rates(book, "8501", "VN", DAY)
    assert found.central is None
    assert found.low is not None
    assert found.high is not None
    assert found.low.total_rate_percent < found.high.total_rate_percent
    assert "hts_digits" in found.missing_facts


def test_a_line_outside_the_book_has_a_range_by_chapter_never_zero(book: Book) -> None:
    found = rates(book, "8708.99.03", "CN", DAY)
    assert not found.in_book
    assert found.central is None
    assert found.missing_facts[0] == "line_not_in_book"
    assert found.low is not None
    assert found.low.total_rate_percent > 0


def test_nothing_is_said_of_a_chapter_without_a_range(book: Book) -> None:
    found = rates(book, "9503.00.00", "CN", DAY)
    assert (found.low, found.central, found.high) == (None, None, None)
    assert found.missing_facts == ("line_not_in_book",)


@pytest.mark.parametrize(
    "text", ["8708", "870829", "8708.29", "87082951", "8708.29.51", "8708.29.5160", "8708.29.51.60"]
)
def test_a_number_is_read_dotted_or_not(text: str) -> None:
    assert "8708295160".startswith(line_digits(text))


@pytest.mark.parametrize(
    "text", ["", "870", "87082", "870829511234", "8708.2", "87.08", "abcd", "9903.94.05", "9801.00", "7700", "0000"]
)
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(LineError, match="hts"):
        line_digits(text)


@pytest.mark.parametrize(("line", "origin"), [("8708.40.30", "DE"), ("8708.93.15", "TH")])
def test_what_is_not_known_but_moves_nothing_leaves_an_answer(line: str, origin: str, book: Book) -> None:
    # Metals combined to 15% whatever column 1 is.
    found = rates(book, line, origin, DAY).central
    assert found is not None
    assert found.total_rate_percent == 15


def test_each_suffix_of_ball_bearings_is_on_a_list_so_eight_digits_have_no_default(book: Book) -> None:
    from streams.policy.facts import Claim, Facts

    facts = Facts(claims=frozenset({Claim.AUTO_PART, Claim.METAL_AT_LEAST_15}))
    assert rates(book, "8482.10.50", "JP", DAY, facts).central is None
    found = rates(book, "8482.10.50", "CN", DAY, facts)  # 9 + 25 + 25, as an auto part or as metal
    assert found.central is not None
    assert found.central.total_rate_percent == 59
    assert "stat_suffix" in found.missing_facts


@pytest.mark.parametrize("text", ["8703.23.00", "8703.23.0000", "8703230000", "8703.23", "8703.23.01", "8703.23.0140"])
def test_zeros_that_pad_a_subheading_do_not_take_it_off_its_list(text: str, book: Book) -> None:
    found = rates(book, text, "JP", DAY)
    assert found.in_book
    assert found.central is not None
    assert found.central.total_rate_percent == 15


def test_the_lists_of_notes_33j_and_38i_are_in_full() -> None:
    lists = load_trade().lists
    uk, trucks = set(lists["note-33j"]), {*lists["note-38i-auto"], *lists["note-38i-only"]}
    assert {"8708.30.50", "4011.20.1005", "8707.90.5060", "9401.20.00"} <= uk
    assert not {"8536.41.0005", "4012.19.40"} & uk
    assert not [stem for stem in uk if stem.startswith(("8471", "8537"))]  # fact sheet 8.6
    assert {"9401.20.00", "8708.99.68", "8708.92.65", "4013.10.00"} <= trucks
    assert not [stem for stem in trucks if stem.startswith(("8507.60", "8708.99.81", "8537", "8471"))]


def test_a_part_of_the_truck_list_alone_pays_by_the_truck_part_claim_only(book: Book) -> None:
    from streams.policy.facts import Claim, Facts

    claimed = rates(book, "8708.99.23", "JP", DAY, Facts(claims=frozenset({Claim.TRUCK_PART}))).low
    plain = rates(book, "8708.99.23", "JP", DAY).high
    assert claimed is not None
    assert plain is not None
    assert ("232-MHDP", Decimal(25)) in {(part.measure, part.rate_percent) for part in claimed.components}
    assert "section_232_trucks" not in {part.authority for part in plain.components}


def test_every_line_that_a_part_family_hints_at_is_in_the_book(book: Book) -> None:
    families = tomllib.loads((ROOT / "parts" / "families.toml").read_text("utf-8"))["family"]
    lines = {line for family in families for line in family["lines"]}
    assert len(lines) > 50
    assert [line for line in sorted(lines) if not rates(book, line, "CN", DAY).in_book] == []
