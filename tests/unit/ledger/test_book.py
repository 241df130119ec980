"""What the ledger redacts of what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stacks import a_venue
from venue_access import sensitive as masked
from venue_access.aws.client import AwsClient, Credentials
from venue_access.aws.identity import CallerIdentity, LiveRole
from venue_access.config import Settings
from venue_access.ledger.book import Ledger
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
