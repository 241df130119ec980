"""The revocations on a venue's role: its inline policies are themselves the list of what is revoked."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.errors import NO_ANSWER, AccessDenied, AwsError, CheckFailed, UsageError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import ProofSessions
from venue_access.policies import revocation as policies
from venue_access.policies.documents import INLINE_POLICIES_LIMIT, size
from venue_access.policies.revocation import Revocation
from venue_access.times import RetryPolicy, iso, to_minute

PROOF_RETRY = RetryPolicy(60.0)
"""AWS should deny a revoked token in this time: IAM is eventually consistent."""
_THREADS = 8
_MARGIN = timedelta(minutes=1)  # AWS's own clocks may differ


@dataclass(frozen=True)
class ActiveRevocation:
    """A revocation on a role."""

    name: str
    """Of its policy."""
    expires: datetime
    """When every token that it denies has expired; UTC."""
    revocation: Revocation | None
    """None if the policy was edited."""

    def equals(self, newer: Revocation) -> bool:
        """Return whether it is of the same session, of the same user (by the part in session names), or of all."""
        older = self.revocation
        if older is None or older.scope != newer.scope:
            return False
        return policies.deny(replace(older, issued_before=newer.issued_before), "") == policies.deny(newer, "")

    def document(self) -> dict[str, Any]:
        """Return the object for ``--json``."""
        found = self.revocation
        before = None if found is None else found.issued_before
        return {
            "name": self.name,
            "scope": None if found is None else found.scope,
            "session": None if found is None else found.session,
            "user": None if found is None else found.user,
            "issued_before": None if before is None else iso(before),
            "expires": iso(self.expires),
        }

    def line(self) -> str:
        """Return what it denies and until when, on one line."""
        what = "unknown, because its policy was changed" if self.revocation is None else str(self.revocation)
        return f"{self.name}: {what}; needed until {to_minute(self.expires)}"


class RoleRevocations:
    """The revocations on the role of a venue, read once, and the changes of this run.

    :raises UsageError: the venue is not provisioned.
    """

    def __init__(
        self, aws: AwsClient, venue: Venue, *, now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    ) -> None:
        self._aws, self._venue = aws, venue
        role = aws.role(venue.role_name)
        if role is None:
            raise UsageError(
                f"{venue.name} is not provisioned",
                hint=f"the role {venue.role_name} does not exist, so it has no tokens",
            )
        self._role_id = role.role_id
        names, aws_time = policies.inline_names(aws, venue.role_name)
        self.now = (aws_time or now()).replace(microsecond=0)
        """AWS's time, by which it stamps tokens: this machine's clock may be behind."""
        with ThreadPoolExecutor(_THREADS) as pool:
            read = pool.map(lambda name: policies.read_inline(aws, venue.role_name, name), names)
            self._policies = {name: policy for name, policy in zip(names, read, strict=True) if policy is not None}
        dated = [(expires, name) for name in self._policies if (expires := policies.expiry(name)) is not None]
        self.found = [
            ActiveRevocation(name, expires, policies.read(self._policies[name])) for expires, name in sorted(dated)
        ]
        """The revocations on the role before this run changed it, the oldest first."""
        self.removed: list[str] = []
        """The names of those that this run removed."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove revocations; one that was removed concurrently is not in ``removed``."""
        for name in names:
            if policies.remove_inline(self._aws, self._venue.role_name, name):
                self.removed.append(name)
            self._policies.pop(name, None)

    def remove_expired(self) -> None:
        """Remove the revocations whose tokens have all expired."""
        self.remove([each.name for each in self.found if each.expires <= self.now and each.name in self._policies])

    def add(
        self, revocation: Revocation, *, unique: Callable[[], str] = lambda: secrets.token_hex(4)
    ) -> ActiveRevocation:
        """Put a revocation on the role, and remove superseded ones, the oldest first, if it needs their space.

        :raises UsageError: the role's inline policies have no space for another one.
        """
        policy = policies.deny(revocation, self._role_id)
        # A revocation of all tokens must always fit as well.
        needed = size(policy) + (0 if revocation.scope == "all" else policies.room_for_all(self._role_id))
        left, superseded = dict(self._policies), policies.superseded(self._policies)
        while policies.room(left.values()) < needed:
            if not superseded:
                raise self._no_space(revocation)
            del left[superseded.pop(0)]
        self.remove([name for name in self._policies if name not in left])
        expires = self.now + policies.LONGEST_SESSION + _MARGIN
        name = policies.policy_name(expires, unique())
        try:
            policies.write_inline(self._aws, self._venue.role_name, name, policy)
        except AwsError as error:
            if error.code == "LimitExceeded":  # another operator added a policy
                raise self._no_space(revocation) from error
            if isinstance(error, NO_ANSWER):  # perhaps only the answer was lost
                raise type(error)(
                    f"{error.message}; whether the revocation is in force is not known",
                    hint="run the command again; to list what is in force: invoke revoke-token --venue"
                    f" {self._venue.name} --list",
                    code=error.code,
                ) from error
            raise
        return ActiveRevocation(name, expires, revocation)

    def _no_space(self, revocation: Revocation) -> UsageError:
        name = self._venue.name
        hint = f"revoke everybody's at once with: invoke revoke-token --venue {name} --all"
        if revocation.scope == "all":
            hint = "remove the role's inline policies that are not the kit's; to list the kit's, pass --list"
        return UsageError(
            f"{name}: the role {self._venue.role_name} has no space for another revocation: its inline policies hold"
            f" {INLINE_POLICIES_LIMIT:,} characters together",
            hint=hint,
        )


class RevocationProof:
    """A token that a revocation must deny, issued before it.

    The token stays in memory and is valid for fifteen minutes. The ledger has a record of it.

    :param name: the role session name: the very one that is revoked, or for a user one that only their tokens have.
    """

    def __init__(self, sessions: ProofSessions, name: str | None) -> None:
        venue = self._venue = sessions.venue
        self._repository = f"{venue.ecr_repository_prefixes[0]}venue-access-proof"
        self._problem: str | None = None  # why the token can prove nothing
        self._denied_before = False
        try:
            stored = sessions.aws.parameter(venue.external_id_parameter)
            self._token = sessions.aws.as_session(sessions.assume(None if stored is None else stored.value, name=name))
        except AwsError as error:
            self._problem = f"no token could be issued to try: {error.message}"
            return
        if self._is_denied():
            self._problem, self._denied_before = "AWS denied such a token before the revocation", True

    def wait(self, name: str, *, existed: bool) -> str | None:
        """Wait until AWS denies the token, and return why that cannot be proved; None if it is.

        :param name: the revocation's.
        :param existed: whether the role denied this session before.
        :raises CheckFailed: AWS does not deny the token in time.
        """
        if existed and self._denied_before:
            return None
        if self._problem is None and not PROOF_RETRY.until(self._is_denied):
            raise CheckFailed(
                f"{self._venue.name}: {name} is on the role, but AWS does not deny a token of it yet: tried for"
                f" {PROOF_RETRY.timeout:.0f} s",
                hint="AWS may take some minutes; if it lasts, look at the role's inline policies",
            )
        return self._problem

    def _is_denied(self) -> bool:
        """Return whether AWS denies the token, by listing the images of a repository that need not exist."""
        try:
            self._token.call("ecr", "list_images", repositoryName=self._repository)
        except AccessDenied:
            return True
        except AwsError as error:
            return error.code != "RepositoryNotFoundException"
        return False
