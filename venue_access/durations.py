"""Lengths of time, as every flag takes them: ``7d``, ``24h``, ``90m``, ``1h30m`` or ``3600``."""

from __future__ import annotations

import re
from datetime import timedelta

from venue_access.errors import UsageError

_LENGTH = re.compile(
    r"(?:(?P<days>\d{1,5})d)?(?:(?P<hours>\d{1,6})h)?(?:(?P<minutes>\d{1,6})m)?(?:(?P<seconds>\d{1,6})s)?", re.ASCII
)


def length(text: str, flag: str) -> int:
    """Return a length of time in seconds; a number alone is seconds.

    :param flag: the flag it was given with, for the message.
    :raises UsageError: it is not a length of time.
    """
    written = _LENGTH.fullmatch(f"{text}s" if text.isdecimal() else text.lower())
    if not text or written is None:
        raise UsageError(f"{flag} {text!r} is not a length of time", hint="write 7d, 24h, 90m, 1h30m or 3600")
    return int(timedelta(**{unit: int(number) for unit, number in written.groupdict("0").items()}).total_seconds())
