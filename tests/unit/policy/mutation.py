"""Mutants of the trade data, each with one rate or one date changed, and the typed tables that must notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from pydantic import BaseModel

from streams.policy.book import Book, build_book
from streams.reference.loading import ReferenceError
from streams.reference.trade import TradeReference

DAY = date(2026, 11, 24)
Check = Callable[[Book], str | None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """The data with one value changed: which table, record and field, from what to what."""

    table: str
    record: str
    field: str
    trade: TradeReference

    def __str__(self) -> str:
        return f"{self.table} {self.record}: {self.field}"


def mutants(trade: TradeReference) -> Iterator[Mutant]:
    """Every rate up by one and every date one day earlier and later, one at a time."""
    for table in ("measures", "stacking", "facts", "lines", "chapters", "licences", "content_rules"):
        rows: tuple[BaseModel, ...] = getattr(trade, table)
        for index, row in enumerate(rows):
            for field, changed in _changed(row):
                yield Mutant(
                    table, _name(row, index), field,
                    replace(trade, **{table: (*rows[:index], changed, *rows[index + 1 :])}),
                )  # fmt: skip


def survivors(trade: TradeReference, checks: Sequence[tuple[str, Check]]) -> list[str]:
    """The mutants that no check notices; one that is refused at load is noticed.

    Checks whose text names the record go first, then those of the same line and origin, so that most mutants cost little.
    """
    alive = []
    orders: dict[str, list[Check]] = {}
    for mutant in mutants(trade):
        order = orders.get(mutant.record)
        if order is None:
            order = orders[mutant.record] = _order(mutant.record, checks)
        try:
            book = build_book(mutant.trade, DAY)
            noticed = any(check(book) is not None for check in order)
        except ReferenceError:
            noticed = True
        if not noticed:
            alive.append(str(mutant))
    return alive


def _order(record: str, checks: Sequence[tuple[str, Check]]) -> list[Check]:
    goods = {text.split()[0:2][-1] + text.split()[0] for text, _ in checks if record in text}

    def rank(item: tuple[str, Check]) -> int:
        words = item[0].split()
        return 0 if record in item[0] else 1 if words[0:2][-1] + words[0] in goods else 2

    return [check for _, check in sorted(checks, key=rank)]


def _changed(row: BaseModel) -> Iterator[tuple[str, BaseModel]]:
    for name, value in row:
        for text, other in _others(value):
            yield f"{name} {text}", row.model_copy(update={name: other})
        if name == "steps":
            for index, step in enumerate(value):
                for field, changed in _changed(step):
                    yield (
                        f"steps[{index}].{field}",
                        row.model_copy(update={"steps": (*value[:index], changed, *value[index + 1 :])}),
                    )
        if name == "lead_weeks" and value is not None:
            for index, weeks in enumerate(value):
                changed_weeks = (*value[:index], weeks + 1, *value[index + 1 :])
                yield f"lead_weeks[{index}] +1", row.model_copy(update={"lead_weeks": changed_weeks})


def _others(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, date):
        for days in (-1, 1):
            other = value + timedelta(days=days)
            yield f"{value} to {other}", other
    elif isinstance(value, Decimal):
        step = Decimal(1) if value > 1 or value == 0 else Decimal("0.01")
        yield f"{value} to {value + step}", value + step


def _name(row: BaseModel, index: int) -> str:
    for field in ("id", "name", "hts", "prefix", "measure"):
        value = getattr(row, field, None)
        if value is not None:
            return str(value)
    return str(index)
