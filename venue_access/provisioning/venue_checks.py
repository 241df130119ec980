"""Check a venue before a change, and after it: its permissions boundary exists, and its trust policy works.

AWS advises the check of the trust policy itself (IAM User Guide, "Access to AWS accounts owned by third parties"). IAM
takes seconds to minutes to apply a change, so each attempt is retried until it succeeds or the time is up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from venue_access.aws.client import AwsClient, CallerIdentity
from venue_access.aws.sessions import why_not_trusted
from venue_access.errors import AccessDenied, CheckFailed, UsageError
from venue_access.inventory.arns import FROM_PARAMETER, permissions_boundary
from venue_access.inventory.model import Venue
from venue_access.inventory.validators import Context, InvalidValue
from venue_access.provisioning.render import OrphanedVenue
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.venue_snapshot import new_external_id
from venue_access.sensitive import ExternalId
from venue_access.times import RetryPolicy

if TYPE_CHECKING:
    from venue_access.ledger.book import ProofSessions

PROOFS = 3
"""What ``verify_trust_policy`` proves: the role's own external ID is accepted, a wrong one and none are not."""
_ACCOUNT_OWNER = "ask the account's owner for the name of its boundary"


def with_boundary(aws: AwsClient, venue: Venue) -> Venue:
    """Return the venue with its permissions boundary read from the SSM parameter that the inventory names, if any.

    :raises UsageError: the parameter does not exist, or does not hold a policy's name or ARN.
    :raises AccessDenied: the caller may not read it.
    """
    name = venue.boundary_parameter
    if name is None:
        return venue
    where = f"{venue.name}: permissions_boundary: the SSM parameter {name}"
    try:
        found = aws.parameter(name)
    except AccessDenied as error:
        raise AccessDenied(
            f"{where}: {error.message}",
            hint=f"the right to read it is part of: invoke operator-policy --venue {venue.name}",
            code=error.code,
        ) from error
    if found is None:
        raise UsageError(
            f"{where} does not exist in {venue.region} of {venue.account_id}",
            hint=f"{_ACCOUNT_OWNER}, and set permissions_boundary to it",
        )
    try:
        boundary = permissions_boundary(
            found.value.reveal(), Context(partition=venue.partition, account_id=venue.account_id)
        )
        if boundary.startswith(FROM_PARAMETER):
            raise InvalidValue(f"{boundary!r} must be the name or ARN of a policy, not another parameter")
    except InvalidValue as error:
        raise UsageError(f"{where}: {error}", hint="ask the account's owner to correct it") from error
    return replace(venue, permissions_boundary=boundary)


def check_boundary(aws: AwsClient, venue: Venue) -> None:
    """Check that the permissions boundary exists: AWS would refuse the role only after other objects were created.

    :param venue: as ``with_boundary`` returns it.
    :raises UsageError: it does not exist.
    """
    boundary = venue.permissions_boundary_arn
    if boundary is not None and not aws.managed_policy_exists(boundary):
        raise UsageError(
            f"{venue.name}: permissions_boundary: there is no policy {boundary}",
            hint=_ACCOUNT_OWNER,
        )


def with_known_boundaries(stack: Stack, read: Mapping[str, str | None], last: Mapping[str, OrphanedVenue]) -> Stack:
    """Return the stack with the permissions boundaries that SSM parameters hold.

    :param read: the boundaries that this run has read, by venue.
    :param last: the venues as last rendered, for those that this run has not read and does not apply.
    """
    found = {name: each.data.get("permissions_boundary") for name, each in last.items()} | dict(read)
    venues = (
        venue if venue.boundary_parameter is None else replace(venue, permissions_boundary=found.get(venue.name))
        for venue in stack.venues
    )
    return replace(stack, venues=tuple(venues))


def can_assume(sessions: ProofSessions, external_id: ExternalId | None) -> bool:
    """Return whether the role can be assumed with this external ID (None: without one)."""
    try:
        sessions.assume(external_id)
    except AccessDenied:
        return False
    return True


def verify_trust_policy(
    sessions: ProofSessions,
    external_id: ExternalId,
    *,
    caller: CallerIdentity,
    retry_policy: RetryPolicy,
    refused: Iterable[ExternalId] = (),
) -> str | None:
    """Check that the role can be assumed with ``external_id``, but not with a wrong one, none, or any of ``refused``.

    :returns: why it was not checked: the role does not trust the caller, or may not.
    :raises CheckFailed: a check does not hold, also after waiting for IAM.
    """
    venue = sessions.venue
    reason = why_not_trusted(venue, caller)
    if reason is not None:
        return reason
    if not retry_policy.until(lambda: can_assume(sessions, external_id)):
        restriction = "source_cidrs" if venue.source_cidrs else "principal_org_id" if venue.principal_org_id else None
        if restriction is not None:
            return f"{caller.arn} may be outside the venue's {restriction}"
        raise CheckFailed(
            f"{venue.name}: the role cannot be assumed with its own external ID, {retry_policy.timeout:.0f} s after the"
            " change",
            hint=f"check that {caller.arn} may call sts:AssumeRole on {venue.role_arn}, and its trusted_principals",
        )
    for what, wrong in (
        ("without an external ID", None),
        ("with a wrong external ID", new_external_id()),
        *(("with a retired external ID", old) for old in refused),
    ):
        if all(can_assume(sessions, wrong) for _ in retry_policy.attempts()):
            raise CheckFailed(
                f"{venue.name}: the role can be assumed {what}", hint=f"look at the trust policy of {venue.role_arn}"
            )
    return None
