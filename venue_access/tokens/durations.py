"""How long a token lasts: from ``1h`` to seconds, within what AWS grants."""

from __future__ import annotations

from venue_access.aws.client import CallerIdentity
from venue_access.durations import length
from venue_access.errors import UsageError

SHORTEST, LONGEST = 900, 43_200
"""Seconds (AWS STS API reference, AssumeRole, DurationSeconds)."""
CHAINED = 3_600
"""Seconds at most where the caller is itself a role session (IAM User Guide, "Role chaining")."""


def seconds(text: str) -> int:
    """``--duration`` as seconds.

    :raises UsageError: it is no duration, or not one that AWS gives to anyone.
    """
    total = length(text, "--duration")
    if not SHORTEST <= total <= LONGEST:
        raise UsageError(f"--duration {text} is {total} s; AWS gives tokens for 900 s (15m) to 43200 s (12h)")
    return total


def check_for_caller(wanted: int, caller: CallerIdentity) -> None:
    """Refuse a duration that AWS would refuse to this caller, whatever the role.

    :raises UsageError: the caller is a role's session, and not that of an EC2 instance.
    """
    if caller.chains and wanted > CHAINED:
        raise UsageError(
            f"--duration of {wanted} s: your keys are a role's session ({caller.arn}), and AWS caps a role assumed from"
            f" one at {CHAINED} s (role chaining)",
            hint="ask for 1h or less, or issue with the keys of an IAM user",
        )


def check_for_role(wanted: int, role_maximum: int) -> None:
    """Refuse a duration that the role does not give.

    :raises UsageError: it is more than the role's maximum.
    """
    if wanted > role_maximum:
        raise UsageError(
            f"--duration of {wanted} s is more than the role's maximum of {role_maximum} s",
            hint="ask for less, or raise max_session_duration in the inventory and provision the venue",
        )
