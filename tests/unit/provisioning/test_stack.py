"""Venues that share a root module, and where its state is."""

from __future__ import annotations

import dataclasses

import pytest

from tests.stacks import a_stack, a_venue
from venue_access.inventory.model import StateBackend
from venue_access.provisioning.stack import group_into_stacks

S3 = StateBackend("s3", bucket="tf-state", key_prefix="venues/", region="us-east-1", kms_key_id="alias/state")


def test_venues_are_grouped_by_stack_in_order_of_name() -> None:
    stacks = group_into_stacks([a_venue("b-one"), a_venue("a-two"), a_venue("a-one", stack="alone")])
    assert [(stack.name, [venue.name for venue in stack.venues]) for stack in stacks] == [
        ("alone", ["a-one"]),
        ("shared", ["a-two", "b-one"]),
    ]


@pytest.mark.parametrize("prefix", ["", "/", "venues", "/venues/"])
def test_each_stack_has_its_own_state_key(prefix: str) -> None:
    state = dataclasses.replace(S3, key_prefix=prefix)
    expected = "venues/shared/terraform.tfstate" if "venues" in prefix else "shared/terraform.tfstate"
    assert a_stack(a_venue(state=state)).state_location.key == expected
