from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.stacks import a_venue
from tests.unit.ledger.records import NOON
from venue_access.aws.client import AssumedRole, AwsClient, CallerIdentity, Credentials
from venue_access.errors import AccessDenied, CheckFailed, CredentialsError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import ProofSessions
from venue_access.provisioning.venue_checks import PROOFS, verify_trust_policy
from venue_access.sensitive import ExternalId, Secret
from venue_access.times import RetryPolicy

OURS = ExternalId("va.ours")
PORTAL = CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/portal-admin/ana")
STRANGER = CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/somebody/ana")


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def retry_policy(self, timeout: float = 120.0) -> RetryPolicy:
        return RetryPolicy(timeout, clock=lambda: self.now, sleep=self.sleep)


class Role(AwsClient):
    """A role that ``accepts`` some external IDs, and remembers what it was asked for."""

    def __init__(self, accepts: Callable[[ExternalId | None], bool]) -> None:
        super().__init__(region="us-west-2")
        self.asked: list[ExternalId | None] = []
        self.sent: list[tuple[str | None, Mapping[str, str] | None]] = []
        self._accepts = accepts

    def assume_role(
        self,
        role_arn: str,
        session_name: str,
        *,
        external_id: ExternalId | None = None,
        duration: int | None = None,
        source_identity: str | None = None,
        tags: Mapping[str, str] | None = None,
        policy: str | None = None,
    ) -> AssumedRole:
        self.asked.append(external_id)
        self.sent.append((source_identity, tags))
        if not self._accepts(external_id):
            raise AccessDenied("AWS refused sts:AssumeRole")
        keys = Credentials("ASIAEXAMPLE", Secret("secret"), Secret("token"))
        return AssumedRole(role_arn, "AROAEXAMPLE:x", keys, datetime(2026, 11, 20, tzinfo=timezone.utc))


def sessions(role: Role, venue: Venue) -> ProofSessions:
    return ProofSessions("provision", role, venue, now=lambda: NOON, unique=lambda: "3f9c21ab")


def test_only_the_external_id_lets_the_role_be_assumed() -> None:
    role = Role(lambda given: given == OURS)
    skipped = verify_trust_policy(sessions(role, a_venue()), OURS, caller=PORTAL, retry_policy=Time().retry_policy())
    assert skipped is None
    assert role.asked[:2] == [OURS, None]
    assert len(role.asked) == PROOFS


def test_retired_id_is_tried_too() -> None:
    old = ExternalId("va.old")
    role = Role(lambda given: given in (OURS, old))
    with pytest.raises(CheckFailed, match="with a retired external ID"):
        verify_trust_policy(
            sessions(role, a_venue()), OURS, caller=PORTAL, refused=(old,), retry_policy=Time().retry_policy()
        )


def test_checks_are_retried_until_iam_applies_a_change() -> None:
    time = Time()
    role = Role(lambda given: given == OURS and time.now > 30)
    skipped = verify_trust_policy(sessions(role, a_venue()), OURS, caller=PORTAL, retry_policy=time.retry_policy())
    assert skipped is None
    assert 30 < time.now < 40


def test_role_that_cannot_be_assumed_fails_after_the_timeout() -> None:
    time = Time()
    with pytest.raises(CheckFailed, match="120 s after the change") as told:
        verify_trust_policy(
            sessions(Role(lambda given: False), a_venue()), OURS, caller=PORTAL, retry_policy=time.retry_policy()
        )
    assert time.now <= 120
    assert "va.ours" not in str(told.value)


@pytest.mark.parametrize("open_to", ["none", "any"])
def test_role_that_can_be_assumed_with_a_wrong_id_fails(open_to: str) -> None:
    role = Role(lambda given: given == OURS or open_to == "any" or given is None)
    with pytest.raises(CheckFailed, match="can be assumed with"):
        verify_trust_policy(sessions(role, a_venue()), OURS, caller=PORTAL, retry_policy=Time().retry_policy())


def test_untrusted_caller_skips_the_checks() -> None:
    role = Role(lambda given: True)
    skipped = verify_trust_policy(sessions(role, a_venue()), OURS, caller=STRANGER, retry_policy=Time().retry_policy())
    assert "is not one of the venue's trusted_principals" in str(skipped)
    assert role.asked == []


@pytest.mark.parametrize("option", [{"source_cidrs": ("192.0.2.0/24",)}, {"principal_org_id": "o-a1b2c3d4e5"}])
def test_caller_outside_network_or_organization_skips_the_checks(option: dict[str, Any]) -> None:
    role = Role(lambda given: False)
    skipped = verify_trust_policy(
        sessions(role, a_venue(**option)), OURS, caller=PORTAL, retry_policy=Time().retry_policy(1.0)
    )
    assert f"may be outside the venue's {next(iter(option))}" in str(skipped)


def test_checks_send_source_identity_and_session_tags() -> None:
    role = Role(lambda given: given == OURS)
    venue = a_venue(source_identity=True, session_tags={"purpose": "review"})
    verify_trust_policy(sessions(role, venue), OURS, caller=PORTAL, retry_policy=Time().retry_policy())
    assert set(map(str, role.sent)) == {"('venue-access-provision-20261120T120000Z-3f9c21ab', {'purpose': 'review'})"}


def test_expired_credentials_raise() -> None:
    class Expired(Role):
        def assume_role(self, *arguments: object, **named: object) -> AssumedRole:
            raise CredentialsError("your AWS credentials have expired")

    with pytest.raises(CredentialsError):
        verify_trust_policy(
            sessions(Expired(lambda given: False), a_venue()), OURS, caller=PORTAL, retry_policy=Time().retry_policy()
        )
