"""A child process that neither outlives the kit nor leaves a child of its own behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

# The shell becomes the program and leaves a watchdog in its process group. It comes with the kit's lifeline as its
# standard input and the reading end of its own output as its standard error. The watchdog waits until the lifeline
# breaks, which a SIGKILL of the kit does too; asks the program to end; takes what it still says, so that it neither
# blocks nor dies of a broken pipe before it has saved its state; and removes what is left when it is gone.
_WATCHED = """
exec 3<&2 2>&1 4<&0 </dev/null
{ read -r _ <&4; kill -TERM $$; cat <&3; kill -KILL -- -$$; } >/dev/null 2>&1 &
exec "$@" 3<&- 4<&-
"""


FINISHING = 60.0
"""Seconds that a program is given to save its state."""


class ProcessInterrupted(KeyboardInterrupt):
    """Ctrl-C came while the process ran; it was let finish what it was doing."""


class Process:
    """A running program whose output, with its errors, is read line by line; to be used as a context.

    Each Ctrl-C asks the program to finish; at the end of the context it becomes ``ProcessInterrupted``. In a thread,
    which no Ctrl-C reaches, ``interrupt_all`` stands for it.

    :param deadline: seconds after which it is asked to finish, and a while later killed.
    :ivar overdue: whether that happened.
    :raises Interrupted: none is to begin any more.
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
                start_new_session=True,  # Ctrl-C at the terminal reaches the kit alone, which passes it on once
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
        if _stopping.is_set():  # just now: it was not among those that were told
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
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
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
        """What it prints, line by line, to the end."""
        while True:
            try:
                line = self._output.readline()
            except KeyboardInterrupt:
                self.interrupt()
                continue
            if not line:
                return
            yield line

    def wait(self) -> int:
        """The code it ended with; the negative number of a signal that ended it."""
        while True:
            try:
                return self._process.wait()
            except KeyboardInterrupt:
                self.interrupt()

    def interrupt(self) -> None:
        """Ask the program to finish what it is doing, and no more."""
        self._interrupted = True
        self._process.send_signal(signal.SIGINT)


_running: list[Process] = []
_stopping = threading.Event()


def interrupt_all() -> None:
    """Ask every program that runs to finish what it is doing; none begins from here on, and no pause lasts."""
    _stopping.set()
    for process in list(_running):
        process.interrupt()


def begin_again() -> None:
    """Let programs run again after ``interrupt_all``."""
    _stopping.clear()


def pause(seconds: float) -> None:
    """Sleep.

    :raises Interrupted: ``interrupt_all`` was called, now or before.
    """
    if _stopping.wait(seconds):
        raise ProcessInterrupted
