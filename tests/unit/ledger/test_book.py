"""What the ledger redacts of what it is given; the sessions of the kit's proofs: one record a run, whatever ends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.stacks import a_venue
from tests.unit.ledger.records import NOON
from venue_access import sensitive as masked
from venue_access.app import App
from venue_access.aws.client import AssumedRole, AwsClient, Credentials
from venue_access.aws.types import CallerIdentity, LiveRole
from venue_access.config import Settings
from venue_access.errors import AccessDenied, UsageError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import Ledger, ProofSessions
from venue_access.ledger.chain import Kind
from venue_access.ledger.local import LocalLedger
from venue_access.sensitive import ExternalId, Secret

CALLER = CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/portal/anna")


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger of a process that has held no sensitive value but the operator's credentials."""
    monkeypatch.setattr(masked, "_held", {})

    def reach() -> AwsClient:
        aws = AwsClient(
            region="us-west-2",
            credentials=Credentials("ASIAOPERATOR", Secret("operators-secret"), Secret("operators-token")),
        )
        aws.known_caller = CALLER
        return aws

    settings = Settings(inventory=tmp_path, work_directory=tmp_path / "work", root=tmp_path)
    return Ledger(a_venue(), LocalLedger(settings), reach)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "value", ["operators-secret", "OPERATORS-TOKEN", "the-stored-id", "the-pending-id", "a-token-just-issued"]
)
def test_sensitive_values_are_redacted_in_typed_text(kind: Kind, value: str, ledger: Ledger) -> None:
    ExternalId("the-stored-id")
    Secret("a-token-just-issued")
    trust = {"Statement": [{"Condition": {"StringEquals": {"sts:externalId": ["the-pending-id"]}}}]}
    LiveRole.of({"Arn": "arn", "RoleId": "AROA", "Path": "/", "AssumeRolePolicyDocument": trust})
    record = ledger.record(kind, reason=f"see {value}.", scope=f"the policy {value}.json", recipient="alice")
    assert (record.reason, record.scope) == ("see ****.", "the policy ****.json")
    assert record.recipient == "alice"


def test_text_without_sensitive_values_is_unchanged(ledger: Ledger) -> None:
    assert ledger.record(Kind.ISSUE, reason="case 7%20, 100%").reason == "case 7%20, 100%"
    assert ledger.record(Kind.ISSUE, reason="").reason == ""
    assert ledger.record(Kind.ISSUE).reason is None


OURS = ExternalId("va.ours")
ANNA = "arn:aws:sts::111122223333:assumed-role/portal/anna"


class Role(AwsClient):
    """A role that opens to one external ID."""

    def __init__(self) -> None:
        super().__init__(region="us-west-2", credentials=Credentials("ASIAOPERATOR", Secret("secret"), Secret("token")))
        self.known_caller = CallerIdentity("111122223333", ANNA)
        self.count = 0

    def assume_role(self, role_arn: str, session_name: str, **request: Any) -> AssumedRole:
        if request["external_id"] != OURS:
            raise AccessDenied("AWS refused sts:AssumeRole")
        self.count += 1
        keys = Credentials(f"ASIA{self.count}", Secret("secret"), Secret("token"))
        return AssumedRole(role_arn, f"AROAEXAMPLE:{session_name}", keys, NOON + timedelta(minutes=15))


def sessions(command: str = "verify") -> ProofSessions:
    return ProofSessions(command, Role(), a_venue(), now=lambda: NOON, unique=lambda: "3f9c21ab")


def settings(folder: Path) -> Settings:
    return Settings(inventory=folder / "hosts.yml", work_directory=folder / "work", root=folder)


@pytest.fixture
def open_ledger(tmp_path: Path) -> Callable[[Venue, Callable[[str], None]], Ledger]:
    return lambda venue, warn: Ledger(venue, LocalLedger(settings(tmp_path)), Role, warn=warn)


def entered(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "work" / "ledger.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("ends", [None, AccessDenied("no"), KeyboardInterrupt()])
def test_sessions_are_one_record_also_after_an_error(
    tmp_path: Path, open_ledger: Any, ends: BaseException | None
) -> None:
    def run() -> None:
        with sessions().recorded(open_ledger) as own:
            own.assume(OURS)
            with pytest.raises(AccessDenied):
                own.assume(None)
            own.assume(OURS, name="alice-20261120T120000Z-00000000")
            if ends is not None:
                raise ends

    if ends is None:
        run()
    else:
        with pytest.raises(type(ends)):
            run()
    [record] = entered(tmp_path)
    assert (record["kind"], record["command"], record["operator"]) == ("proof", "verify", ANNA)
    assert record["proof_session_names"] == [
        "venue-access-verify-20261120T120000Z-3f9c21ab",
        "alice-20261120T120000Z-00000000",
    ]
    assert record["proof_access_key_ids"] == ["ASIA1", "ASIA2"]
    assert record["expires"] == "2026-11-20T12:15:00Z"


def test_no_session_writes_no_ledger() -> None:
    def not_opened(venue: Venue, warn: Callable[[str], None]) -> Ledger:
        raise AssertionError("it was opened")

    with sessions().recorded(not_opened) as own, pytest.raises(AccessDenied):
        own.assume(ExternalId("another"))


def test_unwritable_ledger_is_a_warning_and_is_waited_for_once(tmp_path: Path) -> None:
    host = {"account_id": "111122223333", "region": "us-west-2", "emulator": True, "s3_buckets": ["data"]}
    hosts = {"unity-dev": {"project": "unity", **host}}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    (tmp_path / "work" / "ledger.jsonl").mkdir(parents=True, mode=0o700)
    (tmp_path / "work").chmod(0o700)
    kit, warned = App.open(settings(tmp_path)), list[str]()
    with sessions().recorded(lambda venue, warn: kit.ledger(kit.venue(None)), warned.append) as own:
        own.assume(OURS)
    [warning] = warned
    assert "cannot record the sessions of venue-access-verify-20261120T120000Z-3f9c21ab" in warning
    (tmp_path / "work" / "ledger.jsonl").rmdir()
    with pytest.raises(UsageError, match="cannot write"):  # known by now, and not tried again
        kit.ledger(kit.venue(None))


@pytest.mark.parametrize("command", ["provision", "verify", "revoke-token", "rotate-external-id"])
def test_session_name_is_valid(command: str) -> None:
    assert len(sessions(command).name) <= 64
