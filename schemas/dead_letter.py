"""Dead letters: the original key, value and headers, untouched, followed by headers that say what was wrong and where.

On a replay those are taken off again and a mark counts the attempts, so that a record that fails again is not replayed
for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.cloudevents import header, rfc3339
from schemas.fields import Moment

REPLAY = "lotrisk.replay"
"""How often a dead letter has been replayed: a decimal number on the record put back on its input topic."""

MAX_REPLAYS = 3
"""A record replayed this often is not replayed again unless a person insists."""

DETAIL_MAX_CHARACTERS = 1_000

Whole = Annotated[str, StringConstraints(pattern=r"^(?:0|[1-9][0-9]{0,18})$")]
"""A whole number from 0, in decimal text, as headers hold it."""

_PREFIX = "error."


class DeadLetterHeaders(BaseModel):
    """The headers lotrisk adds to a dead letter; header values are UTF-8 text."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="DeadLetterHeaders", serialize_by_alias=True)

    reason: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = Field(
        alias="error.reason", description="Why it could not be enriched, as a code; docs/contracts.md lists them."
    )
    detail: Annotated[str, StringConstraints(max_length=DETAIL_MAX_CHARACTERS)] = Field(
        alias="error.detail", description="What was wrong and where, for a person."
    )
    topic: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = Field(
        alias="error.topic", description="The input topic it stood on."
    )
    partition: Whole = Field(alias="error.partition", description="Its partition there.")
    offset: Whole = Field(alias="error.offset", description="Its offset there.")
    timestamp: Moment | None = Field(
        None, alias="error.timestamp", description="Its Kafka timestamp there; absent where it had none."
    )
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+!-]{1,64}$")] = Field(
        alias="error.version", description="The version of lotrisk that refused it."
    )


HEADER_NAMES: tuple[str, ...] = tuple(str(field.alias) for field in DeadLetterHeaders.model_fields.values())


def dead_letter_headers(
    original: Iterable[tuple[str, bytes | None]],
    *,
    reason: str,
    detail: str,
    topic: str,
    partition: int,
    offset: int,
    timestamp_ms: int,
    version: str,
) -> list[tuple[str, bytes | None]]:
    """The headers of a dead letter: the original's as they came, then lotrisk's; a long detail is cut."""
    time = rfc3339(timestamp_ms)
    # A lone surrogate would have no UTF-8 form, and the dead letter must be written whatever it holds.
    text = (detail if len(detail) <= DETAIL_MAX_CHARACTERS else detail[: DETAIL_MAX_CHARACTERS - 1] + "…").encode(
        "utf-8", "replace"
    )
    added = [
        ("error.reason", reason.encode()),
        ("error.detail", text),
        ("error.topic", topic.encode()),
        ("error.partition", b"%d" % partition),
        ("error.offset", b"%d" % offset),
        *([("error.timestamp", time.encode())] if time is not None else []),
        ("error.version", version.encode()),
    ]
    return [*original, *added]


def split_headers(
    headers: Iterable[tuple[str, bytes | None]],
) -> tuple[list[tuple[str, bytes | None]], DeadLetterHeaders]:
    """A dead letter's original headers, and what lotrisk added.

    Only the last run of `error.*` is lotrisk's: a producer's own header of that name stays with the original.

    Raises:
        ValueError: the record carries no complete set; it is not a dead letter of lotrisk.
    """
    original = list(headers)
    found: dict[str, str] = {}
    while original:
        name, value = original[-1]
        if name not in HEADER_NAMES or name in found or value is None:
            break
        found[name] = value.decode("utf-8", "replace")
        original.pop()
        if name == HEADER_NAMES[0]:
            break
    missing = [name for name in HEADER_NAMES if name not in found and name != "error.timestamp"]
    if missing:
        raise ValueError(f"not a dead letter of lotrisk: header {', '.join(missing)} missing")
    return original, DeadLetterHeaders.model_validate_strings(found)


def replay_attempts(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """How often the record has been replayed: 0 without a mark, `MAX_REPLAYS` where the mark can't be read."""
    mark = header(headers, REPLAY)
    if mark is None:
        return 0
    return int(mark) if mark.isdigit() and len(mark) < 10 else MAX_REPLAYS


def replay_headers(original: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    """The original's headers with the mark raised by one, for the record put back on its input topic."""
    kept = list(original)
    attempts = replay_attempts(kept)
    return [*(pair for pair in kept if pair[0] != REPLAY), (REPLAY, b"%d" % (attempts + 1))]
