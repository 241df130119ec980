"""Run Terraform as a child process, and stacks side by side; Ctrl-C and SIGKILL reach all of it.

A child process neither outlives the kit nor leaves a child of its own behind.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TypeVar

from venue_access.errors import UsageError

# The shell becomes the program and leaves a watchdog in its process group. The watchdog's standard input is the kit's
# lifeline, and its standard error the reading end of its own output. It waits until the lifeline breaks, which also a
# SIGKILL of the kit does; asks the program to end; drains its output, so that it neither blocks nor dies of a broken
# pipe before it has saved its state; and kills what is left of the process group.
_WATCHED = """
exec 3<&2 2>&1 4<&0 </dev/null
{ read -r _ <&4; kill -TERM $$; cat <&3; kill -KILL -- -$$; } >/dev/null 2>&1 &
exec "$@" 3<&- 4<&-
"""

FINISHING = 60.0
"""Seconds that a program has to save its state after it is asked to finish."""
_MEMORY_OF_A_PLAN = 800 * 2**20  # bytes
_MEMORY = Path("/proc/meminfo")
_running: list[Process] = []
_stopping = threading.Event()
_T = TypeVar("_T")


class ProcessInterrupted(KeyboardInterrupt):
    """Ctrl-C came while the process ran; the process has finished what it was doing."""


class Process:
    """A running program whose output and errors are read line by line; use it as a context manager.

    Each Ctrl-C asks the program to finish; the end of the context then raises ``ProcessInterrupted``. A thread, which
    no Ctrl-C reaches, is interrupted by ``interrupt_all``.

    :param deadline: seconds until the program is asked to finish, and killed ``FINISHING`` seconds later.
    :ivar overdue: whether the deadline passed.
    :raises ProcessInterrupted: ``interrupt_all`` was called before.
    """

    def __init__(
        self, command: Sequence[str], folder: str, environment: Mapping[str, str], *, deadline: float | None = None
    ) -> None:
        pause(0)
        self.overdue = False
        reading, writing = os.pipe()
        watched, self._lifeline = os.pipe()
        self._output = os.fdopen(reading, encoding="utf-8", errors="replace")
        self._interrupted = False
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WATCHED, "sh", *command],
                stdin=watched,
                stdout=writing,
                stderr=reading,
                cwd=folder,
                env=dict(environment),
                umask=0o077,  # state, plans and variable files hold the external ID
                start_new_session=True,  # Ctrl-C at the terminal reaches only the kit, which passes it on once
            )
        except BaseException:
            self._output.close()
            os.close(self._lifeline)
            raise
        finally:
            os.close(writing)
            os.close(watched)
        self._ended = threading.Event()
        if deadline is not None:
            threading.Thread(target=self._watch, args=(deadline,), daemon=True).start()
        _running.append(self)
        if _stopping.is_set():  # interrupt_all was called before this process was in the list
            self.interrupt()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        _running.remove(self)
        self._ended.set()
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        # The watchdog, and what a killed Terraform leaves of its providers.
        with suppress(ProcessLookupError, PermissionError):  # macOS: PermissionError for a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)
        os.close(self._lifeline)
        self._output.close()
        if self._interrupted:
            raise ProcessInterrupted

    def _watch(self, deadline: float) -> None:
        if self._ended.wait(deadline):
            return
        self.overdue = True
        self._process.send_signal(signal.SIGINT)
        if not self._ended.wait(FINISHING):
            self._process.kill()

    def lines(self) -> Iterator[str]:
        """Yield the output line by line, to its end."""
        while line := self._despite_ctrl_c(self._output.readline):
            yield line

    def wait(self) -> int:
        """Return the exit code; the negative number of a signal that ended the program."""
        return self._despite_ctrl_c(self._process.wait)

    def _despite_ctrl_c(self, call: Callable[[], _T]) -> _T:
        while True:
            try:
                return call()
            except KeyboardInterrupt:
                self.interrupt()

    def interrupt(self) -> None:
        """Ask the program to finish what it is doing."""
        self._interrupted = True
        self._process.send_signal(signal.SIGINT)


def interrupt_all() -> None:
    """Ask every running program to finish; from now on no program starts and no pause lasts."""
    _stopping.set()
    for process in list(_running):
        process.interrupt()


def pause(seconds: float) -> None:
    """Sleep.

    :raises ProcessInterrupted: ``interrupt_all`` was called, now or before.
    """
    if _stopping.wait(seconds):
        raise ProcessInterrupted


def forks(given: str | None) -> int:
    """Return how many stacks to run side by side: the value of ``--forks``, or what fits the machine.

    A plan keeps a core busy and takes 0.8 GiB; more plans than cores do not run faster.

    :raises UsageError: it is not a number from 1 to 64.
    """
    if given is not None:
        if not (given.isascii() and given.isdigit() and 1 <= int(given) <= 64):
            raise UsageError(f"--forks takes a number from 1 to 64, not {given!r}")
        return int(given)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError):  # on Linux, what programs may still take
        available = re.search(r"^MemAvailable: +(\d+) kB", _MEMORY.read_text(encoding="ascii"), re.MULTILINE)
        memory = int(available[1]) * 1024 if available else memory
    return max(1, min(cores, memory // _MEMORY_OF_A_PLAN))


def side_by_side(jobs: Iterable[Callable[[], None]], at_once: int) -> None:
    """Run all ``jobs`` in threads, ``at_once`` at a time.

    The first Ctrl-C lets running programs finish, a second one makes Terraform stop sooner, a third ends the kit.

    :raises Exception: what one of the jobs raised, when the others have ended.
    """
    waiting = deque(jobs)
    raised: list[BaseException] = []

    presses = 0

    def work() -> None:
        with suppress(IndexError):  # no job is left
            while True:
                job = waiting.popleft()
                try:
                    job()
                except BaseException as error:  # noqa: BLE001 - raised below, in the main thread
                    raised.append(error)

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
        # Daemon threads: a third Ctrl-C does not wait for them.
        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(waiting)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # a signal that came to another thread is not noticed during a longer wait
    finally:
        signal.signal(signal.SIGINT, before)
        _stopping.clear()
    if raised:
        raise raised[0]
