"""Record each issued token in the ledger, and name those that are not delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from venue_access import console
from venue_access.errors import NO_ANSWER, AwsError, DeliveryError, Interrupted, VenueAccessError
from venue_access.ledger.book import Ledger
from venue_access.ledger.record import Kind
from venue_access.times import to_minute
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.request import Issued, Refused, Unrecorded

Outcome = Issued | Refused | Unrecorded


class Recorder:
    """Records the tokens of one request, from any thread, and knows which are not delivered yet.

    :param deliveries: how the token of each recipient is delivered, by the recipient's name.
    :param reason: for the ledger, as typed.
    """

    def __init__(self, ledger: Ledger, deliveries: Mapping[str, Delivery], reason: str | None = None) -> None:
        self._ledger = ledger
        self._deliveries = deliveries
        self._reason = reason
        self._undelivered: dict[str, Issued | Unrecorded] = {}

    def record(self, outcome: Issued | Refused) -> Outcome:
        """Record what AWS answered; a token that cannot be recorded becomes ``Unrecorded``."""
        if isinstance(outcome, Refused):
            self._record_refusal(outcome)
            return outcome
        name = outcome.role_session_name
        self._undelivered[name] = outcome
        try:
            self._ledger.record(
                Kind.ISSUE,
                when=outcome.issued,
                **self._fields(outcome),
                scope=outcome.scope.describe() or None,
                reason=self._reason,
            )
        except VenueAccessError as error:
            self._undelivered[name] = unrecorded = Unrecorded(outcome, error)
            return unrecorded
        return outcome

    def delivered(self, issued: Issued) -> None:
        """Record a delivery; a token that is printed needs no second record."""
        self._undelivered.pop(issued.role_session_name, None)
        if self._deliveries[issued.recipient.name].method == "printed":
            return
        try:
            self._ledger.record(Kind.DELIVERY, **self._fields(issued))
        except VenueAccessError as error:
            console.warn(f"the delivery of {issued.role_session_name} could not be recorded: {error.message}")

    def failed(self, outcome: Issued | Unrecorded, reason: str) -> DeliveryError:
        """Return the error for a token that is issued but not delivered; it names the command that revokes it."""
        issued = outcome if isinstance(outcome, Issued) else outcome.issued
        reason = reason if isinstance(outcome, Issued) else outcome.error.message
        name, venue = issued.role_session_name, issued.venue.name
        self._undelivered.pop(name, None)
        return DeliveryError(
            f"the token {name} of {venue} was issued but not delivered: {reason}",
            hint=f"it is valid until {to_minute(issued.token.expiration)}; revoke it with: invoke revoke-token"
            f" --venue {venue} --session {name}",
        )

    def undelivered(self, reason: str) -> list[DeliveryError]:
        """Return an error for each token that is issued but neither delivered nor failed yet."""
        return [self.failed(each, reason) for each in list(self._undelivered.values())]

    @contextmanager
    def naming_undelivered(self) -> Iterator[None]:
        """Name every undelivered token, and how to revoke it, if an exception ends the block.

        :raises Interrupted: Ctrl-C.
        :raises DeliveryError: an expected failure.
        """
        try:
            yield
        except BaseException as error:
            interrupted = isinstance(error, (KeyboardInterrupt, Interrupted))
            reason = error.message if isinstance(error, VenueAccessError) else type(error).__name__
            failures = self.undelivered("interrupted" if interrupted else reason)
            # The last one becomes the error that the command ends with; a bug keeps its traceback, and an Interrupted
            # that names users keeps its message.
            replaced = isinstance(error, (KeyboardInterrupt, VenueAccessError)) and not isinstance(error, Interrupted)
            last = failures.pop() if failures and replaced else None
            for each in failures:
                console.error(str(each))
            if last is None:
                raise
            raise Interrupted(last.message, hint=last.hint) if interrupted else last from error

    def _record_refusal(self, refused: Refused) -> None:
        """Record that AWS refused a token; not a network fault, a failure of AWS or a refusal of the kit itself."""
        error = refused.error
        if not isinstance(error, AwsError) or isinstance(error, NO_ANSWER) or error.code is None:
            return
        try:
            self._ledger.record(Kind.REFUSAL, recipient=refused.user, reason=self._reason, error=error.code)
        except VenueAccessError as fault:
            console.warn(f"AWS's refusal of a token for {refused.user} could not be recorded: {fault.message}")

    def _fields(self, issued: Issued) -> dict[str, Any]:
        delivery = self._deliveries[issued.recipient.name]
        return {
            "recipient": issued.recipient.name,
            "role_session_name": issued.role_session_name,
            "access_key_id": issued.token.credentials.access_key_id,
            "expires": issued.token.expiration,
            "delivery": delivery.method,
            "key_fingerprints": delivery.fingerprints,
        }
