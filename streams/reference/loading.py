"""Reading reference files: TOML records and CSV tables, each row validated by a model.

Every row carries `source` and `confidence`. An error names the file, the record and the field, and says what is wrong.
"""

from __future__ import annotations

import csv
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

ROOT = Path(__file__).parent

T = TypeVar("T", bound=BaseModel)


class ReferenceError(ValueError):
    """A reference file that can't be used; the message names file, record and field."""


def _explain(path: Path, where: str, error: ValidationError) -> str:
    lines = [
        f"{path.name}: {where}: {'.'.join(str(part) for part in problem['loc']) or 'record'}: {problem['msg']}"
        for problem in error.errors()
    ]
    return "\n".join(lines)


def read_toml(path: Path, table: str, model: type[T]) -> tuple[T, ...]:
    """The array of tables `table` of a TOML file, each validated; numbers with a point become `Decimal`.

    Raises:
        ReferenceError: not TOML, no such table, or a record the model refuses.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReferenceError(f"{path.name}: not valid TOML: {error}") from error
    if table not in document:
        raise ReferenceError(f"{path.name}: no [[{table}]] records; write at least one")
    rows = []
    for number, record in enumerate(document[table], start=1):
        where = f"[[{table}]] {number}" + (f" ({record['id']})" if isinstance(record, dict) and "id" in record else "")
        try:
            rows.append(model.model_validate(record))
        except ValidationError as error:
            raise ReferenceError(_explain(path, where, error)) from error
    return tuple(rows)


def read_csv(path: Path, model: type[T]) -> tuple[T, ...]:
    """A CSV table with a header line, each row validated; an empty cell is an absent value.

    Raises:
        ReferenceError: no header, a row with too many cells, or a row the model refuses.
    """
    rows = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None:
            raise ReferenceError(f"{path.name}: empty; the first line must name the columns")
        for record in reader:
            where = f"line {reader.line_num}"
            if None in record:
                raise ReferenceError(f"{path.name}: {where}: more cells than columns ({', '.join(reader.fieldnames)})")
            try:
                rows.append(
                    model.model_validate({name: cell for name, cell in record.items() if cell not in ("", None)})
                )
            except ValidationError as error:
                raise ReferenceError(_explain(path, where, error)) from error
    return tuple(rows)
