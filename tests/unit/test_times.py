"""Timestamps and durations as text."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from venue_access.errors import UsageError
from venue_access.times import iso, parse_duration, parse_iso, parse_token_duration, to_minute


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
def test_duration_is_parsed_into_seconds(text: str, expected: int) -> None:
    assert parse_token_duration(text) == expected


@pytest.mark.parametrize("text", ["899", "43201", "0", "14m", "12h1s", "13h"])
def test_duration_beyond_aws_limits_is_refused_with_the_limits(text: str) -> None:
    with pytest.raises(UsageError, match=r"900 s \(15m\) to 43200 s \(12h\)"):
        parse_token_duration(text)


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
    with pytest.raises(UsageError, match="is not a duration\n  write 7d, 24h, 90m, 1h30m or 3600"):
        parse_duration(text, "--duration")


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 604_800), ("1d12h", 129_600), ("0", 0), ("99999d", 8_639_913_600)]
)
def test_duration_may_have_days(text: str, seconds: int) -> None:
    assert parse_duration(text, "--grace") == seconds


def test_malformed_duration_names_the_flag() -> None:
    with pytest.raises(UsageError, match=r"^--grace 'soon'"):
        parse_duration("soon", "--grace")


def test_iso_timestamp_is_utc_and_parses_back() -> None:
    moment = datetime(2026, 11, 20, 23, 15, tzinfo=timezone(timedelta(hours=1)))
    assert (iso(moment), to_minute(moment)) == ("2026-11-20T22:15:00Z", "2026-11-20 22:15 UTC")
    assert parse_iso(iso(moment)) == moment
    with pytest.raises(ValueError, match="does not match format"):
        parse_iso("2026-11-20 22:15:00")
