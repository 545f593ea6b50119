"""docs/contracts.md says what the code says: topics, headers, reasons, versions, and its examples are valid."""

from __future__ import annotations

import re

import pytest

from schemas import VERSION, cloudevents, dead_letter
from schemas.generation import CONTRACTS, ROOT
from schemas.vehicle import Vehicle
from streams.enrich.outcome import Reason
from streams.topics import CATALOGUE, Topic

PAGE = (ROOT.parent / "docs" / "contracts.md").read_text("utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_each_topic_stands_there_with_its_key_and_policy(topic: Topic) -> None:
    (row,) = [row for row in ROWS if row[0] == f"`{topic.name}`"]
    assert row[1].strip("`") == topic.key
    days = topic.configs.get("retention.ms")
    kept = (
        {None: "", "-1": ", kept for ever"}.get(days) if days in (None, "-1") else f", {int(days) // 86_400_000} days"
    )
    assert row[2] == f"{topic.configs['cleanup.policy']}{kept}"


def test_no_topic_stands_there_that_is_not_in_the_catalogue() -> None:
    start = PAGE.index("## Topics")
    section = PAGE[start : PAGE.index("## Keys", start)]
    named = re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)
    assert named == [topic.name for topic in CATALOGUE]


def test_each_header_and_each_reason_has_its_row() -> None:
    first = {name for row in ROWS for name in re.findall(r"`([^`]+)`", row[0])}
    headers = {
        cloudevents.SPECVERSION,
        cloudevents.TYPE,
        cloudevents.SOURCE,
        cloudevents.ID,
        cloudevents.TIME,
        cloudevents.DATASCHEMA,
        cloudevents.CONTENT_TYPE,
        cloudevents.TRACEPARENT,
        cloudevents.ORDER,
        *dead_letter.HEADER_NAMES,
    }
    assert headers <= first
    reasons = {row[0].strip("`") for row in ROWS if row[0].strip("`") in set(Reason)}
    assert reasons == set(Reason)
    assert dead_letter.REPLAY in PAGE
    assert all(type_.value in PAGE for type_ in cloudevents.EventType)


def test_version_and_schema_id_are_the_present_ones() -> None:
    assert f"now {VERSION}," in PAGE
    assert cloudevents.schema_uri("enriched-vehicle") in PAGE
    assert {contract.name for contract in CONTRACTS} - {"flag"} <= set(re.findall(r"json/([a-z-]+)\.schema", PAGE))


def test_the_records_on_the_page_are_valid() -> None:
    records = re.findall(r"\{\"dealer_id.*?\}", PAGE)
    assert len(records) == 2
    for record in records:
        Vehicle.model_validate_json(record)
