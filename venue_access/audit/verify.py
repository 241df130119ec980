"""Verify a venue: its role beside the inventory, its guard, and what a token of it can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from venue_access.audit.probes import probes
from venue_access.audit.report import Check, Report
from venue_access.audit.role import check_role
from venue_access.aws.buckets import BucketInUse, find_buckets, find_buckets_of_others
from venue_access.aws.client import AwsClient
from venue_access.aws.identity import caller_in_account, why_not_trusted
from venue_access.aws.parameters import secure_string_steps
from venue_access.aws.types import SECURE_STRING
from venue_access.errors import AccessDenied
from venue_access.inventory.model import Venue
from venue_access.ledger.book import OpenLedger
from venue_access.ledger.proofs import ProofSessions
from venue_access.provisioning.rotation_state import new_external_id
from venue_access.provisioning.trust_check import can_assume
from venue_access.provisioning.venue_snapshot import VenueSnapshot, read_snapshot
from venue_access.sensitive import redact


def verify(
    aws: AwsClient,
    venue: Venue,
    open_ledger: OpenLedger,
    venues: Iterable[Venue] = (),
) -> Report:
    """Compare a venue's live role with the inventory, then try its guard and a token of fifteen minutes.

    :param open_ledger: opens the venue's ledger, for a record of the proofs; one that cannot be written is a warning.
    :param venues: those of the inventory, of which one stands for all that the token is to be kept from.
    :raises AccessDenied: the caller may not look at the role.
    :raises Unreachable: AWS does not answer, or the keys are of another account.
    """
    caller = caller_in_account(aws, venue)  # in another account everything would seem not to exist
    find_buckets_of_others(aws, [venue], venues)
    try:
        live = read_snapshot(aws, venue)
        buckets, checks = _buckets(aws, venue) if live.role is not None else ((), [])
        checks += check_role(aws, venue, live, buckets)
    except AccessDenied as error:
        needed = f"verifying takes a provisioner's rights: invoke operator-policy --venue {venue.name}"
        raise AccessDenied(f"{venue.name}: {error.message}", hint=needed, code=error.code) from error
    if live.role is not None:
        reason = why_not_trusted(venue, caller)
        if live.stored is None:
            reason = "there is no external ID to issue it with"
        if reason is not None:
            checks.append(Check("a token", "issued", f"not tried: {reason}", None))
        else:
            with ProofSessions("verify", aws, venue).recorded(open_ledger) as sessions:
                checks += _guard(sessions)
                checks += _token(sessions, live, buckets, _other(venue, venues))
    plain = live.parameter is not None and live.parameter.type != SECURE_STRING
    return Report(
        venue,
        tuple(replace(check, found=redact(check.found, *live.every_id)) for check in checks),
        advice=secure_string_steps(venue) if plain else None,
    )


def _buckets(aws: AwsClient, venue: Venue) -> tuple[Sequence[str], list[Check]]:
    """Return the data buckets, and a check where the platform's parameter names one that has another use."""
    try:
        return find_buckets(aws, venue), []
    except BucketInUse as error:
        wrong = Check(f"data bucket {error.bucket}", "used for the venue's data alone", error.reason, False)
        return (error.bucket,), [wrong]


def _guard(sessions: ProofSessions) -> Iterator[Check]:
    for what, external_id in (("without an external ID", None), ("with a wrong external ID", new_external_id())):
        found = "allowed" if can_assume(sessions, external_id) else "refused"
        yield Check(f"sts:AssumeRole {what}", "refused", found, found == "refused")


def _token(
    sessions: ProofSessions, live: VenueSnapshot, buckets: Sequence[str], other: Venue | None
) -> Iterator[Check]:
    venue, external_id = sessions.venue, live.stored
    assert external_id is not None
    tried = "sts:AssumeRole with the stored external ID, for 15 minutes"
    try:
        token = sessions.aws.with_keys(sessions.assume(external_id).keys)
    except AccessDenied:
        restriction = "source_cidrs" if venue.source_cidrs else "principal_org_id" if venue.principal_org_id else None
        if restriction is None:
            yield Check(tried, "allowed", "refused", False)
        else:  # where this caller stands to it cannot be known from here
            yield Check(tried, "allowed", f"refused; you may be outside the venue's {restriction}", None)
        return
    yield Check(tried, "allowed", "allowed", True)
    for probe in probes(venue, buckets, external_id, other, assume=sessions.assume_with):
        yield probe.check(token)


def _other(venue: Venue, venues: Iterable[Venue]) -> Venue | None:
    """Another venue, rather one of the same account and region, where more could be reached."""
    others = [each for each in venues if each.name != venue.name]
    near = [each for each in others if (each.account_id, each.region) == (venue.account_id, venue.region)]
    return next(iter(near or others), None)
