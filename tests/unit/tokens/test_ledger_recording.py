"""Every token that AWS gives is recorded and delivered, or named with what revokes it; whatever ends the run."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from tests.stacks import a_venue
from tests.unit.tokens.tokens import a_token
from venue_access import console
from venue_access.aws.client import AssumedRole, AwsClient
from venue_access.errors import AccessDenied, AwsError, DeliveryError, Interrupted, Unreachable, UsageError
from venue_access.ledger.book import Ledger
from venue_access.ledger.record import Kind
from venue_access.sensitive import ExternalId
from venue_access.tokens.delivery import Delivery, DeliveryMethod, OutputTarget, Printed, Written
from venue_access.tokens.issue import Refused, TokenRequest, issue
from venue_access.tokens.ledger_recording import Recorder, hand_over, issued_for_one

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
PRINTED = Printed(lambda token: "the token")
REQUEST = TokenRequest(a_venue(), ("alice", "bob", "carol"), external_id=ExternalId("supplied"))


class Book:
    """Stands in for a ledger: keeps what is recorded, or refuses it."""

    def __init__(self, refuses: Callable[[dict[str, Any]], bool] = lambda record: False) -> None:
        self.records: list[dict[str, Any]] = []
        self._refuses = refuses

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


def recorder(book: Book, reason: str | None = None, way: DeliveryMethod = PRINTED) -> Recorder:
    return Recorder(cast(Ledger, book), way.account, reason)


def delivering(
    book: Book, sts: Sts, request: TokenRequest = REQUEST, way: DeliveryMethod = PRINTED, *, several: bool = True
) -> int:
    kept = recorder(book, way=way)
    outcomes = issue(lambda: cast(AwsClient, sts), request, record=kept.record, now=lambda: NOON)
    return hand_over(outcomes, way, kept, several=several)


def named(text: str) -> list[str]:
    """The users whose tokens a message names as lost, each with what revokes it."""
    found = [line for line in text.splitlines() if "is out and was not delivered: " in line]
    users = [line.split("the token ")[1].split("-")[0] for line in found]
    revokes = text.count("revoke it with: invoke revoke-token --venue unity-dev --session ")
    assert revokes == len(users)
    return sorted(users)


def test_each_token_is_recorded_before_it_is_shown_and_delivered_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    book, shown = Book(), []

    def text(token: AssumedRole) -> str:
        shown.append(len(book.records))
        return "the token"

    assert delivering(book, Sts(), way=Printed(text)) == 0
    assert all(count > number for number, count in enumerate(shown))
    assert capsys.readouterr().out == "the token\n" * 3
    assert book.recipients() == ["alice", "bob", "carol"]


def test_one_that_cannot_be_delivered_or_recorded_is_named_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    book = Book(lambda record: record["recipient"] == "carol")
    way = Written(lambda token: "very-secret", OutputTarget(tmp_path, "token.json"))
    assert delivering(book, Sts(), way=way) == DeliveryError.exit_code
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
def test_what_ends_the_run_waits_for_the_calls_under_way_and_names_every_token(
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
        delivering(book, Sts(answer), way=Printed(Interrupting(error, end)))
    told = capsys.readouterr().err + (str(stopped.value) if isinstance(stopped.value, Interrupted) else "")
    assert named(told) == book.recipients() == ["alice", "bob", "carol"]
    assert "waiting for AWS to answer, so that every token is recorded" in told


def test_nobody_who_was_not_served_yet_gets_a_token_after_ctrl_c() -> None:
    users = tuple(f"user{number}" for number in range(60))
    asked, go = [], threading.Event()

    def answer(user: str) -> None:
        asked.append(user)
        if user != "user0":
            assert go.wait(10)

    book, request = Book(), TokenRequest(a_venue(), users, external_id=ExternalId("supplied"))
    with pytest.raises(Interrupted):
        delivering(
            book,
            Sts(answer),
            request,
            way=Printed(Interrupting(KeyboardInterrupt(), threading.Timer(0.2, go.set).start)),
        )
    assert sorted(asked) == book.recipients()
    assert len(asked) < len(users)


def test_a_second_ctrl_c_names_those_of_whom_it_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
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
        delivering(Book(), Sts(answer), way=Printed(first))
    go.set()
    assert "whether AWS has issued a token of unity-dev for carol is not known" in str(stopped.value)
    assert "invoke revoke-token --venue unity-dev --user NAME" in str(stopped.value)


def test_a_reader_that_goes_away_gets_a_warning_of_what_it_has_not_seen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "reader_gone", lambda: True)
    book = Book()
    assert delivering(book, Sts()) == 0
    assert named(capsys.readouterr().err) == book.recipients()
    assert "alice" in book.recipients()


def test_a_refusal_of_awss_is_recorded_and_one_of_the_kit_or_the_network_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    errors: dict[str, Exception] = {
        "alice": AccessDenied("no", code="AccessDenied"),
        "bob": Unreachable("no network"),
        "carol": AwsError("what was asked cannot be"),
    }
    book = Book()
    kept = recorder(book, "case 7")
    for user, error in errors.items():
        assert kept.record(Refused(user, cast(AwsError, error))) == Refused(user, cast(AwsError, error))
    assert book.records == [
        {"kind": Kind.REFUSAL, "recipient": "alice", "reason": "case 7", "error": "AccessDenied"},
    ]
    assert recorder(Book(lambda record: True)).record(Refused("x1", AccessDenied("no", code="AccessDenied")))
    assert "warning: that AWS refused a token for x1 could not be entered" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "raised", "reason"),
    [
        (KeyboardInterrupt(), Interrupted, "interrupted"),
        (AwsError("the sign-in service refused the credentials"), DeliveryError, "the sign-in service refused"),
    ],
)
def test_a_token_for_one_user_whose_delivery_fails_is_named(
    error: BaseException, raised: type[Exception], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book()
    monkeypatch.setattr(Book, "aws", lambda self: Sts(), raising=False)
    request = TokenRequest(a_venue(), ("alice",), external_id=ExternalId("supplied"))

    def fail() -> None:
        with issued_for_one(cast(Ledger, book), request, Delivery("console")):
            assert book.recipients() == ["alice"]
            raise error

    with pytest.raises(raised) as found:
        fail()
    assert named(str(found.value)) == ["alice"]
    assert f"was not delivered: {reason}" in str(found.value)
    assert [each["kind"] for each in book.records] == [Kind.ISSUE]
