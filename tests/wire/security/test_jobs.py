"""Each principal does its job over TLS and SCRAM with the catalogue's rights, by the commands a person would type."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.connection import kafka_python_options
from streams.principals import PRINCIPALS, Acl, Operation, Resource, acls
from streams.provisioning import apply_topics
from streams.settings import Settings
from streams.topics import VEHICLES, VEHICLES_ENRICHED
from streams.transport.lag import group_lag
from tests.wire.security.guarded import Clients, Guarded, allowed, of

LOTRISK = Path(sys.executable).with_name("lotrisk")
VIN = "1HGCM82633A004352"
PREFIX = "jobs."
SECONDS = 90.0


class Desk:
    """One cluster's users as a person uses them: commands with a user's environment."""

    def __init__(self, guarded: Guarded, scratch: Path, **more: str) -> None:
        self.guarded = guarded
        self._scratch = scratch
        self._more = more

    def environment(self, role: str) -> dict[str, str]:
        """Only what `role` sets, and nothing of this machine's own settings."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith("LOTRISK_")}
        secret = self._scratch / f"{role}.password"
        return bare | self.guarded.environment(of(role).user, secret) | {"LOTRISK_PARTITIONS": "2"} | self._more

    def run(self, role: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a lotrisk command as `role`; no password may show in what it prints."""
        ran = subprocess.run(
            [LOTRISK, *command], env=self.environment(role), capture_output=True, text=True, timeout=SECONDS,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        self.show_no_password(ran.stdout + ran.stderr)
        return ran

    def show_no_password(self, text: str) -> None:
        """What was printed or logged holds no user's password."""
        for password in self.guarded.passwords.values():
            assert password not in text

    @contextmanager
    def worker(self) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        """A worker as its user, with debug logs; they hold no password."""
        log = self._scratch / f"worker-{time.monotonic_ns()}.log"
        more = {
            "LOTRISK_STATE_DIR": str(self._scratch / "state"),
            "LOTRISK_WEB_PORT": "0",
            "LOTRISK_LOG_LEVEL": "DEBUG",
        }
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [LOTRISK, "worker"], env=self.environment("worker") | more, stdout=sink, stderr=sink
            )
        try:
            yield process, log
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self.show_no_password(log.read_text("utf-8"))


