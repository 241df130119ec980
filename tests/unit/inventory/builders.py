"""Inventories of one or a few hosts, as values: no file is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from venue_access.errors import InventoryError, Problem
from venue_access.inventory.groups import Group, Host, Inventory, SourcedValue
from venue_access.inventory.model import Venue
from venue_access.inventory.venues import build_venues

FILE = Path("hosts.yml")
ROLE = "arn:aws:iam::111122223333:role/operator"
USUAL: dict[str, Any] = {
    "project": "unity",
    "account_id": "111122223333",
    "region": "us-west-2",
    "trusted_principals": [ROLE],
}
NOT_GIVEN = object()
KEY = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def inventory_of(**hosts: Mapping[str, Any]) -> Inventory:
    """An inventory of these hosts (``unity_dev`` is unity-dev) with their variables, and those of USUAL."""
    entries = {}
    for name, given in hosts.items():
        variables = {key: value for key, value in {**USUAL, **given}.items() if value is not NOT_GIVEN}
        host = name.replace("_", "-")
        entries[host] = Host(host, {key: SourcedValue(value, FILE) for key, value in variables.items()}, file=FILE)
    groups = {
        "all": Group("all", children={"ungrouped": None}),
        "ungrouped": Group("ungrouped", hosts=dict.fromkeys(entries)),
    }
    return Inventory(FILE, groups, entries)


def venue_with(**variables: Any) -> Venue:
    """The venue unity-dev with these variables besides those of USUAL."""
    return build_venues(inventory_of(unity_dev=variables))["unity-dev"]


def problems(**hosts: Any) -> tuple[Problem, ...]:
    """The problems of an inventory of these hosts."""
    with pytest.raises(InventoryError) as caught:
        build_venues(inventory_of(**hosts))
    return caught.value.problems


def problem(**variables: Any) -> Problem:
    """The one problem of a venue unity-dev with these variables."""
    (found,) = problems(unity_dev=variables)
    return found
