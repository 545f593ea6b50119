"""A group's partials, one an input partition, brought together: joined as they come, and summed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import add
from typing import Final, NamedTuple

import orjson
from pydantic import ValidationError

from schemas.group import GroupPartial
from streams.enrich.cents import usd
from streams.enrich.contribution import GRAMS, UNITS
from streams.enrich.outcome import Reason, Rejected
from streams.policy.book import BookNumber

_SEPARATOR: Final = b"|"
"""No topic's name has one, so a key is read from its end, whatever the group's name holds."""
_COUNTS: Final = ("records", "units_e3", "value_cents", "value_unknown", "landed_unknown", "replacement_unknown",
                  "change_unknown", "grams_unknown")  # fmt: skip
_RANGES: Final = ("landed_cents", "replacement_cents", "change_cents")
_TABLES: Final = ("grams_e4", "threatened", "open_flags")
_SHARES: Final = ("origins", "models")

RATED: Final = b"lotrisk.rated"
"""In the place of a group: how far an input partition is with re-rating."""

Json = dict[str, object]


def total_key(group: str, topic: str, partition: int) -> bytes:
    """The key on `lotrisk.totals` of what one partition of an input topic adds to a group."""
    return b"%b|%b|%d" % (group.encode(), topic.encode(), partition)


class TotalKey(NamedTuple):
    """A key of `lotrisk.totals`, read."""

    group: bytes
    topic: str
    partition: int


def read_total_key(key: bytes) -> TotalKey | None:
    """Take a key apart; None where it is none, or that of `rated_key`."""
    place = _place(key)
    return place if place is not None and place.group != RATED else None


def _place(key: bytes) -> TotalKey | None:
    parts = key.rsplit(_SEPARATOR, 2)
    if len(parts) != 3 or not all(parts) or not parts[2].isdigit():
        return None
    try:
        parts[0].decode()
        return TotalKey(parts[0], parts[1].decode("ascii"), int(parts[2]))
    except UnicodeDecodeError:
        return None


class Rated(NamedTuple):
    """All that an input partition (`topic/partition`) holds is right under a book, and its totals have been told."""

    source: str
    book: BookNumber


def rated_key(topic: str, partition: int) -> bytes:
    """The key under which one partition of an input topic says how far it is; it stands in every partition."""
    return total_key(RATED.decode(), topic, partition)


def read_rated(key: bytes | None, value: bytes | None) -> Rated | None:
    """What a record says of re-rating; None where it is about something else, or can't be read."""
    place = _place(key) if key is not None and key.startswith(RATED) else None
    if place is None or place.group != RATED or value is None:
        return None
    try:
        return Rated(f"{place.topic}/{place.partition}", BookNumber.parse(orjson.loads(value)["book"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def join_total(
    key: bytes | None, value: bytes | None, held: Callable[[bytes], bytes | None]
) -> tuple[bytes, bytes | None] | Rejected | None:
    """One record of `lotrisk.totals` put into its group: the group's key and its canonical record, None without any.

    `held` gives the canonical record of a group as it stands. A partial older than the one held changes nothing. What
    belongs to no group, since it only says how far re-rating is, is None.
    """
    place = _place(key) if key is not None else None
    if place is None:
        return Rejected(Reason.TOTAL_MALFORMED, f"the key {key!r} is not group|topic|partition")
    if place.group == RATED:
        return None
    group, source = place.group, f"{place.topic}/{place.partition}"
    before = held(group)
    fields: Json = orjson.loads(before) if before is not None else {"group": group.decode(), "partials": {}}
    partials = fields["partials"]
    assert isinstance(partials, dict)
    if value is None:
        partials.pop(source, None)
        return group, orjson.dumps(fields) if partials else None
    try:
        partial = GroupPartial.__pydantic_validator__.validate_json(value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "value"
        return Rejected(Reason.TOTAL_MALFORMED, f"{key!r}: {where}: {problem['msg']}")
    assert isinstance(partial, GroupPartial)
    if partial.group.encode() != group:
        return Rejected(Reason.TOTAL_MALFORMED, f"{key!r} holds the totals of {partial.group}")
    known = partials.get(source)
    if known is not None and known["topic_id"] == partial.topic_id and known["position"] > partial.position:
        return group, before
    partials[source] = orjson.loads(value)
    fields["partials"] = dict(sorted(partials.items()))
    return group, orjson.dumps(fields)


class GroupTotal:
    """All partials of a group in one: whole numbers as they came, see `schemas.group.GroupPartial`."""

    def __init__(self, partials: Iterable[Mapping[str, object]]) -> None:
        self.counts: dict[str, int] = dict.fromkeys(_COUNTS, 0)
        self.ranges: dict[str, list[int]] = {name: [0, 0, 0] for name in _RANGES}
        self.tables: dict[str, dict[str, list[int]]] = {name: {} for name in _TABLES}
        self.verdicts: dict[str, int] = {}
        self.shares: dict[str, dict[str, tuple[int, dict[str, int]]]] = {}
        for partial in partials:
            self._take_in(partial)

    def _take_in(self, partial: Mapping[str, object]) -> None:
        for name in _COUNTS:
            self.counts[name] += _whole(partial[name])
        for name in _RANGES:
            self.ranges[name] = list(map(add, self.ranges[name], _row(partial[name])))
        for name, sums in self.tables.items():
            for key, row in _table(partial.get(name)).items():
                known = sums.get(key)
                sums[key] = _row(row) if known is None else list(map(add, known, _row(row)))
        for verdict, records in _table(partial.get("verdicts")).items():
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + _whole(records)
        for name in _SHARES:
            for group, share in _table(partial.get(name)).items():
                fields = _table(share)
                value, grams = self.shares.setdefault(name, {}).get(group, (0, {}))
                for element, mass in _table(fields["grams_e4"]).items():
                    grams[element] = grams.get(element, 0) + _whole(mass)
                self.shares[name][group] = (value + _whole(fields["value_cents"]), grams)

    def grams(self, element: str) -> float:
        """Central grams of an element."""
        row = self.tables["grams_e4"].get(element)
        return row[1] / GRAMS if row is not None else 0.0

    def members(self) -> Json:
        """The block `totals` but for what the book says of threats: `schemas.group.GroupTotals`."""
        one = self.counts
        found: Json = {
            "records": one["records"],
            "units": one["units_e3"] / UNITS,
            "value_usd": usd(one["value_cents"]),
            "value_unknown": one["value_unknown"],
            "importer_duty": {"landed": self._dollars("landed"), "replacement": self._dollars("replacement")},
            "expected_invoice_change": self._dollars("change"),
            "elements_g": {
                element: [mass / GRAMS for mass in row] for element, row in sorted(self.tables["grams_e4"].items())
            },
            "grams_unknown": one["grams_unknown"],
            "content_rule": dict(sorted(self.verdicts.items())),
            "open_flags": [
                {"type": kind, "severity": severity, "records": row[0], "dollars_at_stake": usd(row[1])}
                for (kind, _, severity), row in sorted(
                    (name.partition("/"), row) for name, row in self.tables["open_flags"].items()
                )
            ],
        }
        for name, shares in self.shares.items():
            found[name] = {
                group: {
                    "value_usd": usd(value),
                    "elements_g": {element: mass / GRAMS for element, mass in sorted(grams.items())},
                }
                for group, (value, grams) in sorted(shares.items())
            }
        return found

    def _dollars(self, name: str) -> Json:
        low, central, high = self.ranges[f"{name}_cents"]
        return {"usd": [usd(low), usd(central), usd(high)], "unknown": self.counts[f"{name}_unknown"]}


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _row(value: object) -> list[int]:
    assert isinstance(value, list)
    return value


def _table(value: object) -> dict[str, object]:
    if value is None:
        return {}
    assert isinstance(value, dict)
    return value
