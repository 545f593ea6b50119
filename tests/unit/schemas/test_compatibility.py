"""The comparer of contracts: what it finds, in which direction it fails, and that it is never too kind."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.compatibility import Effect, breaking, compare

Schema = dict[str, Any]


def _object(required: tuple[str, ...] = (), extra: Schema | None = None, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)} | (extra or {})


TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"anyOf": [{"type": "string"}, {"type": "null"}]}

# what it is, old, new, sentences of what narrows, sentences of what widens (removed and unknown stand in both)
CASES: list[tuple[str, Schema, Schema, list[str], list[str]]] = [
    ("same", _object(a=TEXT), _object(a=TEXT), [], []),
    ("title and description", {**TEXT, "title": "A"}, {**TEXT, "description": "b"}, [], []),
    ("optional field added", _object(a=TEXT), _object(a=TEXT, b=TEXT), [], []),
    (
        "optional field added to a closed object",
        _object(extra={"additionalProperties": False}, a=TEXT),
        _object(extra={"additionalProperties": False}, a=TEXT, b=TEXT),
        [],
        [],
    ),
    (
        "required field added",
        _object(a=TEXT),
        _object(("b",), a=TEXT, b=TEXT),
        ["b: a new field is required; make it optional"],
        [],
    ),
    (
        "field removed",
        _object(a=TEXT, b=TEXT),
        _object(a=TEXT),
        ["b: the field is removed"],
        ["b: the field is removed"],
    ),
    (
        "required field removed",
        _object(("b",), b=TEXT),
        _object(),
        ["b: the field is removed"],
        ["b: the field is removed", "b: the field is no longer required"],
    ),
    ("optional made required", _object(a=TEXT), _object(("a",), a=TEXT), ["a: the field is now required"], []),
    ("required made optional", _object(("a",), a=TEXT), _object(a=TEXT), [], ["a: the field is no longer required"]),
    (
        "type changed",
        _object(a=TEXT),
        _object(a={"type": "number"}),
        ["a: type string is no longer allowed"],
        ["a: type number is now allowed"],
    ),
    ("integer to number", {"type": "integer"}, {"type": "number"}, [], ["the record: type number is now allowed"]),
    (
        "number to integer",
        {"type": "number"},
        {"type": "integer"},
        ["the record: type number is no longer allowed"],
        [],
    ),
    (
        "list of types grown",
        {"type": ["string"]},
        {"type": ["string", "null"]},
        [],
        ["the record: type null is now allowed"],
    ),
    (
        "type forgotten",
        {"type": ["string", "null", "array", "object", "boolean"]},
        {},
        [],
        ["the record: type number is now allowed"],
    ),
    (
        "enum value removed",
        {"enum": ["a", "b"]},
        {"enum": ["a"]},
        ['the record: the value "b" is no longer allowed'],
        [],
    ),
    ("enum value added", {"enum": ["a"]}, {"enum": ["a", "b"]}, [], ['the record: the value "b" is now allowed']),
    ("const made enum", {"const": "a"}, {"enum": ["a", "b"]}, [], ['the record: the value "b" is now allowed']),
    ("enum made const", {"enum": ["a", 1]}, {"const": "a"}, ["the record: the value 1 is no longer allowed"], []),
    (
        "true is not 1",
        {"const": True},
        {"const": 1},
        ["the record: the value true is no longer allowed"],
        ["the record: the value 1 is now allowed"],
    ),
    ("enum new", TEXT, {**TEXT, "enum": ["a"]}, ['the record: only the values "a" are allowed now'], []),
    ("enum gone", {**TEXT, "enum": ["a"]}, TEXT, [], ['the record: any value is allowed now, not only "a"']),
    ("pattern new", TEXT, {**TEXT, "pattern": "^a$"}, ['the record: pattern "^a$" is new'], []),
    ("pattern gone", {**TEXT, "pattern": "^a$"}, TEXT, [], ['the record: pattern "^a$" is gone']),
    (
        "pattern changed",
        {**TEXT, "pattern": "^a$"},
        {**TEXT, "pattern": "^[ab]$"},
        ['the record: pattern changed from "^a$" to "^[ab]$": can\'t be judged'],
        ['the record: pattern changed from "^a$" to "^[ab]$": can\'t be judged'],
    ),
    ("format new", TEXT, {**TEXT, "format": "date"}, ['the record: format "date" is new'], []),
    (
        "format changed",
        {**TEXT, "format": "date"},
        {**TEXT, "format": "date-time"},
        ['the record: format changed from "date" to "date-time": can\'t be judged'],
        ['the record: format changed from "date" to "date-time": can\'t be judged'],
    ),
    *[
        (f"{word} raised", {word: 1}, {word: 2}, [f"the record: {word} changed from 1 to 2"], [])
        for word in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
    ],
    *[
        (f"{word} raised", {word: 1}, {word: 2}, [], [f"the record: {word} changed from 1 to 2"])
        for word in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
    ],
    ("minimum new", {}, {"minimum": 0}, ["the record: minimum 0 is new"], []),
    ("maximum gone", {"maximum": 1.5}, {}, [], ["the record: maximum 1.5 is gone"]),
    (
        "bound replaced by its exclusive sister",
        {"minimum": 0},
        {"exclusiveMinimum": 0},
        ["the record: exclusiveMinimum 0 is new"],
        ["the record: minimum 0 is gone"],
    ),
    ("null allowed", _object(a=TEXT), _object(a=TEXT_OR_NULL), [], ["a: null is now allowed"]),
    ("null forbidden", _object(a=TEXT_OR_NULL), _object(a=TEXT), ["a: null is no longer allowed"], []),
    (
        "change within a nullable field",
        _object(a={"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]}),
        _object(a={"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 4}]}),
        ["a: maxLength changed from 5 to 4"],
        [],
    ),
    (
        "alternative of the same type added",
        {"anyOf": [{"const": "a", "type": "string"}]},
        {"anyOf": [{"const": "b", "type": "string"}, {"const": "a", "type": "string"}]},
        [],
        ["the record: string is now allowed"],
    ),
    ("object opened", {"additionalProperties": False}, {"additionalProperties": True}, [], ["*: now allowed at all"]),
    ("object closed", {}, {"additionalProperties": False}, ["*: no longer allowed at all"], []),
    (
        "values of a mapping",
        {"additionalProperties": {"type": "number"}},
        {"additionalProperties": {"type": "integer"}},
        ["*: type number is no longer allowed"],
        [],
    ),
    (
        "a mapping's field gets a form of its own",
        {"additionalProperties": TEXT},
        {"additionalProperties": TEXT, "properties": {"a": {**TEXT, "maxLength": 3}}},
        ["a: maxLength 3 is new"],
        [],
    ),
    (
        "names of a mapping",
        {"propertyNames": {"enum": ["landed"]}},
        {"propertyNames": {"enum": ["landed", "replacement"]}},
        [],
        ['(name of a field): the value "replacement" is now allowed'],
    ),
    (
        "items",
        {"items": TEXT},
        {"items": {"type": "integer"}},
        ["[]: type string is no longer allowed"],
        ["[]: type integer is now allowed"],
    ),
    (
        "one place of a range",
        {"prefixItems": [TEXT, {"type": "integer"}]},
        {"prefixItems": [TEXT, {"type": "number"}]},
        [],
        ["[1]: type number is now allowed"],
    ),
    (
        "a range gets a fourth place",
        {"prefixItems": [TEXT] * 3},
        {"prefixItems": [TEXT] * 4},
        ["the record: the array had 3 places with a meaning of their own and now has 4"],
        ["the record: the array had 3 places with a meaning of their own and now has 4"],
    ),
    (
        "nested definition",
        {"$defs": {"F": _object(("x",), x=TEXT)}} | _object(f={"type": "array", "items": {"$ref": "#/$defs/F"}}),
        {"$defs": {"F": _object(x=TEXT)}} | _object(f={"type": "array", "items": {"$ref": "#/$defs/F"}}),
        [],
        ["f[].x: the field is no longer required"],
    ),
    (
        "definition renamed or written out",
        {"$defs": {"F": _object(x=TEXT)}} | _object(f={"$ref": "#/$defs/F", "description": "d"}),
        {"$defs": {"G": _object(x=TEXT)}} | _object(f={"$ref": "#/$defs/G"}, g=_object(x=TEXT)),
        [],
        [],
    ),
    (
        "definition in a nullable field",
        {"$defs": {"F": {"enum": ["a"], "type": "string"}}}
        | _object(f={"anyOf": [{"$ref": "#/$defs/F"}, {"type": "null"}]}),
        {"$defs": {"F": {"enum": ["b"], "type": "string"}}}
        | _object(f={"anyOf": [{"$ref": "#/$defs/F"}, {"type": "null"}]}),
        ['f: the value "a" is no longer allowed'],
        ['f: the value "b" is now allowed'],
    ),
    (
        "a definition that is not there",
        _object(f={"$ref": "#/$defs/F"}),
        _object(f={"$ref": "#/$defs/F"}),
        ["f: $ref #/$defs/F is not among $defs; it can't be compared"],
        ["f: $ref #/$defs/F is not among $defs; it can't be compared"],
    ),
    (
        "default changed",
        _object(a={**TEXT, "default": "new"}),
        _object(a={**TEXT, "default": "used"}),
        ['a: default changed from "new" to "used": a record without the field would mean something else'],
        ['a: default changed from "new" to "used": a record without the field would mean something else'],
    ),
    (
        "an unknown keyword changed",
        {"multipleOf": 2},
        {"multipleOf": 1},
        ["the record: the comparison doesn't know multipleOf"],
        ["the record: the comparison doesn't know multipleOf"],
    ),
    ("an unknown keyword unchanged", {"multipleOf": 2}, {"multipleOf": 2}, [], []),
    (
        "an unknown keyword that hides a definition",
        {"$defs": {"F": TEXT}, "allOf": [{"$ref": "#/$defs/F"}]},
        {"$defs": {"F": {"type": "integer"}}, "allOf": [{"$ref": "#/$defs/F"}]},
        ["the record: the comparison doesn't know allOf"],
        ["the record: the comparison doesn't know allOf"],
    ),
    (
        "conditions beside anyOf",
        {"anyOf": [TEXT, {"type": "null"}], "minLength": 1},
        {"anyOf": [TEXT, {"type": "null"}], "minLength": 2},
        ["the record: minLength changed from 1 to 2"],
        [],
    ),
]


def _said(old: Schema, new: Schema, *, effect: Effect) -> list[str]:
    wanted = {effect, Effect.REMOVED, Effect.UNKNOWN}
    return [str(change) for change in compare(old, new) if change.effect in wanted]


@pytest.mark.parametrize(
    ("old", "new", "narrows", "widens"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_change_is_found_and_judged(old: Schema, new: Schema, narrows: list[str], widens: list[str]) -> None:
    assert _said(old, new, effect=Effect.NARROWED) == narrows
    assert _said(old, new, effect=Effect.WIDENED) == widens


@pytest.mark.parametrize(
    ("old", "new", "narrows", "widens"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_inputs_may_widen_and_outputs_may_do_neither(
    old: Schema, new: Schema, narrows: list[str], widens: list[str]
) -> None:
    assert [str(change) for change in breaking(old, new, "input")] == narrows
    assert {str(change) for change in breaking(old, new, "output")} == {*narrows, *widens}


def test_a_new_optional_field_is_reported_though_it_breaks_nobody() -> None:
    (change,) = compare(_object(), _object(b=TEXT))
    assert (change.path, change.effect) == ("b", Effect.ADDED)


def test_a_definition_that_holds_itself_ends() -> None:
    old: Schema = {
        "$defs": {"Node": _object(next={"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}, a=TEXT)},
        "$ref": "#/$defs/Node",
    }
    new = copy.deepcopy(old)
    new["$defs"]["Node"]["properties"]["a"] = {"type": "integer"}
    assert [change.path for change in breaking(old, new, "input")] == ["a"]


_values = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "b", "ab", "abc"]), st.just(1.5)
)
_number_keywords: dict[str, st.SearchStrategy[Any]] = {
    "minimum": st.integers(-2, 2),
    "maximum": st.integers(-2, 2),
    "exclusiveMinimum": st.integers(-2, 2),
}
_string_keywords: dict[str, st.SearchStrategy[Any]] = {
    "minLength": st.integers(0, 2),
    "maxLength": st.integers(0, 3),
    "pattern": st.sampled_from(["^a", "b$"]),
    "enum": st.lists(st.sampled_from(["", "a", "b", "ab"]), min_size=1, unique=True),
}
_object_keywords: dict[str, st.SearchStrategy[Any]] = {
    "required": st.lists(st.sampled_from("pq"), min_size=1, unique=True),
    "additionalProperties": st.booleans(),
    "propertyNames": st.sampled_from([{"enum": ["p", "q"]}, {"maxLength": 1}]),
}
_array_keywords: dict[str, st.SearchStrategy[Any]] = {"minItems": st.integers(0, 2), "maxItems": st.integers(0, 3)}


def _few(keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Schema]:
    """At most two of the keywords: with more, hardly any value fits and nothing is tried."""
    names = st.lists(st.sampled_from(sorted(keywords)), max_size=2, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: keywords[name] for name in chosen}))


def _typed(name: str, keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Schema]:
    return _few(keywords).map(lambda chosen: {"type": name} | chosen)


_more: dict[str, st.SearchStrategy[Schema]] = {
    "null": st.just({}),
    "boolean": st.just({}),
    "integer": _few(_number_keywords),
    "number": _few(_number_keywords),
    "string": _few(_string_keywords),
    "object": _few(_object_keywords),
    "array": _few(_array_keywords),
}
_simple: st.SearchStrategy[Schema] = st.one_of(
    st.just({"type": "null"}),
    st.just({"type": "boolean"}),
    _typed("integer", _number_keywords),
    _typed("number", _number_keywords),
    _typed("string", _string_keywords),
    st.fixed_dictionaries({"const": _values}),
    st.just({}),
)


def _containers(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    anything = st.one_of(inner, st.booleans())
    properties = st.dictionaries(st.sampled_from("pq"), inner, max_size=2)
    objects = st.builds(
        lambda fields, more: {"type": "object", "properties": fields} | more,
        properties,
        _few(_object_keywords | {"additionalProperties": anything}),
    )
    arrays = _typed(
        "array",
        _array_keywords | {"items": anything, "prefixItems": st.lists(inner, min_size=1, max_size=2)},
    )
    return st.one_of(objects, arrays, st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}))


_schemas = st.recursive(_simple, _containers, max_leaves=6)


def _fits(schema: Schema, instance: object) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(instance)


def _near(draw: st.DrawFn, schema: Any) -> Any:
    """A value likely to fit a schema, or to miss it by little."""
    if not isinstance(schema, dict) or draw(st.integers(0, 19)) == 19:
        return draw(_values)
    if "anyOf" in schema:
        return _near(draw, draw(st.sampled_from(schema["anyOf"])))
    if "const" in schema or "enum" in schema:
        return draw(st.sampled_from(schema.get("enum", [schema.get("const")])))
    match schema.get("type"):
        case "object":
            held = {name: _near(draw, inner) for name, inner in schema["properties"].items() if draw(st.integers(0, 2))}
            others = schema.get("additionalProperties", True)
            if others is False:
                return held
            return held | {name: _near(draw, others) for name in "qr" if name not in held and draw(st.booleans())}
        case "array":
            places = schema.get("prefixItems", [])
            length = draw(st.integers(0, 3))
            return [_near(draw, places[at] if at < len(places) else schema.get("items", {})) for at in range(length)]
        case "string":
            return draw(st.sampled_from(["", "a", "b", "ab", "ba", "abc"]))
        case "integer" | "number":
            return draw(st.sampled_from([-3, -2, -1, 0, 1, 1.5, 2, 3]))
        case "boolean":
            return draw(st.booleans())
        case "null":
            return None
    return draw(_values)


def _places(schema: Schema) -> list[Schema]:
    """Every schema within a schema, itself first."""
    inner = [value for key, value in schema.items() if isinstance(value, dict) and key not in ("properties", "const")]
    inner += list(schema.get("properties", {}).values()) + schema.get("anyOf", []) + schema.get("prefixItems", [])
    return [schema] + [place for found in inner if isinstance(found, dict) for place in _places(found)]


@st.composite
def _edited(draw: st.DrawFn) -> tuple[Schema, Schema, list[object]]:
    """A schema, a near relative of it, and values near to either."""
    old = draw(_schemas)
    new = copy.deepcopy(old)
    place = draw(st.sampled_from(_places(new)))
    lists = [key for key, value in place.items() if isinstance(value, list) and key != "const" and value]
    match draw(st.sampled_from(["drop a keyword", "shorten a list", "add keywords", "replace"])):
        case "drop a keyword" if set(place) - {"properties", "anyOf"}:
            del place[draw(st.sampled_from([key for key in place if key not in ("properties", "anyOf")]))]
        case "shorten a list" if lists:
            shortened = place[draw(st.sampled_from(lists))]
            if len(shortened) > 1:
                del shortened[draw(st.integers(0, len(shortened) - 1))]
        case "add keywords":
            place.update(draw(_schemas) if place.get("type") is None else draw(_more[place["type"]]))
        case _:
            other = draw(_schemas)
            place.clear()
            place.update(other)
    if draw(st.booleans()):
        old, new = new, old
    return old, new, [_near(draw, side) for side in (old, new) * 6]


@given(_schemas)
def test_a_schema_is_compatible_with_itself(schema: Schema) -> None:
    assert compare(schema, copy.deepcopy(schema)) == ()


@settings(max_examples=400, deadline=None)
@given(_edited())
def test_what_is_called_compatible_keeps_valid_records_valid(edited: tuple[Schema, Schema, list[object]]) -> None:
    old, new, instances = edited
    effects = {change.effect for change in compare(old, new)}
    if effects & {Effect.ADDED, Effect.REMOVED, Effect.UNKNOWN}:
        return  # A new field in an open object is allowed although an unknown one of its name was, too.
    for instance in instances:
        if Effect.NARROWED not in effects and _fits(old, instance):
            assert _fits(new, instance)
        if Effect.WIDENED not in effects and _fits(new, instance):
            assert _fits(old, instance)
