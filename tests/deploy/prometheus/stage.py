"""The stage of the live tests: Kafka, two workers under an orchestrator, the lag exporter, traffic, Prometheus and
Alertmanager with a webhook, all on free ports."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from kafka import KafkaProducer

from deploy.prometheus import configuration, rules
from deploy.prometheus.generate import to_yaml
from streams.broker import EmbeddedKafka
from streams.broker.ports import free_port
from streams.reference import load
from streams.settings import Settings
from streams.topics import PARTS, VEHICLES
from tests.rehearsal.fleet import WorkerProcess
from tests.rehearsal.sink import Sink
from tests.wire.kafka_io import create_topics, wait_until

LOTRISK = str(Path(sys.executable).with_name("lotrisk"))
PREFIX = "live."
GROUP = "live"
PARTITIONS = 2
BEFORE = "2026-10-15T00:00Z"
"""The workers' day: before the suspension of China's controls ends (fact sheet 4)."""
VINS = ("5LMPJ8JA1RJ946299", "JTMRWRFV5RD123456", "3VWEW7BU9TM339447")
"""Of China, Japan and Mexico, a hybrid among them: there is duty to show."""
VEHICLES_A_SECOND, PARTS_A_SECOND = 120, 10
RESTART_SECONDS = 1.0
START_DEADLINE_SECONDS = 120.0
SCALES = (60, 40, 30, 24, 20, 15)


def pace_for(start_seconds: float) -> rules.Pace:
    """A minute in a second where workers start quickly, slower where the machine has other work.

    A start takes as long as it takes: a window of a quarter of an hour must see before and after it. `start_seconds` is
    what it took when all started at once, longer than for one alone.
    """
    scale = next((scale for scale in SCALES if 15 * rules.MINUTE / scale >= 1.5 * start_seconds), SCALES[-1])
    return rules.Pace(scale=scale, scrape_seconds=60 / scale)


class Seen(NamedTuple):
    """One message about one alert at the webhook; `at` is this machine's steady clock."""

    at: float
    firing: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class Webhook(Sink):
    """Takes Alertmanager's messages."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        super().__init__(self._take)

    def _take(self, body: bytes) -> None:
        now = time.monotonic()
        for alert in json.loads(body)["alerts"]:
            self.seen.append(Seen(now, alert["status"] == "firing", alert["labels"], alert["annotations"]))

    def fired_since(self, name: str, at: float) -> float | None:
        """When the first message came, after `at`, that the alert fires."""
        return next((one.at for one in self.of(name) if one.firing and one.at >= at), None)

    def quiet_since(self, name: str, at: float = 0.0) -> float | None:
        """When, after `at`, the last of the alert's instances was told to be over; None while one fires."""
        firing: set[str] = set()
        over: float | None = at
        for one in self.of(name):
            key = json.dumps(one.labels, sort_keys=True)
            (firing.add if one.firing else firing.discard)(key)
            if firing:
                over = None
            elif over is None or one.at <= at:
                over = max(at, one.at)
        return over

    def of(self, name: str) -> list[Seen]:
        """All messages about an alert."""
        return [one for one in list(self.seen) if one.labels["alertname"] == name]


class Pod:
    """One process under an orchestrator: always the same port and state, started again when it ends."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self.environment = dict(environment)
        self._command = list(command)
        self._logs = logs
        self._starts = 0
        self._wanted = False
        self._lock = threading.Lock()
        self.process: WorkerProcess | None = None

    def start(self, command: Sequence[str] | None = None, **more: str) -> None:
        """Start it, this time with `more` variables and another command; later starts are without them."""
        with self._lock:
            self._wanted = True
            self._start(command or self._command, more)

    def _start(self, command: Sequence[str], more: Mapping[str, str]) -> None:
        self._starts += 1
        log = self._logs / f"{self.name}-{self._starts:02d}.log"
        self.process = WorkerProcess(self.name, list(command), {**self.environment, **more}, log)

    def is_ready(self) -> bool:
        """Whether the worker has said so since its last start."""
        return self.process is not None and "worker ready" in self.process.said()

    def look(self) -> None:
        """What an orchestrator does every so often."""
        with self._lock:
            if self._wanted and self.process is not None and not self.process.alive:
                self.process.close()
                self._start(self._command, {})

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and leave it so."""
        with self._lock:
            self._wanted = False
            if self.process is not None:
                self.process.send(number)
                with suppress(Exception):
                    self.process.process.wait(25)
                self.process.close()

    def restart(self, command: Sequence[str] | None = None, **more: str) -> None:
        """A rollout."""
        self.end()
        self.start(command, **more)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self.process is not None:
            self.process.send(number)


