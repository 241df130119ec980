"""Revoke a venue's tokens by inline policies of its role; the role itself is the list of what is revoked."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.aws.identity import is_of_a_token, role_session_name
from venue_access.deadline import RetryPolicy
from venue_access.errors import NO_ANSWER, AccessDenied, AwsError, CheckFailed, UsageError
from venue_access.ledger.book import ProofSessions
from venue_access.policies import revocation as policies
from venue_access.policies.documents import INLINE_POLICIES_LIMIT, Policy, size
from venue_access.policies.revocation import Revocation
from venue_access.times import iso, to_minute

PROOF_LIMIT = 60.0
"""Seconds in which AWS should deny a revoked token: IAM is eventually consistent."""
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


@dataclass(frozen=True)
class Proof:
    """A token that a revocation must deny, issued before it; or the reason why there is none.

    The token stays in memory and is valid for fifteen minutes. Its session has the very name that is revoked; for a
    user a name that only their tokens have. The ledger has a record of it.
    """

    token: AwsClient | None
    reason: str | None = None
    denied_before: bool = False
    """Whether AWS denied the token before the revocation."""


@dataclass(frozen=True)
class Revoked:
    """A revocation that this run put on the role, or found there."""

    active: ActiveRevocation
    proof: Proof
    spares_from: float
    """The clock's time from which AWS spares new tokens."""
    existed: bool = False
    """Whether the role denied this session before."""
    older: tuple[str, ...] = ()
    """The revocations on the role that deny only tokens which this one denies too."""


