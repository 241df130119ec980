"""Revoke tokens that were issued, from wherever: what is denied is on the role, and nothing is remembered here."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.aws.identity import is_of_a_token
from venue_access.errors import (
    AwsError,
    CheckFailed,
    ConnectionFailed,
    CredentialsError,
    ServiceUnavailable,
    UsageError,
)
from venue_access.inventory.model import Venue
from venue_access.ledger.proofs import ProofSessions
from venue_access.policies import inline as inline_policies
from venue_access.policies import revocation as denies
from venue_access.policies.documents import INLINE_POLICIES_LIMIT, Policy, size
from venue_access.policies.revocation import Revocation
from venue_access.times import iso, to_minute
from venue_access.tokens.revocation_proof import Proof, Wait

_LIMIT_EXCEEDED = "LimitExceeded"
_THREADS = 8
_MARGIN = timedelta(minutes=1)  # clocks of AWS's own need not agree to the second


@dataclass(frozen=True)
class Standing:
    """A revocation that is on a role."""

    name: str
    """Of its policy."""
    expires: datetime
    """When no token is left that it denies; UTC."""
    revocation: Revocation | None
    """None where its policy was changed by somebody."""

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        found = self.revocation
        before = None if found is None or found.issued_before is None else found.issued_before
        return {
            "name": self.name,
            "scope": None if found is None else found.scope,
            "session": None if found is None else found.session,
            "user": None if found is None else found.user,
            "issued_before": None if before is None else iso(before),
            "expires": iso(self.expires),
        }

    def line(self) -> str:
        """What it denies and until when, in a line."""
        what = "something else: its policy was changed" if self.revocation is None else str(self.revocation)
        return f"{self.name}: {what}; needed until {to_minute(self.expires)}"


class Revoker:
    """Revokes the tokens of one venue.

    :param sessions: the venue, the way to its account as provisioner, and the sessions of its proof.
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
        self._aws, self._venue = aws, venue = sessions.aws, sessions.venue
        self._now = now
        self._wait = Wait(clock, sleep)
        self._unique = unique
        role = aws.role(venue.role_name)
        if role is None:
            raise UsageError(
                f"{venue.name} is not provisioned", hint=f"there is no role {venue.role_name}, and no token of it"
            )
        self._role_id = role.role_id
        self.found: list[Standing] = []
        """The revocations that were on the role before this run changed it, the oldest first."""
        self.pruned: list[str] = []
        """The revocations that this run took off: no token is left that they deny, or another denies all of those."""

    def standing(self) -> list[Standing]:
        """The revocations that are on the role, the oldest first; nothing is changed."""
        names, _ = inline_policies.names_of(self._aws, self._venue.role_name)
        return _standing(self._read(name for name in names if denies.expiry(name) is not None))

    def revoke(self, *, session: str | None = None, user: str | None = None) -> Revoked:
        """Deny the tokens of a session, of a user, or (with neither) all that were issued so far.

        The session name of a token of the kit is used once, so where the role denies it already, that policy is the
        revocation: a run that was killed leaves no second one when it is run again. Of a user's or all tokens there
        may be newer ones since, so there is a newer revocation; ``replace`` then takes the older ones off.

        :raises UsageError: the role has no room for one more.
        """
        probe = Proof.begun(self._sessions, session=session, user=user, now=self._now)
        names, told = inline_policies.names_of(self._aws, self._venue.role_name)
        asked = self._wait.clock()
        # AWS's own time, as it stamps tokens by it: this machine's clock may be behind.
        now = (told or self._now()).replace(microsecond=0)
        # Tokens are stamped in whole seconds: to have all of this second, the next is the first that is spared.
        before = None if session is not None else now + timedelta(seconds=1)
        revocation = Revocation(session=session, user=user, issued_before=before)
        policies = self._read(names)
        self.found = _standing(policies)
        equal = [
            each for each in self.found if each.expires > now and self._denies_the_same(each.revocation, revocation)
        ]
        left = self._prune(names, now)
        if equal and session is not None and is_of_a_token(session):
            self.found = [each for each in self.found if each.name != equal[-1].name]  # it is what this run revokes
            return Revoked(equal[-1], probe, self._wait, 0.0, was_there=True)
        kept = {name: each for name, each in policies.items() if name in left}
        policy = denies.deny(revocation, self._role_id)
        self._make_room(kept, policy, revocation)
        expires = now + denies.LONGEST_SESSION + _MARGIN
        name = denies.policy_name(expires, self._unique())
        try:
            inline_policies.write(self._aws, self._venue.role_name, name, policy)
        except AwsError as error:
            if error.code == _LIMIT_EXCEEDED:  # somebody else was at it
                raise self._no_room(revocation) from error
            if isinstance(error, (ServiceUnavailable, CredentialsError, ConnectionFailed)):
                raise self._unknown(error) from error
            raise
        return Revoked(
            Standing(name, expires, revocation),
            probe,
            self._wait,
            1.0 - (self._wait.clock() - asked),
            was_there=session is not None and bool(equal),
            older=tuple(each.name for each in equal),
        )

    def replace(self, revoked: Revoked, names: Iterable[str]) -> list[str]:
        """Take those of ``names`` off the role that deny no token that ``revoked`` does not; the names taken off."""
        wanted = [name for name in revoked.older if name in set(names) and name not in self.pruned]
        taken = [name for name in wanted if inline_policies.remove(self._aws, self._venue.role_name, name)]
        self.pruned += taken
        return taken

    def undo(self, name: str) -> Standing:
        """Take a revocation off the role: the tokens that it denied work again, unless they have expired.

        :raises UsageError: there is none of this name.
        """
        names, told = inline_policies.names_of(self._aws, self._venue.role_name)
        ours = [each for each in names if denies.expiry(each) is not None]
        self.found = _standing(self._read(ours))
        if name not in ours:
            raise UsageError(
                f"{self._venue.name} has no revocation {name!r}",
                hint=f"it has: {', '.join(ours)}" if ours else "it has none",
            )
        standing = next((each for each in self.found if each.name == name), None)
        standing = standing or Standing(name, denies.expiry(name) or self._now(), None)
        inline_policies.remove(self._aws, self._venue.role_name, name)
        self._prune([each for each in names if each != name], told or self._now())
        return standing

    def _denies_the_same(self, older: Revocation | None, newer: Revocation) -> bool:
        """Whether an older revocation is of the same session, of the same user, or of all, as a newer one."""
        if older is None:
            return False
        as_new = replace(older, issued_before=newer.issued_before)
        return older.scope == newer.scope and denies.deny(as_new, self._role_id) == denies.deny(newer, self._role_id)

    def _prune(self, names: list[str], now: datetime) -> list[str]:
        """Take off what is needed no more; the names that are left."""
        kept = []
        for name in names:
            expires = denies.expiry(name)
            if expires is None or expires > now:
                kept.append(name)
            elif inline_policies.remove(self._aws, self._venue.role_name, name):
                self.pruned.append(name)
        return kept

    def _read(self, names: Any) -> dict[str, Policy]:
        """Inline policies by name, without those that somebody took off meanwhile."""
        wanted = list(names)
        with ThreadPoolExecutor(_THREADS) as pool:
            found = pool.map(lambda name: inline_policies.read(self._aws, self._venue.role_name, name), wanted)
            return {name: policy for name, policy in zip(wanted, found, strict=True) if policy is not None}

    def _make_room(self, kept: Mapping[str, Policy], policy: Policy, revocation: Revocation) -> None:
        """Where there is none, take off what a revocation of all tokens covers that stays: nothing is let through."""
        needed = size(policy) + (0 if revocation.scope == "all" else denies.room_for_all(self._role_id))
        left, taken, superseded = dict(kept), [], denies.superseded(kept)
        while denies.room(left.values()) < needed:
            if not superseded:
                raise self._no_room(revocation)
            taken.append(superseded.pop(0))
            del left[taken[-1]]
        self.pruned += [name for name in taken if inline_policies.remove(self._aws, self._venue.role_name, name)]

    def _unknown(self, error: AwsError) -> AwsError:
        """The error for a revocation of which only the answer may have been lost."""
        name = self._venue.name
        return type(error)(
            f"{error.message}; whether the revocation is in force is not known",
            hint=f"run the command again; what is in force: invoke revoke-token --venue {name} --list",
            code=error.code,
        )

    def _no_room(self, revocation: Revocation) -> UsageError:
        name = self._venue.name
        if revocation.scope == "all":
            hint = (
                f"take inline policies off the role that are not the kit's; invoke revoke-token --venue {name} --list"
            )
        else:
            hint = f"revoke everybody's at once with: invoke revoke-token --venue {name} --all"
        return UsageError(
            f"{name}: the role {self._venue.role_name} has no room for one more revocation: its inline policies hold"
            f" {INLINE_POLICIES_LIMIT:,} characters together",
            hint=hint,
        )


