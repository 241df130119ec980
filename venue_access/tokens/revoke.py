"""The command ``revoke-token``: revoke, list or undo, wait until AWS denies, and record it in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from venue_access import console
from venue_access.aws.client import AwsClient
from venue_access.aws.sessions import LONGEST_USER, is_of_a_token, role_session_name, user_part
from venue_access.errors import AccessDenied, DeliveryError, UsageError, VenueAccessError
from venue_access.inventory import validators
from venue_access.inventory.model import Venue, name_of, similar_user, unknown_user
from venue_access.inventory.suggestions import misspelt
from venue_access.ledger.book import Ledger, OpenLedger, ProofSessions
from venue_access.ledger.chain import Kind, Record
from venue_access.ledger.listing import UNDO, in_effect
from venue_access.policies.revocation import Revocation
from venue_access.tokens.role_revocations import PROOF_RETRY, ActiveRevocation, RevocationProof, RoleRevocations

CAVEATS = (
    "AWS may take some moments until it denies everywhere; GetCallerIdentity still answers a revoked token, and a"
    " Docker login made with it may work for up to 12 h"
)
UNRECORDED = "found on the role without a record"  # its run was killed before it was recorded, or in another ledger


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
                hint = "it is the last part of the token's ARN"
                raise UsageError(f"the role session name {error}", hint=hint) from error
        return cls(session, None if user is None else name_of(venue, user), undo, list)

    def __str__(self) -> str:
        if self.undo is not None:
            return f"undo {self.undo}"
        if self.session is not None:
            return f"revoke the session {self.session}"
        return f"revoke the tokens of {self.user}" if self.user is not None else "revoke everybody's tokens"


class Outcome(NamedTuple):
    """The result of a run: the lines for standard output, and the document for ``--json``."""

    lines: list[str]
    document: dict[str, Any]


class Revoking:
    """One run of ``revoke-token``. A ledger that cannot be written does not stop it: the error comes at the end.

    :param open_ledger: opens the venue's ledger, when there is something to record.
    :param records: what the venue's ledger contains.
    :param reason: for the ledger, as typed.
    """

    def __init__(
        self,
        request: RevocationRequest,
        venue: Venue,
        open_ledger: OpenLedger,
        records: Sequence[Record],
        reason: str | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._request, self._venue = request, venue
        self._open_ledger, self._reason, self._now = open_ledger, reason, now
        self._ledger: Ledger | None = None
        self._record_error: DeliveryError | None = None
        of_role = [each for each in records if each.role_arn == venue.role_arn]
        self._tokens = [each for each in of_role if each.kind is Kind.ISSUE]
        self._recorded = {each.policy: each for each in in_effect(sorted(of_role, key=lambda record: record.when))}
        """The recorded revocations that were not undone, by the name of their policy."""

    def check(self, *, accept_similar: bool) -> None:
        """Refuse a name that is unknown and probably misspelt; warn of one that may revoke more or less than it seems.

        :raises UsageError: it suggests the known name.
        """
        user, session = self._request.user, self._request.session
        is_known = accept_similar or self._is_listed(user) or self._is_issued()
        if user is not None and not is_known:
            known = sorted({each.recipient for each in self._tokens if each.recipient is not None})
            meant = similar_user(self._venue, user, known)
            if meant is not None:
                raise unknown_user(self._venue, user, meant)
        if session is not None and not is_known:
            meant = misspelt(session, tuple(each.role_session_name or "" for each in self._tokens))
            if meant is not None:
                raise UsageError(
                    f"{self._venue.name}: no token has the session name {session!r} (did you mean {meant!r}?)",
                    hint=f"if {session!r} is the right name, pass --yes",
                )
        if user is not None and len(user) >= LONGEST_USER:
            same = sorted(other for other in self._venue.users if other != user and user_part(other) == user_part(user))
            others = f", including {', '.join(same)}" if same else ""
            console.warn(
                f"a session name contains the first {LONGEST_USER} characters of a user's name: this revokes the tokens"
                f" of everybody whose name begins with {user_part(user)}{others}"
            )
        if session is not None and not is_of_a_token(session):
            console.warn(f"{session} is not like the session names of issue-token: check that it is complete")

    def run(self, aws: AwsClient) -> Outcome:
        """Carry out the request and record it.

        :raises UsageError: the role has no space for another revocation, or none of that name.
        :raises AccessDenied: the caller may not change the role.
        :raises CheckFailed: AWS does not deny in time.
        :raises DeliveryError: the revocation is done, but could not be recorded.
        """
        request = self._request
        try:
            with ProofSessions("revoke-token", aws, self._venue).recorded(self._opened) as sessions:
                if request.list:
                    found = RoleRevocations(aws, self._venue).found
                    if not found:
                        console.say(f"{self._venue.name}: nothing is revoked")
                    return self._outcome(found, revocations=[each.document() for each in found])
                if request.undo is not None:
                    outcome = self._undo(RoleRevocations(aws, self._venue), request.undo)
                else:
                    outcome = self._revoke(sessions)
        except AccessDenied as error:
            raise AccessDenied(
                f"{self._venue.name}: {error.message}",
                hint=f"revoking requires a provisioner's rights: invoke operator-policy --venue {self._venue.name}",
                code=error.code,
            ) from error
        if self._record_error is not None:
            raise self._record_error
        return outcome

    def _undo(self, role: RoleRevocations, name: str) -> Outcome:
        """Remove a revocation: its tokens work again, unless they have expired."""
        on_role = {each.name: each for each in role.found}
        expires = self._recorded[name].expires if name in self._recorded else None
        if name in on_role:
            undone = on_role[name]
            role.remove([name])
            role.remove_expired()
            console.say(f"{self._venue.name}: the tokens that it denied work again, unless they have expired")
        elif expires is not None and expires > self._now():
            # An earlier run removed it, and was killed before it recorded that.
            undone = ActiveRevocation(name, expires, None)
            console.say(f"{self._venue.name}: {name} is no longer on the role; that is now recorded")
        else:
            raise UsageError(
                f"{self._venue.name} has no revocation {name!r}",
                hint=f"it has: {', '.join(on_role)}" if on_role else "it has none",
            )
        self._record_unrecorded(each for each in role.found if each.name != name)
        self._record(undone, revokes=UNDO)
        pruned = [each for each in role.removed if each != name]
        return self._outcome([undone], "undid ", undone=undone.document(), pruned=pruned)

    def _revoke(self, sessions: ProofSessions) -> Outcome:
        """Deny the tokens of a session, of a user, or all tokens issued so far.

        The kit uses a session name once. So if the role denies the session already, that policy is the revocation, and
        a killed run leaves no second one when it is repeated. A user, or everybody, may have newer tokens since, so
        they get a newer revocation, which replaces the older ones of a killed run.
        """
        session, user = self._request.session, self._request.user
        proof = RevocationProof(sessions, session if user is None else role_session_name(user, self._now()))
        role = RoleRevocations(sessions.aws, self._venue)
        spared = PROOF_RETRY.clock() + 1.0  # the time from which AWS spares new tokens
        # Tokens are stamped in whole seconds: to deny all of this second, spare those from the next one on.
        before = None if session is not None else role.now + timedelta(seconds=1)
        wanted = Revocation(session=session, user=user, issued_before=before)
        equal = [each for each in role.found if each.expires > role.now and each.equals(wanted)]
        role.remove_expired()
        if equal and session is not None and is_of_a_token(session):
            revoked, replaceable = equal[-1], []
        else:
            revoked, replaceable = role.add(wanted), equal

        # Recorded before the wait: a run that is killed while it waits for AWS has its record.
        found = [each for each in role.found if each.name != revoked.name]
        unrecorded = self._record_unrecorded(found)
        if revoked.name not in self._recorded:
            self._record(revoked)
        try:
            unproved = proof.wait(revoked.name, existed=session is not None and bool(equal))
            if session is None:
                PROOF_RETRY.sleep(max(0.0, spared - PROOF_RETRY.clock()))
        except BaseException:
            if self._record_error is not None:
                console.warn(self._record_error.message)
            raise
        replaceable = [each for each in replaceable if session is not None or each in unrecorded]
        replaced = [each.name for each in replaceable if each.name not in role.removed]
        role.remove(replaced)
        for each in found:
            if each.name in role.removed and each.expires > self._now():
                why = f"replaced by {revoked.name}" if each.name in replaced else "superseded by one of all tokens"
                self._record(each, revokes=UNDO, reason=why)
        proved = self._report(unproved)
        return self._outcome([revoked], "revoked ", revoked=revoked.document(), proved=proved, pruned=role.removed)

    def _outcome(self, shown: Sequence[ActiveRevocation], done: str = "", **values: Any) -> Outcome:
        venue = self._venue.name
        document = {"revoked": None, "proved": None, "undone": None, "revocations": [], "pruned": [], **values}
        return Outcome([f"{venue}: {done}{each.line()}" for each in shown], {"venue": venue, **document})

    def _report(self, unproved: str | None) -> bool:
        """Say whether the revocation is proved, and return that; a token that nobody knows of proves nothing."""
        name, request = self._venue.name, self._request
        if not self._is_issued():
            unknown = request.session or request.user
            console.say(f"{name}: the ledger has no token of {unknown}")
            user = request.user
            if request.session is not None and is_of_a_token(request.session):
                user = request.session.rsplit("-", 2)[0]
            if unproved is None and not self._is_listed(user):
                unproved = f"no token of {unknown} is known"
        if unproved is None:
            console.say(f"{name}: proved: a token of that kind is denied now")
        else:
            console.warn(f"{name}: the revocation is not proved: {unproved}")
        console.say(CAVEATS)
        return unproved is None

    def _is_issued(self) -> bool:
        """Return whether the ledger has a token that the request revokes."""
        user, session = self._request.user, self._request.session
        if session is not None:
            return session in {each.role_session_name for each in self._tokens}
        return user is None or user in {each.recipient for each in self._tokens}

    def _is_listed(self, user: str | None) -> bool:
        return user is not None and any(user in (name, user_part(name)) for name in self._venue.users)

    def _opened(self, venue: Venue, warn: Callable[[str], None]) -> Ledger:
        """Open the ledger once, so that it warns of damage once."""
        if self._ledger is None:
            self._ledger = self._open_ledger(venue, warn)
        return self._ledger

    def _record_unrecorded(self, found: Iterable[ActiveRevocation]) -> list[ActiveRevocation]:
        """Record the revocations that the ledger does not have, and return them."""
        unrecorded = [each for each in found if each.name not in self._recorded]
        for each in unrecorded:
            self._record(each, reason=UNRECORDED)
        return unrecorded

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
