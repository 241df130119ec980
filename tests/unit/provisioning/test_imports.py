"""Which of a venue's objects are imported, and which role is not."""

from __future__ import annotations

import pytest

from tests.stacks import a_venue
from tests.unit.provisioning.test_venue_snapshot import a_parameter, a_role
from venue_access.aws.client import AwsClient
from venue_access.errors import UsageError
from venue_access.provisioning.imports import check_importable, missing_from_state
from venue_access.provisioning.render import managed_resources
from venue_access.provisioning.venue_snapshot import VenueSnapshot

BOUNDARY = "arn:aws:iam::111122223333:policy/platform/boundary"


class Account(AwsClient):
    """An account with these managed policies, attached to the role or not, that counts calls."""

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


def test_known_addresses_are_not_looked_up() -> None:
    venue, account = a_venue(), Account()
    known = frozenset(each.address for each in managed_resources(venue))
    assert missing_from_state(account, venue, VenueSnapshot(a_role(), a_parameter()), known) == []
    assert account.asked == 0


def test_existing_objects_missing_from_the_state_are_imported() -> None:
    venue = a_venue()
    s3, ecr = venue.policy_arn("s3"), venue.policy_arn("ecr")
    account = Account(s3, ecr, attached=(s3, "arn:aws:iam::111122223333:policy/somebodys"))
    found = missing_from_state(account, venue, VenueSnapshot(a_role(), None), frozenset())
    assert [each.id for each in found] == [venue.role_name, s3, ecr, f"{venue.role_name}/{s3}"]
    assert account.asked == 3


def test_missing_role_has_no_attachments() -> None:
    venue, account = a_venue(), Account()
    found = missing_from_state(account, venue, VenueSnapshot(None, a_parameter()), frozenset())
    assert [each.id for each in found] == [venue.external_id_parameter]
    assert account.asked == 2


def test_role_with_another_path_or_boundary_is_not_imported() -> None:
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
