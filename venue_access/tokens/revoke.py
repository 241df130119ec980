"""The command ``revoke-token``: revoke, list or undo, wait until AWS denies, and record it in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from venue_access import console
from venue_access.aws.client import AwsClient
from venue_access.aws.identity import LONGEST_USER, is_of_a_token, user_part
from venue_access.errors import AccessDenied, DeliveryError, UsageError, VenueAccessError
from venue_access.inventory import validators
from venue_access.inventory.model import Venue, name_of, similar_user, unknown_user
from venue_access.inventory.suggestions import misspelt
from venue_access.ledger.book import Ledger, OpenLedger
from venue_access.ledger.chain import Kind, Record
from venue_access.ledger.listing import UNDO, in_effect
from venue_access.ledger.proofs import ProofSessions
from venue_access.tokens.revoker import ActiveRevocation, Revoker

CAVEATS = (
    "AWS may take some moments until it denies everywhere; GetCallerIdentity still answers a revoked token, and a"
    " Docker login made with it may work for up to 12 h"
)
UNRECORDED = "found on the role without a record"
"""The reason in the record of a revocation whose run was killed before it was recorded, or is in another ledger."""


@dataclass(frozen=True)
class RevocationRequest:
    """What to revoke: a session, a user's tokens, or all; or to list the revocations, or undo one."""

    session: str | None = None
    user: str | None = None
    undo: str | None = None
    list: bool = False

    @classmethod
    def of(
        cls, venue: Venue, *, session: str | None, user: str | None, all: bool, list: bool, undo: str | None
    ) -> RevocationRequest:
        """Return the request that the flags make.

        :raises UsageError: there is none, or several, or a name that no token can have.
        """
        flags = {"--session": session, "--user": user, "--all": all, "--list": list, "--undo": undo}
        given = [flag for flag, value in flags.items() if value is not None and value is not False]
        if len(given) != 1:
            raise UsageError(
                "which tokens?" if not given else f"{' and '.join(given)} exclude each other",
                hint="pass one of --session NAME, --user NAME, --all, --list, --undo NAME",
            )
        if session is not None:
            try:
                session = validators.session_name(session)
            except validators.InvalidValue as error:
                raise UsageError(
                    f"the role session name {error}", hint="it is the last part of the token's ARN"
                ) from error
        return cls(session, None if user is None else name_of(venue, user), undo, list)

    def __str__(self) -> str:
        if self.undo is not None:
            return f"undo {self.undo}"
        if self.session is not None:
            return f"revoke the session {self.session}"
        return f"revoke the tokens of {self.user}" if self.user is not None else "revoke everybody's tokens"


