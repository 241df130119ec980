"""Who holds an external ID that was replaced since."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from tests.stacks import a_venue
from venue_access.aws import Parameter
from venue_access.ledger.record import Kind, Record
from venue_access.masked import ExternalId
from venue_access.provisioning.status import outdated_holders

VENUE = a_venue()
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def parameter(version: int, modified: datetime = NOON - timedelta(hours=1)) -> Parameter:
    return Parameter(ExternalId("an-id"), version, modified)


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


def test_who_was_handed_an_earlier_version_and_no_later_one_holds_an_old_one() -> None:
    records = [
        handed("carol", 1),
        handed("alice", 1),
        handed("bob", 1),
        handed("bob", 2),
        handed("dora", 1, role_arn=a_venue("unity-test").role_arn),
        handed("erik", 1, kind=Kind.ISSUE),
    ]
    assert outdated_holders(records, VENUE, parameter(2)) == ("alice", "carol")
    assert outdated_holders(records, VENUE, parameter(1)) == ("bob",)


def test_a_venue_that_was_provisioned_anew_counts_from_one_again() -> None:
    """A clock that is a minute off does not make an old one of what was handed out just now."""
    for minutes, held in ((60, ("alice",)), (1, ()), (-60, ())):
        anew = parameter(1, modified=NOON + timedelta(minutes=minutes))
        assert outdated_holders([handed("alice", 1)], VENUE, anew) == held
