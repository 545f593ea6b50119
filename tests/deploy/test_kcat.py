"""Anybody with kcat can read what lotrisk writes: plain UTF-8 JSON, one record a line, keys and headers as text."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.broker import EmbeddedKafka

LOTRISK = Path(sys.executable).with_name("lotrisk")
DEALER = "lakeside"
VEHICLES = [
    {"vin": "1HGCM82633A004352", "price_usd": "8995.00", "stock_class": "used", "exterior_color": "Grün métallisé"},
    {"vin": "1M8GDM9AXKP042788", "price_usd": "12500.00", "stock_class": "used", "dms_note": "kept as it came"},
]
DEADLINE_SECONDS = 90.0


@pytest.fixture(scope="module")
def environment(kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of every command of this module: this Kafka, topics and a group of its own."""
    return os.environ | {
        "LOTRISK_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LOTRISK_TOPIC_PREFIX": "kcat.",
        "LOTRISK_GROUP": "kcat",
        "LOTRISK_PARTITIONS": "2",
        "LOTRISK_WEB_PORT": "0",
        "LOTRISK_STATE_DIR": str(tmp_path_factory.mktemp("state")),
    }


@pytest.fixture(scope="module")
def worker(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[bytes]]:
    """A worker at work on the lot above, loaded by the command a dealer would use."""
    scratch = tmp_path_factory.mktemp("lot")
    lot = scratch / "lot.jsonl"
    lot.write_text(
        "".join(json.dumps({"dealer_id": DEALER, **vehicle}, ensure_ascii=False) + "\n" for vehicle in VEHICLES),
        "utf-8",
    )
    for command in (["topics", "apply", "--yes"], ["load", str(lot), "--kind", "vehicles"]):
        ran = subprocess.run(
            [LOTRISK, *command], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    log = scratch / "worker.log"
    with log.open("wb") as sink:
        process = subprocess.Popen([LOTRISK, "worker"], env=environment, stdout=sink, stderr=sink)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        print(log.read_text("utf-8"))


def read(kcat: str, kafka: EmbeddedKafka, topic: str, *options: str) -> list[str]:
    """The lines kcat prints for a topic, from its beginning to its end."""
    command = [kcat, "-C", "-q", "-e", "-b", kafka.bootstrap_servers, "-t", topic, *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


def read_when_there(
    kcat: str, kafka: EmbeddedKafka, worker: subprocess.Popen[bytes], topic: str, count: int, *options: str
) -> list[str]:
    """Read until `count` lines are there; a test fails with what it saw at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        lines = read(kcat, kafka, topic, *options)
        if len(lines) >= count:
            return lines
        assert worker.poll() is None, f"the worker ended with {worker.returncode}"
        assert time.monotonic() < deadline, f"{topic}: {lines}"


def test_kcat_shows_readable_json_on_vehicles_enriched(
    kcat: str, kafka: EmbeddedKafka, worker: subprocess.Popen[bytes]
) -> None:
    lines = read_when_there(kcat, kafka, worker, "kcat.vehicles.enriched", len(VEHICLES))
    records = {record["vin"]: record for record in map(json.loads, lines)}
    assert set(records) == {vehicle["vin"] for vehicle in VEHICLES}
    accord = records["1HGCM82633A004352"]
    assert accord["exterior_color"] == "Grün métallisé"
    assert any("Grün métallisé" in line for line in lines), "not escaped: readable as it stands"
    assert accord["price_usd"] == "8995.00", "money stays a decimal string"
    assert records["1M8GDM9AXKP042788"]["dms_note"] == "kept as it came"


def test_kcat_shows_keys_and_headers_as_text(kcat: str, kafka: EmbeddedKafka, worker: subprocess.Popen[bytes]) -> None:
    lines = read_when_there(kcat, kafka, worker, "kcat.vehicles.enriched", len(VEHICLES), "-f", "%k\t%h\n")
    shown = dict(line.split("\t") for line in lines)
    assert set(shown) == {f"{DEALER}:{vehicle['vin']}" for vehicle in VEHICLES}
    for headers in shown.values():
        names = {header.partition("=")[0] for header in headers.split(",")}
        assert {"ce_id", "ce_type", "ce_source", "ce_specversion", "content-type"} <= names
