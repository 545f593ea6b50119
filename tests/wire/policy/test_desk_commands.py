"""`lotrisk policy publish|withdraw|export|import` and `lotrisk whatif` on a lot, with a worker that answers."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.reference.trade import load_trade
from streams.settings import Settings
from streams.topics import PARTS, POLICY, VEHICLES, VEHICLES_ENRICHED
from tests.rehearsal.fleet import ROOT, WorkerProcess
from tests.wire.kafka_io import Raw, create_topics, produce, read_all, wait_until
from tests.wire.policy.desk import LOTRISK, environment, start_worker

VINS = ("1HGCM82633A004352", "KNDC4DLC8R5123456", "JTDAFAAF6T3905728", "WBA8E1C50HA123456", "JN1CF0AB7PM171362")
"""Built in the United States, Korea, Japan, Germany and Japan; the second and the last are electric."""
PART = {"dealer_id": "d1", "part_number": "04465-33471", "description": "PAD KIT, DISC BRAKE", "qty_on_hand": 4,
        "country_of_origin": "JP", "hts": "8708.30.5030", "cost_usd": "40.00"}  # fmt: skip
REVISION = load_trade().revision
Command = Callable[..., "subprocess.CompletedProcess[str]"]

JAPAN = """
[[measure]]
id = "DESK-JP"
authority = "desk_test"
title = "7% on cars of Japan and Germany"
instrument = "Test"
origins = ["JP", "DE"]
scope = ["8703"]
rate = 7
announced_at = 2026-09-01
effective_from = 2026-09-01
status = "in_force"
confidence = "H"
source = "S20"
"""


@pytest.fixture
def lotrisk(settings: Settings) -> Command:
    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(LOTRISK), *arguments], env=environment(settings), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[WorkerProcess]:
    """A worker on a lot of a few cars and a part, all enriched."""
    create_topics(settings)
    lot = [
        {"dealer_id": f"d{number % 2}", "vin": vin, "stock_class": "new", "msrp_usd": "40000.00"}
        for number, vin in enumerate(VINS)
    ]
    produce(
        settings, VEHICLES, [Raw(json.dumps(one).encode(), f"{one['dealer_id']}:{one['vin']}".encode()) for one in lot]
    )
    produce(settings, PARTS, [Raw(json.dumps(PART).encode(), f"d1:{PART['part_number']}".encode())])
    started = start_worker(settings, tmp_path / "worker.log")
    try:
        wait_until(lambda: "worker ready" in started.said() or not started.alive, 60, what=started.said)
        inputs = [topic.full_name(settings.topic_prefix) for topic in (VEHICLES, PARTS)]
        wait_until(
            lambda: sum(started.counted("lotrisk_records_in_total", topic=topic) for topic in inputs) == len(VINS) + 1,
            60, what=started.said,
        )  # fmt: skip
        assert started.counted("lotrisk_dead_letters_total") == 0
        yield started
    finally:
        started.close()


def test_publish_shows_what_changes_then_waits_for_every_worker(
    lotrisk: Command, worker: WorkerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "japan.toml"
    file.write_text(JAPAN, "utf-8")
    done = lotrisk("policy", "publish", str(file), "--yes")
    assert "of 5 vehicles" in done.stdout
    assert "+$" in done.stdout
    assert f"book {REVISION}.0.0." in done.stdout
    assert "lotrisk_policy_rejected_measures 0.0" in worker.get("/metrics")[1]
    assert "nothing to publish" in lotrisk("policy", "publish", str(file), "--yes").stdout

    listed = lotrisk("policy", "list", "--json")
    assert "DESK-JP" in listed.stdout
    assert "with 1 version from trade.policy" in listed.stderr
    assert "DESK-JP" not in lotrisk("policy", "list", "--json", "--files").stdout
    assert "7% on cars of Japan" in lotrisk("policy", "show", "DESK-JP", "--published").stdout
    assert "DESK-JP" in lotrisk("policy", "timeline", "8703.23.01", "JP", "--from", "2026-08-01", "--json").stdout

    withdrawn = lotrisk("policy", "withdraw", "DESK-JP", "--yes")
    assert "-$" in withdrawn.stdout
    assert f"book {REVISION}.0.2." in withdrawn.stdout
    assert "is withdrawn since" in lotrisk("policy", "withdraw", "DESK-JP", "--yes", code=1).stderr
    assert "near: " in lotrisk("policy", "withdraw", "DESK-JPN", "--yes", code=1).stderr


def test_whatif_publishes_nothing_and_adds_up(
    settings: Settings, lotrisk: Command, worker: WorkerProcess, tmp_path: Path
) -> None:
    del worker
    before = len(read_all(settings, VEHICLES_ENRICHED))
    out, table = tmp_path / "out.json", tmp_path / "out.csv"
    for name in ("tariff-100", "eu-25", "dysprosium-ban"):
        lotrisk("whatif", str(ROOT / f"docs/examples/whatif/{name}.toml"), "--json", str(out), "--csv", str(table))
        found = json.loads(out.read_bytes())
        vehicles = found["vehicles"]
        for dimension in ("make", "origin", "dealer", "powertrain"):
            rows = vehicles[f"by_{dimension}"].values()
            assert sum(row["records"] for row in rows) == len(VINS)
            assert sum(row["changed"] for row in rows) == vehicles["total"]["changed"]
        with table.open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert {line["dimension"] for line in lines if line["goods"] == "part"} == {
            "total",
            "family",
            "origin",
            "dealer",
        }
        if name == "dysprosium-ban":
            assert found["controlled"]["WHATIF-DY"]["grams"]["Dy"][2] > 0
            assert vehicles["total"]["difference_usd"] == ["0.00", "0.00", "0.00"]
        else:
            assert float(vehicles["total"]["difference_usd"][1]) > 0
    assert len(read_all(settings, VEHICLES_ENRICHED)) == before
    assert read_all(settings, POLICY) == []


def test_export_restores_and_an_import_begins_a_new_epoch(
    settings: Settings, lotrisk: Command, worker: WorkerProcess, tmp_path: Path
) -> None:
    del worker
    file, saved = tmp_path / "japan.toml", tmp_path / "saved.json"
    file.write_text(JAPAN, "utf-8")
    lotrisk("policy", "publish", str(file), "--yes", "--no-preview")
    lotrisk("policy", "export", str(saved))
    lotrisk("policy", "withdraw", "DESK-JP", "--yes", "--no-preview")
    restored = lotrisk("policy", "import", str(saved), "--yes")
    assert "epoch 1 replaces epoch 0: 1 versions instead of 2" in restored.stdout
    assert f"book {REVISION}.1." in restored.stdout
    again = json.loads(lotrisk("policy", "export").stdout)
    assert again == json.loads(saved.read_bytes()) | {"epoch": 1}
    assert len(read_all(settings, POLICY)) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (JAPAN.replace("rate = 7", 'rate = "x"\nrat = 5'), ["(DESK-JP): rate: ", "(DESK-JP): rat: "]),
        (JAPAN.replace('"JP", "DE"', '"JP", "XX"'), ["DESK-JP", "origins: 'XX'"]),
        (JAPAN + JAPAN, ["DESK-JP: given twice"]),
        (JAPAN.replace("[[measure]]", "[[measures]]"), ["no [[measure]] records; it holds measures"]),
        ("[[measure]", ["not valid TOML"]),
    ],
)
def test_a_file_with_anything_wrong_publishes_nothing(
    settings: Settings, lotrisk: Command, tmp_path: Path, text: str, said: list[str]
) -> None:
    create_topics(settings, [POLICY])
    file = tmp_path / "wrong.toml"
    file.write_text(text, "utf-8")
    error = lotrisk("policy", "publish", str(file), "--yes", code=1).stderr
    assert [part for part in said if part not in error] == []
    assert read_all(settings, POLICY) == []
