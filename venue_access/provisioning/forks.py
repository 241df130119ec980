"""Work side by side in threads, as much of it as fits the machine; Ctrl-C reaches all of it."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from venue_access.errors import UsageError
from venue_access.provisioning.process import begin_again, interrupt_all

_MEMORY_OF_A_PLAN = 800 * 2**20
_MEMORY = Path("/proc/meminfo")


def forks(given: str | None) -> int:
    """How many stacks to run at once: what ``--forks`` says, else what fits.

    A plan keeps a core busy and takes 0.8 GiB; more of them than cores gain nothing.

    :raises UsageError: it is no number of stacks.
    """
    if given is None:
        return max(1, min(_cores(), _memory() // _MEMORY_OF_A_PLAN))
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= 64):
        raise UsageError(f"--forks takes a number from 1 to 64, not {given!r}")
    return int(given)


def side_by_side(jobs: Iterable[Callable[[], None]], at_once: int) -> None:
    """Do all of ``jobs``, each in a thread, ``at_once`` at a time.

    The first Ctrl-C lets what runs end in good order, a second one is harder on Terraform, a third leaves at once.

    :raises Exception: what one of the jobs raised, when the others have ended.
    """
    waiting = deque(jobs)
    raised: list[BaseException] = []

    def work() -> None:
        while True:
            try:
                job = waiting.popleft()
            except IndexError:
                return
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - raised below, where it is seen
                raised.append(error)

    presses = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal presses
        presses += 1
        if presses > 2:
            raise KeyboardInterrupt
        interrupt_all()

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # as in the background of a script
        signal.signal(signal.SIGINT, interrupted)
    try:
        # Daemons: a third Ctrl-C does not wait for them.
        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(waiting)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # a signal that came to another thread is not noticed while this one waits
    finally:
        signal.signal(signal.SIGINT, before)
        begin_again()
    if raised:
        raise raised[0]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """Bytes that programs may still take: what Linux says is available, elsewhere all there is."""
    try:
        for line in _MEMORY.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
