"""A policy desk's file: TOML or JSON, every problem named by record and field."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from streams.cli._policy_file import PolicyFileError, read_event, read_measures
from streams.cli.whatif import hypothetical
from streams.reference.loading import ROOT
from streams.reference.trade import load_trade
from streams.transport.books import book_on
from streams.transport.desk import in_order
from streams.transport.policy_log import PolicyLog, encode

TRADE = load_trade()
EXAMPLES = sorted((Path(__file__).parents[3] / "docs/examples/whatif").glob("*.toml"))


def test_a_file_of_the_reference_data_is_read_as_it_is() -> None:
    records = read_measures(ROOT / "measures/sec338.toml")
    assert records
    assert all(record in TRADE.measures for record in records)


@pytest.mark.parametrize("wrapped", [True, False])
def test_json_holds_the_same(tmp_path: Path, wrapped: bool) -> None:
    rows = [orjson.loads(encode(record)[1]) for record in TRADE.measures[:5]]
    file = tmp_path / "measures.json"
    file.write_bytes(orjson.dumps({"epoch": 3, "measure": rows} if wrapped else rows))
    assert read_measures(file) == list(TRADE.measures[:5])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "[[measure]]\nid = 'A-1'\nrate = -1\n", ["[[measure]] 1 (A-1): authority: ", "(A-1): rate: "]),
        ("a.toml", "[[measure]]\nid = 'A-1'\n[[measure]]\n", ["[[measure]] 1 (A-1)", "[[measure]] 2: "]),
        ("a.toml", "[[measure]\n", ["a.toml: not valid TOML"]),
        ("a.json", "[", ["a.json: not valid JSON"]),
        ("a.json", "[1]", ["[[measure]] 1: not a table"]),
        ("a.json", '{"measure": 1}', ["measure is not a list"]),
        ("a.json", '{"measures": []}', ["it holds measures"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, said: list[str]) -> None:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    with pytest.raises(PolicyFileError) as raised:
        read_measures(file)
    assert [part for part in said if part not in str(raised.value)] == []


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match="No such file"):
        read_measures(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyFileError, match="not UTF-8"):
        read_measures(tmp_path / "bytes.toml")


def test_an_event_has_one_version_of_each_of_its_measures(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    rows = [orjson.loads(encode(record)[1]) for record in TRADE.measures[:2]]
    file.write_bytes(orjson.dumps(rows))
    assert len(read_event(file)) == 2
    file.write_bytes(orjson.dumps([*rows, rows[0]]))
    with pytest.raises(PolicyFileError, match=f"{TRADE.measures[0].id}: given twice"):
        read_event(file)
    file.write_bytes(b'{"measure": []}')
    with pytest.raises(PolicyFileError, match="write at least one"):
        read_event(file)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_fits_the_book(path: Path) -> None:
    book = book_on(TRADE, TRADE.verified)
    changed, _, refused = in_order(PolicyLog(TRADE), read_measures(path, hypothetical(book.number.regime)))
    assert changed
    assert refused == []
    after = book_on(TRADE, TRADE.verified, changed)
    assert after.number.regime == book.number.regime


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} == {"tariff-100", "eu-25", "dysprosium-ban"}
