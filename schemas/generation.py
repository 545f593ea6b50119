"""JSON Schema of every contract, generated from the models, and whether the committed files are current."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema

from schemas import VERSION
from schemas.cloudevents import schema_uri
from schemas.compatibility import Change, Direction, Json, Schema, breaking
from schemas.dead_letter import DeadLetterHeaders
from schemas.enriched import EnrichedPart, EnrichedVehicle
from schemas.flag import Flag
from schemas.flag_event import FlagEvent
from schemas.group import EnrichedGroup, GroupPartial
from schemas.measure import MeasureRecord
from schemas.part import Part
from schemas.vehicle import Vehicle

ROOT = Path(__file__).parent
JSON = ROOT / "json"
RELEASED = ROOT / "released"
SUFFIX = ".schema.json"


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract: its name in files and ids, its model, and who writes it (`input`: others; `output`: lotrisk)."""

    name: str
    model: type[BaseModel]
    direction: Direction


CONTRACTS: tuple[Contract, ...] = (
    Contract("vehicle", Vehicle, "input"),
    Contract("part", Part, "input"),
    Contract("enriched-vehicle", EnrichedVehicle, "output"),
    Contract("enriched-part", EnrichedPart, "output"),
    Contract("measure", MeasureRecord, "input"),
    Contract("group-partial", GroupPartial, "output"),
    Contract("enriched-group", EnrichedGroup, "output"),
    Contract("flag", Flag, "output"),
    Contract("flag-event", FlagEvent, "output"),
    Contract("dead-letter-headers", DeadLetterHeaders, "output"),
)


class _Plain(GenerateJsonSchema):
    """pydantic's JSON Schema without the titles it makes of field names and without defaults that say null."""

    def field_title_should_be_set(self, schema: object) -> bool:
        del schema
        return False

    def default_schema(self, schema: CoreSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)  # type: ignore[arg-type] # as above
        if made.get("default", ...) is None:
            del made["default"]
        return made


def json_schema(contract: Contract) -> dict[str, Json]:
    """A contract's JSON Schema (2020-12)."""
    made = contract.model.model_json_schema(by_alias=True, schema_generator=_Plain)
    head: dict[str, Json] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_uri(contract.name),
    }
    return head | made


def schema_text(contract: Contract) -> str:
    """The file's text: two spaces, one line end."""
    return json.dumps(json_schema(contract), indent=2, ensure_ascii=False) + "\n"


def write_schemas(directory: Path = JSON) -> list[Path]:
    """Write every contract's file; returns those that changed."""
    directory.mkdir(parents=True, exist_ok=True)
    changed = []
    for contract in CONTRACTS:
        path = directory / f"{contract.name}{SUFFIX}"
        text = schema_text(contract)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(path)
    return changed


def stale_schemas(directory: Path = JSON) -> list[str]:
    """What differs between the files and the models, one sentence each."""
    said = []
    for contract in CONTRACTS:
        path = directory / f"{contract.name}{SUFFIX}"
        if not path.exists():
            said.append(f"{path.name} is missing")
            continue
        try:
            held = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            said.append(f"{path.name} is not JSON: {error}")
            continue
        said += [f"{path.name}: {where}" for where in _differences(held, json_schema(contract), "")]
    expected = {f"{contract.name}{SUFFIX}" for contract in CONTRACTS}
    said += [f"{path.name} belongs to no contract" for path in sorted(directory.glob("*")) if path.name not in expected]
    return said


def _differences(held: Json, made: Json, path: str) -> Iterator[str]:
    if isinstance(held, Mapping) and isinstance(made, Mapping):
        for key in sorted(set(held) | set(made)):
            inner = f"{path}/{key}"
            if key not in made:
                yield f"{inner} stands in the file only"
            elif key not in held:
                yield f"{inner} is missing in the file"
            else:
                yield from _differences(held[key], made[key], inner)
    elif held != made:
        yield f"{path} is {json.dumps(held)} in the file, {json.dumps(made)} by the model"


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def last_release(directory: Path = RELEASED) -> str | None:
    """The highest released version of the contracts; None before the first."""
    versions = [path.name for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []
    return max(versions, key=_ordered, default=None)


def released_schema(contract: Contract, version: str, directory: Path = RELEASED) -> Schema | None:
    """A contract's schema as released; None where that version had no such contract."""
    path = directory / version / f"{contract.name}{SUFFIX}"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def incompatible(directory: Path = RELEASED) -> dict[str, tuple[Change, ...]]:
    """What breaks readers or producers since the last release, by contract; empty when nothing does."""
    version = last_release(directory)
    found: dict[str, tuple[Change, ...]] = {}
    if version is not None:
        for contract in CONTRACTS:
            old = released_schema(contract, version, directory)
            if old is not None and (changes := breaking(old, json_schema(contract), contract.direction)):
                found[contract.name] = changes
    return found


def unversioned(directory: Path = RELEASED) -> list[str]:
    """Contracts that differ from the last release although `schemas.VERSION` is not above it; released ones removed."""
    version = last_release(directory)
    if version is None:
        return []
    known = {f"{contract.name}{SUFFIX}" for contract in CONTRACTS}
    said = [
        f"{path.name} was released in {version} and is gone: a contract is never removed"
        for path in sorted((directory / version).glob(f"*{SUFFIX}"))
        if path.name not in known
    ]
    if _ordered(VERSION) > _ordered(version):
        return said
    for contract in CONTRACTS:
        if released_schema(contract, version, directory) != json_schema(contract):
            said.append(
                f"{contract.name} differs from release {version}; raise VERSION in schemas/__init__.py above it"
            )
    return said


def release(directory: Path = RELEASED) -> Path:
    """Freeze the schemas under `schemas.VERSION`.

    Raises:
        ValueError: the version is released already with other schemas, or something breaks since the last release.
    """
    broken = [f"{name}: {change}" for name, changes in incompatible(directory).items() for change in changes]
    problems = broken + unversioned(directory)
    if problems:
        raise ValueError("\n".join(problems))
    write_schemas(directory / VERSION)
    return directory / VERSION
