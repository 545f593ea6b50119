"""Partials join to a group, groups are summed, and their flags are said once."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.group import EnrichedGroup
from streams import reference
from streams.enrich.context import Context
from streams.enrich.group import enrich_group
from streams.enrich.group_totals import TotalKey, join_total, read_total_key, total_key
from streams.enrich.outcome import Enriched, Reason, Rejected, Removed
from streams.policy.book import build_book
from streams.reference.trade_records import MeasureRecord

REFERENCE = reference.load()
CAMRY = "model:TOYOTA/Camry"


def context(day: date = date(2026, 10, 1), *overrides: MeasureRecord) -> Context:
    return Context(REFERENCE, build_book(REFERENCE.trade, day, overrides))


DAY = date(2026, 10, 1)
CONTEXT = context()


def partial(group: str = CAMRY, position: int = 5, topic_id: str = "id", **more: Any) -> bytes:
    fields = {
        "group": group, "topic_id": topic_id, "position": position, "book": "1.0.-1.2026-09-29", "records": 2,
        "units_e3": 2000, "value_cents": 6_000_000, "value_unknown": 0, "landed_cents": [1, 2, 3], "landed_unknown": 1,
        "replacement_cents": [4, 5, 6], "replacement_unknown": 0, "change_cents": [-7, 0, 8], "change_unknown": 0,
        "grams_e4": {"Nd": [1, 20_000, 3]}, "grams_unknown": 0,
    }  # fmt: skip
    return orjson.dumps(fields | more)


def joined(*records: tuple[bytes, bytes | None]) -> dict[bytes, bytes | None]:
    held: dict[bytes, bytes | None] = {}
    for key, value in records:
        found = join_total(key, value, held.get)
        assert isinstance(found, tuple), found
        assert not isinstance(found, Rejected)
        held[found[0]] = found[1]
    return held


def group(group: str = CAMRY, context: Context = CONTEXT, **more: Any) -> EnrichedGroup:
    """One partition's totals as an enriched group, with the flags it calls for."""
    [(key, canonical)] = joined((total_key(group, "dms.vehicles", 0), partial(group, **more))).items()
    found = enrich_group(key, canonical, context)
    assert isinstance(found, Enriched), found
    return EnrichedGroup.model_validate_json(found.value)


def flags(group_: EnrichedGroup) -> dict[str, Any]:
    return {flag.type: flag for flag in group_.flags}


@given(st.text(min_size=1, max_size=40), st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True), st.integers(0, 999))
def test_a_key_is_read_back_whatever_the_name_holds(name: str, topic: str, partition: int) -> None:
    assert read_total_key(total_key(f"model:{name}", topic, partition)) == TotalKey(
        f"model:{name}".encode(), topic, partition
    )


def test_partials_of_all_partitions_stand_beside_each_other_and_are_summed() -> None:
    keys = [total_key(CAMRY, "dms.vehicles", 0), total_key(CAMRY, "dms.vehicles", 1), total_key(CAMRY, "dms.parts", 0)]
    held = joined(*((key, partial()) for key in keys))
    found = enrich_group(CAMRY.encode(), held[CAMRY.encode()], CONTEXT)
    assert isinstance(found, Enriched)
    whole = EnrichedGroup.model_validate_json(found.value)
    assert list(whole.partials) == ["dms.parts/0", "dms.vehicles/0", "dms.vehicles/1"]
    assert (whole.totals.records, whole.totals.units, whole.totals.value_usd) == (6, 6.0, "180000.00")
    assert whole.totals.importer_duty.landed.usd == ("0.03", "0.06", "0.09")
    assert whole.totals.importer_duty.landed.unknown == 3
    assert whole.totals.expected_invoice_change.usd == ("-0.21", "0.00", "0.24")
    assert whole.totals.elements_g == {"Nd": (0.0003, 6.0, 0.0009)}
    assert found.body[: found.canonical_end] + b"}" == held[CAMRY.encode()]


