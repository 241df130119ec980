from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import AwsClient, LiveRole, Parameter
from venue_access.errors import UsageError
from venue_access.policies.compare import external_ids_in
from venue_access.provisioning.imports import check_importable, missing_from_state
from venue_access.provisioning.render import managed_resources
from venue_access.provisioning.venue_snapshot import VenueSnapshot
from venue_access.sensitive import ExternalId

BOUNDARY = "arn:aws:iam::111122223333:policy/platform/boundary"


def a_statement(operator: str = "StringEquals", *ids: str, key: str = "sts:ExternalId", **more: Any) -> dict[str, Any]:
    value = ids[0] if len(ids) == 1 else list(ids)
    condition = {operator: {key: value}} if ids else {}
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": condition, **more}


def ids_in(*statements: dict[str, Any]) -> dict[str, list[str]]:
    found = external_ids_in({"Statement": list(statements)})
    return {sid: [each.reveal() for each in ids] for sid, ids in found.items()}


def test_external_ids_are_found_by_sid_and_incoming_is_pending() -> None:
    assert ids_in(
        a_statement("StringEquals", "one", Sid="Current"), a_statement("StringEquals", "two", Sid="Incoming")
    ) == {"Current": ["one"], "Pending": ["two"]}


def test_a_single_statement_need_not_be_a_list_and_a_key_ignores_case() -> None:
    policy = {"Statement": a_statement("StringEquals", "one", key="STS:externalid")}
    assert external_ids_in(policy) == {"": (ExternalId("one"),)}


@pytest.mark.parametrize(
    "action", ["sts:*", "*", "sts:Assume*", "STS:AssumeRole", ["sts:TagSession", "sts:AssumeRole"]]
)
def test_an_action_may_be_written_in_many_ways(action: Any) -> None:
    assert ids_in(a_statement("StringEquals", "one", Action=action)) == {"": ["one"]}


@pytest.mark.parametrize("action", ["sts:TagSession", "sts:AssumeRoleWithSAML", ["sts:SetSourceIdentity"], None])
def test_a_statement_that_lets_nobody_assume_the_role_is_passed_over(action: Any) -> None:
    assert ids_in(a_statement("StringEquals", "one", Action=action)) == {}


def test_a_statement_may_let_anybody_assume_the_role_by_naming_another_action() -> None:
    whoever = {"Effect": "Allow", "Principal": {"AWS": "*"}}
    assert ids_in({**whoever, "NotAction": "sts:TagSession"}) == {"": []}
    assert ids_in({**whoever, "NotAction": ["sts:Assume*"]}) == {}


def test_a_deny_is_no_guard() -> None:
    assert ids_in(a_statement("StringEquals", "one", Effect="Deny")) == {}


@pytest.mark.parametrize("operator", ["StringEqualsIfExists", "StringNotEquals", "ForAllValues:StringEquals"])
def test_a_condition_that_an_absent_id_passes_is_no_guard(operator: str) -> None:
    assert ids_in(a_statement(operator, "one")) == {"": []}


def test_a_pattern_is_a_guard_only_without_a_wildcard() -> None:
    assert ids_in(a_statement("StringLike", "one", "tw*", "thre?")) == {"": ["one"]}


def a_role(**changes: Any) -> LiveRole:
    values: dict[str, Any] = {
        "arn": a_venue().role_arn,
        "role_id": "AROAEXAMPLE",
        "path": "/",
        "trust_policy": {"Statement": [a_statement("StringEquals", "one", Sid="Current")]},
        "max_session_duration": 3600,
        "permissions_boundary_arn": None,
    }
    return LiveRole(**{**values, **changes})


def a_parameter(value: str = "one") -> Parameter:
    return Parameter(ExternalId(value), 1, datetime(2026, 11, 20, tzinfo=timezone.utc))


def test_two_readings_are_the_same_while_nobody_changes_an_id() -> None:
    before = VenueSnapshot(a_role(), a_parameter())
    assert before.has_same_ids(VenueSnapshot(a_role(max_session_duration=7200), a_parameter()))
    assert not before.has_same_ids(VenueSnapshot(a_role(), a_parameter("two")))
    assert not before.has_same_ids(VenueSnapshot(None, a_parameter()))


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
    assert missing_from_state(account, venue, VenueSnapshot(a_role(), a_parameter()), known) == []
    assert account.asked == 0


def test_what_exists_and_the_state_does_not_know_is_imported() -> None:
    venue = a_venue()
    s3, ecr = venue.policy_arn("s3"), venue.policy_arn("ecr")
    account = Account(s3, ecr, attached=(s3, "arn:aws:iam::111122223333:policy/somebodys"))
    found = missing_from_state(account, venue, VenueSnapshot(a_role(), None), frozenset())
    assert [each.id for each in found] == [venue.role_name, s3, ecr, f"{venue.role_name}/{s3}"]
    assert account.asked == 3


def test_a_role_that_is_absent_has_nothing_attached() -> None:
    venue, account = a_venue(), Account()
    found = missing_from_state(account, venue, VenueSnapshot(None, a_parameter()), frozenset())
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
