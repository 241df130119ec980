"""Retries with a stored external ID: only while they can help, and until a deadline.

AWS is a small stand-in here: the tests are about when the stored ID is read and how often it is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest

from tests.stacks import a_venue
from tests.unit.tokens.tokens import a_token
from venue_access.aws.client import AssumedRole, AwsClient, CallerIdentity, LiveRole, Parameter
from venue_access.errors import AccessDenied, CredentialsError, UsageError
from venue_access.inventory.model import Recipient
from venue_access.sensitive import ExternalId
from venue_access.tokens.issuer import RETRY_LIMIT, Issued, TokenIssuer, TokenRequest

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
    role_maximum: int = 3600
    on_call: Callable[[StandIn], None] = lambda aws: None

    def parameter(self, name: str) -> Parameter | None:
        assert name == "/unity/unity/dev/cs/sts/role/external-id"
        if not self.may_read:
            raise AccessDenied("AWS refused ssm:GetParameter: no", code="AccessDeniedException")
        self.reads += 1
        return None if self.stored is None else Parameter(ExternalId(self.stored), 1, NOW - self.age)

    def role(self, name: str) -> LiveRole | None:
        if not self.may_read_role:
            raise AccessDenied("AWS refused iam:GetRole: no", code="AccessDenied")
        return LiveRole(VENUE.role_arn, "AROAEXAMPLE", "/", {}, self.role_maximum, None) if self.exists else None

    def caller(self) -> CallerIdentity:
        return CallerIdentity(self.account, self.caller_arn)

    def assume_role(self, role_arn: str, session_name: str, *, external_id: ExternalId, **request: Any) -> AssumedRole:
        self.on_call(self)
        self.tried.append(external_id.reveal())
        if external_id.reveal() not in self.accepted:
            raise AccessDenied("AWS refused sts:AssumeRole: no", code="AccessDenied")
        return a_token()

    def wait(self, pause: float) -> bool:
        self.elapsed += pause
        for moment in sorted(self.events):
            if moment <= self.elapsed:
                self.events.pop(moment)(self)
        return self.closing

    def issuer(self, duration: int = 3600) -> TokenIssuer:
        return TokenIssuer(
            cast(AwsClient, self),
            TokenRequest(VENUE, ("alice",), duration),
            now=lambda: NOW + timedelta(seconds=self.elapsed),
            clock=lambda: self.elapsed,
            wait=self.wait,
        )


def assume(issuer: TokenIssuer) -> None:
    """Issue a token to alice, or raise why it is refused."""
    outcome = issuer.issue(Recipient("alice"))
    if not isinstance(outcome, Issued):
        raise outcome.error


def test_accepted_id_is_read_once_for_all_recipients() -> None:
    aws = StandIn()
    issuer = aws.issuer()
    for _ in range(3):
        assume(issuer)
    assert aws.reads == 1


def test_rotated_id_is_read_again_and_tried_at_once() -> None:
    aws = StandIn()
    issuer = aws.issuer()
    aws.stored, aws.accepted = NEW, {NEW}
    assume(issuer)
    assert aws.tried == [OLD, NEW]
    assert aws.elapsed == 0
    assume(issuer)
    assert aws.tried == [OLD, NEW, NEW]


def test_change_that_has_not_propagated_is_retried() -> None:
    aws = StandIn(stored=NEW, age=timedelta(seconds=5), events={30.0: lambda it: it.accepted.add(NEW)})
    assume(aws.issuer())
    assert 30 <= aws.elapsed <= 36


def test_retries_end_at_the_deadline() -> None:
    aws = StandIn(stored=NEW, age=timedelta(seconds=5))
    with pytest.raises(AccessDenied, match="cannot assume the role of unity-dev with its stored external ID"):
        assume(aws.issuer())
    assert RETRY_LIMIT - 6 <= aws.elapsed <= RETRY_LIMIT


def test_refusal_long_after_the_last_change_is_not_retried() -> None:
    aws = StandIn(accepted=set())
    with pytest.raises(AccessDenied, match="stored external ID"):
        assume(aws.issuer())
    assert (aws.elapsed, len(aws.tried)) == (0, 1)


def test_missing_role_is_reported_at_once() -> None:
    aws = StandIn(accepted=set(), age=timedelta(seconds=1), exists=False)
    with pytest.raises(UsageError, match="there is no role unity-unity-dev-sts, though its SSM parameter exists"):
        assume(aws.issuer())
    assert (aws.elapsed, len(aws.tried)) == (0, 1)


def test_issuer_without_rights_on_iam_gets_the_refusal() -> None:
    aws = StandIn(accepted=set(), exists=False, may_read_role=False)
    with pytest.raises(AccessDenied, match="with its stored external ID"):
        assume(aws.issuer())


def test_untrusted_caller_is_reported_at_once() -> None:
    stranger = "arn:aws:sts::111122223333:assumed-role/stranger/me"
    aws = StandIn(accepted=set(), age=timedelta(seconds=1), caller_arn=stranger)
    with pytest.raises(AccessDenied, match=f"{stranger} is not one of the venue's trusted_principals"):
        assume(aws.issuer())
    assert (aws.elapsed, len(aws.tried)) == (0, 1)


def test_changing_ids_are_tried_until_the_deadline() -> None:
    def change(aws: StandIn) -> None:
        aws.elapsed += 10
        aws.stored = f"{aws.stored}+"

    aws = StandIn(accepted=set(), on_call=change)
    with pytest.raises(AccessDenied):
        assume(aws.issuer())
    assert RETRY_LIMIT < aws.elapsed <= RETRY_LIMIT + 10


def test_retries_end_when_stopped() -> None:
    aws = StandIn(stored=NEW, age=timedelta(seconds=5), closing=True)
    with pytest.raises(AccessDenied):
        assume(aws.issuer())
    assert len(aws.tried) == 1


def test_venue_without_parameter_is_not_provisioned() -> None:
    with pytest.raises(UsageError, match="unity-dev is not provisioned: there is no SSM parameter /unity/unity/dev"):
        StandIn(stored=None).issuer()


def test_credentials_of_another_account_are_reported() -> None:
    with pytest.raises(CredentialsError, match="in account 111122223333, but your credentials are of account 4444"):
        StandIn(stored=None, account="444455556666").issuer()


def test_unreadable_parameter_hints_at_supplying_the_id() -> None:
    with pytest.raises(AccessDenied, match=r"cannot read its external ID.*\n  supply it with --external-id"):
        StandIn(may_read=False).issuer()


def test_messages_show_no_external_id() -> None:
    for aws in (StandIn(accepted=set()), StandIn(stored=NEW, age=timedelta(seconds=5))):
        with pytest.raises(AccessDenied) as refused:
            assume(aws.issuer())
        assert OLD not in str(refused.value)
        assert NEW not in str(refused.value)


def test_duration_is_limited_to_the_roles_maximum() -> None:
    user = StandIn(caller_arn="arn:aws:iam::111122223333:user/me", role_maximum=7200)
    user.issuer(duration=7200)
    with pytest.raises(UsageError, match="more than the role's maximum of 7200 s"):
        user.issuer(duration=7201)
