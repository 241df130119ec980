"""The venues of one stack agree on what a root module has one of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks import a_venue
from tests.unit.inventory.builders import inventory_of
from venue_access.inventory.cross_validation import conflicts
from venue_access.inventory.model import StateBackend


@pytest.mark.parametrize(
    "changes",
    [
        {"account_id": "444455556666"},
        {"region": "us-east-1"},
        {"state": StateBackend("s3", bucket="tf-state")},
        {"aws_profile": "other"},
        {"operator_role_arn": "arn:aws:iam::111122223333:role/x"},
        {"aws_endpoint_url": "https://x"},
        {"emulator": True},
    ],
)
def test_venues_of_a_stack_agree_on_what_it_has_one_of(changes: dict[str, Any]) -> None:
    inventory = inventory_of(unity_dev={}, unity_ops={})
    venues = [a_venue(), a_venue("unity-ops", **changes)]
    (found,) = (each for each in conflicts(inventory, venues) if "venues of one stack" in each.message)
    assert (found.venue, found.key) == ("unity-ops", next(iter(changes)))
