"""Verify a venue: compare its role, check the external ID, and probe a token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from venue_access.audit.probes import probes
from venue_access.audit.report import Check, Report
from venue_access.audit.role import check_role
from venue_access.aws.client import AwsClient
from venue_access.aws.identity import caller_in_account, why_not_trusted
from venue_access.aws.parameters import BucketInUse, find_buckets, find_buckets_of_others, secure_string_steps
from venue_access.aws.types import SECURE_STRING
from venue_access.errors import AccessDenied, UsageError
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
    """Compare a venue's live role with the inventory, then verify the trust policy and probe a 15-minute token.

    :param open_ledger: opens the venue's ledger, to record the proof sessions.
    :param venues: the venues of the inventory; the probes use one of them as a resource that the token must not reach.
    :raises AccessDenied: the caller cannot read the role.
    :raises ConnectionFailed: AWS does not respond.
    :raises CredentialsError: the credentials are not accepted, or are of another account.
    """
    caller = caller_in_account(aws, venue)  # in another account, nothing would be found
    find_buckets_of_others(aws, [venue], venues)
    try:
        live = read_snapshot(aws, venue)
        buckets, checks = _buckets(aws, venue) if live.role is not None else ((), [])
        checks += check_role(aws, venue, live, buckets)
    except AccessDenied as error:
        needed = f"verify needs the permissions of: invoke operator-policy --venue {venue.name}"
        raise AccessDenied(f"{venue.name}: {error.message}", hint=needed, code=error.code) from error
    if live.role is not None:
        reason = why_not_trusted(venue, caller)
        if live.stored is None:
            reason = "there is no external ID"
        if reason is not None:
            checks.append(Check("a token", "issued", f"not tried: {reason}", None))
        else:
            with ProofSessions("verify", aws, venue).recorded(open_ledger) as sessions:
                checks += _external_id_checks(sessions)
                checks += _token_checks(sessions, live, buckets, _other(venue, venues))
    plain = live.parameter is not None and live.parameter.type != SECURE_STRING
    return Report(
        venue,
        tuple(replace(check, found=redact(check.found, *live.every_id)) for check in checks),
        advice=secure_string_steps(venue) if plain else None,
    )


def _buckets(aws: AwsClient, venue: Venue) -> tuple[Sequence[str], list[Check]]:
    """Return the data buckets, and a check if the platform's parameter names none, or one that has another use."""
    try:
        return find_buckets(aws, venue), []
    except BucketInUse as error:
        wrong = Check(f"data bucket {error.bucket}", "used only for the venue's data", error.reason, False)
        return (error.bucket,), [wrong]
    except UsageError as error:
        expected = f"in s3_buckets, or named by {venue.datastore_parameter}"
        return (), [Check("data bucket", expected, error.message, None)]


def _external_id_checks(sessions: ProofSessions) -> Iterator[Check]:
    for what, external_id in (("without an external ID", None), ("with a wrong external ID", new_external_id())):
        found = "allowed" if can_assume(sessions, external_id) else "refused"
        yield Check(f"sts:AssumeRole {what}", "refused", found, found == "refused")


def _token_checks(
    sessions: ProofSessions, live: VenueSnapshot, buckets: Sequence[str], other: Venue | None
) -> Iterator[Check]:
    venue, external_id = sessions.venue, live.stored
    assert external_id is not None
    tried = "sts:AssumeRole with the stored external ID, for 15 minutes"
    try:
        token = sessions.aws.with_credentials(sessions.assume(external_id).credentials)
    except AccessDenied:
        restriction = "source_cidrs" if venue.source_cidrs else "principal_org_id" if venue.principal_org_id else None
        if restriction is None:
            yield Check(tried, "allowed", "refused", False)
        else:  # whether this caller meets it cannot be determined here
            yield Check(tried, "allowed", f"refused; you may be outside the venue's {restriction}", None)
        return
    yield Check(tried, "allowed", "allowed", True)
    endpoint = sessions.aws.endpoint
    misjudged = () if endpoint is None else endpoint.misjudged_actions
    for probe in probes(venue, buckets, external_id, other, assume=sessions.assume_with, misjudged=misjudged):
        yield probe.check(token)


def _other(venue: Venue, venues: Iterable[Venue]) -> Venue | None:
    """Return another venue, preferably of the same account and region, where a token could reach more."""
    others = [each for each in venues if each.name != venue.name]
    near = [each for each in others if (each.account_id, each.region) == (venue.account_id, venue.region)]
    return next(iter(near or others), None)
