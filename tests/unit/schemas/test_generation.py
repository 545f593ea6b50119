"""The schema files: current, versioned, and never broken since the last release."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas import VERSION, generation
from schemas.generation import (
    CONTRACTS,
    SUFFIX,
    incompatible,
    json_schema,
    last_release,
    release,
    stale_schemas,
    unversioned,
    write_schemas,
)

VEHICLE = f"vehicle{SUFFIX}"


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _released(root: Path, version: str) -> Path:
    write_schemas(root / version)
    return root


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_each_schema_is_valid_json_schema_with_its_own_id(contract: generation.Contract) -> None:
    schema = json_schema(contract)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:lotrisk:schema:{contract.name}:{VERSION}"
    assert schema["title"]


def test_written_files_are_current_and_writing_again_changes_none(tmp_path: Path) -> None:
    assert len(write_schemas(tmp_path)) == len(CONTRACTS)
    assert write_schemas(tmp_path) == []
    assert stale_schemas(tmp_path) == []


def test_what_is_stale_is_said_by_file_and_place(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    _edit(tmp_path / VEHICLE, title="Car", x=1)
    (tmp_path / f"part{SUFFIX}").unlink()
    (tmp_path / f"flag{SUFFIX}").write_text("{")
    (tmp_path / "boat.schema.json").write_text("{}")
    said = stale_schemas(tmp_path)
    assert said[0] == 'vehicle.schema.json: /title is "Car" in the file, "Vehicle" by the model'
    assert said[1] == "vehicle.schema.json: /x stands in the file only"
    assert said[2] == "part.schema.json is missing"
    assert said[3].startswith("flag.schema.json is not JSON")
    assert said[4:] == ["boat.schema.json belongs to no contract"]


def test_the_last_release_is_the_highest_number_not_the_last_name(tmp_path: Path) -> None:
    assert last_release(tmp_path / "none") is None
    for version in ("1.9", "1.10", "1.2"):
        (tmp_path / version).mkdir()
    assert last_release(tmp_path) == "1.10"


def test_before_the_first_release_nothing_is_broken(tmp_path: Path) -> None:
    assert incompatible(tmp_path) == {}
    assert unversioned(tmp_path) == []


def _required(schema: dict[str, Any]) -> None:
    schema["required"] = [name for name in schema["required"] if name != "vin"]


def _wider(schema: dict[str, Any]) -> None:
    del schema["properties"]["vin"]["pattern"]


@pytest.mark.parametrize(
    ("contract", "edit", "said"),
    [
        ("vehicle", _required, ["vin: the field is now required"]),
        ("vehicle", _wider, ['vin: pattern "^[A-HJ-NPR-Z0-9]{17}$" is new']),
        ("enriched-vehicle", _required, ["vin: the field is now required"]),
    ],
)
def test_a_change_that_breaks_since_the_release_is_found(
    tmp_path: Path, contract: str, edit: Any, said: list[str]
) -> None:
    """The release is edited to what it would have been before the present, narrower model."""
    path = _released(tmp_path, "0.9") / "0.9" / f"{contract}{SUFFIX}"
    schema = json.loads(path.read_text())
    edit(schema)
    path.write_text(json.dumps(schema))
    assert {name: [str(change) for change in changes] for name, changes in incompatible(tmp_path).items()} == {
        contract: said
    }
    with pytest.raises(ValueError, match=contract):
        release(tmp_path)


def test_an_input_may_have_become_wider_an_output_may_not(tmp_path: Path) -> None:
    root = _released(tmp_path, "0.9")
    for name in ("vehicle", "enriched-vehicle"):
        path = root / "0.9" / f"{name}{SUFFIX}"
        schema = json.loads(path.read_text())
        schema["required"] = [*schema["required"], "make"]
        path.write_text(json.dumps(schema))
    assert {name: [str(change) for change in changes] for name, changes in incompatible(root).items()} == {
        "enriched-vehicle": ["make: the field is no longer required"]
    }


def test_a_change_needs_a_higher_version(tmp_path: Path) -> None:
    root = _released(tmp_path, VERSION)
    assert unversioned(root) == []
    path = root / VERSION / VEHICLE
    schema = json.loads(path.read_text())
    del schema["properties"]["trim"]
    path.write_text(json.dumps(schema))
    assert incompatible(root) == {}
    assert unversioned(root) == [
        f"vehicle differs from release {VERSION}; raise VERSION in schemas/__init__.py above it"
    ]
    with pytest.raises(ValueError, match="raise VERSION"):
        release(root)


def test_a_contract_is_never_removed(tmp_path: Path) -> None:
    root = _released(tmp_path, "0.9")
    (root / "0.9" / f"boat{SUFFIX}").write_text("{}")
    assert unversioned(root) == ["boat.schema.json was released in 0.9 and is gone: a contract is never removed"]


def test_a_release_freezes_the_schemas(tmp_path: Path) -> None:
    made = release(_released(tmp_path, "0.9"))
    assert made == tmp_path / VERSION
    assert stale_schemas(made) == []
    assert release(tmp_path) == made


def test_a_generated_schema_says_null_by_leaving_a_field_out_and_no_title_of_its_own_making() -> None:
    schema = copy.deepcopy(json_schema(CONTRACTS[0]))
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert not any({"title", "default"} & set(field) for field in properties.values())
