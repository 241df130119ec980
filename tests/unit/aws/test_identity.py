"""Who may assume a venue's role, as far as the inventory tells."""

from __future__ import annotations

import re

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import CallerIdentity
from venue_access.aws.sessions import (
    check_duration_for_caller,
    check_duration_for_role,
    person,
    session_name,
    why_not_trusted,
)
from venue_access.errors import UsageError

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
def test_principal_covers(principal: str, caller: str) -> None:
    assert why_not_trusted(a_venue(trusted_principals=(principal,)), CallerIdentity(ACCOUNT, caller)) is None


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
def test_principal_does_not_cover(principal: str, caller: str) -> None:
    reason = why_not_trusted(a_venue(trusted_principals=(principal,)), CallerIdentity(ACCOUNT, caller))
    assert reason == f"{caller} is not one of the venue's trusted_principals"


def test_any_of_several_principals_covers() -> None:
    venue = a_venue(trusted_principals=("arn:aws:iam::444455556666:root", USER))
    assert why_not_trusted(venue, CallerIdentity(ACCOUNT, USER)) is None


def test_role_session_has_no_mfa() -> None:
    venue = a_venue(trusted_principals=(f"arn:aws:iam::{ACCOUNT}:root",), require_mfa=True)
    assert "requires MFA" in str(why_not_trusted(venue, CallerIdentity(ACCOUNT, SESSION)))
    assert why_not_trusted(venue, CallerIdentity(ACCOUNT, USER)) is None


def test_long_term_keys_do_not_carry_mfa() -> None:
    venue = a_venue(require_mfa=True)
    assert "begin a session" in str(why_not_trusted(venue, CallerIdentity(ACCOUNT, USER, has_session=False)))


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/ops/team/alice", "alice"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_ops_0123/alice@example.org", "alice@example.org"),
        (f"arn:aws-us-gov:sts::{ACCOUNT}:federated-user/alice", "alice"),
        (f"arn:aws:iam::{ACCOUNT}:root", f"root@{ACCOUNT}"),
    ],
)
def test_operator_is_named_by_arn(arn: str, name: str) -> None:
    assert person(CallerIdentity(ACCOUNT, arn)) == name
    assert session_name(name) == name


def test_session_names_of_operators_differ() -> None:
    people = [
        "a",
        "b",
        "alice",
        "Alice",
        "al ice",
        "al-ice",
        "CORP\\alice",
        "CORP-alice",
        "\u00fcwe",
        "\u00f6we",
        "",
        "\udce4",
    ]
    people += ["x" * 64, "x" * 65, "x" * 66, "x" * 51 + "y" * 40]
    people += [session_name(each) for each in people if session_name(each) != each]
    names = [session_name(each) for each in people]
    assert len(set(names)) == len(people)
    assert [name for name in names if not re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII)] == []
    assert names[2:4] + [session_name("x" * 64)] == ["alice", "Alice", "x" * 64]


def test_role_chaining_is_capped_at_an_hour() -> None:
    session = CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/operator/me")
    check_duration_for_caller(3600, session)
    with pytest.raises(UsageError, match=r"a role session \(arn:.*\).*at 3600 s \(role chaining\)"):
        check_duration_for_caller(3601, session)


def test_instance_role_is_not_capped() -> None:
    check_duration_for_caller(
        43200, CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/issuer/i-0123456789abcdef0")
    )


def test_duration_is_capped_at_the_roles_maximum() -> None:
    check_duration_for_caller(43200, CallerIdentity("111122223333", "arn:aws:iam::111122223333:user/me"))
    check_duration_for_role(7200, 7200)
    with pytest.raises(UsageError, match="more than the role's maximum of 7200 s"):
        check_duration_for_role(7201, 7200)
