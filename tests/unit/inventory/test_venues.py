"""Venues built from the variables of an inventory."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tests.unit.inventory.builders import NOT_GIVEN, ROLE, USUAL, inventory_of, problem, problems, venue_with
from venue_access.errors import InventoryError
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.model import StateBackend, Venue
from venue_access.inventory.schema import VARIABLES
from venue_access.inventory.venues import build_venues, inventory_warnings, venue_warnings

ROOT = Path(__file__).parents[3]


def test_defaults_of_a_venue_with_four_variables() -> None:
    assert venue_with() == Venue(
        name="unity-dev",
        project="unity",
        venue="dev",
        account_id="111122223333",
        region="us-west-2",
        partition="aws",
        trusted_principals=(ROLE,),
        stack="unity-dev",
        role_prefix="unity",
        s3_buckets=None,
        s3_allow_delete=False,
        ecr_repository_prefixes=("unity-dev/",),
        role_path="/",
        max_session_duration=3600,
        state=StateBackend("local"),
    )


def test_variables_are_fields_of_the_venue() -> None:
    assert set(VARIABLES) | {"name", "bucket_uses"} == {field.name for field in fields(Venue)}


def test_names_are_the_platforms() -> None:
    venue = venue_with(role_path="/ops/", permissions_boundary="mcp-tenantOperator-AMI-APIG")
    assert venue.role_arn == "arn:aws:iam::111122223333:role/ops/unity-unity-dev-sts"
    assert venue.external_id_parameter == "/unity/unity/dev/cs/sts/role/external-id"
    assert venue.datastore_parameter == "/unity/unity/dev/ds/datastore-bucket"
    assert venue.permissions_boundary_arn == "arn:aws:iam::111122223333:policy/mcp-tenantOperator-AMI-APIG"
    assert venue.policy_arn("s3") == "arn:aws:iam::111122223333:policy/ops/unity-unity-dev-sts-s3"


def test_boundary_in_a_parameter() -> None:
    venue = venue_with(permissions_boundary="ssm:/unity/cs/account/privilegedpolicyname")
    assert venue.boundary_parameter == "/unity/cs/account/privilegedpolicyname"
    assert venue.permissions_boundary_arn is None
    assert venue_with(permissions_boundary="mcp").boundary_parameter is None


def test_emulator_venue_trusts_the_emulators_operator_by_default() -> None:
    """The emulator compares a role's sessions by their own ARN, in which the role has no path."""
    sessions = "arn:aws:sts::111122223333:assumed-role"
    role, user = "arn:aws:iam::111122223333:role/venue-access-operator", "arn:aws:iam::111122223333:user/anna"
    default = venue_with(emulator=True, trusted_principals=NOT_GIVEN)
    assert default.trusted_principals == (role, f"{sessions}/venue-access-operator/*")
    with_path = "arn:aws:iam::111122223333:role/portal/admin"
    given = venue_with(emulator=True, trusted_principals=[with_path, user])
    assert given.trusted_principals == (with_path, f"{sessions}/admin/*", user)
    assert venue_with(trusted_principals=[with_path, user]).trusted_principals == (with_path, user)


def test_emulator_venue_without_account_or_valid_principals_has_one_problem() -> None:
    assert problem(emulator=True, account_id=NOT_GIVEN, trusted_principals=NOT_GIVEN).key == "account_id"
    assert problem(emulator=True, trusted_principals="operator").key == "trusted_principals"


def test_null_is_not_given() -> None:
    assert venue_with(permissions_boundary=None, tags=None, s3_buckets=None, users=None) == venue_with()


@pytest.mark.parametrize("missing", ["project", "account_id", "region", "trusted_principals"])
def test_missing_variable(missing: str) -> None:
    found = problem(**{missing: NOT_GIVEN})
    assert (found.venue, found.key) == ("unity-dev", missing)
    assert found.message.startswith("is required")


@pytest.mark.parametrize("host", ["unity-", "unity", "unity-a b", "unity-$(id)", "unity--x"])
def test_unusable_host_name_is_refused(host: str) -> None:
    inventory = inventory_of(**{host: USUAL})
    with pytest.raises(InventoryError, match="host name"):
        build_venues(inventory)


def test_problems_are_reported_once() -> None:
    found = problems(unity_dev={"region": "x", "tags": 1}, unity_test={"region": "x"}, unity_prod={"region": "x"})
    assert [(problem.venue, problem.key) for problem in found] == [
        ("unity-dev and 2 more", "region"),
        ("unity-dev", "tags"),
    ]


def test_local_inventory_has_three_venues_of_two_projects_in_two_accounts() -> None:
    venues = build_venues(load_inventory(ROOT / "inventory/local"))
    assert list(venues) == ["unity-dev", "unity-test", "sounder-dev"]
    assert {(venue.project, venue.account_id) for venue in venues.values()} == {
        ("unity", "111122223333"),
        ("sounder", "444455556666"),
    }
    assert all(venue.emulator and venue.s3_buckets for venue in venues.values())
    assert {name for venue in venues.values() for name in venue.users} == {"alice", "bob"}


def test_example_inventory_has_every_variable_and_no_warning() -> None:
    folder = ROOT / "inventory/example"
    inventory = load_inventory(folder)
    venues = build_venues(inventory)
    assert venue_warnings(inventory, venues.values()) == []
    assert inventory_warnings(inventory) == []
    written = {name for host in inventory.hosts for name in inventory.settings(host)}
    assert written >= set(VARIABLES) - {"strict_variables"}
    assert {venue.partition for venue in venues.values()} == {"aws", "aws-us-gov"}
