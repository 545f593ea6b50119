"""Metrics, recorded series, settings, alerts and topics that README and the docs name exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from deploy.prometheus import rules
from streams.metrics import CATALOGUE, LAG_CATALOGUE
from streams.settings import Settings
from tests.contract.frame.generated import ROOT
from tests.contract.frame.test_links import PAGES

SERIES = re.compile(r"`(lotrisk[_:][a-z0-9_:]+\*?)(?:\{[^`]*)?`|\b(?:rate|increase|sum|max|min)\((lotrisk_\w+)")
VARIABLE = re.compile(r"\bLOTRISK_[A-Z0-9_]+\b")
ALERT = re.compile(r"\bLotrisk[A-Z][A-Za-z]+\b")
BESIDE = re.compile(r"\"(LOTRISK_[A-Z0-9_]+)\"")


@cache
def series() -> set[str]:
    """What a scrape or a rule brings."""
    listed = (*CATALOGUE, *LAG_CATALOGUE)
    parts = {f"{one.name}_{part}" for one in listed if one.buckets for part in ("bucket", "count", "sum")}
    return {one.name for one in listed} | parts | {rule.record for rule in rules.recordings(rules.Pace())}


@cache
def variables() -> set[str]:
    """The settings, and what failpoints and the long tests read besides."""
    named = {f"LOTRISK_{name.upper()}" for name in Settings.model_fields}
    for path in (*(ROOT / "streams").rglob("*.py"), *(ROOT / "tests").rglob("*.py")):
        if path != Path(__file__):
            named |= set(BESIDE.findall(path.read_text("utf-8")))
    return named


@cache
def alerts() -> set[str]:
    return {alert.name for alert in rules.alerts(rules.Pace())}


def unknown(text: str) -> list[str]:
    """Names in `text` that nothing has; `lotrisk_lot_*` stands for all that begin so."""
    found = []
    for name in map("".join, SERIES.findall(text)):
        begin = name.removesuffix("*")
        if name not in series() and not (begin != name and any(one.startswith(begin) for one in series())):
            found.append(name)
    found += [name for name in VARIABLE.findall(text) if name not in variables()]
    return found + [name for name in ALERT.findall(text) if name not in alerts()]


# The bench's page speaks of its runs, whose names look like metrics.
@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/performance.md"])
def test_what_a_page_names_exists(page: str) -> None:
    assert unknown((ROOT / page).read_text("utf-8")) == []


@pytest.mark.parametrize(
    "name", ["lotrisk_records_gone_total", "lotrisk:lag:sum", "LOTRISK_COFFEE", "LotriskNoCoffee", "lotrisk_brew_*"]
)
def test_a_name_that_does_not_exist_is_found(name: str) -> None:
    assert unknown(f"see `{name}`, or {name}")
