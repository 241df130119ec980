"""Who holds an external ID that was replaced since."""

from __future__ import annotations

from datetime import datetime, timezone

from tests.stacks import a_venue
from venue_access.ledger.record import Kind, Record
from venue_access.provisioning.status import outdated_holders

VENUE = a_venue()


def handed(recipient: str, version: int, kind: Kind = Kind.EXTERNAL_ID, role_arn: str = VENUE.role_arn) -> Record:
    return Record(
        kind,
        datetime(2026, 11, 20, tzinfo=timezone.utc),
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
    assert outdated_holders(records, VENUE, 2) == ("alice", "carol")
    assert outdated_holders(records, VENUE, 1) == ()
