"""Every issued token is recorded, and delivered or named with the command that revokes it, however the run ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests.stacks import a_venue
from tests.unit.tokens.tokens import a_token
from venue_access import console
from venue_access.aws.client import AssumedRole, AwsClient
from venue_access.errors import AccessDenied, AwsError, ConnectionFailed, DeliveryError, Interrupted, UsageError
from venue_access.ledger.book import Ledger
from venue_access.ledger.chain import Kind
from venue_access.sensitive import ExternalId
from venue_access.tokens.delivery import Delivery, DeliveryMethod, OutputTarget, Unencrypted
from venue_access.tokens.issue import Recorder, issue_tokens, issued_for_one
from venue_access.tokens.issuer import Refused, TokenRequest

PRINTED = Unencrypted(lambda token: "the token")
REQUEST = TokenRequest(a_venue(), ("alice", "bob", "carol"), external_id=ExternalId("supplied"))


class Book:
    """Stands in for a ledger: stores records, or refuses them."""

    def __init__(self, refuses: Callable[[dict[str, Any]], bool] = lambda record: False) -> None:
        self.records: list[dict[str, Any]] = []
        self._refuses = refuses

    def identify_operator(self) -> None:
        pass

    def record(self, kind: Kind, **details: Any) -> None:
        record = {"kind": kind, **details}
        if self._refuses(record):
            raise UsageError("cannot write ledger.jsonl: no space left on device")
        self.records.append(record)

    def recipients(self) -> list[str]:
        return sorted(each["recipient"] for each in self.records if each["kind"] is Kind.ISSUE)


class Sts:
    """Stands in for AWS: ``answer`` is called with each user, in the worker's thread, before the token is given."""

    def __init__(self, answer: Callable[[str], None] = lambda user: None) -> None:
        self._answer = answer

    def assume_role(self, role_arn: str, session_name: str, **request: Any) -> AssumedRole:
        self._answer(session_name.split("-")[0])
        return a_token()


def issued(book: Book, sts: Sts, request: TokenRequest = REQUEST, method: DeliveryMethod = PRINTED) -> int:
    return issue_tokens(
        request, method, lambda venue: cast(AwsClient, sts), lambda venue, warn: cast(Ledger, book), "case 7"
    )


def named(text: str) -> list[str]:
    """The users whose tokens a message names as lost, each with what revokes it."""
    found = [line for line in text.splitlines() if "was issued but not delivered: " in line]
    users = [line.split("the token ")[1].split("-")[0] for line in found]
    revokes = text.count("revoke it with: invoke revoke-token --venue unity-dev --session ")
    assert revokes == len(users)
    return sorted(users)


def test_tokens_are_recorded_before_they_are_delivered_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    book, shown = Book(), []

    def text(token: AssumedRole) -> str:
        shown.append(len(book.records))
        return "the token"

    assert issued(book, Sts(), method=Unencrypted(text)) == 0
    assert all(count > number for number, count in enumerate(shown))
    assert capsys.readouterr().out == "the token\n" * 3
    assert book.recipients() == ["alice", "bob", "carol"]


def test_token_that_cannot_be_delivered_or_recorded_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    book = Book(lambda record: record["recipient"] == "carol")
    method = Unencrypted(lambda token: "very-secret", OutputTarget(tmp_path, "token.json"))
    assert issued(book, Sts(), method=method) == DeliveryError.exit_code
    out, err = capsys.readouterr()
    assert out == f"{tmp_path}/token.json\n"
    assert named(err) == ["bob", "carol"]
    assert "token.json already exists" in err
    assert "cannot write ledger.jsonl" in err
    assert "very-secret" not in out + err
    assert [each["kind"] for each in book.records].count(Kind.DELIVERY) == 1


class Interrupting:
    """A format that plays Ctrl-C, or a bug, when the first token is to be shown."""

    def __init__(self, error: BaseException, before: Callable[[], object] = lambda: None) -> None:
        self._error = error
        self._before = before

    def __call__(self, token: AssumedRole) -> str:
        self._before()
        raise self._error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()])
