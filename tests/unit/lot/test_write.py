"""A lot is reproducible, valid, and plausible on its day."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.feeds.jsonl import read_json_lines
from streams.feeds.kind import Kind
from streams.feeds.lot.group import dealer_group
from streams.feeds.lot.write import LotRequest, records, write_lot
from streams.feeds.records import FeedRecord
from streams.reference.lot import load_lot

SMALL = LotRequest(vehicles=600, parts=400, dealers=3, seed=7)


def test_the_same_request_gives_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl"))
    write_lot(first, SMALL)
    write_lot(second, SMALL)
    write_lot(other, LotRequest(600, 400, 3, seed=8))
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_the_compressed_lot_is_reproducible_too_and_holds_the_same(tmp_path: Path) -> None:
    packed, again, plain = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz", tmp_path / "a.jsonl"
    for path in (packed, again, plain):
        write_lot(path, SMALL)
    assert packed.read_bytes() == again.read_bytes()
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()


def test_vehicles_come_first_and_every_line_is_a_good_record_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "lot.jsonl"
    summary = write_lot(path, SMALL)
    items = list(read_json_lines(path.read_bytes().splitlines()))
    good = [item for item in items if isinstance(item, FeedRecord)]
    assert len(good) == len(items) == 1_000
    assert [record.kind for record in good] == [Kind.VEHICLES] * 600 + [Kind.PARTS] * 400
    assert len({(record.kind, record.key) for record in good}) == 1_000
    assert (summary.vehicles, summary.parts, summary.bytes) == (600, 400, path.stat().st_size)


def test_a_vin_appears_once_in_the_whole_group() -> None:
    vins = [record["vin"] for record in records(SMALL) if "vin" in record]
    assert len(set(vins)) == 600


@pytest.mark.parametrize("as_of", [date(2026, 10, 1), date(2025, 4, 3), date(2026, 2, 24)])
def test_nothing_in_the_lot_lies_after_its_day(as_of: date) -> None:
    future = {"returnable_until"}
    for record in records(LotRequest(300, 200, 2, 3, as_of)):
        for name, value in record.items():
            if name not in future and (name.endswith(("_date", "_sold", "_received")) or name == "updated_at"):
                assert str(value)[:10] <= as_of.isoformat(), (name, record)


def test_dates_of_a_vehicle_are_in_the_order_of_its_life() -> None:
    order = ("build_date", "port_arrival_date", "entry_date", "in_stock_date")
    for record in records(SMALL):
        dates = [str(record[name]) for name in order if name in record]
        assert dates == sorted(dates), record


def test_only_new_stock_has_an_invoice_and_it_lies_under_the_msrp() -> None:
    for record in records(SMALL):
        if "vin" not in record:
            continue
        if record["stock_class"] in ("used", "cpo"):
            assert not record.keys() & {"msrp_usd", "invoice_usd", "invoice_date"}
        elif "invoice_usd" in record:
            assert Decimal("0.85") < Decimal(str(record["invoice_usd"])) / Decimal(str(record["msrp_usd"])) <= 1


def test_a_car_in_transit_is_not_yet_in_stock() -> None:
    coming = [record for record in records(SMALL) if record.get("stock_class") == "in_transit"]
    assert coming
    assert not any("in_stock_date" in record for record in coming)


def test_most_parts_have_no_tariff_number_and_no_origin() -> None:
    parts = [record for record in records(LotRequest(0, 2_000)) if "part_number" in record]
    documented = [part for part in parts if "hts" in part]
    assert 0.05 < len(documented) / len(parts) < 0.35


def test_dirt_is_what_was_asked_for_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "dirty.jsonl"
    write_lot(path, LotRequest(2_000, 1_000, 2, 1, dirt_percent=10))
    clean = [json.dumps(record, sort_keys=True) for record in records(LotRequest(2_000, 1_000, 2, 1))]
    dirty = [json.dumps(json.loads(line), sort_keys=True) for line in path.read_bytes().splitlines()]
    changed = sum(a != b for a, b in zip(clean, dirty, strict=True))
    assert 230 < changed < 370
    bad = sum(not isinstance(item, FeedRecord) for item in read_json_lines(path.read_bytes().splitlines()))
    assert 0 < bad < changed


@pytest.mark.parametrize("count", [1, 2, 5, 14, 40])
def test_any_number_of_dealers_hold_every_franchise_between_them(count: int) -> None:
    reference = load_lot()
    dealers = dealer_group(reference, count)
    assert len({dealer.dealer_id for dealer in dealers}) == count
    held = {franchise for dealer in dealers for franchise in dealer.franchises}
    assert held == {make.franchise for make in reference.makes if make.franchise}
    assert all(dealer.franchises for dealer in dealers)


def test_the_command_writes_the_file_and_says_what_is_in_it(tmp_path: Path) -> None:
    import typer

    from streams.cli import lot

    app = typer.Typer()
    app.callback()(lambda: None)
    lot.register(app)
    path = tmp_path / "lot.jsonl"
    command = ["lot", str(path), "--vehicles", "50", "--parts", "20", "--dealers", "2", "--as-of", "2026-03-01"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert len(path.read_bytes().splitlines()) == 70
    assert "records of northgate" in result.output
    refused = CliRunner().invoke(app, ["lot", str(tmp_path / "no" / "lot.jsonl"), "--vehicles", "1", "--parts", "0"])
    assert refused.exit_code == 1
