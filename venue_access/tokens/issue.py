"""Issue tokens: the path from a request to a delivered token, in ``issue_tokens``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType

from venue_access import console
from venue_access.aws.client import AwsClient
from venue_access.errors import AwsError, Interrupted, VenueAccessError
from venue_access.inventory.model import Recipient
from venue_access.ledger.book import Ledger
from venue_access.tokens.delivery import Delivery, DeliveryMethod
from venue_access.tokens.issuer import TokenIssuer
from venue_access.tokens.recorder import Outcome, Recorder
from venue_access.tokens.request import Issued, Refused, TokenRequest, Unrecorded, prepare

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
