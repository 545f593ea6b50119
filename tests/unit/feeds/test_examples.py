"""The example files in the docs load without a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.feeds.kind import Kind
from streams.feeds.records import FeedRecord
from streams.feeds.source import Reading, open_feed

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.mark.parametrize(("name", "kind"), [("homenet.csv", Kind.VEHICLES), ("parts_master.txt", Kind.PARTS)])
def test_an_example_loads_without_a_fault(name: str, kind: Kind) -> None:
    with open_feed(str(EXAMPLES / name)) as feed:
        items = list(feed.items(Reading(dealer="northgate")))
    good = [item for item in items if isinstance(item, FeedRecord)]
    assert len(good) == len(items) == 24
    assert {(record.kind, record.dealer_id) for record in good} == {(kind, "northgate")}
