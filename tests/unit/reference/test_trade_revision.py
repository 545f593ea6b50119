"""The trade data and what it rates do not change without a higher number in `streams/reference/REVISION`.

A book's number begins with it: workers rate every record again when it rises, and only then.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import orjson

from streams.policy.book import build_book
from streams.policy.duty import DutyRates, rates
from streams.policy.facts import Claim, Facts
from streams.reference.trade import TradeReference, load_trade

RECORDED = Path(__file__).with_name("trade_revision.json")
LINES = (
    "8703.23 8703.80 8704.31 8704.60 8708.29.51 8708.99.81 8505.11.00 8518.29.80 8542.31 8507.60.00 8537.10.91 7320.10"
)
ORIGINS = ["CN", "JP", "KR", "DE", "MX", "CA", "GB", "TW", "BR", "MA"]
FACTS = (Facts(), Facts(claims=frozenset({Claim.AUTO_PART})))


def state(trade: TradeReference) -> dict[str, object]:
    """The revision, and digests of the data and of a grid of answers."""
    tables = (
        trade.measures, trade.stacking, trade.facts, trade.lines, trade.chapters, trade.licences, trade.content_rules,
        trade.control_scope, trade.control_codes,
    )  # fmt: skip
    data = [row.model_dump(mode="json", exclude={"note"}, exclude_defaults=True) for table in tables for row in table]
    book = build_book(trade, trade.verified)
    days = [trade.first_day + timedelta(days=97 * number) for number in range(40)]
    grid = itertools.product(LINES.split(), ORIGINS, days, FACTS)
    answers = [_answer(rates(book, line, origin, day, facts)) for line, origin, day, facts in grid]
    return {
        "revision": trade.revision,
        "data": _digest([data, trade.lists, trade.first_day, trade.last_day]),
        "rating": _digest(answers),
    }


def test_data_or_rating_change_only_with_the_revision() -> None:
    recorded = orjson.loads(RECORDED.read_bytes())
    found = state(load_trade())
    same = (found["data"], found["rating"]) == (recorded["data"], recorded["rating"])
    raise_it = (
        "" if int(str(found["revision"])) > recorded["revision"] else "raise streams/reference/REVISION by one, and "
    )
    assert same, f"{raise_it}write to {RECORDED.name}: {orjson.dumps(found).decode()}"
    went_back = "streams/reference/REVISION went back; roll back under a higher number"
    assert int(str(found["revision"])) >= recorded["revision"], went_back


def test_a_changed_rate_changes_the_digests() -> None:
    trade = load_trade()
    before = state(trade)
    changed = tuple(
        row.model_copy(update={"rate": Decimal(26)}) if row.id == "232-AUTO" else row for row in trade.measures
    )
    after = state(replace(trade, measures=changed))
    assert before["data"] != after["data"]
    assert before["rating"] != after["rating"]


def _answer(found: DutyRates) -> list[object]:
    parts = [
        None if one is None else [[part.measure, str(part.rate_percent.normalize())] for part in one.components]
        for one in (found.low, found.central, found.high)
    ]
    return [parts, found.missing_facts]


def _digest(document: object) -> str:
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS, default=_plain)).hexdigest()


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else str(value)
