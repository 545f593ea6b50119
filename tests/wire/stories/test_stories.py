"""Stories of the market, told by what a dealer sees: measures come, change, lapse, never come, and flags follow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.wire.stories.market import KIA, MERCEDES, RADIO, SPEAKER, Market, open_market

COST_UP = "replacement_cost_up"
PART_UP = "part_cost_up"
STOCKOUT = "stockout_before_supply"


@pytest.fixture
def market(settings: Settings, tmp_path: Path) -> Iterator[Market]:
    with open_market(settings, tmp_path, KIA, MERCEDES, RADIO, SPEAKER) as opened:
        yield opened


def duty(id: str, **changes: object) -> dict[str, object]:
    """25% more on cars of Korea, law since September."""
    found = {
        "id": id, "authority": "section_test", "title": f"Story {id}", "instrument": "test", "heading": "9903.99.99",
        "origins": ["KR"], "scope": ["8703"], "rate": "25", "announced_at": "2026-09-01", "recorded_at": "2026-09-01",
        "effective_from": "2026-09-01", "status": "in_force", "confidence": "H", "source": "GK",
    } | changes  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def test_a_measure_raises_flags_on_what_it_hits_and_its_withdrawal_clears_them(market: Market) -> None:
    assert not market.open_flags(KIA)
    before = market.replacement_percent(KIA)
    market.publish(
        duty("STORY-CARS"),
        duty("STORY-PARTS", origins=["CN"], scope=["8527"], rate="60", heading="9903.99.98"),
    )
    assert market.replacement_percent(KIA) == before + 25
    [raised] = market.events(KIA, COST_UP)
    assert (raised["change"], raised["measure"], raised["action"], raised["owner"]) == (
        "raised", "STORY-CARS", "hold", "new",
    )  # fmt: skip
    assert float(raised["dollars_at_stake"]) > 750
    [dearer] = market.events(RADIO, PART_UP)
    assert (dearer["change"], dearer["measure"], dearer["action"]) == ("raised", "STORY-PARTS", "reprice")
    assert raised["book"] == dearer["book"], "one file is one event, one event is one book"
    assert COST_UP in market.open_flags(KIA)
    assert not market.changes(MERCEDES, COST_UP)
    assert not market.changes(SPEAKER, PART_UP)

    market.withdraw("STORY-CARS")
    assert market.changes(KIA, COST_UP) == ["raised", "cleared"]
    assert len({event["episode"] for event in market.events(KIA, COST_UP)}) == 1
    assert market.replacement_percent(KIA) == before
    assert not market.open_flags(KIA)
    assert market.changes(RADIO, PART_UP) == ["raised"], "the other measure stands"


def test_a_dearer_measure_changes_the_flag_by_a_step_and_a_hair_more_says_nothing(market: Market) -> None:
    market.publish(duty("STORY"))
    first = float(market.events(KIA, COST_UP)[0]["dollars_at_stake"])
    market.publish(duty("STORY", rate="26"))
    assert market.replacement_percent(KIA) == 41
    assert market.changes(KIA, COST_UP) == ["raised"]
    market.publish(duty("STORY", rate="40"))
    assert market.changes(KIA, COST_UP) == ["raised", "changed"]
    assert float(market.events(KIA, COST_UP)[-1]["dollars_at_stake"]) >= first + 500


def test_a_threat_without_authority_reprices_nothing_and_leaves_with_its_withdrawal(market: Market) -> None:
    prices = [market.record(goods)["expected_invoice_change"] for goods in (KIA, RADIO)]
    percent = market.replacement_percent(KIA)
    market.publish(
        duty(
            "STORY-THREAT", authority="threat", origins=["KR", "CN"], scope=["*"], rate="100", heading=None,
            status="announced", effective_from=None, recorded_at=None, announced_at="2026-09-30",
            requires=["threat_stacks_on_232"],
        )
    )  # fmt: skip
    assert not market.changes(KIA, COST_UP)
    assert not market.changes(RADIO, PART_UP)
    assert [market.record(goods)["expected_invoice_change"] for goods in (KIA, RADIO)] == prices
    assert market.replacement_percent(KIA) == percent, "what is only announced is in no total"
    hangs = market.record(KIA)["tariff"]["importer_duty"]["threatened"]["STORY-THREAT"]
    assert hangs["legal_status"] == "announced"
    assert hangs["added_percent"][0] == 0, "whether it would add to Section 232 goods is a range"
    assert hangs["added_percent"][2] == 100

    market.withdraw("STORY-THREAT")
    assert "STORY-THREAT" not in (market.record(KIA)["tariff"]["importer_duty"].get("threatened") or {})
    assert not market.changes(KIA, COST_UP)


def test_a_signed_measure_waits_for_its_day_and_then_raises_what_it_hits(market: Market) -> None:
    market.publish(duty("STORY-SIGNED", status="signed", effective_from="2026-10-05", recorded_at="2026-09-30"))
    hangs = market.record(KIA)["tariff"]["importer_duty"]["threatened"]["STORY-SIGNED"]
    assert (hangs["legal_status"], hangs["effective_from"]) == ("signed", "2026-10-05")
    assert not market.changes(KIA, COST_UP)
    market.wait_for(date(2026, 10, 5))
    [raised] = market.events(KIA, COST_UP)
    assert raised["measure"] == "STORY-SIGNED"
    assert raised["since"] == "2026-10-05T04:00:00Z", "midnight in the US East, the day it became law"
    assert "STORY-SIGNED" not in (market.record(KIA)["tariff"]["importer_duty"].get("threatened") or {})


def test_a_cut_of_the_past_lowers_what_is_entered_now_and_clears_no_flag(market: Market) -> None:
    market.publish(duty("STORY-CUT"))
    assert market.changes(KIA, COST_UP) == ["raised"]
    market.publish(
        duty(
            "STORY-CUT", rate=None,
            steps=[
                {"from": "2026-09-01", "rate": "25", "recorded_at": "2026-09-01"},
                {"from": "2026-09-15", "rate": "5", "recorded_at": "2026-10-01"},
            ],
        )
    )  # fmt: skip
    assert market.replacement_percent(KIA) == 20
    assert market.changes(KIA, COST_UP) == ["raised"], "the refund is the importer's"
    assert COST_UP in market.open_flags(KIA)


def test_a_refund_back_to_the_first_day_clears_no_flag_either(market: Market) -> None:
    market.publish(duty("STORY-REFUND"))
    market.publish(duty("STORY-REFUND", effective_to="2026-09-14", end_recorded_at="2026-10-01"))
    assert market.replacement_percent(KIA) == 15
    assert market.changes(KIA, COST_UP) == ["raised"]


def test_a_suspension_that_lapses_is_for_review_and_never_silently_clear(market: Market) -> None:
    [short] = market.events(SPEAKER, STOCKOUT)
    assert (short["severity"], short.get("measure")) == ("info", None)
    market.publish(
        duty(
            "STORY-CONTROL", kind="export_control", origins=["CN"], scope=[], rate=None, heading=None,
            elements=["Nd"], item_classes=["magnet"], status="suspended", suspended_from="2026-09-10",
            suspended_until="2026-10-04",
        )
    )  # fmt: skip
    assert market.changes(SPEAKER, STOCKOUT) == ["raised"], "suspended, it holds nothing up"
    assert "STORY-CONTROL" not in str(market.record(SPEAKER)["exposure"])

    market.wait_for(date(2026, 10, 5))
    assert market.changes(SPEAKER, STOCKOUT) == ["raised", "changed"]
    review = market.events(SPEAKER, STOCKOUT)[-1]
    assert review["severity"] == "warning"
    assert review["confidence"] == "L"
    assert (review["measure"], review["top_missing_fact"]) == ("STORY-CONTROL", "operator_confirmed_status")
    exposure = market.record(SPEAKER)["exposure"]
    assert exposure["under_review"] == ["STORY-CONTROL"]
    assert "STORY-CONTROL" not in exposure["controlled_by"], "for review is neither in force nor gone"
    [asked] = market.digest("review_required")
    assert (asked["change"], asked["owner"], asked["measure"]) == ("raised", "policy", "STORY-CONTROL")


def test_what_is_sold_takes_its_flags_along_and_comes_back_with_an_episode_of_its_own(market: Market) -> None:
    market.publish(duty("STORY"))
    market.sell(KIA)
    assert market.changes(KIA, COST_UP) == ["raised", "cleared"]
    market.publish(duty("STORY", rate="40"))
    assert market.changes(KIA, COST_UP) == ["raised", "cleared"], "what left the lot is not rated any more"
    market.stock(KIA)
    assert market.changes(KIA, COST_UP) == ["raised", "cleared", "raised"]
    first, _, again = market.events(KIA, COST_UP)
    assert first["episode"] != again["episode"]
    assert float(again["dollars_at_stake"]) > float(first["dollars_at_stake"])