def test_ended_run_waits_for_calls_under_way_and_names_every_token(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, answered = threading.Barrier(3), threading.Event()

    def answer(user: str) -> None:
        if user != "alice":
            asked.wait(10)
            assert answered.wait(10)  # AWS answers these only when the run has ended

    def end() -> None:
        asked.wait(10)
        threading.Timer(0.2, answered.set).start()

    book = Book()
    with pytest.raises(Interrupted if isinstance(error, KeyboardInterrupt) else ZeroDivisionError) as stopped:
        issued(book, Sts(answer), method=Unencrypted(Interrupting(error, end)))
    told = capsys.readouterr().err + (str(stopped.value) if isinstance(stopped.value, Interrupted) else "")
    assert named(told) == book.recipients() == ["alice", "bob", "carol"]
    assert "waiting for AWS to answer, so that every token is recorded" in told


def test_no_token_is_issued_after_ctrl_c() -> None:
    users = tuple(f"user{number}" for number in range(60))
    asked, go = [], threading.Event()

    def answer(user: str) -> None:
        asked.append(user)
        if user != "user0":
            assert go.wait(10)

    book, request = Book(), TokenRequest(a_venue(), users, external_id=ExternalId("supplied"))
    with pytest.raises(Interrupted):
        issued(
            book,
            Sts(answer),
            request,
            method=Unencrypted(Interrupting(KeyboardInterrupt(), threading.Timer(0.2, go.set).start)),
        )
    assert sorted(asked) == book.recipients()
    assert len(asked) < len(users)


def test_second_ctrl_c_names_users_whose_answer_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go = threading.Event(), threading.Event()

    def answer(user: str) -> None:
        if user == "carol":
            asked.set()
            assert go.wait(10)

    def say(text: str) -> None:
        if text.startswith("waiting for AWS"):
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    monkeypatch.setattr(console, "say", say)
    first = Interrupting(KeyboardInterrupt(), lambda: asked.wait(10))
    with pytest.raises(Interrupted) as stopped:
        issued(Book(), Sts(answer), method=Unencrypted(first))
    go.set()
    assert "whether AWS issued a token of unity-dev for carol is not known" in str(stopped.value)
    assert "invoke revoke-token --venue unity-dev --user NAME" in str(stopped.value)


def test_closed_pipe_is_a_warning_that_names_the_tokens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "reader_gone", lambda: True)
    book = Book()
    assert issued(book, Sts()) == 0
    assert named(capsys.readouterr().err) == book.recipients()
    assert "alice" in book.recipients()


def test_only_refusals_of_aws_are_recorded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    errors: dict[str, Exception] = {
        "alice": AccessDenied("no", code="AccessDenied"),
        "bob": ConnectionFailed("no network"),
        "carol": AwsError("what was asked cannot be"),
    }
    book = Book()
    recorder = Recorder(cast(Ledger, book), {}, "case 7")
    for user, error in errors.items():
        assert recorder.record(Refused(user, cast(AwsError, error))) == Refused(user, cast(AwsError, error))
    assert book.records == [
        {"kind": Kind.REFUSAL, "recipient": "alice", "reason": "case 7", "error": "AccessDenied"},
    ]
    full = Recorder(cast(Ledger, Book(lambda record: True)), {})
    full.record(Refused("x1", AccessDenied("no", code="AccessDenied")))
    assert "warning: AWS's refusal of a token for x1 could not be recorded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "raised", "reason"),
    [
        (KeyboardInterrupt(), Interrupted, "interrupted"),
        (AwsError("the sign-in service refused the credentials"), DeliveryError, "the sign-in service refused"),
    ],
)
def test_failed_delivery_for_one_user_names_the_token(
    error: BaseException, raised: type[Exception], reason: str
) -> None:
    book = Book()
    request = TokenRequest(a_venue(), ("alice",), external_id=ExternalId("supplied"))

    def fail() -> None:
        with issued_for_one(cast(AwsClient, Sts()), cast(Ledger, book), request, Delivery("console")):
            assert book.recipients() == ["alice"]
            raise error

    with pytest.raises(raised) as found:
        fail()
    assert named(str(found.value)) == ["alice"]
    assert f"not delivered: {reason}" in str(found.value)
    assert [each["kind"] for each in book.records] == [Kind.ISSUE]
