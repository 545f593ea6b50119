"""The pages of failures are whole: what one sees, which alert comes, what to do, which test rehearses it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(page for page in (ROOT / "docs" / "failure-modes").glob("*.md") if page.name != "README.md")
ASKED_FOR = {
    "broker-gone", "slow-broker", "poison-pill", "dlq-full", "rebalance-storm", "disk-full", "clock-skew",
    "stale-policy", "worker-stuck",
}  # fmt: skip
RULES = (ROOT / "deploy" / "prometheus" / "rules.yml").read_text("utf-8")
TESTS = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py")))
METRICS = (ROOT / "streams" / "metrics.py").read_text("utf-8") + (
    ROOT / "streams" / "web" / "lag_exporter.py"
).read_text()


def test_every_failure_has_its_page_and_stands_in_the_list() -> None:
    names = {page.stem for page in PAGES}
    listed = set(re.findall(r"\]\(([a-z-]+)\.md\)", (ROOT / "docs" / "failure-modes" / "README.md").read_text("utf-8")))
    assert names >= ASKED_FOR
    assert listed == names


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_says_all_that_is_needed(page: Path) -> None:
    text = page.read_text("utf-8")
    for part in ("**What you see.**", "**Alert.**", "**What to do.**", "**Rehearsed by**"):
        assert part in text, f"{page.name} lacks {part}"


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    rehearsals = set(re.findall(r"`(test_\w+)`", text))
    assert rehearsals, f"{page.name} names no test"
    for name in rehearsals:
        assert f"def {name}(" in TESTS, f"{page.name}: there is no {name}"
    for alert in set(re.findall(r"\b(Lotrisk[A-Z]\w+)", text)):
        assert f"alert: {alert}\n" in RULES, f"{page.name}: there is no alert {alert}"
    for metric in set(re.findall(r"`(lotrisk_\w+)", text)):
        assert f'"{metric}"' in METRICS, f"{page.name}: there is no metric {metric}"
