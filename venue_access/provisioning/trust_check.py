"""Proof that a role's guard holds: the external ID opens the role; a wrong one, and none, do not.

It is AWS's own advice (IAM User Guide, "Access to AWS accounts owned by third parties"). IAM takes seconds to minutes
to see a change, so each answer is asked for until it is the right one or time is up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from venue_access.aws.client import CallerIdentity
from venue_access.aws.identity import why_not_trusted
from venue_access.errors import AccessDenied, CheckFailed
from venue_access.ledger.proofs import ProofSessions
from venue_access.provisioning.rotation_state import new_external_id
from venue_access.sensitive import ExternalId

PROPAGATION = 120.0
"""Seconds to wait for IAM to see a change of a trust policy."""
PROOFS = 3


@dataclass(frozen=True)
class RetryPolicy:
    """How long to ask, and how to wait in between."""

    timeout: float = PROPAGATION
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(self, done: Callable[[], bool]) -> bool:
        """Ask until ``done``, first at once and then ever more slowly; whether it was in time."""
        deadline = self.clock() + self.timeout
        pause = 0.1
        while not done():
            if self.clock() + pause > deadline:
                return False
            self.sleep(pause)
            pause = min(pause * 2, 5.0)
        return True


@dataclass(frozen=True)
class Proofs:
    """What was proved of a guard, or why it could not be."""

    held: int
    skipped: str | None = None


def opens(sessions: ProofSessions, external_id: ExternalId | None) -> bool:
    """Whether the role can be assumed with this external ID (None: without any)."""
    try:
        sessions.assume(external_id)
    except AccessDenied:
        return False
    return True


def _shut(sessions: ProofSessions, external_id: ExternalId | None) -> bool:
    return not opens(sessions, external_id)


def verify_trust_policy(
    sessions: ProofSessions,
    external_id: ExternalId,
    *,
    caller: CallerIdentity,
    refused: tuple[ExternalId, ...] = (),
    retry_policy: RetryPolicy | None = None,
) -> Proofs:
    """Prove that ``external_id`` opens the role, and that a wrong one, none, and each of ``refused`` do not.

    :raises CheckFailed: it does not hold, also after waiting for IAM.
    """
    retry_policy, venue = retry_policy or RetryPolicy(), sessions.venue
    reason = why_not_trusted(venue, caller)
    if reason is not None:
        return Proofs(0, skipped=reason)
    if not retry_policy.until(lambda: opens(sessions, external_id)):
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
        *(("with an external ID that was taken out of use", old) for old in refused),
    ):
        if not retry_policy.until(partial(_shut, sessions, wrong)):
            raise CheckFailed(
                f"{venue.name}: the role can be assumed {what}", hint=f"look at the trust policy of {venue.role_arn}"
            )
    return Proofs(PROOFS)