class Stage:
    """Everything, running, and watched once that is asked for; a context manager."""

    def __init__(self, directory: Path, prometheus: str, alertmanager: str) -> None:
        self._directory = directory
        self._programs = (prometheus, alertmanager)
        self._stack = ExitStack()
        self._over = threading.Event()
        self.bad_share = 0.0
        self.pace = rules.Pace()
        self.start_seconds = 0.0
        self.names: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._stack.close()

    def _start(self) -> None:
        self.kafka = self._stack.enter_context(EmbeddedKafka())
        self.settings = Settings(
            bootstrap_servers=self.kafka.bootstrap_servers,
            topic_prefix=PREFIX,
            group=GROUP,
            partitions=PARTITIONS,
        )
        create_topics(self.settings)
        self.webhook = Webhook()
        self._stack.callback(self.webhook.close)
        ports: list[int] = []
        for _ in range(5):
            ports.append(free_port(ports))
        a, b, lag, prometheus, alertmanager = ports
        self.names = {f"127.0.0.1:{a}": "worker-a", f"127.0.0.1:{b}": "worker-b", f"127.0.0.1:{lag}": "lag"}
        common = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOTRISK_")},
            "LOTRISK_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "LOTRISK_TOPIC_PREFIX": PREFIX,
            "LOTRISK_GROUP": GROUP,
            "LOTRISK_PARTITIONS": str(PARTITIONS),
            "LOTRISK_AS_OF": f"{BEFORE}@1s/s",
            "LOTRISK_SESSION_TIMEOUT_SECONDS": "8",
            "LOTRISK_REBALANCE_TIMEOUT_SECONDS": "15",
            "LOTRISK_DRAIN_SECONDS": "2",
            "LOTRISK_TRANSACTION_TIMEOUT_SECONDS": "5",
            "LOTRISK_DLQ_MAX_CONSECUTIVE": "20",
        }
        self.a, self.b = (
            Pod(
                name,
                [LOTRISK, "worker"],
                {**common, "LOTRISK_WEB_PORT": str(port), "LOTRISK_STATE_DIR": str(self._directory / name)},
                self._directory,
            )
            for name, port in (("a", a), ("b", b))
        )
        self.lag = Pod(
            "lag", [LOTRISK, "lag", "--port", str(lag), "--every", "0.5", "--timeout", "1"], common, self._directory
        )
        self.workers = (self.a, self.b)
        for pod in (self.a, self.b, self.lag):
            self._stack.callback(pod.end, signal.SIGKILL)
        began = time.monotonic()
        for pod in (self.a, self.b, self.lag):
            pod.start()
        wait_until(lambda: all(pod.is_ready() for pod in self.workers), START_DEADLINE_SECONDS, what=self.said)
        self.start_seconds = time.monotonic() - began
        self._in_background(self._orchestrate)
        self._in_background(self._traffic)
        self._targets = {rules.WORKERS: [f"127.0.0.1:{a}", f"127.0.0.1:{b}"], rules.EXPORTER: [f"127.0.0.1:{lag}"]}
        self._monitors = prometheus, alertmanager

    def watch(self, pace: rules.Pace) -> None:
        """Start Prometheus and Alertmanager with the rules at a pace."""
        self.pace = pace
        prometheus, alertmanager = self._monitors
        targets = self._targets
        verified = datetime.combine(load().trade.verified, datetime.min.time(), UTC)
        pace = replace(pace, verified_days=(datetime.now(UTC) - verified).days + 30)
        config = self._directory
        (config / "rules.yml").write_text(to_yaml(rules.document(pace)), "utf-8")
        (config / "alertmanager.yml").write_text(to_yaml(configuration.alertmanager(pace, self.webhook.url)), "utf-8")
        (config / "prometheus.yml").write_text(
            to_yaml(configuration.prometheus(pace, targets=targets, alertmanager=f"127.0.0.1:{alertmanager}")), "utf-8"
        )
        self.url = f"http://127.0.0.1:{prometheus}"
        commands = {
            "alertmanager": [
                self._programs[1], f"--config.file={config / 'alertmanager.yml'}",
                f"--storage.path={config / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{alertmanager}",
                "--cluster.listen-address=",
            ],
            "prometheus": [
                self._programs[0], f"--config.file={config / 'prometheus.yml'}",
                f"--storage.tsdb.path={config / 'prometheus'}", f"--web.listen-address=127.0.0.1:{prometheus}",
                "--rules.alert.resend-delay=1s",
            ],
        }  # fmt: skip
        for name, command in commands.items():
            process = WorkerProcess(name, command, os.environ, config / f"{name}.log")
            self._stack.callback(process.close)
            self._stack.callback(process.send, signal.SIGTERM)
        said = (config / "prometheus.log").read_text
        wait_until(lambda: self._answers("/-/ready"), 60, what=lambda: said("utf-8"))

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.url + path, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    # -- what goes on meanwhile

    def _in_background(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._stack.callback(thread.join, 20)
        self._stack.callback(self._over.set)

    def _orchestrate(self) -> None:
        while not self._over.wait(RESTART_SECONDS):
            for pod in (self.a, self.b, self.lag):
                pod.look()

    def _traffic(self) -> None:
        """A lot whose prices move, and where some are sold; `bad_share` of the vehicles can't be read."""
        producer = KafkaProducer(bootstrap_servers=self.kafka.bootstrap_servers, max_block_ms=2000)
        vehicles, parts = (topic.full_name(PREFIX) for topic in (VEHICLES, PARTS))
        number = 0
        while not self._over.wait(0.1):
            with suppress(Exception):  # while the broker is away; what it misses nobody counts
                for _ in range(VEHICLES_A_SECOND // 10):
                    number += 1
                    dealer, vin = f"d{number % 50}", VINS[number % 3]
                    bad = number * self.bad_share % 1 < self.bad_share
                    price = f"{30_000 + number % 9_000}.00"
                    record = {"dealer_id": dealer, "vin": vin, "stock_class": "new", "msrp_usd": price,
                              "invoice_usd": price, "entry_date": "2026-06-01"}  # fmt: skip
                    value = b"{" if bad else json.dumps(record).encode() if number % 40 else None
                    producer.send(vehicles, value, key=f"{dealer}:{vin}".encode())
                for _ in range(PARTS_A_SECOND // 10):
                    part = {"dealer_id": f"d{number % 50}", "part_number": "04152-YZZA1", "description": "OIL FILTER",
                            "cost_usd": f"{number % 40}.10"}  # fmt: skip
                    if number // 1000 % 2:  # else it has no known origin: a flag rises, and is cleared again
                        part["country_of_origin"] = "US"
                    producer.send(parts, json.dumps(part).encode(), key=f"d{number % 50}:04152-YZZA1".encode())
        producer.close(timeout=2)

    def minutes(self, count: float) -> float:
        """Seconds that so many minutes of the rules' time take here."""
        return self.pace.seconds(count * rules.MINUTE)

    # -- Prometheus

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now."""
        return self._ask("query", query=expression)

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """What an expression gave, Unix seconds."""
        return self._ask("query_range", query=expression, start=str(start), end=str(end), step=str(step))

    def _ask(self, kind: str, **arguments: str) -> list[dict[str, Any]]:
        url = f"{self.url}/api/v1/{kind}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{arguments['query']}: {error.read().decode()}") from error
        return result

    def value(self, expression: str) -> float | None:
        """The one value of an expression, None where there is none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def is_calm(self) -> bool:
        """Whether both workers have partitions, nothing waits, and the exporter sees it."""
        holders = self.value("count(count by (instance) (lotrisk_lag_records))")
        lag = self.value("sum(lotrisk_group_lag_records)")
        return holders == len(self.workers) and lag is not None and lag < 2 * VEHICLES_A_SECOND

    def said(self) -> str:
        """The ends of all logs and what the webhook heard, for a failed test."""
        heard = [f"{one.at:.1f} {'firing' if one.firing else 'over'} {dict(one.labels)}" for one in self.webhook.seen]
        parts = ["webhook:", *heard[-60:]]
        for path in sorted(self._directory.glob("*.log")):
            parts.append(f"--- {path.name}\n" + "\n".join(path.read_text("utf-8", "replace").splitlines()[-12:]))
        return "\n".join(parts)
