"""What a person or a file states of a shipment: read, or refused with the field named."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from streams.cli.estimate import register
from streams.policy.facts import Claim
from streams.policy.origins import OriginError, parse_origin
from streams.policy.shipment import read_shipment
from streams.reference.trade import load_trade

TRADE = load_trade()
GOOD: dict[str, str | None] = {"hts": "8703.23", "origin": "JP", "entry_date": "2026-10-01", "value": "10000"}
HEADER = (
    "hts,origin,entry_date,value,usmca,us_content,claim,known_at,in_transit_date,metal_share,us_metal_share,hts98\n"
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CN", "CN"), ("cn", "CN"), ("CHN", "CN"), ("China", "CN"), (" people's republic of china ", "CN"),
        ("UK", "GB"), ("GBR", "GB"), ("United Kingdom", "GB"), ("England", "GB"), ("UNITED KINGDOM (UK)", "GB"),
        ("South Korea", "KR"), ("Korea, Republic of", "KR"), ("Taiwan", "TW"), ("Türkiye", "TR"), ("Turkey", "TR"),
        ("Czech Republic", "CZ"), ("Viet Nam", "VN"), ("vietnam", "VN"), ("Côte d'Ivoire", "CI"),
        ("EU", "EU"), ("European Union", "EU"), ("DEU", "DE"), ("Hong Kong", "HK"), ("USA", "US"),
        ("Puerto Rico", "US"),
    ],
)  # fmt: skip
def test_an_origin_is_read_by_name_or_code(text: str, code: str) -> None:
    assert parse_origin(text, TRADE) == code


@pytest.mark.parametrize("text", ["", "  ", "ZZ", "XX", "Atlantis", "J", "12", "unknown"])
def test_what_is_no_country_is_refused(text: str) -> None:
    with pytest.raises(OriginError, match="origin"):
        parse_origin(text, TRADE)


def test_a_shipment_is_read_in_full() -> None:
    found = read_shipment(
        {
            **GOOD, "origin": "MX", "usmca": "Yes", "us_content": "40%", "claim": " commerce-approved  auto-part ",
            "known_at": "2026-09-01", "in_transit_date": "2026-09-20", "metal_share": "0.5", "us_metal_share": "0.9",
            "value": "$1,234.50",
        },
        TRADE,
    )  # fmt: skip
    assert found.line == "870323"
    assert found.value_cents == 123_450
    assert found.known_at == date(2026, 9, 1)
    assert found.facts.usmca is True
    assert found.facts.us_content == Decimal("0.4")
    assert found.facts.claims == {Claim.COMMERCE_APPROVED, Claim.AUTO_PART}


def test_blank_is_not_known() -> None:
    facts = read_shipment({**GOOD, "usmca": " ", "claim": "", "us_content": None}, TRADE).facts
    assert (facts.usmca, facts.us_content, facts.claims) == (None, None, frozenset())


BAD = [
    ({"hts": "870"}, "hts"), ({"hts": "870323000012"}, "hts"), ({"hts": ""}, "hts: missing"), ({"hts": "cars"}, "hts"),
    ({"origin": "Atlantis"}, "origin"), ({"origin": "US"}, "origin"),
    ({"entry_date": "01/10/2026"}, "entry_date"), ({"entry_date": "2026-02-30"}, "entry_date"),
    ({"entry_date": "2017-12-31"}, "entry_date"), ({"entry_date": "2031-01-01"}, "entry_date"),
    ({"entry_date": "2199-10-01"}, "entry_date"),
    ({"value": "-1"}, "value"), ({"value": "ten"}, "value"), ({"value": "NaN"}, "value"), ({"value": "1.005"}, "value"),
    ({"value": "1000000000000.01"}, "value"), ({"value": "Infinity"}, "value"),
    ({"usmca": "perhaps"}, "usmca"), ({"usmca": "true", "origin": "CN"}, "usmca"),
    ({"us_content": "1.5"}, "us_content"), ({"us_content": "40"}, "us_content"), ({"metal_share": "x"}, "metal_share"),
    ({"claim": "free"}, "claim"), ({"claim": "korus"}, "korus"), ({"claim": "uk-quota"}, "uk-quota"),
    ({"claim": "auto-part not-auto-part"}, "auto-part"), ({"claim": "auto-part truck-part"}, "truck-part"),
    ({"claim": "metal-at-least-15 metal-under-15"}, "metal"),
    ({"claim": "metal-under-15", "metal_share": "0.5"}, "metal"),
    ({"claim": "metal-at-least-15", "metal_share": "0.1"}, "metal"),
    ({"claim": "commerce-approved", "usmca": "false", "origin": "MX"}, "commerce-approved"),
    ({"claim": "commerce-approved"}, "commerce-approved"),
    ({"known_at": "2017-01-01"}, "known_at"), ({"in_transit_date": "2026-12-01"}, "in_transit_date"),
    ({"hts98": "8703"}, "hts98"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "said"), BAD)
def test_a_wrong_row_says_which_field_is_wrong_and_the_others_come_out(
    fields: dict[str, str], said: str, tmp_path: Path
) -> None:
    good, bad = {**GOOD}, {**GOOD, **fields}
    lines = run(tmp_path, [good, bad, good])
    assert [line["row"] for line in lines] == [2, 3, 4]
    assert said in lines[1]["error"]
    assert lines[1]["total_rate_percent"] is None
    assert lines[0]["total_rate_percent"] == lines[2]["total_rate_percent"] == 15.0


@pytest.mark.parametrize(("value", "duty"), [("0", "0.00"), ("0.01", "0.00"), ("1000000000000", "150000000000.00")])
def test_values_from_zero_to_a_trillion_are_rated(value: str, duty: str, tmp_path: Path) -> None:
    assert run(tmp_path, [{**GOOD, "value": value}])[0]["total_duty"] == duty


def test_the_document_of_a_row_holds_what_it_promises(tmp_path: Path) -> None:
    line = run(tmp_path, [{"hts": "8708.29.51", "origin": "China", "entry_date": "2025-10-15", "value": "333.33"}])[0]
    assert line["total_rate_percent"] == 72.5
    assert line["total_duty"] == "241.66"  # 8.33 + 83.33 + 83.33 + 66.67
    assert [part["amount"] for part in line["components"]] == ["8.33", "66.67", "83.33", "83.33"]
    assert {part["measure"] for part in line["components"] if part["refundable"]} == {"IEEPA-FENT-CN"}
    assert set(line["components"][0]) >= {"measure", "authority", "heading", "rate_type", "rate_percent", "amount"}
    assert float(line["total_duty_low"]) <= float(line["total_duty"]) <= float(line["total_duty_high"])
    assert "part_use" in line["missing_facts"]
    assert line["changes_on"] == "2025-11-10"
    assert any(item["measure"] == "IEEPA-RECIP-CN" and item["rule"] == "ST-4" for item in line["not_applied"])


def test_a_line_not_in_the_book_is_said_so_with_its_range(tmp_path: Path) -> None:
    line = run(tmp_path, [{**GOOD, "hts": "8708.99.03", "origin": "TH"}])[0]
    assert line["status"] == "line not in the book"
    assert line["total_duty"] is None
    assert float(line["total_duty_low"]) > 0


def test_what_may_not_be_imported_has_no_rate(tmp_path: Path) -> None:
    line = run(tmp_path, [{**GOOD, "hts": "8711.50.00", "origin": "CA"}])[0]
    assert line["status"] == "not importable"
    assert line["prohibited_by"] == ["S338-CA-BAN"]
    assert line["total_duty_low"] is None


def test_a_claim_that_changes_nothing_is_said_so(tmp_path: Path) -> None:
    line = run(tmp_path, [{**GOOD, "claim": "truck-part"}])[0]
    assert "claim truck-part changes nothing on this line, origin and day" in line["warnings"]


def test_the_order_of_columns_blank_rows_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\ufeffValue, Origin ,HTS,entry_date\n\n10000,JP,8703.23,2026-10-01\n", "utf-8")
    result = CliRunner().invoke(command(), ["--csv", str(path)])
    assert [json.loads(text)["total_duty"] for text in result.stdout.splitlines()] == ["1500.00"]


def test_a_cell_may_hold_a_line_break_and_rows_are_counted_in_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        'hts,origin,entry_date,value,claim\r\n8703.23,KR,2026-10-01,1,"korus\n"\r\n870,KR,2026-10-01,1,\r\n'
    )
    answers = [json.loads(line) for line in CliRunner().invoke(command(), ["--csv", str(path)]).stdout.splitlines()]
    assert [(one["row"], "error" in one, one["total_rate_percent"]) for one in answers] == [
        (3, False, 15.0), (4, True, None)
    ]  # fmt: skip


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("hts,origin\n8703.23,JP\n", "utf-8")
    result = CliRunner().invoke(command(), ["--csv", str(path)])
    assert result.exit_code == 1
    assert "no column entry_date, value" in result.stderr


def test_one_shipment_is_printed_with_each_part_and_what_is_missing() -> None:
    arguments = ["--hts", "8708.29.51", "--origin", "CN", "--entry-date", "2026-10-01", "--value", "10000"]
    result = CliRunner().invoke(command(), arguments)
    assert result.exit_code == 0
    for word in ("5250.00", "52.5", "301-L3", "9903.94.05", "missing fact: part_use", "ST-4", "37.5%"):
        assert word in result.stdout
    document = json.loads(CliRunner().invoke(command(), [*arguments, "--json"]).stdout)
    assert document["total_duty"] == "5250.00"


def test_a_wrong_option_is_a_usage_error() -> None:
    result = CliRunner().invoke(
        command(), ["--hts", "870", "--origin", "CN", "--entry-date", "2026-10-01", "--value", "1"]
    )
    assert result.exit_code == 2
    assert "hts" in result.stderr


def command() -> typer.Typer:
    app = typer.Typer()
    register(app)
    return app


def run(tmp_path: Path, rows: list[dict[str, str | None]]) -> list[dict[str, Any]]:
    path = tmp_path / "rows.csv"
    names = HEADER.strip().split(",")
    text = HEADER + "".join(",".join(f'"{row.get(name) or ""}"' for name in names) + "\n" for row in rows)
    path.write_text(text, "utf-8")
    result = CliRunner().invoke(command(), ["--csv", str(path)])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--hts 8708.29.51 --origin JP --entry-date 2026-10-01", "15% less column 1"),
        ("--hts 8708.99.81 --origin JP --entry-date 2025-10-15 --metal-share 0.4", "50%, on the metal: a share of 0.4"),
        (
            "--hts 8708.99.81 --origin JP --entry-date 2025-10-15 --metal-share 0.4",
            "15% less column 1, on the value outside the metal: a share of 0.6",
        ),
        (
            "--hts 8703.23 --origin MX --entry-date 2026-10-01 --us-content 0.45 --claim commerce-approved",
            "25%, on the content from outside the US: a share of 0.55",
        ),
        ("--hts 8708.40.30 --origin DE --entry-date 2026-10-01 --claim metal-at-least-15", "column 1 is not held"),
    ],
)
def test_the_text_says_how_a_rate_that_is_not_printed_comes_about(arguments: str, said: str) -> None:
    result = CliRunner().invoke(command(), [*arguments.split(), "--value", "1000"])
    assert said in " ".join(result.stdout.split())
