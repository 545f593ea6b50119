"""A policy desk's file: measures in TOML (`[[measure]]`, as in the reference data) or JSON (`{"measure": [...]}`)."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from streams.reference.trade_records import MeasureRecord
from streams.transport.policy_log import in_words

TABLE = "measure"


class PolicyFileError(ValueError):
    """A file that can't be used; one line a problem, each with file, record and field."""


def read_measures(path: Path, defaults: Mapping[str, Any] | None = None) -> list[MeasureRecord]:
    """The versions in a file, in its order. `defaults` fill fields that a record leaves out.

    Raises:
        PolicyFileError: the file can't be read, or records that the model refuses; all of them are named.
    """
    rows = _rows(path)
    records: list[MeasureRecord] = []
    problems: list[str] = []
    for number, row in enumerate(rows, start=1):
        where = f"{path.name}: [[{TABLE}]] {number}"
        if not isinstance(row, dict):
            problems.append(f"{where}: not a table of fields")
            continue
        if isinstance(row.get("id"), str):
            where += f" ({row['id']})"
        try:
            records.append(MeasureRecord.model_validate({**(defaults or {}), **row}))
        except ValidationError as error:
            problems += [f"{where}: {problem}" for problem in in_words(error).split("; ")]
    if problems:
        raise PolicyFileError("\n".join(problems))
    return records


def read_event(path: Path, defaults: Mapping[str, Any] | None = None) -> list[MeasureRecord]:
    """The versions of a file that is one event: at least one, and one of each measure.

    Raises:
        PolicyFileError: as `read_measures`, or it holds none, or two of a measure.
    """
    records = read_measures(path, defaults)
    if not records:
        raise PolicyFileError(f"{path.name}: no [[{TABLE}]] records; write at least one")
    counts = Counter(record.id for record in records)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise PolicyFileError(f"{path.name}: {', '.join(twice)}: given twice; one event holds one version of a measure")
    return records


def _rows(path: Path) -> list[Any]:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise PolicyFileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PolicyFileError(f"{path.name}: not UTF-8 text") from error
    json = path.suffix.lower() == ".json"
    try:
        document = orjson.loads(text) if json else tomllib.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise PolicyFileError(f"{path.name}: not valid {'JSON' if json else 'TOML'}: {error}") from None
    rows = document.get(TABLE, []) if isinstance(document, dict) else document
    if isinstance(document, dict) and TABLE not in document and document:
        raise PolicyFileError(f"{path.name}: no [[{TABLE}]] records; it holds {', '.join(sorted(document))}")
    if not isinstance(rows, list):
        raise PolicyFileError(f"{path.name}: {TABLE} is not a list of records")
    return rows