@dataclass(frozen=True)
class Revoked:
    """A revocation that was put on the role just now."""

    standing: Standing
    _proof: Proof
    _wait: Wait
    _rest_of_second: float
    was_there: bool = False
    """Whether the role denied this session already."""
    older: tuple[str, ...] = ()
    """The revocations on the role that deny no token that this one does not."""

    def wait_until_effective(self, venue: Venue) -> str | None:
        """Wait until a token of its kind is denied, and until a new one would be spared.

        :returns: why that could not be proved; None where it was.
        :raises CheckFailed: the token is not denied, although AWS had time.
        """
        if self.was_there and self._proof.denied_already:
            return None
        try:
            return self._proof.denied(self._wait)
        except TimeoutError as error:
            raise CheckFailed(
                f"{venue.name}: {self.standing.name} is on the role, but AWS does not deny a token of it yet: {error}",
                hint="AWS may take some minutes; look at the role's inline policies if it lasts",
            ) from error
        finally:
            if self.standing.revocation is not None and self.standing.revocation.session is None:
                with suppress(ValueError):
                    self._wait.sleep(max(0.0, self._rest_of_second))


def _standing(policies: Mapping[str, Policy]) -> list[Standing]:
    found = []
    for name, policy in policies.items():
        expires = denies.expiry(name)
        if expires is not None:
            found.append(Standing(name, expires, denies.read(policy)))
    return sorted(found, key=lambda each: (each.expires, each.name))
