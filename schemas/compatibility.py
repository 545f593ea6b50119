"""What changed between two versions of a contract, and whether anyone breaks by it.

The comparison reads JSON Schema (2020-12, the part pydantic writes). It never guesses: a keyword it doesn't know, or a
change it can't judge, is a failure. `docs/contracts.md` states the rules for people.

* **input** (`dms.*`): a record that was valid stays valid. Narrowing or removing anything fails; widening is fine.
* **output** (enriched, flags, dead letters): a reader can go on relying on what it relied on, so loosening fails (a
  field not always there any more, a wider type, one more value of an enumeration); and records written before stay
  valid, since compacted topics keep them and the workers' state is read back from them, so narrowing fails too.
* In both, a new optional field is fine: readers ignore fields they don't know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

Direction = Literal["input", "output"]
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Schema: TypeAlias = "Mapping[str, Json]"

ANNOTATIONS = frozenset({"$id", "$schema", "$defs", "$comment", "title", "description", "examples", "deprecated"})
TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_LOWER_BOUNDS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER_BOUNDS = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_FORMS = {"pattern", "format"}
_SUBSCHEMAS = {"additionalProperties": "{}.*", "items": "{}[]", "propertyNames": "{} (name of a field)"}
_KNOWN = (
    ANNOTATIONS
    | _LOWER_BOUNDS
    | _UPPER_BOUNDS
    | _FORMS
    | set(_SUBSCHEMAS)
    | {"type", "enum", "const", "properties", "required", "prefixItems", "anyOf", "$ref", "default"}
)
NOTHING: Schema = {"not": {}}
"""The schema that no value fits, in place of `false`."""


class Effect(StrEnum):
    """What a change does to the set of records that are valid."""

    ADDED = "added"
    NARROWED = "narrowed"
    WIDENED = "widened"
    REMOVED = "removed"
    UNKNOWN = "unknown"


BREAKING: Mapping[Direction, frozenset[Effect]] = {
    "input": frozenset({Effect.NARROWED, Effect.REMOVED, Effect.UNKNOWN}),
    "output": frozenset({Effect.NARROWED, Effect.WIDENED, Effect.REMOVED, Effect.UNKNOWN}),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: where (a path like `flags[].severity`), what it does, and what it is."""

    path: str
    effect: Effect
    what: str

    def __str__(self) -> str:
        return f"{self.path or 'the record'}: {self.what}"


def compare(old: Schema, new: Schema) -> tuple[Change, ...]:
    """Every difference between two schemas that matters to a validator, in the order of the fields."""
    return tuple(dict.fromkeys(_Comparison(old, new).schemas(old, new, "")))


def breaking(old: Schema, new: Schema, direction: Direction) -> tuple[Change, ...]:
    """The differences that break someone in this direction; none means compatible."""
    return tuple(change for change in compare(old, new) if change.effect in BREAKING[direction])


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _types(schema: Schema) -> frozenset[str]:
    """The JSON types a schema admits; `number` holds `integer`."""
    named = schema.get("type")
    if named is None:
        return TYPES
    names = frozenset([named] if isinstance(named, str) else [str(name) for name in _list(named)])
    return names | {"integer"} if "number" in names else names


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _mapping(value: Json) -> Schema:
    return value if isinstance(value, Mapping) else {}


def _subschema(value: Json) -> Schema:
    """A schema where `true`, `false` or nothing may stand for one."""
    if value is False:
        return NOTHING
    return value if isinstance(value, Mapping) else {}


def _values(schema: Schema) -> dict[str, Json] | None:
    """The values of `enum` or `const` by their text; None where any value will do."""
    if "const" in schema:
        return {_text(schema["const"]): schema["const"]}
    if "enum" in schema:
        return {_text(value): value for value in _list(schema["enum"])}
    return None


