"""Who may assume a venue's role, as far as the inventory tells."""

from __future__ import annotations

import pytest

from tests.stacks import a_venue
from venue_access.aws import Caller
from venue_access.callers import why_not_trusted

ACCOUNT = "111122223333"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/me"
USER = f"arn:aws:iam::{ACCOUNT}:user/ops/me"


@pytest.mark.parametrize(
    ("principal", "caller"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/operator", SESSION),
        (f"arn:aws:iam::{ACCOUNT}:role/with/a/path/operator", SESSION),
        (f"arn:aws:iam::{ACCOUNT}:root", SESSION),
        (f"arn:aws:iam::{ACCOUNT}:root", USER),
        (f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:root"),
        (USER, USER),
    ],
)
def test_a_principal_covers(principal: str, caller: str) -> None:
    assert why_not_trusted(a_venue(trusted_principals=(principal,)), Caller(ACCOUNT, caller)) is None


@pytest.mark.parametrize(
    ("principal", "caller"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/oper", SESSION),
        (f"arn:aws:iam::{ACCOUNT}:role/operator", f"arn:aws:sts::{ACCOUNT}:assumed-role/operator2/me"),
        (f"arn:aws:iam::{ACCOUNT}:role/me", SESSION),
        (f"arn:aws:iam::{ACCOUNT}:role/operator", f"arn:aws:iam::{ACCOUNT}:user/operator"),
        (f"arn:aws:iam::{ACCOUNT}:user/me", USER),
        ("arn:aws:iam::444455556666:root", SESSION),
        ("arn:aws:iam::444455556666:role/operator", SESSION),
    ],
)
def test_a_principal_does_not_cover(principal: str, caller: str) -> None:
    reason = why_not_trusted(a_venue(trusted_principals=(principal,)), Caller(ACCOUNT, caller))
    assert reason == f"{caller} is not one of the venue's trusted_principals"


def test_one_of_several_principals_is_enough() -> None:
    venue = a_venue(trusted_principals=("arn:aws:iam::444455556666:root", USER))
    assert why_not_trusted(venue, Caller(ACCOUNT, USER)) is None


def test_a_role_session_never_carries_the_mfa_that_a_venue_demands() -> None:
    venue = a_venue(trusted_principals=(f"arn:aws:iam::{ACCOUNT}:root",), require_mfa=True)
    assert "demands MFA" in str(why_not_trusted(venue, Caller(ACCOUNT, SESSION)))
    assert why_not_trusted(venue, Caller(ACCOUNT, USER)) is None


def test_long_term_keys_do_not_carry_mfa() -> None:
    venue = a_venue(require_mfa=True)
    assert "begin a session" in str(why_not_trusted(venue, Caller(ACCOUNT, USER, has_session=False)))
