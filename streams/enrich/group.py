"""A group's partials in, an enriched group out: totals, controls, flags."""

from __future__ import annotations

from typing import Final

import orjson

from streams.enrich.cents import usd
from streams.enrich.context import Context
from streams.enrich.flags import Candidate
from streams.enrich.group_flags import Standing, group_flags, standing
from streams.enrich.group_totals import GroupTotal
from streams.enrich.outcome import Enriched, Outcome, Reason, Rejected, Removed
from streams.policy.history import legal_status

BEHIND: Final = "group_behind"
"""The note of a group that was judged while records of it were not right under the book yet."""
_OF_THE_BOOK: Final = frozenset({"operator_confirmed_status"})
"""Facts that a flag misses which no record can settle."""

Json = dict[str, object]


def enrich_group(key: bytes | None, value: bytes | None, context: Context) -> Outcome:
    """Sum a group and flag it. `value`: its canonical record, as `join_total` made it; none: nothing of it is left."""
    if key is None:
        return Rejected(Reason.NULL_KEY, "a group has no key")
    if value is None:
        return Removed(key)
    try:
        partials: dict[str, dict[str, object]] = orjson.loads(value)["partials"]
        total = GroupTotal(partials.values())
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, AssertionError) as error:
        return Rejected(Reason.TOTAL_MALFORMED, f"{key!r} holds no partials: {error!r}")
    kind, _, name = key.decode().partition(":")
    stands = standing(context)
    totals = total.members()
    if threats := _threats(total, stands, context):
        totals["threatened"] = threats
    behind = sorted(context.behind.intersection(partials))
    flags = group_flags(kind, name, total, context)
    members: Json = {
        "kind": kind,
        "totals": totals,
        "controls": _controls(total, stands),
        "customer_facing_ok": False,
    }
    if behind:
        members["behind"] = behind
        flags = tuple(flag if flag.top_missing_fact in _OF_THE_BOOK else _unsettled(flag) for flag in flags)
    body = b"%b,%b" % (value[:-1], orjson.dumps(members)[1:-1])
    return Enriched(key, body, context.book_text, flags, (BEHIND,) if behind else (), len(value) - 1)


def _unsettled(flag: Candidate) -> Candidate:
    return flag._replace(confidence="L", top_missing_fact="rerating_unfinished")


def _threats(total: GroupTotal, stands: Standing, context: Context) -> Json:
    """What a measure is said to be is the group's book's; the sums are of the records as they were last rated."""
    found: Json = {}
    for measure, (records, low, central, high, unsettled) in sorted(total.tables["threatened"].items()):
        record = stands.measures.get(measure)
        shown: Json = {"legal_status": legal_status(record, context.book.day) if record is not None else None}
        if record is not None and record.effective_from is not None:
            shown["effective_from"] = record.effective_from
        shown["added_usd"] = [usd(low), None if unsettled else usd(central), usd(high)]
        shown["records"] = records
        found[measure] = shown
    return found


def _controls(total: GroupTotal, stands: Standing) -> Json:
    elements = sorted(total.tables["grams_e4"])
    present = set(elements)
    controls = stands.controls
    found: Json = {
        "controlled_by": {
            measure: tuple(element for element in elements if element in controlled)
            for measure, controlled in controls.elements.items()
            if not controlled.isdisjoint(present)
        }
    }
    if reviewed := [one for one, controlled in controls.under_review.items() if not controlled.isdisjoint(present)]:
        found["under_review"] = reviewed
    licence = stands.licence(elements)
    if licence is not None:
        found["licence"] = {"status": licence.status}
        if licence.lead_weeks is not None:
            found["licence"] = {"status": licence.status, "lead_weeks": licence.lead_weeks}
    return found
