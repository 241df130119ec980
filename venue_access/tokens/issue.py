"""Issue tokens: the path from a request to a delivered token, in ``issue_tokens``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

from venue_access import console
from venue_access.aws.client import AwsClient
from venue_access.errors import NO_ANSWER, AwsError, DeliveryError, Interrupted, VenueAccessError
from venue_access.inventory.model import Recipient
from venue_access.ledger.book import Ledger
from venue_access.ledger.chain import Kind
from venue_access.times import to_minute
from venue_access.tokens.delivery import Delivery, DeliveryMethod
from venue_access.tokens.issuer import Issued, Refused, TokenIssuer, TokenRequest, Unrecorded, prepare

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


_THREADS = 16


def issue_tokens(
    aws: AwsClient,
    ledger: Ledger,
    request: TokenRequest,
    recipients: Sequence[Recipient],
    delivery: DeliveryMethod,
    reason: str | None = None,
) -> int:
    """Issue a token for each recipient, record it, deliver it, and return the exit code of the first that failed.

    Threads call AWS side by side, and each records AWS's answer at once; this thread delivers in the request's order.
    However the function ends, every token that AWS issued is recorded, and one that was not delivered is named.

    :param recipients: the recipients that ``prepare`` returns.
    :param reason: for the ledger, as typed.
    :raises UsageError: AWS would not grant the duration or accept the scope, or the venue is not provisioned.
    :raises Interrupted: Ctrl-C, SIGTERM or SIGHUP, with a token that is issued but not delivered.
    """
    multiple = len(request.users) > 1
    recorder = Recorder(ledger, {each.name: delivery.delivery_to(each) for each in recipients}, reason)
    issuer = _issuer(aws, ledger, request, recipients, recorder)
    code = 0
    with _interrupted_by_signals(), recorder.naming_undelivered():
        with _issuing(issuer, recorder, request, recipients) as answers:
            for answer in answers:
                outcome = answer.result()
                if isinstance(outcome, Refused):
                    exit_code = report_refusal(outcome, multiple=multiple)
                    code = code or exit_code
                    continue
                try:
                    if isinstance(outcome, Unrecorded):
                        raise outcome.error
                    console.say(outcome.summary())
                    console.payload(delivery.deliver(outcome))
                except VenueAccessError as error:
                    failure = recorder.failed(outcome, error.message)
                    console.error(str(failure))
                    code = code or failure.exit_code
                    continue
                if delivery.delivery_to(outcome.recipient).method == "printed" and console.reader_gone():
                    break  # nobody would see the others either
                recorder.delivered(outcome)
        for failure in recorder.undelivered("the reader of standard output closed it"):
            console.warn(str(failure))
    return code


@contextmanager
def issued_for_one(
    aws: AwsClient, ledger: Ledger, request: TokenRequest, delivery: Delivery, reason: str | None = None
) -> Iterator[Issued]:
    """Issue and record the token of a request for one user; the ``with`` block delivers it.

    :raises DeliveryError: the token is issued, but could not be recorded or delivered.
    :raises VenueAccessError: it is not issued.
    :raises Interrupted: Ctrl-C, SIGTERM or SIGHUP, with the token issued.
    """
    recipients, refused = prepare(request)
    if refused:
        raise refused[0].error
    recorder = Recorder(ledger, {each.name: delivery for each in recipients}, reason)
    issuer = _issuer(aws, ledger, request, recipients, recorder)
    with _interrupted_by_signals(), recorder.naming_undelivered():
        with _issuing(issuer, recorder, request, recipients) as answers:
            outcome = answers[0].result()
        if not isinstance(outcome, Issued):
            raise outcome.error
        yield outcome
        recorder.delivered(outcome)


def report_refusal(refused: Refused, *, multiple: bool) -> int:
    """Show why a user gets no token, and return the exit code; ``multiple`` users are named."""
    console.error(f"{refused.user}: {refused.error}" if multiple else str(refused.error))
    return refused.error.exit_code


def _issuer(
    aws: AwsClient,
    ledger: Ledger,
    request: TokenRequest,
    recipients: Sequence[Recipient],
    recorder: Recorder,
) -> TokenIssuer:
    """Return the issuer of a request; if AWS refuses it what all tokens need, record that for each recipient."""
    ledger.identify_operator()  # beside the calls that follow
    try:
        return TokenIssuer(aws, request)
    except AwsError as error:
        for recipient in recipients:
            recorder.record(Refused(recipient.name, error))
        raise


@contextmanager
def _issuing(
    issuer: TokenIssuer, recorder: Recorder, request: TokenRequest, recipients: Sequence[Recipient]
) -> Iterator[list[Future[Outcome]]]:
    """Issue and record tokens in threads while the block runs; it gets the answers in the recipients' order.

    When the block ends early, wait for the calls under way, so that their tokens are recorded, and begin no other.

    :raises Interrupted: Ctrl-C while waiting; the error names the users whose answer is not known.
    """
    pool = ThreadPoolExecutor(min(_THREADS, len(recipients)))
    answers: list[Future[Outcome]] = []
    try:
        for recipient in recipients:
            answers.append(pool.submit(_issue_and_record, issuer, recorder, recipient))
        yield answers
    finally:
        issuer.stop_retrying()
        for answer in answers:
            answer.cancel()
        if not all(answer.done() for answer in answers):
            console.say("waiting for AWS to answer, so that every token is recorded; Ctrl-C again stops waiting")
        try:
            pool.shutdown()
        except KeyboardInterrupt:
            names = [each.name for each, answer in zip(recipients, answers, strict=False) if not answer.done()]
            venue = request.venue.name
            raise Interrupted(
                f"interrupted: whether AWS issued a token of {venue} for {', '.join(names)} is not known",
                hint=f"revoke any such token with: invoke revoke-token --venue {venue} --user NAME",
            ) from None


def _issue_and_record(issuer: TokenIssuer, recorder: Recorder, recipient: Recipient) -> Outcome:
    return recorder.record(issuer.issue(recipient))


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
