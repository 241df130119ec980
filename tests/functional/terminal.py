"""Commands at a terminal of their own, whose standard output goes somewhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TAKE_THE_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(2, termios.TIOCSCTTY, 0);"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)


@dataclass(frozen=True)
class AtTerminal:
    """What a command came to."""

    code: int
    screen: str
    out: bytes
    """Standard output, which was a pipe."""


def at_terminal(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    answer: str = "",
    to: str = "passphrase",
) -> AtTerminal:
    """Run a command; ``answer`` is typed once the screen shows ``to``."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _TAKE_THE_TERMINAL, *command],
        stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, cwd=folder, env=environment,
    ) as process:  # fmt: skip
        os.close(theirs)
        screen = b""
        while read := _read(ours):
            screen += read
            if answer and to.encode() in screen:
                os.write(ours, answer.encode() + b"\n")
                answer = ""
        out, _ = process.communicate(timeout=60)
    os.close(ours)
    return AtTerminal(process.returncode, screen.decode(), out)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux tells that nobody is at the other end any more
        return b""
