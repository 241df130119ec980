"""Records what comes of a request for tokens, delivers them, and names those that were issued and not delivered."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from venue_access import console
from venue_access.errors import (
    AwsError,
    ConnectionFailed,
    CredentialsError,
    DeliveryError,
    Interrupted,
    ServiceUnavailable,
    VenueAccessError,
)
from venue_access.inventory.model import Recipient
from venue_access.ledger.book import Ledger
from venue_access.ledger.record import Kind
from venue_access.times import to_minute
from venue_access.tokens.delivery import Delivery, DeliveryMethod
from venue_access.tokens.issue import Issued, Outcome, Refused, TokenRequest, Unrecorded, issue

if TYPE_CHECKING:
    from venue_access.tokens.external_id import HandedOut


class Recorder:
    """Records tokens as AWS gives them, from any thread, and knows which of them nobody has been given yet.

    :param delivery_of: how a token for a recipient will be delivered.
    """

    def __init__(self, ledger: Ledger, delivery_of: Callable[[Recipient], Delivery], reason: str | None = None) -> None:
        self._ledger = ledger
        self._delivery_of = delivery_of
        self._reason = reason
        self._undelivered: dict[str, Issued | Unrecorded] = {}

    def record(self, outcome: Issued | Refused) -> Outcome:
        """Record a token that was issued, or that AWS refused; for ``issue``."""
        if isinstance(outcome, Refused):
            self._record_refusal(outcome)
            return outcome
        name = outcome.role_session_name
        self._undelivered[name] = outcome
        try:
            self._ledger.record(
                Kind.ISSUE,
                when=outcome.issued,
                **self._about(outcome),
                scope=outcome.scope.describe() or None,
                reason=self._reason,
            )
        except VenueAccessError as error:
            self._undelivered[name] = unrecorded = Unrecorded(outcome, error)
            return unrecorded
        return outcome

    def delivered(self, issued: Issued) -> None:
        """Record that a token reached the file that is for its recipient; one that is printed needs no record more."""
        self._undelivered.pop(issued.role_session_name, None)
        if self._delivery_of(issued.recipient).way == "printed":
            return
        try:
            self._ledger.record(Kind.DELIVERY, **self._about(issued))
        except VenueAccessError as error:
            console.warn(f"that {issued.role_session_name} was handed over could not be entered: {error.message}")

    def failed(self, outcome: Issued | Unrecorded, reason: str) -> DeliveryError:
        """Return the error for a token that was issued and will not be delivered: it names it and how to revoke it."""
        issued, why = (outcome, reason) if isinstance(outcome, Issued) else (outcome.issued, outcome.error.message)
        name, venue = issued.role_session_name, issued.venue.name
        self._undelivered.pop(name, None)
        return DeliveryError(
            f"the token {name} of {venue} is out and was not delivered: {why}",
            hint=f"it lasts until {to_minute(issued.token.expiration)}; revoke it with: invoke revoke-token"
            f" --venue {venue} --session {name}",
        )

    def lost(self, reason: str) -> list[DeliveryError]:
        """Return the error for each token that was issued and neither delivered nor failed yet."""
        return [self.failed(each, reason) for each in list(self._undelivered.values())]

    def _record_refusal(self, refused: Refused) -> None:
        error = refused.error
        # What did not reach AWS, or fell to a fault of its own, or was told no by the kit itself, is no refusal of it.
        if (
            not isinstance(error, AwsError)
            or isinstance(error, (ServiceUnavailable, CredentialsError, ConnectionFailed))
            or error.code is None
        ):
            return
        try:
            self._ledger.record(Kind.REFUSAL, recipient=refused.user, reason=self._reason, error=error.code)
        except VenueAccessError as fault:
            console.warn(f"that AWS refused a token for {refused.user} could not be entered: {fault.message}")

    def _about(self, issued: Issued) -> dict[str, Any]:
        delivery = self._delivery_of(issued.recipient)
        return {
            "recipient": issued.recipient.name,
            "role_session_name": issued.role_session_name,
            "access_key_id": issued.token.credentials.access_key_id,
            "expires": issued.token.expiration,
            "delivery": delivery.way,
            "key_fingerprints": delivery.fingerprints,
        }


@contextmanager
def naming_lost_tokens(recorder: Recorder) -> Iterator[None]:
    """Have whatever ends the work before each token is delivered name those that were not, with how to revoke each.

    :raises Interrupted: Ctrl-C.
    :raises DeliveryError: an expected failure.
    """
    try:
        yield
    except BaseException as error:
        interrupted = isinstance(error, (KeyboardInterrupt, Interrupted))
        reason = error.message if isinstance(error, VenueAccessError) else type(error).__name__
        lost = recorder.lost("interrupted" if interrupted else reason)
        replaces = isinstance(error, (KeyboardInterrupt, VenueAccessError)) and not isinstance(error, Interrupted)
        last = lost.pop() if lost and replaces else None
        for each in lost:
            console.error(str(each))
        if last is None:
            raise
        raise Interrupted(last.message, hint=last.hint) if interrupted else last from error


def hand_over(
    outcomes: Generator[Outcome, None, None], way: DeliveryMethod, recorder: Recorder, *, several: bool
) -> int:
    """Deliver each token that was issued and recorded; a failure of one is an error message and stops no other.

    :param outcomes: as ``issue`` gives them; closed before this returns, so that all that AWS gave is recorded.
    Where the reader of standard output closes it, a warning names each token that was issued and not printed.

    :returns: the exit code: of the first that was refused or could not be delivered.
    :raises Interrupted: Ctrl-C, with a token that was issued and not delivered.
    """
    code = 0
    with naming_lost_tokens(recorder):
        try:
            for each in outcomes:
                if isinstance(each, Refused):
                    console.error(f"{each.user}: {each.error}" if several else str(each.error))
                    code = code or each.error.exit_code
                    continue
                try:
                    if isinstance(each, Unrecorded):
                        raise each.error
                    console.say(each.summary())
                    console.payload(way.deliver(each))
                except VenueAccessError as error:
                    failed = recorder.failed(each, error.message)
                    console.error(str(failed))
                    code = code or failed.exit_code
                    continue
                if way.account(each.recipient).way == "printed" and console.reader_gone():
                    break  # nobody would see the others either
                recorder.delivered(each)
        finally:
            outcomes.close()
        for lost in recorder.lost("whatever read standard output has closed it"):
            console.warn(str(lost))
    return code


@contextmanager
def issued_for_one(
    ledger: Ledger, request: TokenRequest, delivery: Delivery, reason: str | None = None
) -> Iterator[Issued]:
    """Issue and record the token of a request for one user, which the ``with`` block delivers.

    :raises DeliveryError: it was issued, and could not be recorded or delivered.
    :raises VenueAccessError: it was not issued.
    :raises Interrupted: Ctrl-C, with the token issued.
    """
    recorder = Recorder(ledger, lambda recipient: delivery, reason)
    with naming_lost_tokens(recorder):
        (outcome,) = issue(ledger.aws, request, record=recorder.record)
        if not isinstance(outcome, Issued):
            raise outcome.error
        yield outcome
        recorder.delivered(outcome)


def record_external_id_delivery(ledger: Ledger, handed: HandedOut) -> None:
    """Enter that somebody is handed the venue's external ID, before the path of the file is shown.

    :raises DeliveryError: it cannot be entered.
    """
    try:
        ledger.record(
            Kind.EXTERNAL_ID,
            when=handed.when,
            recipient=handed.recipient.name,
            parameter_version=handed.parameter_version,
            delivery=handed.delivery.way,
            key_fingerprints=handed.delivery.fingerprints,
        )
    except VenueAccessError as error:
        raise DeliveryError(
            f"{handed.path} was written, but could not be entered into the ledger: {error.message}",
            hint="remove that file, mend the ledger, and run the command again",
        ) from error
