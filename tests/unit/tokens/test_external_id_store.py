"""Patience with a stored external ID: only where it can help, and not for ever.

AWS is a small stand-in here: what is tested is when the stored ID is read and how often it is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import cast

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import AwsClient, CallerIdentity, LiveRole, Parameter
from venue_access.errors import AccessDenied, CredentialsError, UsageError
from venue_access.sensitive import ExternalId
from venue_access.tokens.external_id_store import DEADLINE, ExternalIdStore

NOW = datetime(2026, 11, 20, 22, 15, tzinfo=timezone.utc)
OPERATOR = "arn:aws:sts::111122223333:assumed-role/operator/me"
OLD, NEW = "old-id", "new-id"


VENUE = a_venue(trusted_principals=("arn:aws:iam::111122223333:role/operator",))


@dataclass
class StandIn:
    """The parameter, the role and the clock; ``events`` happen when the time comes."""

    stored: str | None = OLD
    accepted: set[str] = field(default_factory=lambda: {OLD})
    age: timedelta = timedelta(days=30)
    caller_arn: str = OPERATOR
    account: str = "111122223333"
    reads: int = 0
    tried: list[str] = field(default_factory=list)
    elapsed: float = 0.0
    events: dict[float, Callable[[StandIn], None]] = field(default_factory=dict)
    closing: bool = False
    may_read: bool = True
    may_read_role: bool = True
    exists: bool = True

    def parameter(self, name: str) -> Parameter | None:
        assert name == "/unity/unity/dev/cs/sts/role/external-id"
        if not self.may_read:
            raise AccessDenied("AWS refused ssm:GetParameter: no", code="AccessDeniedException")
        self.reads += 1
        return None if self.stored is None else Parameter(ExternalId(self.stored), 1, NOW - self.age)

    def role(self, name: str) -> LiveRole | None:
        if not self.may_read_role:
            raise AccessDenied("AWS refused iam:GetRole: no", code="AccessDenied")
        return LiveRole(VENUE.role_arn, "AROAEXAMPLE", "/", {}, 3600, None) if self.exists else None

    def caller(self) -> CallerIdentity:
        return CallerIdentity(self.account, self.caller_arn)

    def assume(self, external_id: ExternalId) -> str:
        self.tried.append(external_id.reveal())
        if external_id.reveal() not in self.accepted:
            raise AccessDenied("AWS refused sts:AssumeRole: no", code="AccessDenied")
        return "token"

    def wait(self, pause: float) -> bool:
        self.elapsed += pause
        for moment in sorted(self.events):
            if moment <= self.elapsed:
                self.events.pop(moment)(self)
        return self.closing

    def stored_id(self) -> ExternalIdStore:
        return ExternalIdStore(
            cast(AwsClient, self),
            VENUE,
            now=lambda: NOW + timedelta(seconds=self.elapsed),
            clock=lambda: self.elapsed,
            wait=self.wait,
        )


def test_an_id_that_is_accepted_is_read_once_for_all() -> None:
    aws = StandIn()
    stored = aws.stored_id()
    assert [stored.assume(aws.assume) for _ in range(3)] == ["token"] * 3
    assert aws.reads == 1


def test_an_id_that_was_rotated_since_it_was_read_is_read_again_and_tried_at_once() -> None:
    aws = StandIn()
    stored = aws.stored_id()
    aws.stored, aws.accepted = NEW, {NEW}
    assert stored.assume(aws.assume) == "token"
    assert aws.tried == [OLD, NEW]
    assert aws.elapsed == 0
    assert stored.assume(aws.assume) == "token"
    assert aws.tried == [OLD, NEW, NEW]


def test_a_change_that_has_not_spread_is_waited_for() -> None:
    aws = StandIn(stored=NEW, age=timedelta(seconds=5), events={30.0: lambda it: it.accepted.add(NEW)})
    assert aws.stored_id().assume(aws.assume) == "token"
    assert 30 <= aws.elapsed <= 36


def test_waiting_ends_at_the_deadline() -> None:
    aws = StandIn(stored=NEW, age=timedelta(seconds=5))
    with pytest.raises(AccessDenied, match="refused the role of unity-dev with its stored external ID"):
        aws.stored_id().assume(aws.assume)
    assert DEADLINE - 6 <= aws.elapsed <= DEADLINE


def test_a_refusal_long_after_the_last_change_is_told_at_once() -> None:
    aws = StandIn(accepted=set())
    with pytest.raises(AccessDenied, match="stored external ID"):
        aws.stored_id().assume(aws.assume)
    assert (aws.elapsed, len(aws.tried)) == (0, 1)


def test_a_role_that_is_missing_is_told_at_once() -> None:
    aws = StandIn(accepted=set(), age=timedelta(seconds=1), exists=False)
    with pytest.raises(UsageError, match="there is no role unity-unity-dev-sts, though its SSM parameter is there"):
        aws.stored_id().assume(aws.assume)
    assert (aws.elapsed, len(aws.tried)) == (0, 1)


def test_a_issuer_that_may_not_look_at_the_role_is_told_what_it_may_know() -> None:
    aws = StandIn(accepted=set(), exists=False, may_read_role=False)
    with pytest.raises(AccessDenied, match="with its stored external ID"):
        aws.stored_id().assume(aws.assume)


def test_a_caller_whom_the_role_does_not_trust_is_told_so_at_once_also_after_a_change() -> None:
    stranger = "arn:aws:sts::111122223333:assumed-role/stranger/me"
    aws = StandIn(accepted=set(), age=timedelta(seconds=1), caller_arn=stranger)
    with pytest.raises(AccessDenied, match=f"{stranger} is not one of the venue's trusted_principals"):
        aws.stored_id().assume(aws.assume)
    assert (aws.elapsed, len(aws.tried)) == (0, 1)


def test_ids_that_go_on_changing_are_tried_until_the_deadline() -> None:
    aws = StandIn(accepted=set())
    stored = aws.stored_id()

    def assume(external_id: ExternalId) -> str:
        aws.elapsed += 10
        aws.stored = f"{aws.stored}+"
        return aws.assume(external_id)

    with pytest.raises(AccessDenied):
        stored.assume(assume)
    assert DEADLINE < aws.elapsed <= DEADLINE + 10


def test_who_waits_gives_up_when_told_to() -> None:
    aws = StandIn(stored=NEW, age=timedelta(seconds=5), closing=True)
    with pytest.raises(AccessDenied):
        aws.stored_id().assume(aws.assume)
    assert len(aws.tried) == 1


def test_a_venue_without_a_parameter_is_not_provisioned() -> None:
    with pytest.raises(UsageError, match="unity-dev is not provisioned: there is no SSM parameter /unity/unity/dev"):
        StandIn(stored=None).stored_id()


def test_keys_of_another_account_are_told_apart_from_a_venue_that_is_not_provisioned() -> None:
    with pytest.raises(CredentialsError, match="in account 111122223333, but your credentials are of account 4444"):
        StandIn(stored=None, account="444455556666").stored_id()


def test_who_may_not_read_the_parameter_is_told_to_supply_the_id() -> None:
    with pytest.raises(AccessDenied, match=r"may not be read.*\n  supply it with --external-id"):
        StandIn(may_read=False).stored_id()


def test_no_message_shows_an_id() -> None:
    for aws in (StandIn(accepted=set()), StandIn(stored=NEW, age=timedelta(seconds=5))):
        with pytest.raises(AccessDenied) as refused:
            aws.stored_id().assume(aws.assume)
        assert OLD not in str(refused.value)
        assert NEW not in str(refused.value)
