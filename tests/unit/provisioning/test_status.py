"""Who holds an external ID that was replaced since: values are compared, never versions."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from tests.stacks import a_venue
from venue_access.aws.client import Parameter
from venue_access.errors import AccessDenied
from venue_access.ledger.record import Kind, Record
from venue_access.provisioning.holders import History, Holders, holders
from venue_access.sensitive import ExternalId

VENUE = a_venue()
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
EARLIER = NOON - timedelta(hours=1)
NOT_BACK = "the parameter's history does not go back to what they were handed"


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
    return holders(records, VENUE, history[max(history)], lambda: history)


def not_asked() -> History:
    raise AssertionError("the history was read")


def test_who_was_handed_another_id_and_not_the_present_one_since_holds_an_old_one() -> None:
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


def test_a_later_version_with_the_same_value_makes_nobody_outdated() -> None:
    """A changed description, tier or type raises the version too."""
    assert found(versions("same", "same", "same"), handed("alice", 1), handed("bob", 2)) == Holders()


def test_the_history_is_read_only_where_the_last_version_is_not_the_one_handed_out() -> None:
    last = versions("an-id")[1]
    assert holders([handed("alice", 1)], VENUE, last, not_asked) == Holders()
    assert holders([], VENUE, last, not_asked) == Holders()


def test_what_the_history_does_not_show_is_not_known() -> None:
    """SSM keeps a hundred versions; a parameter that was made again, perhaps with the same ID, counts from 1."""
    last_two = {number: each for number, each in versions("a", "b", "c").items() if number > 1}
    unknown = Holders((), ("alice",), NOT_BACK)
    assert found(last_two, handed("alice", 1), handed("bob", 3)) == unknown
    assert found(last_two, handed("alice", 1), handed("bob", 2)) == Holders(("bob",), ("alice",), NOT_BACK)
    assert found(last_two, handed("alice", 4)) == unknown
    for minutes, expected in ((60, unknown), (1, Holders()), (-60, Holders())):
        again = versions("an-id", modified=NOON + timedelta(minutes=minutes))
        assert found(again, handed("alice", 1)) == expected


def test_without_the_right_to_read_the_history_it_is_not_known() -> None:
    def refused() -> History:
        raise AccessDenied("AWS refused ssm:GetParameterHistory: no")

    last = versions("an-id", "an-id")[2]
    told = holders([handed("alice", 1), handed("bob", 2)], VENUE, last, refused)
    assert told == Holders((), ("alice",), "AWS refused ssm:GetParameterHistory: no")
    assert told.described().startswith("; not known whether an old one is held by alice: AWS refused")
