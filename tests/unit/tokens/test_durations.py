"""Durations as people write them, and the limits that AWS sets."""

from __future__ import annotations

import pytest

from venue_access.aws.client import CallerIdentity
from venue_access.durations import length
from venue_access.errors import UsageError
from venue_access.tokens.request import check_chaining, token_seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h", 3600),
        ("90m", 5400),
        ("1h30m", 5400),
        ("3600", 3600),
        ("3600s", 3600),
        ("15m", 900),
        ("900", 900),
        ("12h", 43200),
        ("1H", 3600),
        ("0h900s", 900),
    ],
)
def test_duration_in_seconds(text: str, expected: int) -> None:
    assert token_seconds(text) == expected


@pytest.mark.parametrize("text", ["899", "43201", "0", "14m", "12h1s", "13h"])
def test_duration_outside_the_limits_of_aws_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"900 s \(15m\) to 43200 s \(12h\)"):
        token_seconds(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "-5",
        "-1h",
        "1.5h",
        "1w",
        "h",
        "12h1d",
        "100000d",
        "1h30",
        "30m1h",
        "1h1h",
        "1 h",
        "1h\n",
        "٣٦٠٠",
        "9" * 5000,
        "1e3",
    ],
)
def test_malformed_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is not a length of time\n  write 7d, 24h, 90m, 1h30m or 3600"):
        length(text, "--duration")


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 604_800), ("1d12h", 129_600), ("0", 0), ("99999d", 8_639_913_600)]
)
def test_duration_in_days(text: str, seconds: int) -> None:
    assert length(text, "--grace") == seconds


def test_message_names_the_flag() -> None:
    with pytest.raises(UsageError, match=r"^--grace 'soon'"):
        length("soon", "--grace")


def test_role_session_is_limited_to_one_hour() -> None:
    session = CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/operator/me")
    check_chaining(3600, session)
    with pytest.raises(UsageError, match=r"are a role session \(arn:.*\).*to 3600 s \(role chaining\)"):
        check_chaining(3601, session)


def test_instance_role_is_not_limited() -> None:
    check_chaining(
        43200, CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/issuer/i-0123456789abcdef0")
    )


def test_iam_user_may_request_the_longest_duration() -> None:
    check_chaining(43200, CallerIdentity("111122223333", "arn:aws:iam::111122223333:user/me"))
