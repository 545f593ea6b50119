"""What the records of `trade.policy` come to: the versions of measures, in the order they were published.

Pure, and a function of the log alone: each record is taken or refused by what stands before it, so that a worker that
reads a year at once ends with the book of one that followed it day by day.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson
from pydantic import ValidationError

from streams.policy.book import known_measures
from streams.policy.view import View
from streams.reference.loading import ReferenceError
from streams.reference.trade import TradeReference
from streams.reference.trade_checks import check_measures
from streams.reference.trade_records import MeasureRecord

EPOCH_KEY: Final = b"lotrisk.epoch"
"""Key of the record `{"epoch": n}` that begins the log anew: what stands before it no longer counts."""
MOST_REFUSED: Final = 100
"""Refused records remembered; the oldest go first."""
_MOST_PROBLEMS: Final = 5


class Refused(NamedTuple):
    """A record that was not taken: where it stands, its key as text, and what is wrong with it."""

    offset: int
    measure: str
    error: str


class PolicyLog:
    """The measures of `trade.policy` as far as it was read.

    `epoch` and `offset` are a book number's: of the latest epoch record (0 without one), and of the last record that
    changed something (-1 without one); `changed_ms` is that record's Kafka timestamp, Unix milliseconds (None without
    one). `overrides` are the versions taken, oldest first.
    """

    def __init__(self, trade: TradeReference) -> None:
        self._trade = trade
        self._countries = frozenset(row.alpha2 for row in trade.countries)
        self.epoch = 0
        self.offset = -1
        self.changed_ms: int | None = None
        self._begin()

    def _begin(self) -> None:
        self._overrides: list[MeasureRecord] = []
        self._measures = {record.id: record for record in known_measures(self._trade.measures, None)}
        self._refused: dict[str, Refused] = {}

    @property
    def overrides(self) -> tuple[MeasureRecord, ...]:
        """The versions taken in this epoch, in the order they were published."""
        return tuple(self._overrides)

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The last refused record of each key that no good one has followed, in order of offset."""
        return tuple(self._refused.values())

    def current(self, measure_id: str) -> MeasureRecord | None:
        """The latest version of a measure, from the log or else from the files."""
        return self._measures.get(measure_id)

    def apply(
        self, offset: int, key: bytes | None, value: bytes | None, timestamp_ms: int | None = None
    ) -> Refused | None:
        """Take the record at `offset`, or say why not; records come in order of offset.

        A version equal to the one that stands changes nothing, neither `offset` nor the book.
        """
        name = "(no key)" if key is None else key.decode("utf-8", "backslashreplace")[:100]
        error = self._begin_epoch(offset, value) if key == EPOCH_KEY else self._take(offset, key, value)
        self._refused.pop(name, None)
        if self.offset == offset:
            self.changed_ms = timestamp_ms
        if error is None:
            return None
        refused = self._refused[name] = Refused(offset, name, error)
        if len(self._refused) > MOST_REFUSED:
            del self._refused[next(iter(self._refused))]
        return refused

    def _begin_epoch(self, offset: int, value: bytes | None) -> str | None:
        try:
            number = orjson.loads(value or b"")["epoch"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            number = None
        if type(number) is not int or number < 1:
            return 'not an epoch record; it is {"epoch": n} with n from 1'
        if number <= self.epoch:
            return f"epoch {number} is not above {self.epoch}, the one in force"
        self._begin()
        self.epoch, self.offset = number, offset
        return None

    def _take(self, offset: int, key: bytes | None, value: bytes | None) -> str | None:
        if key is None:
            return "the record has no key; its key is the measure's id"
        if value is None:
            return "a tombstone; a withdrawal is a version with withdrawn_at (lotrisk policy withdraw)"
        try:
            record = MeasureRecord.model_validate_json(value)
        except ValidationError as error:
            return in_words(error)
        if key != record.id.encode():
            return f"id {record.id!r} is not the record's key"
        held = self._measures.get(record.id)
        if record == held:
            return None
        if error_text := self._conflict(record, held):
            return error_text
        self._measures[record.id] = record
        self._overrides.append(record)
        self.offset = offset
        return None

    def _conflict(self, record: MeasureRecord, held: MeasureRecord | None) -> str | None:
        measures = tuple({**self._measures, record.id: record}.values())
        try:
            check_measures(measures, self._trade.lists, self._trade.facts, self._countries, {})
            if held is None or _links(record) != _links(held):
                View(self._trade, measures, None)
        except ReferenceError as error:
            return str(error)
        except Exception as error:  # no record may stop every worker there is, whatever compiling it runs into
            return f"the book can't be made with it: {error!r}"
        return None


def _links(record: MeasureRecord) -> tuple[object, ...]:
    """What decides which measures it can switch off, and whether it stands at all."""
    return (record.kind, record.authority, record.heading, record.rate_type, record.status, record.withdrawn_at,
            record.replaces, record.replaces_authorities, record.requires, record.effective_from is None)  # fmt: skip


def encode(record: MeasureRecord) -> tuple[bytes, bytes]:
    """Key and value of a version as `trade.policy` holds it."""
    document = record.model_dump(mode="json", by_alias=True, exclude_none=True)
    return record.id.encode(), orjson.dumps({name: value for name, value in document.items() if value != []})


def encode_epoch(epoch: int) -> tuple[bytes, bytes]:
    """Key and value of the record that begins an epoch."""
    return EPOCH_KEY, orjson.dumps({"epoch": epoch})


def in_words(error: ValidationError) -> str:
    """What is wrong with which field, in one line."""
    problems = error.errors(include_url=False, include_context=False)
    said = [
        f"{'.'.join(str(part) for part in one['loc'])}: " * bool(one["loc"])
        + one["msg"].removeprefix("Value error, ")
        + (f", got {str(one['input'])[:60]!r}" if one["type"] not in ("missing", "value_error", "json_invalid") else "")
        for one in problems[:_MOST_PROBLEMS]
    ]
    if len(problems) > _MOST_PROBLEMS:
        said.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return "; ".join(said)
