"""Durations as people write them, and the limits that AWS sets."""

from __future__ import annotations

import pytest

from venue_access.aws.client import CallerIdentity
from venue_access.durations import length
from venue_access.errors import UsageError
from venue_access.tokens.durations import check_for_caller, check_for_role, seconds


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
def test_a_duration_is_read_as_seconds(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["899", "43201", "0", "14m", "12h1s", "13h"])
def test_what_aws_gives_to_nobody_is_refused_with_its_limits(text: str) -> None:
    with pytest.raises(UsageError, match=r"900 s \(15m\) to 43200 s \(12h\)"):
        seconds(text)


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
def test_what_is_no_length_of_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is not a length of time\n  write 7d, 24h, 90m, 1h30m or 3600"):
        length(text, "--duration")


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 604_800), ("1d12h", 129_600), ("0", 0), ("99999d", 8_639_913_600)]
)
def test_every_flag_takes_days(text: str, seconds: int) -> None:
    assert length(text, "--grace") == seconds


def test_the_flag_is_named() -> None:
    with pytest.raises(UsageError, match=r"^--grace 'soon'"):
        length("soon", "--grace")


def test_a_role_session_gets_an_hour_and_is_told_of_role_chaining() -> None:
    session = CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/operator/me")
    check_for_caller(3600, session)
    with pytest.raises(UsageError, match=r"your keys are a role's session \(arn:.*\).*at 3600 s \(role chaining\)"):
        check_for_caller(3601, session)


def test_an_instances_own_role_is_left_to_aws() -> None:
    check_for_caller(
        43200, CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/issuer/i-0123456789abcdef0")
    )


def test_a_user_gets_as_much_as_the_role_gives() -> None:
    check_for_caller(43200, CallerIdentity("111122223333", "arn:aws:iam::111122223333:user/me"))
    check_for_role(7200, 7200)
    with pytest.raises(UsageError, match="more than the role's maximum of 7200 s"):
        check_for_role(7201, 7200)
