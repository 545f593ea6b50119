"""Every `lotrisk` line that the pages give to type is typed, on a lot of one's own, and answers as its page says."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.contract.frame.test_commands_in_docs import OURS, lines_to_type
from tests.rehearsal.fleet import WorkerProcess

ROOT = Path(__file__).resolve().parents[3]
LOTRISK = Path(sys.executable).with_name("lotrisk")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DEADLINE_SECONDS = 120.0
VEHICLES, PARTS = 400, 200
"""Of the lot that the pages make, so many are loaded: the pages' own is 30,000 records."""


@dataclass(frozen=True)
class Step:
    """A line as it stands on a page; what stdout and stderr must hold; a file it leaves and what that must hold."""

    line: str
    says: str
    leaves: tuple[str, str] | None = None
    status: int = 0


STEPS = (
    Step("lotrisk topics apply", r"vehicles\.enriched"),
    Step("lotrisk lot lot.jsonl", r"records of riverside"),
    Step("lotrisk lot lot.jsonl.gz --vehicles 100000 --parts 50000 --dealers 12 --seed 7 --as-of 2026-02-24",
         r"records of"),
    Step("lotrisk lot dirty.jsonl --dirt 2", r"records of"),
    Step("lotrisk load lot.jsonl", r"published"),
    Step("lotrisk worker", ""),
    Step("lotrisk status", r"(?s)book .*dms\.vehicles"),
    Step("lotrisk get VIN", r'"landed"'),
    Step("lotrisk groups", r"(?s)model.*famil"),
    Step("lotrisk groups model --top 40", r"(?i)model"),
    Step("lotrisk groups model:TOYOTA/RAV4", r"TOYOTA/RAV4"),
    Step("lotrisk groups --json", r'"group"'),
    Step("lotrisk dlq list vehicles", r"dead letters of vehicles"),
    Step("lotrisk explain 3VWEW7BU9TM339447 --msrp 26295.00", r"(?s)Jetta.*MX"),
    Step("lotrisk explain 5LMPJ8JA1RJ946299 --msrp 58000 --in-stock-date 2026-08-01 --on 2026-10-01",
         r"(?s)Nautilus.*CN"),
    Step("lotrisk explain JTMRWRFV5RD123456 --on 2026-10-01", r"(?s)RAV4.*Electric power steering motor"),
    Step(
        'lotrisk explain --part FL3Z-3504-A --description "GEAR ASM-ELEC PWR STRG" --origin CN --cost 840 '
        "--on 2026-10-01",
        r"(?s)electric motor.*grams",
    ),
    Step("lotrisk explain --stdin < vins.txt", r'"plant_country":"MEXICO"'),
    Step("lotrisk estimate --hts 8703.80 --origin CN --entry-date 2026-10-01 --value 30000",
         r"total\D+127\.5\D+38250\.00"),
    Step("lotrisk estimate --hts 8708.29.51 --origin CN --entry-date 2026-10-01 --value 10000",
         r"total\D+52\.5\D+5250\.00"),
    Step("lotrisk estimate --csv rows.csv > answers.jsonl", "", ("answers.jsonl", r'"total_duty":"38250\.00"')),
    Step(
        "lotrisk policy timeline 8708.29.51 CN --claim auto-part --svg timeline.svg --png timeline.png",
        r"(?s)wrote timeline\.svg.*8708\.29\.51 from CN",
        ("timeline.svg", r"<svg"),
    ),
    Step("lotrisk policy diff 8708.29.51 CN 2025-10-15 2026-10-01", r"total\D+72\.5\D+52\.5"),
    Step("lotrisk policy list", r"(?s)book .*232-AUTO"),
    Step("lotrisk policy list --on 2026-10-01", r"day 2026-10-01"),
    Step("lotrisk policy show 232-EU-V", r"instrument: Commerce notice of 2025-09-25"),
    Step("lotrisk whatif docs/examples/whatif/tariff-100.toml", r"(?s)origin +records +moved.*dealer +records +moved"),
    Step("lotrisk whatif docs/examples/whatif/eu-25.toml --csv eu.csv", r"moved", ("eu.csv", r"make")),
    Step("lotrisk whatif docs/examples/whatif/dysprosium-ban.toml --json dysprosium.json",
         r"Dy", ("dysprosium.json", r"Dy")),
    Step("lotrisk policy publish proclamation.toml", r"(?s)CN-100.*published"),
    Step("lotrisk policy withdraw CN-100", r"published"),
    Step("lotrisk policy export saved.json", r"saved\.json", ("saved.json", r"CN-100")),
    Step("lotrisk policy import saved.json", r"epoch"),
    Step("lotrisk consume flags --to-end --store /var/lib/pricing/flags.sqlite", r"open flags"),
    Step("lotrisk load inventory.csv", r"published"),
    Step("lotrisk load inventory.csv --dealer northgate", r"published"),
    Step("lotrisk load inventory.csv --snapshot", r"published"),
    Step("lotrisk load parts.txt.gz --dealer northgate", r"published"),
    Step("lotrisk load inventory.csv --dry-run > records.jsonl", "", ("records.jsonl", r'"dealer_id":"northgate"')),
    Step("zcat lot.jsonl.gz | lotrisk load -", r"published"),
    Step("LOTRISK_TOPIC_PREFIX=east. LOTRISK_PARTITIONS=24 lotrisk deploy topics --cluster kafka --replicas 3",
         r"(?s)east\.dms\.vehicles.*partitions: 24\n  replicas: 3"),
    Step("LOTRISK_TOPIC_PREFIX=east. LOTRISK_GROUP=lotrisk-east lotrisk deploy users --cluster kafka",
         r"(?s)KafkaUser.*name: lotrisk-east"),
    # In running text, whole.
    Step("lotrisk lot lot.jsonl --as-of 2025-10-08", r"records of"),
    Step("lotrisk topics check", r"(?i)topics"),
    Step("lotrisk schemas check", r"compatible"),
    Step("lotrisk settings", r"LOTRISK_BOOTSTRAP_SERVERS"),
    Step("lotrisk deploy acls", r"--allow-principal User:lotrisk-worker"),
    Step("lotrisk deploy users", r"KafkaUser"),
    Step("lotrisk status --json", r'"workers"'),
    Step("lotrisk dlq show vehicles 3 17", r"no dead letter of vehicles at partition 3, offset 17", status=1),
)  # fmt: skip

