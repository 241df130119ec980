"""Issue tokens: the path from a request to a delivered token, in ``issue_tokens``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

from venue_access import console
from venue_access.aws.client import AwsClient
from venue_access.errors import NO_ANSWER, AwsError, DeliveryError, Interrupted, UsageError, VenueAccessError
from venue_access.inventory.model import Recipient, Venue, find_recipient
from venue_access.ledger.book import Ledger, OpenLedger
from venue_access.ledger.chain import Kind
from venue_access.times import to_minute
from venue_access.tokens.delivery import Delivery, DeliveryMethod
from venue_access.tokens.issuer import Issued, Refused, TokenIssuer, TokenRequest

Outcome = Issued | Refused
_THREADS = 16


def issue_tokens(
    request: TokenRequest,
    method: DeliveryMethod,
    reach: Callable[[Venue], AwsClient],
    open_ledger: OpenLedger,
    reason: str | None = None,
    *,
    dry: bool = False,
) -> int:
    """Issue a token for each user of a request, record it, deliver it, and return the exit code of the first failure.

    A user who gets no token, or whose token cannot be delivered, does not stop the others. However the function ends,
    every token that AWS issued is recorded, and one that was not delivered is named.

    :param reach: returns the client of the venue's account.
    :param reason: for the ledger, as typed.
    :param dry: only say for whom tokens would be issued.
    :raises UsageError: AWS would not grant the duration or accept the scope, or the venue is not provisioned.
    :raises Interrupted: Ctrl-C, SIGTERM or SIGHUP, with a token that is issued but not delivered.
    """
    venue, multiple = request.venue, len(request.users) > 1
    deliveries, refused = prepare(request, method.prepare)
    codes = [_report(each, multiple=multiple) for each in refused]
    if dry:
        for recipient in deliveries:
            console.say(f"would issue a token for {recipient.name} at {venue.name}")
    if dry or not deliveries:
        return next(iter(codes), 0)

    ledger = open_ledger(venue, console.warn)  # an unusable one ends the command before AWS is called
    with _issuing(reach(venue), ledger, request, deliveries, reason) as (answers, recorder):
        # Threads issue side by side, and each records at once; this thread delivers in the request's order.
        for answer in answers:
            outcome = answer.result()
            if isinstance(outcome, Refused):
                codes.append(_report(outcome, multiple=multiple))
                continue
            try:
                outcome.check_recorded()
                console.say(outcome.summary())
                console.payload(method.deliver(outcome))
            except VenueAccessError as error:
                failure = recorder.failed(outcome, error.message)
                console.error(str(failure))
                codes.append(failure.exit_code)
                continue
            if deliveries[outcome.recipient].method == "printed" and console.reader_gone():
                break  # nobody would see the others either
            recorder.delivered(outcome)
    return next(iter(codes), 0)


@contextmanager
def issued_for_one(
    aws: AwsClient, ledger: Ledger, request: TokenRequest, delivery: Delivery, reason: str | None = None
) -> Iterator[Issued]:
    """Issue and record the token of a request for one user; the ``with`` block delivers it.

    :raises DeliveryError: the token is issued, but could not be recorded or delivered.
    :raises VenueAccessError: it is not issued.
    :raises Interrupted: Ctrl-C, SIGTERM or SIGHUP, with the token issued.
    """
    deliveries, refused = prepare(request, lambda recipient: delivery)
    if refused:
        raise refused[0].error
    with _issuing(aws, ledger, request, deliveries, reason) as ([answer], recorder):
        outcome = answer.result()
        if isinstance(outcome, Refused):
            raise outcome.error
        outcome.check_recorded()
        yield outcome
        recorder.delivered(outcome)


def prepare(
    request: TokenRequest, prepare_delivery: Callable[[Recipient], Delivery]
) -> tuple[dict[Recipient, Delivery], list[Refused]]:
    """Find the recipients of a request and check all that can be checked without AWS.

    :param prepare_delivery: ``DeliveryMethod.prepare``.
    :returns: the recipients in the request's order, with their deliveries, and the users who get no token.
    :raises UsageError: the scope exceeds the role's permissions, or AWS would not accept it.
    """
    if request.scope:
        request.scope.check(request.venue)
    deliveries: dict[Recipient, Delivery] = {}
    refused: list[Refused] = []
    seen: set[Recipient] = set()
    for user in request.users:
        try:
            recipient = find_recipient(request.venue, user, accept_similar=request.accept_similar)
            if recipient not in seen:
                seen.add(recipient)
                deliveries[recipient] = prepare_delivery(recipient)
        except UsageError as error:
            refused.append(Refused(user, error))
    return deliveries, refused


def _report(refused: Refused, *, multiple: bool) -> int:
    """Show why a user gets no token, and return the exit code; ``multiple`` users are named."""
    console.error(f"{refused.user}: {refused.error}" if multiple else str(refused.error))
    return refused.error.exit_code


@contextmanager
def _issuing(
    aws: AwsClient, ledger: Ledger, request: TokenRequest, deliveries: Mapping[Recipient, Delivery], reason: str | None
) -> Iterator[tuple[Sequence[Future[Outcome]], Recorder]]:
    """Issue and record tokens in threads while the block delivers them; it gets the answers in the recipients' order.

    When the block ends early, wait for the calls under way, so that their tokens are recorded, and begin no other.

    :raises Interrupted: Ctrl-C while waiting; the error names the users whose answer is not known.
    """
    recorder = Recorder(ledger, deliveries, reason)
    ledger.identify_operator()  # beside the calls that follow
    try:
        issuer = TokenIssuer(aws, request)
    except AwsError as error:  # AWS refuses what all tokens need
        for recipient in deliveries:
            recorder.record(Refused(recipient.name, error))
        raise

    def issue_and_record(recipient: Recipient) -> Outcome:
        return recorder.record(issuer.issue(recipient))

    with _interrupted_by_signals(), recorder.naming_undelivered():
        pool = ThreadPoolExecutor(min(_THREADS, len(deliveries)))
        answers: list[Future[Outcome]] = []
        try:
            for recipient in deliveries:
                answers.append(pool.submit(issue_and_record, recipient))
            yield answers, recorder
        finally:
            issuer.stop_retrying()
            for answer in answers:
                answer.cancel()
            if not all(answer.done() for answer in answers):
                console.say("waiting for AWS to answer, so that every token is recorded; Ctrl-C again stops waiting")
            try:
                pool.shutdown()
            except KeyboardInterrupt:
                names = [each.name for each, answer in zip(deliveries, answers, strict=False) if not answer.done()]
                venue = request.venue.name
                raise Interrupted(
                    f"interrupted: whether AWS issued a token of {venue} for {', '.join(names)} is not known",
                    hint=f"revoke any such token with: invoke revoke-token --venue {venue} --user NAME",
                ) from None
        for failure in recorder.undelivered("the reader of standard output closed it"):
            console.warn(str(failure))


class Recorder:
    """Records the tokens of one request, from any thread, and knows which are not delivered yet.

    :param reason: for the ledger, as typed.
    """

    def __init__(self, ledger: Ledger, deliveries: Mapping[Recipient, Delivery], reason: str | None = None) -> None:
        self._ledger = ledger
        self._deliveries = deliveries
        self._reason = reason
        self._undelivered: dict[str, Issued] = {}

    def record(self, outcome: Outcome) -> Outcome:
        """Record what AWS answered, and return it; a token that cannot be recorded has a ``record_error``."""
        if isinstance(outcome, Refused):
            self._record_refusal(outcome)
            return outcome
        name, scope = outcome.role_session_name, outcome.scope
        self._undelivered[name] = outcome
        described = scope.describe() if scope else None
        try:
            self._record(Kind.ISSUE, outcome, when=outcome.issued, scope=described, reason=self._reason)
        except VenueAccessError as error:
            self._undelivered[name] = outcome = replace(outcome, record_error=error)
        return outcome

    def delivered(self, issued: Issued) -> None:
        """Record a delivery; a token that is printed needs no second record."""
        self._undelivered.pop(issued.role_session_name, None)
        if self._deliveries[issued.recipient].method == "printed":
            return
        try:
            self._record(Kind.DELIVERY, issued)
        except VenueAccessError as error:
            console.warn(f"the delivery of {issued.role_session_name} could not be recorded: {error.message}")

    def failed(self, issued: Issued, reason: str) -> DeliveryError:
        """Return the error for a token that is issued but not delivered; it names the command that revokes it."""
        name, venue = issued.role_session_name, issued.venue.name
        self._undelivered.pop(name, None)
        return DeliveryError(
            f"the token {name} of {venue} was issued but not delivered:"
            f" {reason if issued.record_error is None else issued.record_error.message}",
            hint=f"it is valid until {to_minute(issued.token.expiration)}; revoke it with: invoke revoke-token"
            f" --venue {venue} --session {name}",
        )

    def undelivered(self, reason: str) -> list[DeliveryError]:
        """Return an error for each token that is issued but neither delivered nor failed yet."""
        return [self.failed(each, reason) for each in list(self._undelivered.values())]

    @contextmanager
    def naming_undelivered(self) -> Iterator[None]:
        """If an exception ends the block, name every undelivered token and how to revoke it."""
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

    def _record(self, kind: Kind, issued: Issued, **details: Any) -> None:
        delivery = self._deliveries[issued.recipient]
        self._ledger.record(
            kind,
            recipient=issued.recipient.name,
            role_session_name=issued.role_session_name,
            access_key_id=issued.token.credentials.access_key_id,
            expires=issued.token.expiration,
            delivery=delivery.method,
            key_fingerprints=delivery.fingerprints,
            **details,
        )


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Handle SIGTERM and SIGHUP like Ctrl-C while tokens are issued.

    A signal that the process ignores, as under ``nohup``, stays ignored. A second one is ignored as well: a terminal
    that closes may send both, and the tokens of the calls under way are to be recorded.
    """
    if threading.current_thread() is not threading.main_thread():  # Python lets no other thread set a handler
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    handled = [number for number, handler in before.items() if handler is signal.SIG_DFL]

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in handled:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])
