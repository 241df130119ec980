"""Timestamps and durations as text: the one place that formats and parses them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from venue_access.errors import UsageError

SHORTEST, LONGEST = 900, 43_200
"""Seconds of a token (AWS STS API reference, AssumeRole, DurationSeconds)."""
_ISO = "%Y-%m-%dT%H:%M:%SZ"
_DURATION = re.compile(
    r"(?:(?P<days>\d{1,5})d)?(?:(?P<hours>\d{1,6})h)?(?:(?P<minutes>\d{1,6})m)?(?:(?P<seconds>\d{1,6})s)?", re.ASCII
)


def iso(moment: datetime) -> str:
    """Format a time as AWS does, in UTC: ``2026-11-20T22:15:00Z``."""
    return f"{moment.astimezone(timezone.utc):{_ISO}}"


def parse_iso(text: str) -> datetime:
    """Parse a time that ``iso`` formatted.

    :raises ValueError: it has another format.
    """
    return datetime.strptime(text, _ISO).replace(tzinfo=timezone.utc)


def to_minute(moment: datetime) -> str:
    """Format a time for a message, in UTC: ``2026-11-20 22:15 UTC``."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def parse_duration(text: str, flag: str) -> int:
    """Parse a duration, such as ``7d``, ``24h``, ``90m``, ``1h30m`` or ``3600``, into seconds.

    :param flag: the flag, for the message.
    :raises UsageError: it is not a duration.
    """
    written = _DURATION.fullmatch(f"{text}s" if text.isdecimal() else text.lower())
    if not text or written is None:
        raise UsageError(f"{flag} {text!r} is not a duration", hint="write 7d, 24h, 90m, 1h30m or 3600")
    return int(timedelta(**{unit: int(number) for unit, number in written.groupdict("0").items()}).total_seconds())


def parse_token_duration(text: str) -> int:
    """Parse the ``--duration`` of a token into seconds.

    :raises UsageError: it is not a duration, or not one that AWS grants to any caller.
    """
    seconds = parse_duration(text, "--duration")
    if not SHORTEST <= seconds <= LONGEST:
        raise UsageError(f"--duration {text} is {seconds} s; AWS issues tokens for 900 s (15m) to 43200 s (12h)")
    return seconds