ELSEWHERE = {
    "lotrisk broker": "test_the_command_ends_cleanly_on_a_signal",
    "lotrisk broker --port 0": "test_the_command_ends_cleanly_on_a_signal",
    "lotrisk broker --data-dir ./kafka": "test_the_command_keeps_the_data_it_is_told_to_keep",
    "lotrisk broker --keep": "test_the_command_keeps_the_data_it_is_told_to_keep",
    "lotrisk consume flags": "test_a_terminated_reader_shows_where_it_stands_and_ends",
    "lotrisk demo": "test_the_demo_ends_by_itself_with_every_record_accounted_for",
    "lotrisk demo --no-replay": "test_without_the_replay_it_shows_the_lot_of_a_day_and_killed_it_leaves_nothing_behind",
    "lotrisk demo --keep": "test_without_the_replay_it_shows_the_lot_of_a_day_and_killed_it_leaves_nothing_behind",
    "lotrisk replay": "test_the_autumn_of_2025_plays_through_compose",
    "LOTRISK_AS_OF=2025-10-08T00:00Z@1d/s lotrisk worker":
        "test_midnight_in_new_york_is_a_book_and_so_is_what_becomes_known",
    "LOTRISK_AS_OF=file:clock lotrisk worker": "test_a_signed_measure_waits_for_its_day_and_then_raises_what_it_hits",
    "LOTRISK_TRACES=otlp OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 lotrisk worker":
        "test_spans_reach_the_collector_and_dead_letters_the_log",
}  # fmt: skip
"""Lines that stay in the foreground or need more than this lot, and the test that types them."""

PROCLAMATION = """
[[measure]]
id = "CN-100"
authority = "section_338"
title = "Another 100% on goods of China"
instrument = "Made up"
origins = ["CN"]
scope = ["*"]
rate = 100
announced_at = 2026-09-01
effective_from = 2026-09-01
status = "in_force"
confidence = "H"
source = "S01"
"""


def on_pages() -> set[str]:
    """All lines that the pages give to type and that run `lotrisk`."""
    return {
        line
        for page in PAGES
        for line in lines_to_type(page.read_text("utf-8"))
        if (ours := OURS.search(line)) and ours[1].startswith("lotrisk ")
    }