@dataclass(frozen=True)
class Outcome:
    """The result of a run."""

    venue: Venue
    revoked: ActiveRevocation | None = None
    undone: ActiveRevocation | None = None
    unproved: str | None = None
    """Why it could not be proved that AWS denies a revoked token."""
    revocations: tuple[ActiveRevocation, ...] = ()
    """For ``--list``."""
    pruned: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the ``--json`` document."""
        return {
            "venue": self.venue.name,
            "revoked": None if self.revoked is None else self.revoked.document(),
            "proved": None if self.revoked is None else self.unproved is None,
            "undone": None if self.undone is None else self.undone.document(),
            "revocations": [each.document() for each in self.revocations],
            "pruned": list(self.pruned),
        }

    def lines(self) -> list[str]:
        """Return the lines for standard output."""
        name = self.venue.name
        if self.revoked is not None:
            return [f"{name}: revoked {self.revoked.line()}"]
        if self.undone is not None:
            return [f"{name}: undid {self.undone.line()}"]
        return [f"{name}: {each.line()}" for each in self.revocations]


class Revoking:
    """One run of ``revoke-token``. A ledger that cannot be written does not stop it: the error comes at the end.

    :param open_ledger: opens the venue's ledger, when there is something to record.
    :param records: what the venue's ledger contains.
    :param reason: for the ledger, as typed.
    :param accept_similar: accept a user or session that is probably misspelt.
    """

    def __init__(
        self,
        request: RevocationRequest,
        venue: Venue,
        open_ledger: OpenLedger,
        records: Sequence[Record],
        reason: str | None = None,
        *,
        accept_similar: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._request = request
        self._venue = venue
        self._open_ledger = open_ledger
        self._ledger: Ledger | None = None
        self._reason = reason
        self._accept_similar = accept_similar
        self._now = now
        self._record_error: DeliveryError | None = None
        of_role = [each for each in records if each.role_arn == venue.role_arn]
        self._tokens = [each for each in of_role if each.kind is Kind.ISSUE]
        self._recorded = {each.policy: each for each in in_effect(sorted(of_role, key=lambda record: record.when))}
        """The recorded revocations that were not undone, by the name of their policy."""

    def check(self) -> None:
        """Refuse a user or session that is unknown and probably misspelt.

        :raises UsageError: it suggests the known name.
        """
        user, session = self._request.user, self._request.session
        if self._accept_similar or self._is_listed(user) or self._is_issued():
            return
        if user is not None:
            others = sorted({each.recipient for each in self._tokens if each.recipient is not None})
            meant = similar_user(self._venue, user, others)
            if meant is not None:
                raise unknown_user(self._venue, user, meant)
        if session is not None:
            meant = misspelt(session, tuple(each.role_session_name or "" for each in self._tokens))
            if meant is not None:
                raise UsageError(
                    f"{self._venue.name}: no token has the session name {session!r} (did you mean {meant!r}?)",
                    hint=f"if {session!r} is the right name, pass --yes",
                )

    def run(self, aws: AwsClient) -> Outcome:
        """Carry out the request and record it.

        :raises UsageError: the role has no space for another revocation, or none of that name.
        :raises AccessDenied: the caller may not change the role.
        :raises CheckFailed: AWS does not deny in time.
        :raises DeliveryError: the revocation is done, but could not be recorded.
        """
        try:
            with ProofSessions("revoke-token", aws, self._venue).recorded(self._opened) as sessions:
                revoker = Revoker(sessions)
                if self._request.list:
                    return self._list(revoker)
                undo = self._request.undo
                outcome = self._revoke(revoker) if undo is None else self._undo(revoker, undo)
        except AccessDenied as error:
            raise AccessDenied(
                f"{self._venue.name}: {error.message}",
                hint=f"revoking requires a provisioner's rights: invoke operator-policy --venue {self._venue.name}",
                code=error.code,
            ) from error
        if self._record_error is not None:
            raise self._record_error
        return outcome

    def _list(self, revoker: Revoker) -> Outcome:
        found = revoker.active()
        if not found:
            console.say(f"{self._venue.name}: nothing is revoked")
        return Outcome(self._venue, revocations=tuple(found))

    def _undo(self, revoker: Revoker, name: str) -> Outcome:
        expires = self._recorded[name].expires if name in self._recorded else None
        if expires is not None and expires > self._now() and name not in {each.name for each in revoker.active()}:
            # An earlier run removed it, and was killed before it recorded that.
            undone = ActiveRevocation(name, expires, None)
            console.say(f"{self._venue.name}: {name} is no longer on the role; that is now recorded")
        else:
            undone = revoker.undo(name)
            console.say(f"{self._venue.name}: the tokens that it denied work again, unless they have expired")
        for each in revoker.found:
            if each.name not in self._recorded and each.name != name:
                self._record(each, reason=UNRECORDED)
        self._record(undone, revokes=UNDO)
        return Outcome(self._venue, undone=undone, pruned=tuple(revoker.pruned))

    def _revoke(self, revoker: Revoker) -> Outcome:
        request = self._request
        self._warn_of_unusual_names()
        revoked = revoker.revoke(session=request.session, user=request.user)
        # Recorded before the wait: a run that is killed while it waits for AWS has its record.
        unrecorded = [each for each in revoker.found if each.name not in self._recorded]
        for each in unrecorded:
            self._record(each, reason=UNRECORDED)
        if revoked.active.name not in self._recorded:
            self._record(revoked.active)
        try:
            unproved = revoker.wait_until_effective(revoked)
        except BaseException:
            if self._record_error is not None:
                console.warn(self._record_error.message)
            raise
        replaceable = revoked.older if request.session is not None else [each.name for each in unrecorded]
        replaced = revoker.replace(revoked, replaceable)
        for each in revoker.found:
            if each.name in revoker.pruned and each.expires > self._now():
                is_replaced = each.name in replaced
                why = f"replaced by {revoked.active.name}" if is_replaced else "superseded by one of all tokens"
                self._record(each, revokes=UNDO, reason=why)
        unproved = self._report(unproved)
        return Outcome(self._venue, revoked=revoked.active, unproved=unproved, pruned=tuple(revoker.pruned))

    def _warn_of_unusual_names(self) -> None:
        user, session = self._request.user, self._request.session
        if user is not None and len(user) >= LONGEST_USER:
            same = sorted(other for other in self._venue.users if other != user and user_part(other) == user_part(user))
            others = f", including {', '.join(same)}" if same else ""
            console.warn(
                f"a session name contains the first {LONGEST_USER} characters of a user's name: this revokes the tokens"
                f" of everybody whose name begins with {user_part(user)}{others}"
            )
        if session is not None and not is_of_a_token(session):
            console.warn(f"{session} is not like the session names of issue-token: check that it is complete")

    def _report(self, unproved: str | None) -> str | None:
        """Say whether the revocation is proved, and return why not; a token that nobody knows of proves nothing."""
        name, request = self._venue.name, self._request
        if not self._is_issued():
            unknown = request.session if request.session is not None else request.user
            console.say(f"{name}: the ledger has no token of {unknown}")
            if unproved is None and not (self._is_listed(request.user) or self._is_listed(_user_of(request.session))):
                unproved = f"no token of {unknown} is known"
        if unproved is None:
            console.say(f"{name}: proved: a token of that kind is denied now")
        else:
            console.warn(f"{name}: the revocation is not proved: {unproved}")
        console.say(CAVEATS)
        return unproved

    def _is_issued(self) -> bool:
        """Return whether the ledger has a token that the request revokes."""
        user, session = self._request.user, self._request.session
        if user is None and session is None:
            return True
        return any(session == each.role_session_name if session else user == each.recipient for each in self._tokens)

    def _is_listed(self, user: str | None) -> bool:
        return user is not None and any(user in (name, user_part(name)) for name in self._venue.users)

    def _opened(self, venue: Venue, warn: Callable[[str], None]) -> Ledger:
        """Open the ledger once, so that it warns of damage once."""
        if self._ledger is None:
            self._ledger = self._open_ledger(venue, warn)
        return self._ledger

    def _record(self, active: ActiveRevocation, *, revokes: str | None = None, reason: str | None = None) -> None:
        """Record a revocation, or its undoing; of a policy that was edited, only the latter."""
        found = active.revocation
        if found is None and revokes is None:
            return
        try:
            self._opened(self._venue, console.warn).record(
                Kind.REVOCATION,
                recipient=None if found is None else found.user,
                role_session_name=None if found is None else found.session,
                issued_before=None if found is None else found.issued_before,
                expires=active.expires,
                policy=active.name,
                revokes=revokes if found is None or revokes is not None else found.scope,
                reason=reason or self._reason,
            )
        except VenueAccessError as error:
            done = "undone" if revokes == UNDO else "in force"
            message = f"{active.name} is {done}, but it could not be recorded in the ledger: {error.message}"
            self._record_error = DeliveryError(message, hint=error.hint)


def _user_of(session: str | None) -> str | None:
    """Return the user's part of a session name that the kit gave."""
    return session.rsplit("-", 2)[0] if session is not None and is_of_a_token(session) else None
