"""The time limit of a command: everything that it asks of AWS gets so many seconds together.

A read timeout starts again with each byte, so a server that sends a byte a second never reaches one. Each call
therefore runs in a thread of its own, and the caller waits no longer than the limit allows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, TypeVar

from venue_access.errors import Unreachable, UsageError

DEFAULT = "5m"
"""The limit of a command that is given none."""
CALL_LIMIT = 300.0
"""Seconds that one call may take with its retries, also where the command has no limit."""
_TO_RECORD = 30.0  # seconds to write down what AWS has already given
_T = TypeVar("_T")


class Deadline:
    """When a command's time is up.

    :param seconds: from now; None sets no limit but that of each call.
    :param text: the limit as the person gave it.
    """

    def __init__(self, seconds: float | None, text: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds
        self._text = text
        self._extension = threading.local()

    @contextmanager
    def extended(self) -> Iterator[None]:
        """Give the calling thread time to record what AWS has already given, however late it is."""
        self._extension.end = self._clock() + _TO_RECORD
        try:
            yield
        finally:
            del self._extension.end

    def remaining(self) -> float:
        """Return the seconds that a call which begins now may take; zero or less if the time is up."""
        if self._end is None:
            return CALL_LIMIT
        end = max(self._end, getattr(self._extension, "end", self._end))
        return min(CALL_LIMIT, end - self._clock())

    def call(self, what: str, where: str, function: Callable[[], _T]) -> _T:
        """Return what ``function`` returns, or raise what it raises, within the time that is left.

        :param what: the call, for the message.
        :param where: who is asked.
        :raises Unreachable: the time is up; ``function`` is abandoned, and its thread ends with the process.
        """
        left = self.remaining()
        call = _Call(function)
        if left > 0:
            call.start()
        if wait([call.outcome], timeout=max(left, 0)).done:
            return call.outcome.result()
        call.abandoned = True
        if left < CALL_LIMIT:
            message = f"{where} did not answer {what} within the command's time limit of {self._text}"
            raise Unreachable(message, hint="check the network and the endpoint's URL; --timeout sets another limit")
        raise Unreachable(
            f"{where} did not answer {what} within {CALL_LIMIT:.0f} s", hint="check the network and the endpoint's URL"
        )


class _Call(threading.Thread, Generic[_T]):
    """A function that runs in a thread which does not keep the process from ending."""

    def __init__(self, function: Callable[[], _T]) -> None:
        super().__init__(daemon=True)
        self.outcome: Future[_T] = Future()
        self.abandoned = False
        self._function = function

    def run(self) -> None:
        with self:
            self.outcome.set_result(self._function())

    def __enter__(self) -> None:
        """Keep what the function raises for the thread that waits."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.outcome.set_exception(error)
        return True


_limits = [Deadline(None)]


def current() -> Deadline:
    """Return the deadline of the command that runs, in any of its threads."""
    return _limits[-1]


@contextmanager
def time_limit(seconds: float | None, text: str = "") -> Iterator[None]:
    """Limit everything that is asked of AWS in this context, in any thread.

    :param text: the limit as the person gave it with ``--timeout``.
    :raises UsageError: it leaves no time.
    """
    if seconds == 0:
        raise UsageError(f"--timeout {text} leaves no time", hint="write 30s, 5m or 1h")
    _limits.append(Deadline(seconds, text))
    try:
        yield
    finally:
        _limits.pop()


def is_abandoned() -> bool:
    """Return whether nobody waits any longer for the call that this thread makes: it is not to be sent again."""
    return isinstance(thread := threading.current_thread(), _Call) and thread.abandoned