class Shell:
    """A reader's terminal: a directory with the files that the pages speak of, Kafka, and the worker it started."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.directory = directory
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("LOTRISK_")} | {
            "PATH": f"{LOTRISK.parent}{os.pathsep}{os.environ['PATH']}",
            "LOTRISK_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "LOTRISK_TOPIC_PREFIX": settings.topic_prefix,
            "LOTRISK_GROUP": settings.group,
            "LOTRISK_PARTITIONS": str(settings.partitions),
            "LOTRISK_WEB_PORT": "0",
            "COLUMNS": "140",
        }
        self.worker: WorkerProcess | None = None
        (directory / "docs").symlink_to(ROOT / "docs")
        (directory / "proclamation.toml").write_text(PROCLAMATION, "utf-8")
        (directory / "vins.txt").write_text("3VWEW7BU9TM339447\n", "utf-8")
        (directory / "rows.csv").write_text("hts,origin,entry_date,value\n8703.80,CN,2026-10-01,30000\n", "utf-8")
        (directory / "inventory.csv").write_bytes((ROOT / "docs" / "examples" / "homenet.csv").read_bytes())
        with gzip.open(directory / "parts.txt.gz", "wb") as parts:
            parts.write((ROOT / "docs" / "examples" / "parts_master.txt").read_bytes())

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line, with yes to what it asks; stdout and stderr come together, as a reader sees them."""
        typed = line.replace("/var/lib/pricing/", "").replace(
            "--vehicles 100000 --parts 50000", "--vehicles 100 --parts 50"
        )
        if "get VIN" in typed:
            with (self.directory / "lot.jsonl").open("rb") as lot:
                typed = typed.replace("VIN", json.loads(next(lot))["vin"])
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", typed], cwd=self.directory, env=self._environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, input="y\n", timeout=DEADLINE_SECONDS,
        )  # fmt: skip

    def start_worker(self) -> None:
        """Leave a worker running."""
        self.worker = WorkerProcess(
            "worker", [str(LOTRISK), "worker"], self._environment, self.directory / "worker.log"
        )

    def shorten_lot(self) -> None:
        """Keep a part of the lot, vehicles and parts; northgate's vehicles come by the pages' own file, in full."""
        lines = (self.directory / "lot.jsonl").read_bytes().splitlines(keepends=True)
        vehicles = [line for line in lines if b'"vin"' in line and b'"northgate"' not in line][:VEHICLES]
        parts = [line for line in lines if b'"part_number"' in line][:PARTS]
        (self.directory / "lot.jsonl").write_bytes(b"".join(vehicles + parts))

    def close(self) -> None:
        """End what was left running."""
        if self.worker is not None:
            self.worker.send(signal.SIGTERM)
            try:
                self.worker.process.wait(30)
            finally:
                self.worker.close()


@pytest.fixture
def shell(tmp_path: Path, settings: Settings) -> Iterator[Shell]:
    opened = Shell(tmp_path, settings)
    try:
        yield opened
    finally:
        opened.close()


def test_every_line_of_the_pages_is_typed_here_or_elsewhere() -> None:
    here = {step.line for step in STEPS}
    assert on_pages() - here - set(ELSEWHERE) == set()
    assert set(ELSEWHERE) - on_pages() == set(), "no page has it any more"


def test_the_tests_elsewhere_exist() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py")))
    for line, name in ELSEWHERE.items():
        assert f"def {name}(" in tests, f"{line}: there is no {name}"


def test_the_lines_of_the_pages_do_what_their_pages_say(shell: Shell) -> None:
    wrong = []
    for step in STEPS:
        if step.line == "lotrisk worker":
            shell.start_worker()
            continue
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (complaint := complain(shell, step)) and _may_come(step.line) and time.monotonic() < deadline:
            time.sleep(0.5)  # a reader who types faster than the worker works, types again
        if complaint:
            wrong.append(complaint)
        if step.line == "lotrisk lot lot.jsonl":
            shell.shorten_lot()
    assert not wrong, "\n\n".join(wrong)


def _may_come(line: str) -> bool:
    return line.startswith(("lotrisk status", "lotrisk get", "lotrisk groups", "lotrisk policy", "lotrisk consume"))


def complain(shell: Shell, step: Step) -> str | None:
    """Type the line; what is wrong with what comes of it, None if nothing."""
    ran = shell.type(step.line)
    if ran.returncode != step.status or not re.search(step.says, ran.stdout):
        return f"$ {step.line}\nstatus {ran.returncode}, wanted {step.says!r}\n{ran.stdout[-1500:]}"
    if step.leaves is not None:
        name, holds = step.leaves
        left = (shell.directory / name).read_text("utf-8")
        if not re.search(holds, left):
            return f"$ {step.line}\n{name}: wanted {holds!r}\n{left[:1500]}"
    return None