def test_totals_come_in_any_order_of_partitions() -> None:
    records: list[tuple[bytes, bytes | None]] = [
        (total_key(CAMRY, "dms.vehicles", number), partial(records=number + 1)) for number in range(3)
    ]
    assert joined(*records) == joined(*reversed(records))


def test_an_older_partial_changes_nothing_but_one_of_another_topic_does() -> None:
    key = total_key(CAMRY, "dms.vehicles", 0)
    held = joined((key, partial(position=9, records=3)))
    assert joined((key, partial(position=9, records=3)), (key, partial(position=8))) == held
    assert joined((key, partial(position=9, records=3)), (key, partial(position=9))) != held
    assert joined((key, partial(position=9, records=3)), (key, partial(position=1, topic_id="new"))) != held


def test_a_group_goes_with_its_last_partial() -> None:
    one, two = total_key(CAMRY, "dms.vehicles", 0), total_key(CAMRY, "dms.vehicles", 1)
    held = joined((one, partial()), (two, partial()), (one, None))
    assert list(orjson.loads(held[CAMRY.encode()] or b"")["partials"]) == ["dms.vehicles/1"]
    assert joined((one, partial()), (one, None)) == {CAMRY.encode(): None}
    assert joined((one, None)) == {CAMRY.encode(): None}
    assert enrich_group(CAMRY.encode(), None, CONTEXT) == Removed(CAMRY.encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, partial()),
        (b"model:A", partial()),
        (b"|dms.vehicles|0", partial()),
        (b"model:\xff|dms.vehicles|0", partial()),
        (total_key("model:A/B", "dms.vehicles", 0), partial()),
        (total_key(CAMRY, "dms.vehicles", 0), b"{"),
        (total_key(CAMRY, "dms.vehicles", 0), partial(records=0)),
        (total_key(CAMRY, "dms.vehicles", 0), partial(landed_cents=[1, 2])),
        (total_key(CAMRY, "dms.vehicles", 0), partial(more=1)),
    ],
)
def test_what_is_no_total_is_refused_with_its_place(key: bytes | None, value: bytes) -> None:
    found = join_total(key, value, lambda _: None)
    assert isinstance(found, Rejected)
    assert found.reason is Reason.TOTAL_MALFORMED
    assert found.detail


def test_a_held_group_that_is_none_is_refused() -> None:
    for value in (b"{", b"{}", b'{"partials":{"a/0":{}}}', b'{"partials":3}'):
        assert isinstance(enrich_group(CAMRY.encode(), value, CONTEXT), Rejected)
    assert isinstance(enrich_group(None, b"{}", CONTEXT), Rejected)


# -- flags


def test_controlled_elements_expose_a_model_to_licences() -> None:
    flag = flags(group(grams_e4={"Dy": [0, 120_000, 0], "Nd": [0, 900_000, 0]}))["licence_exposure"]
    assert (flag.severity, flag.measure, flag.owner, flag.action) == ("info", "CN-18", "policy", "none")
    assert flag.why == "Dy under CN-18 (general_licences, 4-9 weeks); supply exposed at magnet level"
    assert flags(group(grams_e4={"Y": [0, 120_000, 0]}))["licence_exposure"].severity == "warning"
    assert "licence_exposure" not in flags(group(grams_e4={"Dy": [0, 70_000, 0], "Nd": [0, 900_000, 0]}))
    assert "licence_exposure" not in flags(group(context=context(date(2025, 3, 1)), grams_e4={"Dy": [0, 10**6, 0]}))
    assert "licence_exposure" not in flags(group("origin:vehicle/JP", grams_e4={"Dy": [0, 120_000, 0]}))


def confirmed(status: str) -> MeasureRecord:
    [rule] = [record for record in REFERENCE.trade.measures if record.id == "CN-61-1a"]
    return rule.model_copy(update={"operator_confirmed_status": status})


