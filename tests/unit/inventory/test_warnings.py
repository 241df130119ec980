"""Warnings about what is probably a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.inventory.builders import inventory_of, problem, venue_with
from venue_access.inventory.venues import ORDINARY_WORDS, build_venues, inventory_warnings, venue_warnings

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("regoin", "region"),
        ("sourc_cidrs", "source_cidrs"),
        ("s3_bucket", "s3_buckets"),
        ("ecr_repository_prefix", "ecr_repository_prefixes"),
        ("trusted-principals", "trusted_principals"),
        ("accountId", "account_id"),
        ("STACK", "stack"),
        ("Tags", "tags"),
    ],
)
def test_misspelt_variable_is_a_warning_or_a_strict_error(misspelt: str, meant: str) -> None:
    expected = f"hosts.yml: unity-dev: unknown variable {misspelt!r} (did you mean {meant!r}?)"
    inventory = inventory_of(unity_dev={misspelt: "x"})
    assert [str(each) for each in inventory_warnings(inventory)] == [expected]
    assert build_venues(inventory)
    strict = {misspelt: "x", "strict_variables": True}
    assert str(problem(**strict)) == expected
    assert inventory_warnings(inventory_of(unity_dev=strict)) == []


def test_other_unknown_variables_are_ignored() -> None:
    words = dict.fromkeys(ORDINARY_WORDS, 1)
    inventory = inventory_of(unity_dev={"ansible_user": "ops", "my_tags": 1, "regional": True, **words})
    assert build_venues(inventory)["unity-dev"] == venue_with()
    assert inventory_warnings(inventory) == []


def test_mfa_is_a_warning_for_roles_and_not_for_users() -> None:
    assert warned() == []
    assert "carry no MFA" in warned(require_mfa=True)[0]
    assert not warned(require_mfa=True, trusted_principals=["arn:aws:iam::111122223333:user/issuer"])


def test_users_only_without_users_is_a_warning() -> None:
    assert warned(users_only=True) == ["hosts.yml: unity-dev: users_only: nobody gets a token, as there are no 'users'"]


def warned(**variables: Any) -> list[str]:
    """The warnings about a venue unity-dev with these variables."""
    inventory = inventory_of(unity_dev=variables)
    return [str(each) for each in venue_warnings(inventory, build_venues(inventory).values())]
