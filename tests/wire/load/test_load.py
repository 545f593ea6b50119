"""`lotrisk load` against a real broker."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import typer
from kafka import KafkaProducer
from kafka.partitioner.default import murmur2
from typer.testing import CliRunner, Result

from streams.cli import load as command
from streams.feeds import publish
from streams.feeds.lot.write import LotRequest, write_lot
from streams.settings import Settings
from streams.topics import INPUT_MAX_BYTES, PARTS, VEHICLES, Topic
from tests.wire import kafka_io
from tests.wire.kafka_io import Raw

VINS = ("1HGCM82633A004352", "1M8GDM9AXKP042788", "3VWEW7BU9TM339447", "1N6ED1EM5TN211081", "1FMWK7KB1TL759277")
HEADER = "Dealer ID,Type,VIN,Year,Make,Model,MSRP,DateInStock\n"

Load = Callable[..., Result]


@pytest.fixture
def topics(settings: Settings) -> Settings:
    kafka_io.create_topics(settings, (VEHICLES, PARTS))
    return settings


@pytest.fixture
def load(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.setenv("LOTRISK_BOOTSTRAP_SERVERS", settings.bootstrap_servers)
    monkeypatch.setenv("LOTRISK_TOPIC_PREFIX", settings.topic_prefix)
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)

    def run(file: Path | str, *options: str, standard_input: bytes | None = None) -> Result:
        return CliRunner().invoke(app, ["load", str(file), *options], input=standard_input)

    return run


def csv(path: Path, *rows: tuple[str, str]) -> Path:
    path.write_text(
        HEADER + "".join(f"{dealer},New,{vin},2026,Honda,Accord,32990,2026-09-15\n" for dealer, vin in rows)
    )
    return path


def standing(settings: Settings, topic: Topic = VEHICLES) -> dict[bytes, bytes]:
    """What the topic says is in stock now."""
    latest: dict[bytes, bytes | None] = {}
    for record in kafka_io.read_all(settings, topic):
        assert record.key is not None
        latest[record.key] = record.value
    return {key: value for key, value in latest.items() if value is not None}


def tombstones(settings: Settings, topic: Topic = VEHICLES) -> list[bytes | None]:
    return [record.key for record in kafka_io.read_all(settings, topic) if record.value is None]


@pytest.mark.parametrize(
    ("text", "hashed"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_the_partitioner_hashes_as_javas_does(text: bytes, hashed: int) -> None:
    assert murmur2(text) == hashed % 2**32


def test_a_csv_arrives_as_canonical_records_keyed_by_dealer_and_vin(
    topics: Settings, load: Load, tmp_path: Path
) -> None:
    result = load(csv(tmp_path / "lot.csv", *(("east", vin) for vin in VINS)))
    assert result.exit_code == 0, result.output
    stored = kafka_io.read_all(topics, VEHICLES)
    assert {record.key for record in stored} == {f"east:{vin}".encode() for vin in VINS}
    for record in stored:
        assert record.key is not None
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % topics.partitions
        assert json.loads(record.value or b"") == {
            "dealer_id": "east", "vin": record.key.decode()[5:], "stock_class": "new", "model_year": 2026,
            "make": "Honda", "model": "Accord", "msrp_usd": "32990.00", "in_stock_date": "2026-09-15",
        }  # fmt: skip


def test_json_lines_of_both_kinds_arrive_byte_for_byte_also_compressed_and_by_pipe(
    topics: Settings, load: Load, tmp_path: Path
) -> None:
    vehicle = b'{"vin":"%s", "dealer_id":"east","own":{"a":[1,2.50]}}' % VINS[0].encode()
    part = b'{ "part_number":"5Q0 615 301 G","dealer_id":"east"}'
    packed = tmp_path / "lot.jsonl.gz"
    packed.write_bytes(gzip.compress(vehicle + b"\n" + part + b"\n"))
    assert load(packed).exit_code == 0
    assert load("-", standard_input=packed.read_bytes()).exit_code == 0
    assert [record.value for record in kafka_io.read_all(topics, VEHICLES)] == [vehicle, vehicle]
    assert [(r.key, r.value) for r in kafka_io.read_all(topics, PARTS)] == [(b"east:5Q0 615 301 G", part)] * 2


def test_bad_lines_are_told_by_number_and_the_good_ones_published(topics: Settings, load: Load, tmp_path: Path) -> None:
    path = csv(tmp_path / "lot.csv", ("east", VINS[0]), ("east", VINS[1][:16]), ("east", VINS[2]))
    result = load(path)
    assert result.exit_code == 1
    assert f"{path}: line 3: vin: '{VINS[1][:16]}' is 16 characters long; a VIN has 17" in result.output
    assert standing(topics).keys() == {f"east:{VINS[0]}".encode(), f"east:{VINS[2]}".encode()}


def test_strict_publishes_nothing_when_a_line_is_bad(topics: Settings, load: Load, tmp_path: Path) -> None:
    result = load(csv(tmp_path / "lot.csv", ("east", VINS[0]), ("east", "short")), "--strict")
    assert result.exit_code == 1
    assert "nothing published" in result.output
    assert standing(topics) == {}


def test_of_a_vin_that_comes_twice_the_last_line_is_published(topics: Settings, load: Load, tmp_path: Path) -> None:
    path = tmp_path / "lot.csv"
    path.write_text(f"Dealer ID,VIN,MSRP\neast,{VINS[0]},100\neast,{VINS[0]},200\n")
    result = load(path)
    assert result.exit_code == 0
    assert f"line 2: vin: {VINS[0]} again on line 3, which wins" in result.output
    (stored,) = kafka_io.read_all(topics, VEHICLES)
    assert json.loads(stored.value or b"")["msrp_usd"] == "200.00"


def test_a_file_without_snapshot_only_adds(topics: Settings, load: Load, tmp_path: Path) -> None:
    load(csv(tmp_path / "a.csv", ("east", VINS[0])))
    load(csv(tmp_path / "b.csv", ("east", VINS[1])))
    assert len(standing(topics)) == 2


def test_a_snapshot_tombstones_that_dealers_absentees_and_nobody_elses(
    topics: Settings, load: Load, tmp_path: Path
) -> None:
    everyone = [("east", vin) for vin in VINS] + [("west", vin) for vin in VINS] + [("eastern", VINS[0])]
    assert load(csv(tmp_path / "all.csv", *everyone)).exit_code == 0
    result = load(csv(tmp_path / "east.csv", *(("east", vin) for vin in VINS[:3])), "--snapshot")
    assert result.exit_code == 0, result.output
    assert sorted(tombstones(topics), key=str) == sorted((f"east:{vin}".encode() for vin in VINS[3:]), key=str)
    assert len(standing(topics)) == 3 + len(VINS) + 1
    again = load(csv(tmp_path / "east.csv", *(("east", vin) for vin in VINS[:3])), "--snapshot")
    assert again.exit_code == 0
    assert len(tombstones(topics)) == 2


def test_a_bad_row_of_a_snapshot_does_not_sell_its_car(topics: Settings, load: Load, tmp_path: Path) -> None:
    load(csv(tmp_path / "all.csv", *(("east", vin) for vin in VINS)))
    path = csv(tmp_path / "east.csv", *(("east", vin) for vin in VINS[:4]))
    path.write_text(path.read_text() + f"east,New,{VINS[4]},2026,Honda,Accord,not a price,2026-09-15\n")
    assert load(path, "--snapshot").exit_code == 1
    assert tombstones(topics) == []


def test_a_snapshot_that_would_empty_half_the_lot_is_refused_with_the_counts(
    topics: Settings, load: Load, tmp_path: Path
) -> None:
    load(csv(tmp_path / "all.csv", *(("east", vin) for vin in VINS)))
    short = csv(tmp_path / "east.csv", ("east", VINS[0]))
    refused = load(short, "--snapshot")
    assert refused.exit_code == 1
    assert "remove east: 4 of 5 vehicles, more than 50%" in refused.output
    assert len(standing(topics)) == 5
    assert load(short, "--snapshot", "--force").exit_code == 0
    assert standing(topics).keys() == {f"east:{VINS[0]}".encode()}


def test_a_snapshot_without_a_good_row_is_refused(topics: Settings, load: Load, tmp_path: Path) -> None:
    load(csv(tmp_path / "all.csv", ("east", VINS[0])))
    refused = load(csv(tmp_path / "east.csv", ("east", "short")), "--snapshot", "--force")
    assert refused.exit_code == 1
    assert "no good record in the file" in refused.output
    assert len(standing(topics)) == 1


def test_a_snapshot_reads_past_transactions_and_does_not_count_what_was_aborted(
    topics: Settings, load: Load, tmp_path: Path
) -> None:
    name = VEHICLES.full_name(topics.topic_prefix)
    for vin, commit in ((VINS[0], True), (VINS[1], False)):
        producer = KafkaProducer(
            bootstrap_servers=topics.bootstrap_servers, transactional_id=f"{name}{commit}", compression_type="zstd"
        )
        with closing(producer):
            producer.init_transactions()
            producer.begin_transaction()
            producer.send(name, b'{"dealer_id":"east","vin":"%s"}' % vin.encode(), f"east:{vin}".encode()).get(30)
            if commit:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
    assert load(csv(tmp_path / "east.csv", ("east", VINS[2])), "--snapshot", "--force").exit_code == 0
    assert tombstones(topics) == [f"east:{VINS[0]}".encode()]


def test_a_deletion_line_is_a_tombstone(topics: Settings, load: Load, tmp_path: Path) -> None:
    path = tmp_path / "sold.jsonl"
    path.write_text(json.dumps({"dealer_id": "east", "vin": VINS[0], "deleted": True}) + "\n")
    assert load(path).exit_code == 0
    assert tombstones(topics) == [f"east:{VINS[0]}".encode()]


def test_a_value_too_large_is_refused_with_its_size_and_the_largest_that_is_not_gets_in(
    topics: Settings, load: Load, tmp_path: Path
) -> None:
    def line(vin: str, size: int) -> bytes:
        start = b'{"dealer_id":"east","vin":"%s","blob":"' % vin.encode()
        return start + b"x" * (size - len(start) - 2) + b'"}'

    largest = INPUT_MAX_BYTES - len(f"east:{VINS[0]}") - 128
    path = tmp_path / "large.jsonl"
    path.write_bytes(line(VINS[0], largest) + b"\n" + line(VINS[1], largest + 1) + b"\n" + line(VINS[2], 100) + b"\n")
    result = load(path)
    assert result.exit_code == 1
    assert "line 2: record: 1,048,577 bytes with its key; dms.vehicles takes 1,048,576" in result.output
    sizes = {record.key: len(record.value or b"") for record in kafka_io.read_all(topics, VEHICLES)}
    assert sizes == {f"east:{VINS[0]}".encode(): largest, f"east:{VINS[2]}".encode(): 100}


def test_a_dry_run_prints_the_records_and_publishes_none(topics: Settings, load: Load, tmp_path: Path) -> None:
    result = load(csv(tmp_path / "lot.csv", ("east", VINS[0])), "--dry-run")
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[0])["vin"] == VINS[0]
    assert kafka_io.read_all(topics, VEHICLES) == []


def test_a_dry_run_of_a_snapshot_shows_the_removals_as_lines_that_load_again(
    topics: Settings, load: Load, tmp_path: Path
) -> None:
    load(csv(tmp_path / "all.csv", ("east", VINS[0]), ("east", VINS[1])))
    shown = load(csv(tmp_path / "east.csv", ("east", VINS[0])), "--snapshot", "--dry-run")
    assert json.loads(shown.stdout.splitlines()[1]) == {"dealer_id": "east", "vin": VINS[1], "deleted": True}
    assert load("-", standard_input=shown.stdout_bytes).exit_code == 0
    assert tombstones(topics) == [f"east:{VINS[1]}".encode()]


def test_a_made_up_lot_arrives_whole(topics: Settings, load: Load, tmp_path: Path) -> None:
    path = tmp_path / "lot.jsonl.gz"
    write_lot(path, LotRequest(vehicles=1_500, parts=700))
    assert load(path).exit_code == 0
    assert (len(standing(topics, VEHICLES)), len(standing(topics, PARTS))) == (1_500, 700)
    assert {record.partition for record in kafka_io.read_all(topics, VEHICLES)} == set(range(topics.partitions))


def test_a_missing_topic_says_how_to_make_it(settings: Settings, load: Load, tmp_path: Path) -> None:
    result = load(csv(tmp_path / "lot.csv", ("east", VINS[0])))
    assert result.exit_code == 1
    assert "lotrisk topics apply" in result.output
    assert VEHICLES.full_name(settings.topic_prefix) in result.output


def test_a_broker_that_does_not_answer_is_named(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "BOOTSTRAP_TIMEOUT_MS", 500)
    monkeypatch.setenv("LOTRISK_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    result = load(csv(tmp_path / "lot.csv", ("east", VINS[0])))
    assert result.exit_code == 1
    assert "no Kafka answers at 127.0.0.1:1" in result.output


def test_loading_a_file_again_changes_nothing_that_stands(topics: Settings, load: Load, tmp_path: Path) -> None:
    path = csv(tmp_path / "lot.csv", *(("east", vin) for vin in VINS))
    load(path)
    first = standing(topics)
    load(path)
    assert standing(topics) == first


def test_a_parts_master_goes_to_the_parts_topic(topics: Settings, load: Load, tmp_path: Path) -> None:
    path = tmp_path / "parts.txt"
    path.write_text("Part Number|Desc|QOH|Cost\nJL3Z-2001-B|KIT - BRAKE PAD|4|58.40\n")
    assert load(path, "--dealer", "east", "--snapshot").exit_code == 0
    assert standing(topics, PARTS).keys() == {b"east:JL3Z-2001-B"}


def test_a_snapshot_removes_a_record_from_the_partition_it_lies_in(
    topics: Settings, load: Load, tmp_path: Path
) -> None:
    key = f"east:{VINS[0]}".encode()
    elsewhere = ((murmur2(key) & 0x7FFFFFFF) + 1) % topics.partitions
    value = b'{"dealer_id":"east","vin":"%s"}' % VINS[0].encode()
    kafka_io.produce(topics, VEHICLES, [Raw(value, key, partition=elsewhere)])
    assert load(csv(tmp_path / "east.csv", ("east", VINS[1])), "--snapshot", "--force").exit_code == 0
    removed = [(r.partition, r.key) for r in kafka_io.read_all(topics, VEHICLES) if r.value is None]
    assert removed == [(elsewhere, key)]