def test_the_content_verdict_is_said_while_its_measure_is_in_force() -> None:
    after = date(2026, 11, 24)
    assert "content_verdict" not in flags(group(verdicts={"indeterminate": 2}))
    in_force = context(after, confirmed("in_force"))
    flag = flags(group(context=in_force, verdicts={"indeterminate": 2}))["content_verdict"]
    assert (flag.severity, flag.top_missing_fact, flag.measure) == ("info", "magnet_origin", "CN-61-1a")
    flag = flags(group(context=in_force, verdicts={"at_or_above": 1, "below": 1}))["content_verdict"]
    assert (flag.severity, flag.dollars_at_stake) == ("warning", "60000.00")
    assert flag.why.startswith("1 of 2 ")
    assert "content_verdict" not in flags(group(context=in_force, verdicts={"below": 2}))


def test_what_nobody_has_confirmed_is_said_once_of_the_lot() -> None:
    after = context(date(2026, 11, 24))
    flag = flags(group("book:all", context=after))["review_required"]
    assert flag.top_missing_fact == "operator_confirmed_status"
    assert "CN-55" in flag.why
    assert "review_required" not in flags(group("book:all"))
    assert "review_required" not in flags(group(context=after))


def test_a_control_that_is_published_with_its_day_is_said_once_of_the_lot_until_it_begins_or_is_suspended() -> None:
    lot: dict[str, Any] = {"grams_e4": {"Dy": [0, 10_000_000, 0], "Ho": [0, 20_000, 0]}}

    def on(day: date, **more: Any) -> Any:
        return flags(group("book:all", context=context(day), **more)).get("control_coming")

    flag = on(date(2025, 10, 9), **lot)
    assert (flag.severity, flag.owner, flag.action) == ("warning", "policy", "none")
    assert (flag.measure, flag.act_by) == ("CN-57", date(2025, 11, 8))
    assert flag.why == "CN-57, CN-61-1a, CN-61-1b from 2025-11-08: the lot holds 1,002 g of Ho, Dy"
    assert on(date(2025, 10, 8), **lot) is None, "not before it is published"
    assert on(date(2025, 11, 7), **lot) is None, "suspended"
    assert on(date(2025, 10, 9), grams_e4={"Nd": [0, 10_000_000, 0]}) is None, "none of what it names is on the lot"
    assert on(date(2025, 10, 9), grams_e4={"Dy": [0, 10_000_000, 0]}).act_by == date(2025, 12, 1)
    assert "control_coming" not in flags(group(context=context(date(2025, 10, 9)), **lot)), "not by model"


def test_much_of_an_element_in_one_place_is_a_concentration() -> None:
    lot: dict[str, Any] = {"grams_e4": {"Dy": [0, 10_000_000, 0]}}
    models = {"model:A/B": {"value_cents": 7_000, "grams_e4": {"Dy": 4_500_000}}}
    flag = flags(group("book:all", **lot, models=models))["concentration"]
    assert flag.why == "45% of the lot's Dy is in model:A/B (CN-18)"
    assert flag.dollars_at_stake == "70.00"
    domestic = {"origin:vehicle/US": {"value_cents": 7_000, "grams_e4": {"Dy": 9_000_000}}}
    assert "concentration" not in flags(group("book:all", **lot, origins=domestic))
    little: dict[str, Any] = {"grams_e4": {"Dy": [0, 900_000, 0]}}
    assert "concentration" not in flags(group("book:all", **little, models=models))


def test_what_is_announced_is_a_digest_and_what_is_signed_a_warning() -> None:
    rows = {"232-KR-25": [3, 0, 100_000, 250_000, 0]}
    found = group("book:all", threatened=rows)
    assert found.totals.threatened["232-KR-25"].legal_status == "announced"
    flag = flags(found)["threatened"]
    assert (flag.severity, flag.act_by, flag.dollars_at_stake) == ("info", None, "2500.00")
    [measure] = [record for record in REFERENCE.trade.measures if record.id == "232-KR-25"]
    signed = measure.model_copy(
        update={"status": "signed", "effective_from": date(2026, 12, 1), "recorded_at": date(2026, 9, 1)}
    )
    flag = flags(group("book:all", context=context(date(2026, 10, 1), signed), threatened=rows))["threatened"]
    assert (flag.severity, flag.act_by, flag.dollars_at_stake) == ("warning", date(2026, 12, 1), "1000.00")
    assert "threatened" not in flags(group(threatened=rows))
    assert "threatened" not in flags(group("book:all", threatened={"NO-SUCH": [1, 0, 1, 1, 0]}))


