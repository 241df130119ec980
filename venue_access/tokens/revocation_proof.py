"""Proof that a revocation denies: a token of the kind that is revoked, which this run issued to itself before.

It never leaves memory, lasts fifteen minutes and is among those that are revoked. Its session has the very name that is
revoked; for a user one that only a token of theirs has. The ledger has a record of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from venue_access.aws.client import AwsClient
from venue_access.aws.identity import role_session_name
from venue_access.errors import AccessDenied, AwsError
from venue_access.inventory.model import Venue
from venue_access.ledger.proofs import ProofSessions

DEADLINE = 60.0
"""Seconds in which AWS should deny: IAM is eventually consistent."""


@dataclass(frozen=True)
class Wait:
    """A clock, and how to let time pass."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class Proof:
    """A token that should be denied, or why there is none."""

    token: AwsClient | None
    venue: Venue
    unprovable: str | None = None
    denied_already: bool = False
    """Whether AWS denied the token before anything was revoked."""

    @classmethod
    def begun(
        cls, sessions: ProofSessions, *, session: str | None, user: str | None, now: Callable[[], datetime]
    ) -> Proof:
        """Issue the token, and see that it is not denied already."""
        aws, venue = sessions.aws, sessions.venue
        name = session if user is None else role_session_name(user, now())
        try:
            stored = aws.parameter(venue.external_id_parameter)
            assumed = sessions.assume(None if stored is None else stored.value, name=name)
        except AwsError as error:
            return cls(None, venue, f"no token could be had to try it with: {error.message}")
        token = aws.as_session(assumed)
        if not _works(token, venue):
            return cls(None, venue, "a token like those that it revokes was denied already", denied_already=True)
        return cls(token, venue)

    def denied(self, wait: Wait) -> str | None:
        """Try the token until AWS denies it; why it could not be tried, None where it is denied.

        :raises TimeoutError: it is not.
        """
        if self.token is None:
            return self.unprovable
        deadline, pause = wait.clock() + DEADLINE, 0.1
        while _works(self.token, self.venue):
            if wait.clock() + pause > deadline:
                raise TimeoutError(f"tried for {DEADLINE:.0f} s")
            wait.sleep(pause)
            pause = min(pause * 2, 5.0)
        return None


def _works(token: AwsClient, venue: Venue) -> bool:
    """Whether a token is let through: it lists the images of a repository, which need not exist."""
    try:
        token.call("ecr", "list_images", repositoryName=f"{venue.ecr_repository_prefixes[0]}venue-access-proof")
    except AccessDenied:
        return False
    except AwsError as error:
        return error.code == "RepositoryNotFoundException"
    return True
