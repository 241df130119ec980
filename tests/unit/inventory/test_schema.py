"""The JSON Schema of the variables, validated by an outside package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.unit.inventory.builders import USUAL
from venue_access.inventory.exports import json_schema
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.schema import VARIABLES

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads(json.dumps(json_schema()))
FILE = jsonschema.Draft202012Validator(SCHEMA)
VENUE = jsonschema.Draft202012Validator({**SCHEMA, "allOf": [{"$ref": "#/$defs/venue"}]})


def test_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ["example", "local"])
def test_variables_of_the_inventories_are_valid(name: str) -> None:
    inventory = load_inventory(ROOT / "inventory" / name)
    for host in inventory.hosts:
        variables = json.loads(json.dumps({key: each.value for key, each in inventory.settings(host).items()}))
        VENUE.validate(variables)
        FILE.validate(variables)


def test_each_example_and_default_is_valid() -> None:
    assert tuple(SCHEMA["properties"]) == VARIABLES
    for name, schema in SCHEMA["properties"].items():
        for value in [*schema["examples"], *([schema["default"]] if "default" in schema else []), None]:
            FILE.validate({name: value})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("account_id", 111122223333),
        ("account_id", "1111"),
        ("region", "us-west2"),
        ("partition", "aws-gov"),
        ("s3_buckets", "unity-dev-data"),
        ("s3_buckets", []),
        ("s3_allow_delete", "true"),
        ("ecr_repository_prefixes", ["unity-dev"]),
        ("trusted_principals", ["*"]),
        ("max_session_duration", 900),
        ("state", {"backend": "s3", "buckt": "x"}),
        ("ledger", {"bucket": "x"}),
        ("users", {"alice": {"mail": "x"}}),
        ("users", {"a b": None}),
        ("contact", "nobody"),
    ],
)
def test_wrong_value_is_invalid(variable: str, value: Any) -> None:
    assert not FILE.is_valid({variable: value})


@pytest.mark.parametrize("missing", ["project", "account_id", "region", "trusted_principals"])
def test_venue_requires_what_the_kit_requires(missing: str) -> None:
    variables = {key: value for key, value in USUAL.items() if key != missing}
    assert FILE.is_valid(variables)
    assert not VENUE.is_valid(variables)
    assert VENUE.is_valid({**variables, "emulator": True}) == (missing == "trusted_principals")
