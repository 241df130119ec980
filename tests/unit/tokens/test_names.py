"""Role session names."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import pytest

from venue_access.aws.sessions import is_of_a_token, role_session_name

MOMENT = datetime(2026, 11, 20, 22, 15, tzinfo=timezone.utc)


def test_session_name_has_user_time_and_random_part() -> None:
    assert role_session_name("alice", MOMENT, unique="3f9c21ab") == "alice-20261120T221500Z-3f9c21ab"


def test_long_user_name_is_cut() -> None:
    name = role_session_name("x" * 64, MOMENT, unique="3f9c21ab")
    assert name == "x" * 38 + "-20261120T221500Z-3f9c21ab"
    assert len(name) == 64


def test_names_of_the_same_second_differ() -> None:
    names = {role_session_name("alice", MOMENT) for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(r"alice-20261120T221500Z-[0-9a-f]{8}", name) for name in names)


@pytest.mark.parametrize("user", ["al", "alice-b", "alice@example.org", "x" * 64])
def test_partly_copied_name_is_detected(user: str) -> None:
    name = role_session_name(user, MOMENT)
    assert is_of_a_token(name)
    assert not any(is_of_a_token(part) for part in (name[:-1], name[:-9], user))