def _holds_reference(value: Json) -> bool:
    if isinstance(value, Mapping):
        return "$ref" in value or any(_holds_reference(inner) for inner in value.values())
    return any(_holds_reference(inner) for inner in _list(value))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old_definitions = _mapping(old.get("$defs"))
        self._new_definitions = _mapping(new.get("$defs"))
        self._compared: set[tuple[str, str]] = set()

    def schemas(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        references = (str(old.get("$ref", "")), str(new.get("$ref", "")))
        if all(references):
            if references in self._compared:
                return  # A definition that holds itself; its first comparison speaks for all.
            self._compared.add(references)
        try:
            yield from self._resolved(old, new, path)
        finally:
            self._compared.discard(references)

    def _resolved(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        if old is NOTHING or new is NOTHING:
            if old is not new:
                effect = Effect.WIDENED if old is NOTHING else Effect.NARROWED
                yield Change(path, effect, f"{'now' if old is NOTHING else 'no longer'} allowed at all")
            return
        try:
            old_rest, old_branches = self._branches(old, self._old_definitions)
            new_rest, new_branches = self._branches(new, self._new_definitions)
        except LookupError as error:
            yield Change(path, Effect.UNKNOWN, str(error.args[0]))
            return
        yield from self._keywords(old_rest, new_rest, path)
        if len(old_branches) == len(new_branches) == 1:
            yield from self._branch(old_branches[0], new_branches[0], path)
        else:
            yield from self._alternatives(old_branches, new_branches, path)

    def _branch(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        if "$ref" in old or "$ref" in new or "anyOf" in old or "anyOf" in new:
            yield from self.schemas(old, new, path)
        else:
            yield from self._keywords(old, new, path)

    def _branches(self, schema: Schema, definitions: Schema) -> tuple[Schema, list[Schema]]:
        """What always holds, and the alternatives of which one must: both together are the schema."""
        if "$ref" in schema:
            name = str(schema["$ref"])
            target = definitions.get(name.removeprefix("#/$defs/"))
            if "anyOf" in schema:
                raise LookupError(f"$ref {name} stands beside anyOf; it can't be compared")
            if not name.startswith("#/$defs/") or not isinstance(target, Mapping):
                raise LookupError(f"$ref {name} is not among $defs; it can't be compared")
            rest: Schema = {key: value for key, value in schema.items() if key != "$ref"}
            inner_rest, branches = self._branches(target, definitions)
            if not set(rest) - ANNOTATIONS:
                return inner_rest, branches
            if not set(inner_rest) - ANNOTATIONS:
                return rest, branches
            raise LookupError(f"$ref {name} stands beside conditions of its own; it can't be compared")
        if "anyOf" in schema:
            rest = {key: value for key, value in schema.items() if key != "anyOf"}
            return rest, [_subschema(branch) for branch in _list(schema["anyOf"])]
        return {}, [schema]

    def _alternatives(self, old: list[Schema], new: list[Schema], path: str) -> Iterator[Change]:
        """Each alternative is compared with the one of the other side that is nearest to it."""
        left = list(new)
        lost = []
        for before in sorted(old, key=lambda schema: self._kind(schema, self._old_definitions) == "null", reverse=True):
            ranked = sorted(
                (self._distance(before, after, path), place)
                for place, after in enumerate(left)
                if self._kind(before, self._old_definitions) == self._kind(after, self._new_definitions)
            )
            if ranked:
                yield from self._branch(before, left.pop(ranked[0][1]), path)
            else:
                lost.append(self._kind(before, self._old_definitions))
        gained = [self._kind(after, self._new_definitions) for after in left]
        for kind in lost:
            yield Change(path, Effect.NARROWED, f"{kind} is no longer allowed")
        for kind in gained:
            yield Change(path, Effect.WIDENED, f"{kind} is now allowed")

    def _distance(self, old: Schema, new: Schema, path: str) -> int:
        return sum(1 for _ in self._branch(old, new, path))

    def _kind(self, schema: Schema, definitions: Schema) -> str:
        while "$ref" in schema:
            schema = _mapping(definitions.get(str(schema["$ref"]).removeprefix("#/$defs/")))
        if schema is NOTHING:
            return "nothing"
        return " or ".join(sorted(_types(schema))) if "type" in schema else "any value"

    def _keywords(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        yield from _type_changes(old, new, path)
        yield from _value_changes(old, new, path)
        yield from _bound_changes(old, new, path)
        yield from self._field_changes(old, new, path)
        for keyword, form in _SUBSCHEMAS.items():
            if keyword in old or keyword in new:
                before, after = _subschema(old.get(keyword)), _subschema(new.get(keyword))
                yield from self.schemas(before, after, form.format(path).lstrip(". "))
        yield from self._item_changes(old, new, path)
        if old.get("default") != new.get("default"):
            yield Change(
                path,
                Effect.UNKNOWN,
                f"default changed from {_text(old.get('default'))} to {_text(new.get('default'))}: "
                "a record without the field would mean something else",
            )
        for keyword in sorted((set(old) | set(new)) - _KNOWN):
            if old.get(keyword) != new.get(keyword) or _holds_reference(old.get(keyword)):
                yield Change(path, Effect.UNKNOWN, f"the comparison doesn't know {keyword}")

    def _field_changes(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        before, after = _mapping(old.get("properties")), _mapping(new.get("properties"))
        was, now = ({str(name) for name in _list(side.get("required"))} for side in (old, new))
        for name in before:
            inner = f"{path}.{name}" if path else name
            if name not in after:
                yield Change(inner, Effect.REMOVED, "the field is removed")
                continue
            yield from self.schemas(_subschema(before[name]), _subschema(after[name]), inner)
        others = old.get("additionalProperties")
        for name in (name for name in after if name not in before):
            inner = f"{path}.{name}" if path else name
            if isinstance(others, Mapping):  # Any name was a field of this form already.
                yield from self.schemas(others, _subschema(after[name]), inner)
            elif name not in now:
                yield Change(inner, Effect.ADDED, "a new optional field")
        for name in sorted(now - was):
            what = "the field is now required" if name in before else "a new field is required; make it optional"
            yield Change(f"{path}.{name}" if path else name, Effect.NARROWED, what)
        for name in sorted(was - now):
            yield Change(f"{path}.{name}" if path else name, Effect.WIDENED, "the field is no longer required")

    def _item_changes(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        before, after = _list(old.get("prefixItems")), _list(new.get("prefixItems"))
        if len(before) != len(after):
            what = f"the array had {len(before)} places with a meaning of their own and now has {len(after)}"
            yield Change(path, Effect.UNKNOWN, what)
        for place, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from self.schemas(_subschema(one), _subschema(other), f"{path}[{place}]")


def _type_changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    before, after = _types(old), _types(new)
    for name in sorted(before - after):
        if not (name == "integer" and "number" in before - after):
            yield Change(path, Effect.NARROWED, f"type {name} is no longer allowed")
    for name in sorted(after - before):
        if not (name == "integer" and "number" in after - before):
            yield Change(path, Effect.WIDENED, f"type {name} is now allowed")


def _value_changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    before, after = _values(old), _values(new)
    if before is None and after is None:
        return
    if before is None:
        yield Change(path, Effect.NARROWED, f"only the values {', '.join(after or ())} are allowed now")
    elif after is None:
        yield Change(path, Effect.WIDENED, f"any value is allowed now, not only {', '.join(before)}")
    else:
        for text in before:
            if text not in after:
                yield Change(path, Effect.NARROWED, f"the value {text} is no longer allowed")
        for text in after:
            if text not in before:
                yield Change(path, Effect.WIDENED, f"the value {text} is now allowed")


def _bound_changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    for keyword in sorted((set(old) | set(new)) & (_LOWER_BOUNDS | _UPPER_BOUNDS | _FORMS)):
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        if before is None:
            yield Change(path, Effect.NARROWED, f"{keyword} {_text(after)} is new")
        elif after is None:
            yield Change(path, Effect.WIDENED, f"{keyword} {_text(before)} is gone")
        elif keyword in _FORMS or not isinstance(before, int | float) or not isinstance(after, int | float):
            what = f"{keyword} changed from {_text(before)} to {_text(after)}: can't be judged"
            yield Change(path, Effect.UNKNOWN, what)
        else:
            narrower = after > before if keyword in _LOWER_BOUNDS else after < before
            effect = Effect.NARROWED if narrower else Effect.WIDENED
            yield Change(path, effect, f"{keyword} changed from {_text(before)} to {_text(after)}")
