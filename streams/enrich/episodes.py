"""Flags as episodes: raised once, changed when severity or the amount moves by a step, cleared once.

The amount is compared with the one last published, so an amount that hovers around a step emits nothing. What is open
stands in the enriched record as `flags`, with all that the next merge needs: a restore reads it back from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

from schemas.fields import Confidence
from streams.enrich.cents import usd
from streams.enrich.flags import Candidate

NO_FLAGS: Final = b"[]"
_CONFIDENCES: Final[dict[str, Confidence]] = {"H": "H", "M": "M", "L": "L"}


class Change(StrEnum):
    """What happened to an episode."""

    RAISED = "raised"
    CHANGED = "changed"
    CLEARED = "cleared"


class Cause(NamedTuple):
    """The input record, or the policy event, that an episode's step follows from. `time`: RFC 3339, null if unknown."""

    time: str | None
    topic_id: str
    partition: int
    offset: int
    book: str


class OpenFlag(NamedTuple):
    """An open episode: the flag as it stands now, since when, and the amount in cents of its last event."""

    flag: Candidate
    episode: str
    since: str | None
    published_cents: int | None


class FlagEvent(NamedTuple):
    """One event for `risk.flags`. A cleared flag is as it last stood."""

    change: Change
    flag: Candidate
    episode: str
    since: str | None
    cause: Cause


def merge(
    key: bytes, held: Sequence[OpenFlag], candidates: Iterable[Candidate], cause: Cause
) -> tuple[tuple[OpenFlag, ...], tuple[FlagEvent, ...]]:
    """What is open after `cause`, and the events it makes. A tombstone has no candidates: all that is held clears.

    Merging the same candidates again changes nothing and makes no event. At most one candidate a type.
    """
    if not held:
        candidates = tuple(candidates)
        if not candidates:
            return ((), ())
    before = {one.flag.type: one for one in held}
    still: list[OpenFlag] = []
    events: list[FlagEvent] = []
    for flag in candidates:
        known = before.pop(flag.type, None)
        if known is None:
            if flag.raises:
                episode = episode_id(key, flag.type, cause)
                still.append(OpenFlag(flag, episode, cause.time, flag.cents_at_stake))
                events.append(FlagEvent(Change.RAISED, flag, episode, cause.time, cause))
            continue
        if has_changed(known, flag):
            still.append(OpenFlag(flag, known.episode, known.since, flag.cents_at_stake))
            events.append(FlagEvent(Change.CHANGED, flag, known.episode, known.since, cause))
        else:
            still.append(OpenFlag(flag, known.episode, known.since, known.published_cents))
    events += (
        FlagEvent(Change.CLEARED, one.flag, one.episode, one.since, cause) for one in held if one.flag.type in before
    )
    return (tuple(still), tuple(events))


def has_changed(known: OpenFlag, flag: Candidate) -> bool:
    """Whether an open flag moved enough for an event.

    An amount that can't be said any more is no move; one that can be said for the first time is.
    """
    if known.flag.severity != flag.severity:
        return True
    amount, published = flag.cents_at_stake, known.published_cents
    if flag.step_cents is None or amount is None:
        return False
    return published is None or abs(amount - published) >= flag.step_cents


def episode_id(key: bytes, type: str, cause: Cause) -> str:
    """32 hexadecimal characters, the same for the same key, flag type and cause."""
    return blake2b(
        f"{type}\n{cause.topic_id}\n{cause.partition}\n{cause.offset}\n{cause.book}\n".encode() + key, digest_size=16
    ).hexdigest()


def flags_json(still: Sequence[OpenFlag]) -> bytes:
    """The member `flags` of an enriched record: an array of `schemas.flag.Flag`, members without a value left out."""
    if not still:
        return NO_FLAGS
    return orjson.dumps([_open_members(one) for one in still])


def read_flags(json: bytes) -> tuple[OpenFlag, ...]:
    """What `flags_json` wrote. `raises` and `step_cents` belong to the candidates to come and are not kept.

    Raises:
        ValueError: not such an array.
    """
    if json == NO_FLAGS:
        return ()
    found = orjson.loads(json)
    try:
        return tuple(_read(members) for members in found)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"flags can't be read: {json[:200]!r}") from error


def candidate_members(flag: Candidate) -> dict[str, str]:
    """A flag's members as JSON-ready text, those without a value left out."""
    members = {
        "type": flag.type,
        "severity": flag.severity,
        "owner": flag.owner,
        "action": flag.action,
        "why": flag.why,
    }
    if flag.cents_at_stake is not None:
        members["dollars_at_stake"] = usd(flag.cents_at_stake)
    if flag.act_by is not None:
        members["act_by"] = flag.act_by.isoformat()
    members["confidence"] = flag.confidence
    if flag.top_missing_fact is not None:
        members["top_missing_fact"] = flag.top_missing_fact
    if flag.would_change_cents is not None:
        members["would_change_by_usd"] = usd(flag.would_change_cents)
    if flag.measure is not None:
        members["measure"] = flag.measure
    return members


def as_raised(candidates: Sequence[Candidate], since: datetime | None) -> bytes:
    """The flags as they stand where nothing was open before, without episodes: a record enriched by itself."""
    if not candidates:
        return NO_FLAGS
    when = {} if since is None else {"since": since.isoformat().replace("+00:00", "Z")}
    return orjson.dumps([{**candidate_members(flag), **when} for flag in candidates if flag.raises])


def event_members(event: FlagEvent) -> dict[str, str]:
    """An event's members as JSON-ready text: the flag's, the episode, what happened to it and when."""
    members = candidate_members(event.flag)
    if event.since is not None:
        members["since"] = event.since
    members["episode"] = event.episode
    members["change"] = event.change.value
    if event.cause.time is not None:
        members["changed_at"] = event.cause.time
    members["book"] = event.cause.book
    return members


def _open_members(one: OpenFlag) -> dict[str, str]:
    members = candidate_members(one.flag)
    if one.since is not None:
        members["since"] = one.since
    members["episode"] = one.episode
    if one.published_cents is not None and one.published_cents != one.flag.cents_at_stake:
        members["published_usd"] = usd(one.published_cents)
    return members


def _read(members: dict[str, str]) -> OpenFlag:
    at_stake = _cents(members.get("dollars_at_stake"))
    act_by = members.get("act_by")
    flag = Candidate(
        type=members["type"],
        severity=members["severity"],
        owner=members["owner"],
        action=members["action"],
        why=members["why"],
        cents_at_stake=at_stake,
        act_by=date.fromisoformat(act_by) if act_by is not None else None,
        confidence=_CONFIDENCES[members["confidence"]],
        top_missing_fact=members.get("top_missing_fact"),
        would_change_cents=_cents(members.get("would_change_by_usd")),
        measure=members.get("measure"),
    )
    published = _cents(members.get("published_usd"))
    return OpenFlag(flag, members["episode"], members.get("since"), published if published is not None else at_stake)


def _cents(dollars: str | None) -> int | None:
    if dollars is None:
        return None
    whole, _, part = dollars.lstrip("-").partition(".")
    amount = int(whole) * 100 + int(part)
    return -amount if dollars.startswith("-") else amount
