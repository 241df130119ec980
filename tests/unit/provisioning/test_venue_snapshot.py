from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import AwsClient, LiveRole, Parameter
from venue_access.errors import UsageError
from venue_access.provisioning.render import managed_resources
from venue_access.provisioning.venue_snapshot import VenueSnapshot, check_importable, existing
from venue_access.sensitive import ExternalId

BOUNDARY = "arn:aws:iam::111122223333:policy/platform/boundary"


CURRENT = {
    "Sid": "Current",
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": "one"}},
}


def a_role(**changes: Any) -> LiveRole:
    values: dict[str, Any] = {
        "arn": a_venue().role_arn,
        "role_id": "AROAEXAMPLE",
        "path": "/",
        "trust_policy": {"Statement": [CURRENT]},
        "max_session_duration": 3600,
        "permissions_boundary_arn": None,
    }
    return LiveRole(**{**values, **changes})


def a_parameter(value: str = "one") -> Parameter:
    return Parameter(ExternalId(value), 1, datetime(2026, 11, 20, tzinfo=timezone.utc))


def test_two_readings_are_the_same_while_nobody_changes_an_id() -> None:
    before = VenueSnapshot(a_role(), a_parameter())
    assert before.same_ids_as(VenueSnapshot(a_role(max_session_duration=7200), a_parameter()))
    assert not before.same_ids_as(VenueSnapshot(a_role(), a_parameter("two")))
    assert not before.same_ids_as(VenueSnapshot(None, a_parameter()))


class Account(AwsClient):
    """An account that holds these managed policies, attached to the role or not, and counts what it is asked."""

    def __init__(self, *policies: str, attached: tuple[str, ...] = ()) -> None:
        super().__init__(region="us-west-2")
        self.asked = 0
        self._policies, self._attached = policies, attached

    def managed_policy_exists(self, arn: str) -> bool:
        self.asked += 1
        return arn in self._policies

    def attached_policies(self, role_name: str) -> frozenset[str]:
        self.asked += 1
        return frozenset(self._attached)


def test_what_the_state_knows_is_not_asked_about() -> None:
    venue, account = a_venue(), Account()
    known = frozenset(each.address for each in managed_resources(venue))
    assert existing(account, venue, VenueSnapshot(a_role(), a_parameter()), known) == []
    assert account.asked == 0


def test_what_exists_and_the_state_does_not_know_is_imported() -> None:
    venue = a_venue()
    s3, ecr = venue.policy_arn("s3"), venue.policy_arn("ecr")
    account = Account(s3, ecr, attached=(s3, "arn:aws:iam::111122223333:policy/somebodys"))
    found = existing(account, venue, VenueSnapshot(a_role(), None), frozenset())
    assert [each.id for each in found] == [venue.role_name, s3, ecr, f"{venue.role_name}/{s3}"]
    assert account.asked == 3


def test_a_role_that_is_absent_has_nothing_attached() -> None:
    venue, account = a_venue(), Account()
    found = existing(account, venue, VenueSnapshot(None, a_parameter()), frozenset())
    assert [each.id for each in found] == [venue.external_id_parameter]
    assert account.asked == 2


def test_a_role_with_another_path_or_an_unnamed_boundary_is_not_taken_over() -> None:
    with pytest.raises(UsageError, match="exists already, with the path /teams/\n  set role_path: /teams/"):
        check_importable(a_venue(), VenueSnapshot(a_role(path="/teams/"), None))
    with pytest.raises(UsageError, match="set permissions_boundary: platform/boundary"):
        check_importable(a_venue(), VenueSnapshot(a_role(permissions_boundary_arn=BOUNDARY), None))
    foreign = "arn:aws:iam::aws:policy/PowerUserAccess"
    with pytest.raises(UsageError, match=f"set permissions_boundary: {foreign}"):
        check_importable(a_venue(), VenueSnapshot(a_role(permissions_boundary_arn=foreign), None))
    check_importable(
        a_venue(permissions_boundary="other"), VenueSnapshot(a_role(permissions_boundary_arn=BOUNDARY), None)
    )