def test_a_threat_that_comes_to_next_to_nothing_is_not_worth_a_line() -> None:
    [measure] = [record for record in REFERENCE.trade.measures if record.id == "232-KR-25"]
    signed = measure.model_copy(
        update={"status": "signed", "effective_from": date(2026, 12, 1), "recorded_at": date(2026, 9, 1)}
    )
    for under in (CONTEXT, context(date(2026, 10, 1), signed)):
        for little in ([1, 0, 0, 0, 0], [1, 0, 79_900, 79_900, 0]):
            found = group("book:all", context=under, threatened={"232-KR-25": little})
            assert "threatened" not in flags(found)
            assert found.totals.threatened, "it stands in the totals all the same"
    cut = group(
        "book:all",
        context=context(date(2026, 10, 1), signed),
        threatened={"232-KR-25": [1, -9_000_000, -5_000_000, 0, 0]},
    )
    assert flags(cut)["threatened"].dollars_at_stake == "-50000.00"
    both = {"232-KR-25": [1, 0, 0, 0, 0], "232-SEMI-2": [1, 0, 500_000, 900_000, 0]}
    flag = flags(group("book:all", context=context(date(2026, 10, 1), signed), threatened=both))["threatened"]
    assert (flag.severity, flag.measure) == ("info", "232-SEMI-2"), "what is signed and next to nothing does not warn"


def test_a_threat_whose_rate_is_not_known_has_no_central_amount() -> None:
    found = group("book:all", threatened={"232-KR-25": [3, 0, 100_000, 250_000, 1]})
    assert found.totals.threatened["232-KR-25"].added_usd == ("0.00", None, "2500.00")


def test_parts_of_an_origin_that_cost_more_are_one_line() -> None:
    found = group("origin:part/CN", change_cents=[10_000, 60_000, 90_000])
    flag = flags(found)["source_cost_up"]
    assert (flag.owner, flag.action, flag.dollars_at_stake) == ("parts", "reprice", "600.00")
    assert flag.why == "Next cost of parts from CN about 600 USD higher, 1.0% of their value on hand"
    assert "source_cost_up" not in flags(group("origin:part/CN", change_cents=[0, 10_000, 20_000]))
    little: dict[str, Any] = {"value_cents": 100_000, "change_cents": [0, 10_000, 20_000]}
    assert "source_cost_up" not in flags(group("origin:part/CN", **little)), "a tenth more, of a thousand dollars"
    assert "source_cost_up" not in flags(group("origin:vehicle/CN", change_cents=[10_000, 60_000, 90_000]))


def test_between_the_thresholds_a_flag_stays_open_and_none_is_raised() -> None:
    [(key, canonical)] = joined((total_key(CAMRY, "dms.vehicles", 0), partial(grams_e4={"Dy": [0, 90_000, 0]}))).items()
    found = enrich_group(key, canonical, CONTEXT)
    assert isinstance(found, Enriched)
    assert [(flag.type, flag.raises) for flag in found.flags] == [("licence_exposure", False)]
    [(key, canonical)] = joined(
        (total_key("origin:part/CN", "dms.parts", 0), partial("origin:part/CN", change_cents=[0, 50_000, 50_000]))
    ).items()
    found = enrich_group(key, canonical, CONTEXT)
    assert isinstance(found, Enriched)
    assert [(flag.type, flag.raises) for flag in found.flags] == [("source_cost_up", False)]
