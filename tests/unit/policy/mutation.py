"""Mutants of the trade data, each with one rate or one date changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from streams.reference.trade import TradeReference

TABLES = ("measures", "stacking", "facts", "lines", "chapters", "licences")


@dataclass(frozen=True, slots=True)
class Mutant:
    """The data with one value changed: in which table, record and field, from what to what."""

    table: str
    record: str
    field: str
    trade: TradeReference

    def __str__(self) -> str:
        return f"{self.table} {self.record}: {self.field}"


def mutants(trade: TradeReference) -> Iterator[Mutant]:
    """Every rate changed and every date one day earlier and later, one at a time."""
    for table in TABLES:
        rows: tuple[BaseModel, ...] = getattr(trade, table)
        for index, row in enumerate(rows):
            for field, changed in _changed(row):
                tables: dict[str, Any] = {table: (*rows[:index], changed, *rows[index + 1 :])}
                yield Mutant(table, _name(row, index), field, replace(trade, **tables))


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
