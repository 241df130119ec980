"""Who has an outdated external ID (values are compared, never versions), and the Ansible inventory."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from tests.stacks import a_venue
from venue_access.aws.client import Parameter
from venue_access.errors import AccessDenied
from venue_access.ledger.chain import Kind, Record
from venue_access.provisioning.status import History, Holders, VenueStatus, holders_of, provisioned_only
from venue_access.provisioning.venue_snapshot import Stage
from venue_access.sensitive import ExternalId

VENUE = a_venue()
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
EARLIER = NOON - timedelta(hours=1)
NOT_BACK = "the parameter's history does not go back to the version they received"


def versions(*values: str, modified: datetime = EARLIER) -> dict[int, Parameter]:
    return {number: Parameter(ExternalId(value), number, modified) for number, value in enumerate(values, 1)}


def handed(recipient: str, version: int, kind: Kind = Kind.EXTERNAL_ID, role_arn: str = VENUE.role_arn) -> Record:
    return Record(
        kind,
        NOON,
        "arn",
        "ASIA",
        VENUE.name,
        role_arn,
        recipient=recipient,
        parameter_version=version,
    )


def found(history: History, *records: Record) -> Holders:
    return holders_of(records, VENUE, history[max(history)], lambda: history)


def not_asked() -> History:
    raise AssertionError("the history was read")


def test_recipient_of_another_id_has_an_outdated_one() -> None:
    records = [
        handed("carol", 1),
        handed("alice", 1),
        handed("bob", 1),
        handed("bob", 2),
        handed("dora", 1, role_arn=a_venue("unity-test").role_arn),
        handed("erik", 1, kind=Kind.ISSUE),
    ]
    assert found(versions("old", "new"), *records) == Holders(("alice", "carol"))
    assert found(versions("old", "new", "old"), *records) == Holders(("bob",))


def test_later_version_with_the_same_value_is_not_outdated() -> None:
    """A changed description, tier or type raises the version too."""
    assert found(versions("same", "same", "same"), handed("alice", 1), handed("bob", 2)) == Holders()


def test_history_is_read_only_for_earlier_versions() -> None:
    last = versions("an-id")[1]
    assert holders_of([handed("alice", 1)], VENUE, last, not_asked) == Holders()
    assert holders_of([], VENUE, last, not_asked) == Holders()


def test_version_missing_from_the_history_is_unknown() -> None:
    """SSM keeps a hundred versions; a parameter that was made again, perhaps with the same ID, counts from 1."""
    last_two = {number: each for number, each in versions("a", "b", "c").items() if number > 1}
    unknown = Holders((), ("alice",), NOT_BACK)
    assert found(last_two, handed("alice", 1), handed("bob", 3)) == unknown
    assert found(last_two, handed("alice", 1), handed("bob", 2)) == Holders(("bob",), ("alice",), NOT_BACK)
    assert found(last_two, handed("alice", 4)) == unknown
    for minutes, expected in ((60, unknown), (1, Holders()), (-60, Holders())):
        again = versions("an-id", modified=NOON + timedelta(minutes=minutes))
        assert found(again, handed("alice", 1)) == expected


def test_unreadable_history_is_unknown() -> None:
    def refused() -> History:
        raise AccessDenied("AWS refused ssm:GetParameterHistory: no")

    last = versions("an-id", "an-id")[2]
    told = holders_of([handed("alice", 1), handed("bob", 2)], VENUE, last, refused)
    assert told == Holders((), ("alice",), "AWS refused ssm:GetParameterHistory: no")
    assert told.described().startswith("; not known whether an old one is held by alice: AWS refused")


DEV, TEST, PROD = a_venue("unity-dev"), a_venue("unity-test"), a_venue("unity-prod")
LISTED: dict[str, Any] = {
    "_meta": {"hostvars": {"unity-dev": {"mine": 1, "ansible_connection": "ssh"}, "unity-prod": {"mine": 2}}},
    "all": {"children": ["ungrouped", "unity"]},
    "unity": {"hosts": ["unity-dev", "unity-test", "unity-prod"]},
}


def test_ansible_inventory_has_only_provisioned_venues_with_their_variables() -> None:
    statuses = [
        VenueStatus(DEV, Stage.STABLE, role_maximum=3600),
        VenueStatus(TEST, Stage.ABSENT),
        VenueStatus(PROD, None),
    ]
    document = provisioned_only(LISTED, statuses)
    assert document["unity"] == {"hosts": ["unity-dev"]}
    assert document["all"] == LISTED["all"]
    (name,) = document["_meta"]["hostvars"]
    found = document["_meta"]["hostvars"][name]
    assert (name, found["mine"], found["ansible_connection"]) == ("unity-dev", 1, "ssh")
    assert found["venue_role_arn"] == DEV.role_arn
    assert found["venue_rotating"] is False
    assert LISTED["unity"]["hosts"] == ["unity-dev", "unity-test", "unity-prod"]
