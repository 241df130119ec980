"""Time: timestamps and durations as text, the time limit of a command, and retries.

All calls to AWS of a command together take at most so many seconds. A read timeout restarts with each byte, so a server
that sends a byte a second never exceeds one. Each call therefore runs in its own thread, and the caller waits no longer
than the limit allows.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Generic, TypeVar

from venue_access.errors import ConnectionFailed, UsageError

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


DEFAULT = "5m"
"""The default of ``--timeout``."""
CALL_LIMIT = 300.0
"""Seconds that one call may take with its retries, even if the command has no limit."""
_TO_RECORD = 30.0  # seconds to record a token that AWS has already issued
_REMEDY = "check the network and the endpoint's URL"
_T = TypeVar("_T")


class Deadline:
    """The end of a command's time limit.

    :param seconds: from now; None leaves only the limit of each call.
    :param text: the limit as the user wrote it.
    """

    def __init__(self, seconds: float | None, text: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds
        self._text = text
        self._extension = threading.local()

    @contextmanager
    def extended(self) -> Iterator[None]:
        """Give the calling thread time to record a token that AWS has already issued, even after the limit."""
        self._extension.end = self._clock() + _TO_RECORD
        try:
            yield
        finally:
            del self._extension.end

    def remaining(self) -> float:
        """Return the seconds that a call may take from now; zero or less after the limit."""
        if self._end is None:
            return CALL_LIMIT
        end = max(self._end, getattr(self._extension, "end", self._end))
        return min(CALL_LIMIT, end - self._clock())

    def call(self, what: str, where: str, function: Callable[[], _T]) -> _T:
        """Return what ``function`` returns, or raise what it raises, within the remaining time.

        :param what: the call, for the message.
        :param where: the endpoint, for the message.
        :raises ConnectionFailed: it took too long; ``function`` is abandoned, and its thread ends with the process.
        """
        left = self.remaining()
        call = _Call(function)
        if left > 0:
            call.start()
        if wait([call.outcome], timeout=max(left, 0)).done:
            return call.outcome.result()
        call.abandoned = True
        if left < CALL_LIMIT:
            limit, remedy = f"the command's time limit of {self._text}", f"{_REMEDY}; --timeout sets another limit"
        else:
            limit, remedy = f"{CALL_LIMIT:.0f} s", _REMEDY
        raise ConnectionFailed(f"{where} did not answer {what} within {limit}", hint=remedy)


class _Call(threading.Thread, Generic[_T]):
    """A function in a thread that does not keep the process alive."""

    def __init__(self, function: Callable[[], _T]) -> None:
        super().__init__(daemon=True)
        self.outcome: Future[_T] = Future()
        self.abandoned = False
        self._function = function

    def run(self) -> None:
        with self:
            self.outcome.set_result(self._function())

    def __enter__(self) -> None:
        """Enter the block that passes any exception of the function to the waiting thread."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.outcome.set_exception(error)
        return True


_limits = [Deadline(None)]


def current() -> Deadline:
    """Return the deadline of the running command, in any of its threads."""
    return _limits[-1]


@contextmanager
def time_limit(seconds: float | None, text: str = "") -> Iterator[None]:
    """Limit the time of all calls to AWS in this context, in any thread.

    :param text: the limit as the user wrote it with ``--timeout``.
    :raises UsageError: the limit is zero.
    """
    if seconds == 0:
        raise UsageError(f"--timeout {text} is too short", hint="write 30s, 5m or 1h")
    _limits.append(Deadline(seconds, text))
    try:
        yield
    finally:
        _limits.pop()


def is_abandoned() -> bool:
    """Return whether the caller no longer waits for this thread's call, which must then not be retried."""
    return isinstance(thread := threading.current_thread(), _Call) and thread.abandoned


PROPAGATION = 120.0
"""Seconds to wait until IAM applies a change of a trust policy everywhere."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds


@dataclass(frozen=True)
class RetryPolicy:
    """How long to retry, in seconds, and how to wait between attempts."""

    timeout: float = PROPAGATION
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def attempts(self) -> Iterator[None]:
        """Yield at once, and again after each of ever longer pauses, until the timeout."""
        deadline = self.clock() + self.timeout
        pause = _FIRST_PAUSE
        yield
        while self.clock() + pause <= deadline:
            self.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            yield

    def until(self, done: Callable[[], bool]) -> bool:
        """Retry until ``done`` returns true; return false if the timeout comes first."""
        return any(done() for _ in self.attempts())