class Revoker:
    """Revokes the tokens of one venue.

    :param sessions: the venue, a client for its account, and the sessions of proofs.
    :raises UsageError: the venue is not provisioned.
    """

    def __init__(
        self,
        sessions: ProofSessions,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        unique: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        self._sessions = sessions
        self._aws, self._venue = sessions.aws, sessions.venue
        self._now, self._clock, self._sleep, self._unique = now, clock, sleep, unique
        role = self._aws.role(self._venue.role_name)
        if role is None:
            raise UsageError(
                f"{self._venue.name} is not provisioned",
                hint=f"the role {self._venue.role_name} does not exist, so it has no tokens",
            )
        self._role_id = role.role_id
        self.found: list[ActiveRevocation] = []
        """The revocations on the role before this run changed it, the oldest first."""
        self.pruned: list[str] = []
        """The revocations that this run removed: expired, or superseded by another."""

    def active(self) -> list[ActiveRevocation]:
        """Return the revocations on the role, the oldest first."""
        names, _ = policies.inline_names(self._aws, self._venue.role_name)
        return _active(self._read(name for name in names if policies.expiry(name) is not None))

    def revoke(self, *, session: str | None = None, user: str | None = None) -> Revoked:
        """Deny the tokens of a session, of a user, or (with neither) all tokens issued so far.

        The kit uses a session name once. So if the role denies the session already, that policy is the revocation, and
        a killed run leaves no second one when it is repeated. A user, or everybody, may have newer tokens since, so
        they get a newer revocation; ``replace`` then removes the older ones.

        :raises UsageError: the role's inline policies have no space for another one.
        """
        proof = self._begin_proof(session, user)
        names, aws_time = policies.inline_names(self._aws, self._venue.role_name)
        spares_from = self._clock() + 1.0
        # AWS stamps tokens by its own time; this machine's clock may be behind.
        now = (aws_time or self._now()).replace(microsecond=0)
        # Tokens are stamped in whole seconds: to deny all of this second, spare those from the next one on.
        before = None if session is not None else now + timedelta(seconds=1)
        revocation = Revocation(session=session, user=user, issued_before=before)
        on_role = self._read(names)
        self.found = _active(on_role)
        equal = [each for each in self.found if each.expires > now and self._is_same(each.revocation, revocation)]
        left = self._prune(names, now)
        if equal and session is not None and is_of_a_token(session):
            self.found = [each for each in self.found if each.name != equal[-1].name]  # it is what this run revokes
            return Revoked(equal[-1], proof, self._clock(), existed=True)
        policy = policies.deny(revocation, self._role_id)
        self._make_space({name: each for name, each in on_role.items() if name in left}, policy, revocation)
        expires = now + policies.LONGEST_SESSION + _MARGIN
        name = policies.policy_name(expires, self._unique())
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
        return Revoked(
            ActiveRevocation(name, expires, revocation),
            proof,
            spares_from,
            existed=session is not None and bool(equal),
            older=tuple(each.name for each in equal),
        )

    def wait_until_effective(self, revoked: Revoked) -> str | None:
        """Wait until AWS denies the proof's token, and until a new token would be spared.

        :returns: why that cannot be proved; None if it is.
        :raises CheckFailed: AWS does not deny the token in time.
        """
        proof = revoked.proof
        if revoked.existed and proof.denied_before:
            return None
        try:
            if proof.token is None:
                return proof.reason
            token = proof.token
            if not RetryPolicy(PROOF_LIMIT, self._clock, self._sleep).until(lambda: not self._works(token)):
                raise CheckFailed(
                    f"{self._venue.name}: {revoked.active.name} is on the role, but AWS does not deny a token of it"
                    f" yet: tried for {PROOF_LIMIT:.0f} s",
                    hint="AWS may take some minutes; if it lasts, look at the role's inline policies",
                )
            return None
        finally:
            if revoked.active.revocation is not None and revoked.active.revocation.session is None:
                self._sleep(max(0.0, revoked.spares_from - self._clock()))

    def replace(self, revoked: Revoked, names: Iterable[str]) -> list[str]:
        """Remove those of ``names`` that ``revoked`` supersedes, and return them."""
        superseded = [name for name in revoked.older if name in set(names) and name not in self.pruned]
        return self._remove(superseded)

    def undo(self, name: str) -> ActiveRevocation:
        """Remove a revocation: its tokens work again, unless they have expired.

        :raises UsageError: there is none of this name.
        """
        names, aws_time = policies.inline_names(self._aws, self._venue.role_name)
        ours = [each for each in names if policies.expiry(each) is not None]
        self.found = _active(self._read(ours))
        if name not in ours:
            raise UsageError(
                f"{self._venue.name} has no revocation {name!r}",
                hint=f"it has: {', '.join(ours)}" if ours else "it has none",
            )
        policies.remove_inline(self._aws, self._venue.role_name, name)
        self._prune([each for each in names if each != name], aws_time or self._now())
        found = next((each for each in self.found if each.name == name), None)
        return found or ActiveRevocation(name, policies.expiry(name) or self._now(), None)

    def _begin_proof(self, session: str | None, user: str | None) -> Proof:
        """Issue a token that the revocation must deny, and check that AWS does not deny it already."""
        name = session if user is None else role_session_name(user, self._now())
        try:
            stored = self._aws.parameter(self._venue.external_id_parameter)
            assumed = self._sessions.assume(None if stored is None else stored.value, name=name)
        except AwsError as error:
            return Proof(None, f"no token could be issued to try: {error.message}")
        token = self._aws.as_session(assumed)
        if not self._works(token):
            return Proof(None, "AWS denied such a token before the revocation", denied_before=True)
        return Proof(token)

    def _works(self, token: AwsClient) -> bool:
        """Return whether AWS accepts a token, by listing the images of a repository that need not exist."""
        repository = f"{self._venue.ecr_repository_prefixes[0]}venue-access-proof"
        try:
            token.call("ecr", "list_images", repositoryName=repository)
        except AccessDenied:
            return False
        except AwsError as error:
            return error.code == "RepositoryNotFoundException"
        return True

    def _is_same(self, older: Revocation | None, newer: Revocation) -> bool:
        """Return whether both are of the same session, of the same user, or of all."""
        if older is None or older.scope != newer.scope:
            return False
        renewed = replace(older, issued_before=newer.issued_before)
        return policies.deny(renewed, self._role_id) == policies.deny(newer, self._role_id)

    def _prune(self, names: list[str], now: datetime) -> list[str]:
        """Remove the expired revocations among a role's inline policies, and return the names of the rest."""
        expired = [name for name in names if (expiry := policies.expiry(name)) is not None and expiry <= now]
        self._remove(expired)
        return [name for name in names if name not in expired]

    def _remove(self, names: Iterable[str]) -> list[str]:
        """Remove policies, and return those that this run removed."""
        removed = [name for name in names if policies.remove_inline(self._aws, self._venue.role_name, name)]
        self.pruned += removed
        return removed

    def _read(self, names: Iterable[str]) -> dict[str, Policy]:
        """Return inline policies by name, without those that were removed concurrently."""
        wanted = list(names)
        with ThreadPoolExecutor(_THREADS) as pool:
            found = pool.map(lambda name: policies.read_inline(self._aws, self._venue.role_name, name), wanted)
            return {name: policy for name, policy in zip(wanted, found, strict=True) if policy is not None}

    def _make_space(self, on_role: Mapping[str, Policy], policy: Policy, revocation: Revocation) -> None:
        """Remove superseded revocations, the oldest first, until another one and one of all tokens fit."""
        needed = size(policy) + (0 if revocation.scope == "all" else policies.room_for_all(self._role_id))
        left, removed, superseded = dict(on_role), [], policies.superseded(on_role)
        while policies.room(left.values()) < needed:
            if not superseded:
                raise self._no_space(revocation)
            removed.append(superseded.pop(0))
            del left[removed[-1]]
        self._remove(removed)

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


def _active(on_role: Mapping[str, Policy]) -> list[ActiveRevocation]:
    found = []
    for name, policy in on_role.items():
        expires = policies.expiry(name)
        if expires is not None:
            found.append(ActiveRevocation(name, expires, policies.read(policy)))
    return sorted(found, key=lambda each: (each.expires, each.name))
