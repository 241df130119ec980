"""The policies that revoke: whom they deny, whom they spare, and the room that they take."""

from __future__ import annotations

import json
import re
import string
from datetime import datetime, timedelta, timezone
from fnmatch import translate
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from venue_access.aws.sessions import LONGEST_USER, role_session_name
from venue_access.policies import revocation as denies
from venue_access.policies.documents import size
from venue_access.policies.revocation import (
    REVOCATION_PREFIX,
    Revocation,
    deny,
    expiry,
    policy_name,
    read,
    room,
    room_for_all,
    user_pattern,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
ROLE = "AROAEXAMPLEROLEID0000"
NAMES = st.text(alphabet=string.ascii_letters + string.digits + "_+=,.@-", min_size=2, max_size=64)
# Hypothesis takes bounds without a time zone.
FIRST, LAST = (datetime(year, 1, 1, tzinfo=timezone.utc).replace(tzinfo=None) for year in (2020, 2099))
TIMES = st.datetimes(FIRST, LAST, timezones=st.just(timezone.utc))


def like(pattern: str, text: str) -> bool:
    """``StringLike``: ``*`` and ``?``, and nothing else that means something (IAM JSON policy elements: Condition)."""
    return re.fullmatch(translate(pattern.replace("[", "[[]")), text) is not None


@given(NAMES, TIMES)
def test_user_pattern_matches_their_tokens(user: str, issued: datetime) -> None:
    assert like(user_pattern(user), role_session_name(user, issued))


@given(NAMES, NAMES, TIMES)
def test_user_pattern_matches_no_other_token(user: str, other: str, issued: datetime) -> None:
    assume(user[:LONGEST_USER] != other[:LONGEST_USER])
    assert not like(user_pattern(user), role_session_name(other, issued))


@given(NAMES, st.text(alphabet="-a20TZ1", min_size=1, max_size=30), TIMES)
def test_longer_name_is_another_user(user: str, more: str, issued: datetime) -> None:
    assume(user[:LONGEST_USER] != (user + more)[:LONGEST_USER])
    assert not like(user_pattern(user), role_session_name(user + more, issued))
    assert not like(user_pattern(user + more), role_session_name(user, issued))


@pytest.mark.parametrize(
    "session",
    [
        "alice-b-20261120T221500Z-3f9c21ab",
        "alice",
        "alice-20261120T221500Z-3f9c21ab-",
        "xalice-20261120T221500Z-3f9c21ab",
        "Alice-20261120T221500Z-3f9c21ab",
        "alice-20261120T221500Z-3f9c21ab-20261120T221500Z-3f9c21ab",
    ],
)
def test_alice_is_not(session: str) -> None:
    assert not like(user_pattern("alice"), session)


def test_equally_cut_names_are_not_distinguished() -> None:
    assert user_pattern("a" * 40) == user_pattern("a" * 64) == user_pattern("a" * 38) != user_pattern("a" * 37)


def test_session_is_denied_by_name() -> None:
    policy = deny(Revocation(session="alice-20261120T120000Z-3f9c21ab"), ROLE)
    assert policy["Statement"] == [
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:userid": f"{ROLE}:alice-20261120T120000Z-3f9c21ab"}},
        }
    ]


def test_of_a_user_and_of_all_only_what_was_issued_before_is_denied() -> None:
    before = {"DateLessThan": {"aws:TokenIssueTime": "2026-11-20T12:00:00Z"}}
    [all_of_them] = deny(Revocation(issued_before=NOON), ROLE)["Statement"]
    [of_alice] = deny(Revocation(user="alice", issued_before=NOON), ROLE)["Statement"]
    assert all_of_them["Condition"] == before
    assert of_alice["Condition"] == {
        "StringLike": {"aws:userid": f"{ROLE}:alice-20??????T??????Z-????????"},
        **before,
    }


@pytest.mark.parametrize(
    "revocation",
    [Revocation(session="a-b"), Revocation(user="alice", issued_before=NOON), Revocation(issued_before=NOON)],
)
def test_revocation_is_parsed_from_its_policy(revocation: Revocation) -> None:
    assert read(json.loads(json.dumps(deny(revocation, ROLE)))) == revocation


@pytest.mark.parametrize("policy", [{}, {"Statement": []}, {"Statement": [{}]}, {"Statement": [{"Condition": 1}]}])
def test_foreign_policy_is_not_a_revocation(policy: dict[str, object]) -> None:
    assert read(policy) is None


@pytest.mark.parametrize(
    "change",
    [{"Action": "s3:*"}, {"Effect": "Allow"}, {"Condition": {"DateLessThan": {"aws:TokenIssueTime": "today"}}}],
)
def test_changed_policy_is_not_a_revocation(change: dict[str, object]) -> None:
    [statement] = deny(Revocation(issued_before=NOON), ROLE)["Statement"]
    assert read({"Statement": [{**statement, **change}]}) is None
    more = {**statement["Condition"], "IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}
    assert read({"Statement": [{**statement, "Condition": more}]}) is None


def test_later_revocation_of_all_covers_earlier_ones() -> None:
    def made(minutes: int, **of: str) -> tuple[str, dict[str, Any]]:
        at = NOON + timedelta(minutes=minutes)
        before = None if "session" in of else at
        policy = deny(Revocation(session=of.get("session"), user=of.get("user"), issued_before=before), ROLE)
        return policy_name(at + timedelta(hours=12), f"{minutes:08x}"), policy

    alice, session, first = made(1, user="alice"), made(2, session="bob-1"), made(3)
    other: dict[str, Any] = {"Statement": []}
    later = [made(6, user="carol"), made(7, session="carol-1"), (made(0)[0], other), ("foreign", other)]
    assert denies.superseded(dict([alice, session, *later])) == []
    assert denies.superseded(dict([first, session, alice, *later])) == [alice[0], session[0]]
    assert denies.superseded(dict([first, made(5), session, alice, *later])) == [alice[0], session[0], first[0]]


def test_name_has_expiry() -> None:
    name = policy_name(NOON, "1a2b3c4d")
    assert name == "venue-access-revoke-20261120T120000Z-1a2b3c4d"
    assert name.startswith(REVOCATION_PREFIX)
    assert expiry(name) == NOON


@pytest.mark.parametrize(
    "name", ["s3", REVOCATION_PREFIX, f"{REVOCATION_PREFIX}20269920T120000Z-1a2b3c4d", f"{REVOCATION_PREFIX}mine"]
)
def test_another_name_is_none_of_ours(name: str) -> None:
    assert expiry(name) is None


def test_role_holds_dozens_of_sessions_and_then_all() -> None:
    one = deny(Revocation(session="x" * 64), ROLE)
    count = (room([]) - room_for_all(ROLE)) // size(one)
    assert count >= 35
    assert room([one] * count) - size(deny(Revocation(issued_before=NOON), ROLE)) >= 0
    assert room([one]) == 10_240 - len(json.dumps(one, separators=(",", ":")))


def test_revocation_outlasts_every_token() -> None:
    assert timedelta(hours=12) == denies.LONGEST_SESSION
