"""Every example, by the model and by the JSON Schema: the valid ones pass both, an invalid one fails for its reason."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
from jsonschema.exceptions import ValidationError as SchemaError
from pydantic import ValidationError

from schemas.generation import CONTRACTS, JSON, ROOT, SUFFIX, Contract

EXAMPLES = ROOT / "examples"
VALID = [(contract, path) for contract in CONTRACTS for path in sorted((EXAMPLES / contract.name / "valid").glob("*"))]
INVALID = [
    (contract, path) for contract in CONTRACTS for path in sorted((EXAMPLES / contract.name / "invalid").glob("*.json"))
]


def _ids(cases: list[tuple[Contract, Path]]) -> list[str]:
    return [f"{contract.name}-{path.stem}" for contract, path in cases]


def _validator(contract: Contract) -> jsonschema.Draft202012Validator:
    schema = json.loads((JSON / f"{contract.name}{SUFFIX}").read_text("utf-8"))
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def _leaves(errors: list[SchemaError]) -> Iterator[SchemaError]:
    """The errors that name a condition, those of the `null` alternative of a nullable field aside."""
    for error in errors:
        if error.context:
            inner = [one for one in error.context if not (one.validator == "type" and one.validator_value == "null")]
            yield from _leaves(inner)
        else:
            yield error


def _where(error: SchemaError) -> str:
    """The field, without places in an array; a missing or misnamed one is named by its own name."""
    names = [str(part) for part in error.absolute_path if isinstance(part, str)]
    if error.validator == "required":
        required, record = cast("list[str]", error.validator_value), cast("dict[str, object]", error.instance)
        names.append(next(name for name in required if name not in record))
    return ".".join(names)


@pytest.mark.parametrize(("contract", "path"), VALID, ids=_ids(VALID))
def test_a_valid_example_passes_model_and_schema(contract: Contract, path: Path) -> None:
    contract.model.model_validate_json(path.read_bytes())
    _validator(contract).validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize(("contract", "path"), INVALID, ids=_ids(INVALID))
def test_an_invalid_example_fails_both_for_the_reason_it_names(contract: Contract, path: Path) -> None:
    reason = tomllib.loads((path.parent / "reasons.toml").read_text("utf-8"))[path.name]

    found = {
        ("propertyNames" if "propertyNames" in error.absolute_schema_path else str(error.validator), _where(error))
        for error in _leaves(list(_validator(contract).iter_errors(json.loads(path.read_bytes()))))
    }
    if ("pattern", reason["field"]) in found:  # The pattern of a date says what its format says, and a little more.
        found.discard(("format", reason["field"]))
    assert found == {(reason["keyword"], reason["field"])}

    with pytest.raises(ValidationError) as caught:
        contract.model.model_validate_json(path.read_bytes())
    names = {(error["type"], _model_where(error)) for error in caught.value.errors()}
    assert names == {(reason["model"], reason["field"])}


def _model_where(error: Any) -> str:
    """As `_where`, of pydantic's error: an unknown name is reported at the block that may not hold it."""
    names = [part for part in error["loc"] if isinstance(part, str) and part != "[key]"]
    unknown = error["type"] == "extra_forbidden" or error["loc"][-1] == "[key]"
    return ".".join(names[:-1] if unknown else names)


def test_every_invalid_example_has_a_reason_and_every_reason_an_example() -> None:
    for contract in CONTRACTS:
        directory = EXAMPLES / contract.name / "invalid"
        reasons = tomllib.loads((directory / "reasons.toml").read_text("utf-8"))
        assert set(reasons) == {path.name for path in directory.glob("*.json")}
        assert all(reason["why"] for reason in reasons.values())


def test_every_contract_has_examples_of_both_kinds() -> None:
    assert {contract.name for contract, _ in VALID} == {contract.name for contract in CONTRACTS}
    assert {contract.name for contract, _ in INVALID} == {contract.name for contract in CONTRACTS}
    assert {path.name for path in EXAMPLES.iterdir()} == {contract.name for contract in CONTRACTS}


@pytest.mark.parametrize("contract", CONTRACTS[:4], ids=lambda contract: contract.name)
def test_an_example_uses_every_field_of_the_record(contract: Contract) -> None:
    used = {name for held, path in VALID if held is contract for name in json.loads(path.read_bytes())}
    assert {str(field.alias or name) for name, field in contract.model.model_fields.items()} <= used


def test_unknown_fields_of_a_producer_are_kept() -> None:
    for contract in CONTRACTS[:2]:
        record = json.loads((EXAMPLES / contract.name / "valid" / "key-only.json").read_bytes())
        held = contract.model.model_validate_json(json.dumps(record | {"their_own": {"a": [1, None]}}))
        assert held.model_dump(exclude_unset=True) == record | {"their_own": {"a": [1, None]}}
