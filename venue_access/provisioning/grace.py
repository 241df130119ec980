"""The grace period of a rotation: until when both external IDs are accepted, kept in a tag of the venue's role.

So every machine and operator sees it. Terraform ignores the tag (``lifecycle`` in the module): it outlasts
``provision`` and is no drift. It counts only while a rotation is under way; a retired rotation takes it off.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from venue_access.aws.client import AwsClient
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.provisioning.venue_snapshot import VenueSnapshot
from venue_access.times import iso, parse_iso, to_minute

GRACE_TAG = "venue-access:grace-until"
_CLOCKS = timedelta(minutes=5)  # AWS takes no call by a clock that is further off than this


def grace_until(live: VenueSnapshot) -> datetime | None:
    """Return when the grace period of a venue ends, in UTC; None where no end is known."""
    text = None if live.role is None else live.role.tags.get(GRACE_TAG)
    try:
        return None if text is None else parse_iso(text)
    except ValueError:
        return None  # edited by hand


def set_grace(aws: AwsClient, venue: Venue, until: datetime) -> None:
    """Write the end of the grace period to the venue's role."""
    tag = {"Key": GRACE_TAG, "Value": iso(until)}
    aws.call("iam", "tag_role", RoleName=venue.role_name, Tags=[tag])


def clear_grace(aws: AwsClient, venue: Venue, live: VenueSnapshot) -> None:
    """Take the end of a grace period that is over off the venue's role."""
    if live.role is not None and GRACE_TAG in live.role.tags:
        aws.call("iam", "untag_role", RoleName=venue.role_name, TagKeys=[GRACE_TAG])


def in_grace(live: VenueSnapshot, now: datetime) -> bool:
    """Return whether the grace period of a venue has not ended yet."""
    until = grace_until(live)
    return until is not None and now < until


def settle_grace(aws: AwsClient, venue: Venue, live: VenueSnapshot, grace: timedelta | None, now: datetime) -> datetime:
    """Return the end of the grace period, after writing it where ``grace`` makes it another.

    :param grace: how long it lasts from when the parameter was written; None takes the end that is there.
    """
    assert live.parameter is not None
    stored = grace_until(live)
    if grace is None:
        return stored or now
    until = live.parameter.modified.astimezone(timezone.utc) + grace
    if stored is not None and abs(stored - until) <= _CLOCKS:
        return stored
    set_grace(aws, venue, until)
    return until


def grace_line(until: datetime, now: datetime) -> str:
    """Return what is said of a grace period that ends, or ended, at a time."""
    verb, due = ("was", ": --finish is due") if now >= until else ("is", "")
    return f"both external IDs are accepted; the time to change over {verb} until {to_minute(until)}{due}"


def check_grace_over(venue: Venue, live: VenueSnapshot, now: datetime) -> None:
    """Refuse to end a grace period before its time.

    :raises UsageError: it has not ended yet.
    """
    until = grace_until(live)
    if until is not None and now < until:
        raise UsageError(
            f"{venue.name}: a rotation is under way: the old external ID is accepted until {to_minute(until)}",
            hint=f"take it out of use before that with: invoke rotate-external-id --venue {venue.name} --finish",
        )
