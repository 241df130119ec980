"""Verify a trust policy: the external ID lets the role be assumed; a wrong one, and none, do not.

This is AWS's own advice (IAM User Guide, "Access to AWS accounts owned by third parties"). IAM takes seconds to minutes
to apply a change, so each check is retried until it succeeds or the time is up.
"""

from __future__ import annotations

from dataclasses import dataclass

from venue_access.aws.client import CallerIdentity
from venue_access.aws.identity import why_not_trusted
from venue_access.deadline import RetryPolicy
from venue_access.errors import AccessDenied, CheckFailed
from venue_access.ledger.book import ProofSessions
from venue_access.provisioning.rotation_state import new_external_id
from venue_access.sensitive import ExternalId

PROOFS = 3


@dataclass(frozen=True)
class Proofs:
    """How many checks held, or why they were skipped."""

    held: int
    skipped: str | None = None


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
    refused: tuple[ExternalId, ...] = (),
) -> Proofs:
    """Check that the role can be assumed with ``external_id``, but not with a wrong one, none, or any of ``refused``.

    :raises CheckFailed: a check does not hold, also after waiting for IAM.
    """
    venue = sessions.venue
    reason = why_not_trusted(venue, caller)
    if reason is not None:
        return Proofs(0, skipped=reason)
    if not retry_policy.until(lambda: can_assume(sessions, external_id)):
        restriction = "source_cidrs" if venue.source_cidrs else "principal_org_id" if venue.principal_org_id else None
        if restriction is not None:
            return Proofs(0, skipped=f"{caller.arn} may be outside the venue's {restriction}")
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
        for _ in retry_policy.attempts():
            if not can_assume(sessions, wrong):
                break
        else:
            raise CheckFailed(
                f"{venue.name}: the role can be assumed {what}", hint=f"look at the trust policy of {venue.role_arn}"
            )
    return Proofs(PROOFS)