def metrics(log: Path) -> str:
    """What /metrics of the worker that writes `log` shows, once its port is open."""
    deadline = time.monotonic() + SECONDS
    while (found := re.search(r"metrics on (http://\S+)", log.read_text("utf-8"))) is None:
        assert time.monotonic() < deadline, log.read_text("utf-8")[-4000:]
        time.sleep(0.1)
    with urllib.request.urlopen(f"{found[1]}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def lot(path: Path) -> str:
    """A lot of one vehicle."""
    path.write_text(json.dumps({"dealer_id": "lakeside", "vin": VIN, "price_usd": "8995.00"}) + "\n", "utf-8")
    return str(path)


@pytest.fixture(scope="module")
def desk(guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Users of topics under a prefix of their own."""
    for principal in PRINCIPALS:
        guarded.grant(principal.user, acls(principal, prefix=PREFIX, group=PREFIX))
    return Desk(guarded, tmp_path_factory.mktemp("desk"), LOTRISK_TOPIC_PREFIX=PREFIX, LOTRISK_GROUP=PREFIX)


def test_each_principal_does_its_job(desk: Desk, tmp_path: Path) -> None:
    made = desk.run("admin", "topics", "apply", "--yes")
    assert made.returncode == 0, made.stdout + made.stderr
    loaded = desk.run("feeds", "load", lot(tmp_path / "lot.jsonl"), "--kind", "vehicles", "--snapshot")
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    with desk.worker() as (worker, log):
        deadline = time.monotonic() + SECONDS
        while (got := desk.run("operator", "get", VIN, "--compact")).returncode:
            assert worker.poll() is None, log.read_text("utf-8")[-4000:]
            assert time.monotonic() < deadline, got.stderr + log.read_text("utf-8")[-4000:]
        assert json.loads(got.stdout)["vin"] == VIN
        status = desk.run("operator", "status", "--json")
        assert [found["alive"] for found in json.loads(status.stdout)["workers"]] == [True], status.stderr
        letters = desk.run("operator", "dlq", "list", "vehicles")
        assert letters.returncode == 0, letters.stderr
        assert "dead letters of vehicles" in letters.stdout
        (tmp_path / "measures.jsonl").touch()
        imported = desk.run("policy", "policy", "import", str(tmp_path / "measures.jsonl"), "--yes")
        assert imported.returncode == 0, imported.stdout + imported.stderr
        exporter = desk.guarded.settings(of("exporter").user, topic_prefix=PREFIX, group=PREFIX)
        deadline = time.monotonic() + SECONDS
        while sum(lag.lag for lag in group_lag(exporter, [VEHICLES.full_name(PREFIX)])):
            assert time.monotonic() < deadline
        shown = metrics(log)
    assert re.search(r'lotrisk_exits_total\{reason="denied"\} 0\.0', shown)
    flags = desk.run("consumer", "consume", "flags", "--to-end", "--store", str(tmp_path / "flags.sqlite"))
    assert flags.returncode == 0, flags.stderr
    assert "open flags" in flags.stdout
    consumer = Clients(desk.guarded.settings(of("consumer").user))
    try:
        assert allowed(consumer.read, VEHICLES_ENRICHED.full_name(PREFIX), "lotrisk-consumer-pricing")
    finally:
        consumer.close()


def test_a_worker_refused_by_the_brokers_ends_and_counts_it_and_runs_once_it_is_let(
    guarded: Guarded, tmp_path: Path
) -> None:
    prefix, group = "denied.", "denied"
    admin = of("admin")
    guarded.grant(admin.user, acls(admin, prefix=prefix, group=group))
    apply_topics(guarded.settings(admin.user, topic_prefix=prefix, partitions=2))
    enriched = VEHICLES_ENRICHED.full_name(prefix)
    rights = acls(of("worker"), prefix=prefix, group=group)
    without = [
        Acl(acl.resource, acl.name, tuple(right for right in acl.operations if right is not Operation.WRITE))
        if (acl.resource, acl.name) == (Resource.TOPIC, enriched)
        else acl
        for acl in rights
    ]
    guarded.grant(of("worker").user, without)
    guarded.grant(of("feeds").user, acls(of("feeds"), prefix=prefix, group=group))
    desk = Desk(guarded, tmp_path, LOTRISK_TOPIC_PREFIX=prefix, LOTRISK_GROUP=group)
    loaded = desk.run("feeds", "load", lot(tmp_path / "lot.jsonl"), "--kind", "vehicles")
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    with desk.worker() as (worker, log):
        assert worker.wait(SECONDS) == 70, log.read_text("utf-8")[-4000:]
    assert "TopicAuthorizationFailed" in log.read_text("utf-8")
    guarded.grant(of("worker").user, rights)
    with desk.worker() as (_, log):
        shown = metrics(log)
        settings: Settings = guarded.settings(of("exporter").user, topic_prefix=prefix, group=group)
        guarded.grant(of("exporter").user, acls(of("exporter"), prefix=prefix, group=group))
        deadline = time.monotonic() + SECONDS
        while sum(lag.lag for lag in group_lag(settings, [VEHICLES.full_name(prefix)])):
            assert time.monotonic() < deadline, log.read_text("utf-8")[-4000:]
    assert re.search(r'lotrisk_exits_total\{reason="denied"\} 1\.0', shown), "the denial is in the worker's own metric"


def test_the_exporter_of_a_user_that_may_not_ask_counts_each_refusal(desk: Desk, tmp_path: Path) -> None:
    log = tmp_path / "lag.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [LOTRISK, "lag", "--port", "0", "--every", "0.2"],
            env=desk.environment("consumer"),
            stdout=sink,
            stderr=sink,
        )
    try:
        deadline = time.monotonic() + SECONDS
        shown = ""
        while not re.search(r"^lotrisk_lag_questions_denied_total [2-9]", shown, re.MULTILINE):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, shown + log.read_text("utf-8")
            if ready := re.search(r"ready on (http://\S+)", log.read_text("utf-8")):
                with urllib.request.urlopen(ready[1], timeout=10) as answer:
                    shown = answer.read().decode()
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert "lotrisk_brokers_up 0.0" in shown
    assert "lotrisk_group_lag_records{" not in shown
    assert "the brokers refuse this user" in log.read_text("utf-8")
    desk.show_no_password(log.read_text("utf-8"))


OF_OTHERS = {
    "admin": ("load", "lot.jsonl", "--kind", "vehicles"),
    "dms": ("get", VIN),
    "feeds": ("get", VIN),
    "policy": ("topics", "apply", "--yes"),
    "worker": ("load", "lot.jsonl", "--kind", "vehicles"),
    "exporter": ("consume", "flags", "--to-end", "--store", "flags.sqlite"),
    "consumer": ("policy", "import", "measures.jsonl", "--yes"),
    "operator": ("policy", "import", "measures.jsonl", "--yes"),
}
"""For each user a command that is another's job."""


@pytest.mark.parametrize("role", [principal.role for principal in PRINCIPALS])
def test_the_job_of_another_is_refused_and_the_command_says_so(
    desk: Desk, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_topics(desk.guarded.settings(of("admin").user, topic_prefix=PREFIX, partitions=2))
    lot(tmp_path / "lot.jsonl")
    (tmp_path / "measures.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    ran = desk.run(role, *OF_OTHERS[role])
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    assert re.search("authoriz|right|refuse|may not", ran.stderr, re.IGNORECASE), ran.stderr


@pytest.mark.parametrize("prefix", ["", "bare."], ids=["records on it", "nothing on it"])
@pytest.mark.parametrize(
    ("command", "topic"),
    [
        (("groups",), "groups.enriched"),
        (("get", VIN), "vehicles.enriched"),
        (("dlq", "list", "vehicles"), "dms.vehicles.dlq"),
    ],
    ids=["groups", "get", "dlq list"],
)
def test_who_may_describe_a_topic_and_not_read_it_is_told_that_right_is_missing(
    guarded: Guarded, tmp_path: Path, prefix: str, command: tuple[str, ...], topic: str
) -> None:
    for role in ("admin", "operator"):
        guarded.grant(of(role).user, acls(of(role), prefix=prefix))
    apply_topics(guarded.settings(of("admin").user, topic_prefix=prefix, partitions=2))
    desk = Desk(guarded, tmp_path, LOTRISK_TOPIC_PREFIX=prefix)
    refused = desk.run("admin", *command)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert f"{prefix}{topic} can't be read by this user: it has no right to read it" in refused.stderr
    if prefix:
        let = desk.run("operator", *command)
        assert "no right" not in let.stdout + let.stderr, "it may read, and nothing is there"


def test_no_option_of_a_client_shows_the_password(guarded: Guarded) -> None:
    options = kafka_python_options(guarded.settings("lotrisk-worker"))
    assert guarded.passwords["lotrisk-worker"] not in repr(options)
